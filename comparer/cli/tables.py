"""Plain-text tables for the terminal."""

from collections.abc import Iterable, Iterator

from comparer.results.analysis import Analysis
from comparer.results.loaded_weights import incomplete
from comparer.results.notes import loss


def columns(rows: Iterable[tuple[str, ...]]) -> Iterator[str]:
    """Format rows of equal length as lines with aligned columns."""
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
    for row in table:
        yield "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


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
                _show(figures.seconds, "{:.3f}"),
                _show(each.time_share, "{:.0%}"),
                " / ".join(_show(x, "{:.3f}") for x in (figures.fastest, figures.median_seconds, figures.slowest)),
                _show(figures.steps_per_second, "{:.1f}"),
                "1×" if first else _show(figures.speed_up, "{:.2f}×"),
                _show(figures.clip_score, "{:.2f}"),
                "" if first or figures.clip_loss is None else loss(figures.clip_loss),
                _show(alike.ssim if (alike := each.similarity) else None, "{:.3f}"),
                _show((peak := each.peak) and peak / 2**30, "{:.2f} GiB") or "not measured",
                f"not run: {skipped}"
                if skipped
                else "; ".join(filter(None, (incomplete(analysis.comparison, each.number), each.work))),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _show(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
