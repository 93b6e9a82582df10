"""The figures of a comparison as a plain-text table."""

from comparer.results.analysis import Analysis
from comparer.results.loaded_weights import incomplete
from comparer.results.notes import loss
from comparer.text import aligned, gib, optional, percent


def table(analysis: Analysis) -> str:
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
    for each in analysis.arms:
        figures, first, skipped = each.figures, each.number == 0, analysis.comparison.skip_reason(each.number)
        rows.append(
            (
                each.arm.name,
                str(figures.pictures),
                optional(figures.seconds, "{:.3f}"),
                percent(each.time_share),
                " / ".join(optional(x, "{:.3f}") for x in (figures.fastest, figures.median_seconds, figures.slowest)),
                optional(figures.steps_per_second, "{:.1f}"),
                "1×" if first else optional(figures.speed_up, "{:.2f}×"),
                optional(figures.clip_score, "{:.2f}"),
                "" if first or figures.clip_loss is None else loss(figures.clip_loss),
                optional(alike.ssim if (alike := each.similarity) else None, "{:.3f}"),
                gib(each.peak) or "not measured",
                f"not run: {skipped}"
                if skipped
                else "; ".join(filter(None, (incomplete(analysis.comparison, each.number), each.work))),
            )
        )
    rule = tuple("-" * max(map(len, column)) for column in zip(*rows, strict=True))
    return "\n".join(aligned([rows[0], rule, *rows[1:]], indent=""))
