"""The figures of a comparison as a plain-text table."""

from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import incomplete
from comparer.results.notes import loss
from comparer.text import aligned, gib, optional, percent


def table(comparison: Comparison) -> str:
    """Format the figures of every arm as a plain-text table."""
    head = [
        "arm",
        "pictures",
        "s/picture",
        "of baseline",
        "least / median / most",
        "it/s",
        "speed-up",
        "CLIP",
        "CLIP loss",
        "SSIM",
    ]
    rows = [(*head, "peak memory", "what it did")]
    for number, (arm, figures) in enumerate(zip(comparison.request.arms, comparison.all_figures(), strict=True)):
        first = number == 0
        rows.append(
            (
                arm.name,
                str(figures.pictures),
                optional(figures.seconds, "{:.3f}"),
                percent(comparison.time_share(number)),
                " / ".join(optional(x, "{:.3f}") for x in (figures.fastest, figures.median_seconds, figures.slowest)),
                optional(figures.steps_per_second, "{:.1f}"),
                "1×" if first else optional(figures.speed_up, "{:.2f}×"),
                optional(figures.clip_score, "{:.2f}"),
                "" if first or figures.clip_loss is None else loss(figures.clip_loss),
                optional(alike.ssim if (alike := comparison.similarity(number)) else None, "{:.3f}"),
                gib(comparison.peak(number)) or "not measured",
                f"not run: {why}"
                if (why := comparison.skip_reason(number))
                else "; ".join(filter(None, (incomplete(comparison, number), comparison.describe_work(number)))),
            )
        )
    rule = tuple("-" * max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(aligned([rows[0], rule, *rows[1:]], indent=""))
