"""Progress bar and final output of a comparison on the command line."""

import argparse
import sys
from pathlib import Path
from typing import Any

from comparer.cli.tables import table
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Progress, Waiting
from comparer.request.request import Request
from comparer.results.analysis import Analysis
from comparer.results.notes import judged, notes
from comparer.stats.verdict import Thresholds


def run(request: Request, config: Config, options: argparse.Namespace, into: Path | None = None) -> int:
    """Run a request and print the results; return the exit code.

    Args:
        request: the request to run.
        config: folders and device.
        options: with ``quiet``, ``worthwhile`` and ``bearable``.
        into: the folder of a run to be resumed.
    """
    from tqdm import tqdm

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
    analysis = Analysis(done.comparison, Thresholds(options.worthwhile, options.bearable))
    print(table(analysis))
    for line in (*(line for each in analysis.arms[1:] for line in judged(each)), *notes(analysis)):
        print(line)
    print(f"\nRun folder: {done.folder}")
    if done.grid:
        print(f"Grid:       {Path(done.grid)}")
    return 3 if done.comparison.not_run else 0


def draw(bar: Any, event: Progress) -> None:
    """Show an event on a tqdm progress bar."""
    bar.set_description_str(event.text, refresh=False)
    bar.set_postfix_str("" if event.seconds_left is None else f"about {event.seconds_left:.0f} s left")
