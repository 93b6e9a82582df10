"""The progress bar of every command, and the final output of a comparison."""

import argparse
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comparer.cli.tables import table
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Progress, Waiting
from comparer.request.request import Request
from comparer.results.analysis import Analysis
from comparer.results.notes import judged, measured, notes
from comparer.text import duration

STEPS = "{desc} |{bar}| {n_fmt}/{total_fmt}{postfix}"
BYTES = "{desc} |{bar}| {percentage:.0f}%{postfix}"


@contextmanager
def progress_bar(quiet: bool, first: str = "Starting", form: str = STEPS) -> Iterator[Callable[..., None]]:
    """Show a progress bar; yield a function that shows an event, with a text before that of the event.

    Args:
        quiet: whether to show nothing.
        first: text until the first event.
        form: tqdm's format of the bar.
    """
    from tqdm import tqdm

    with tqdm(desc=first, total=1, disable=quiet, bar_format=form) as bar:

        def show(event: Any, before: str = "") -> None:
            if isinstance(event, Waiting):
                bar.set_description_str(f"{before}Waiting: {event.ahead} ahead, now: {event.now}")
            elif isinstance(event, Progress):
                bar.total, bar.n = event.total or None, event.done
                bar.set_description_str(before + event.text, refresh=False)
                left = event.seconds_left
                bar.set_postfix_str("" if left is None else f"about {duration(left)} left")

        yield show


def run(request: Request, config: Config, options: argparse.Namespace, into: Path | None = None) -> int:
    """Run a request and print the results; return the exit code.

    Args:
        request: the request to run.
        config: folders and device.
        options: with ``quiet``.
        into: the folder of a run to be resumed.
    """
    done: Finished | None = None
    events = compare(request, config, into=into)
    try:
        with progress_bar(options.quiet) as show:
            for event in events:
                show(event)
                if isinstance(event, Finished):
                    done = event
    except KeyboardInterrupt:
        events.close()
        print("Stopped; finished pictures are in the run folder.", file=sys.stderr)
        return 130
    assert done is not None
    analysis = Analysis(done.comparison)
    print(table(analysis))
    for line in (*(line for each in analysis.arms[1:] for line in judged(each)), *notes(analysis), *measured(analysis)):
        print(line)
    print(f"\nRun folder: {done.folder}")
    if done.grid:
        print(f"Grid:       {Path(done.grid)}")
    return 3 if done.comparison.incomplete else 0
