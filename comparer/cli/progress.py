"""A comparison on the command line: its progress bar, and what is printed at its end."""

import argparse
import sys
from pathlib import Path
from typing import Any

from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Progress, Waiting
from comparer.request.request import Request
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import incomplete
from comparer.results.notes import judged, loss, notes
from comparer.stats.verdict import Thresholds


def run(request: Request, config: Config, options: argparse.Namespace, into: Path | None = None) -> int:
    """Run a request and print what was seen; return the exit code.

    Args:
        request: what to make.
        config: folders and device.
        options: with ``quiet``, ``worthwhile`` and ``bearable``.
        into: the folder of a run that goes on.
    """
    from tqdm import tqdm

    thresholds = Thresholds(options.worthwhile, options.bearable)
    form = "{desc} |{bar}| {n_fmt}/{total_fmt}{postfix}"
    bar = tqdm(desc="Starting", total=1, unit="step", disable=options.quiet, bar_format=form)
    done: Finished | None = None
    events = compare(request, config, into=into)
    try:
        for event in events:
            if isinstance(event, Waiting):
                bar.set_description_str(f"Waiting: {event.ahead} ahead, now: {event.now}")
            elif isinstance(event, Progress):
                bar.total, bar.n = event.total or None, event.done
                draw(bar, event)
            elif isinstance(event, Finished):
                done = event
    except KeyboardInterrupt:
        events.close()
        print("Stopped; finished pictures are in the run folder.", file=sys.stderr)
        return 130
    finally:
        bar.close()
    assert done is not None
    print(table(done.comparison))
    for number in range(1, len(request.arms)):
        for line in judged(done.comparison, number, thresholds):
            print(line)
    for line in notes(done.comparison):
        print(line)
    print(f"\nRun folder: {done.folder}")
    if done.grid:
        print(f"Grid:       {Path(done.grid)}")
    return 3 if done.comparison.not_run else 0


def draw(bar: Any, event: Progress) -> None:
    """Say on a progress bar of tqdm's what happens."""
    bar.set_description_str(event.text, refresh=False)
    bar.set_postfix_str("" if event.seconds_left is None else f"about {event.seconds_left:.0f} s left")


def table(comparison: Comparison) -> str:
    """Write the figures of every arm as a table of plain text."""
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
                _show(figures.seconds, "{:.3f}"),
                _show(comparison.time_share(number), "{:.0%}"),
                " / ".join(_show(x, "{:.3f}") for x in (figures.fastest, figures.median_seconds, figures.slowest)),
                _show(figures.steps_per_second, "{:.1f}"),
                "1×" if first else _show(figures.speed_up, "{:.2f}×"),
                _show(figures.clip_score, "{:.2f}"),
                "" if first or figures.clip_loss is None else loss(figures.clip_loss),
                _show(alike.ssim if (alike := comparison.similarity(number)) else None, "{:.3f}"),
                _show((peak := comparison.peak(number)) and peak / 2**30, "{:.2f} GiB") or "not measured",
                f"not run: {why}"
                if (why := comparison.why_not(number))
                else "; ".join(filter(None, (incomplete(comparison, number), comparison.did(number)))),
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:]])


def _show(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)
