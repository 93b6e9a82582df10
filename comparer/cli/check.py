"""``python -m comparer check``: check a new checkpoint with eight images per weight set and one verdict line."""

import argparse
import json
import sys
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

from comparer.checkpoints.inspection import describe as words
from comparer.checkpoints.inspection.card import CheckpointCard
from comparer.cli.progress import progress_bar
from comparer.options import add_arguments, from_arguments
from comparer.sanity.check import check
from comparer.sanity.judge import TOLD
from comparer.sanity.report import CALLED, MEASURES, REPORT, SanityReport, measures, scores
from comparer.text import aligned, printable, quote


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "check",
        help="check in under a minute whether a new checkpoint is healthy",
        description="Generate four fixed prompts with two seeds, from EMA and raw weights if both exist, then measure, "
        "score and judge the images. Exit code 0: healthy; 4: suspicious; 5: broken; 2: nothing to run.",
    )
    parser.set_defaults(command=run)
    parser.add_argument("path", metavar="PATH", help="a folder, or a model of the catalogue")
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(parser, matter=("checkpoints", "runs", "hub", "device", "dtype", "offload", "vae"))


def run(options: argparse.Namespace) -> int:
    """Run the check, print the report, and return the judgement's exit code."""
    config = replace(from_arguments(options), trusted=True)
    report = None
    try:
        with closing(check(options.path, config)) as events, progress_bar(options.quiet) as show:
            for event in events:
                show(event)
                if isinstance(event, SanityReport):
                    report = event
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    assert report is not None
    if options.json:
        print(json.dumps(report.to_json(), indent=1, ensure_ascii=False))
    else:
        print("\n".join(map(printable, describe(report))))
    return report.judgement.exit_code


def describe(report: SanityReport) -> Iterator[str]:
    """Format a report as lines of plain text, the judgement last."""
    if report.card:
        yield from card(report.card)
        yield ""
    for half in report.halves:
        yield f"{CALLED[half.half]} pictures" if half.half else "Pictures"
        yield from aligned([MEASURES, *measures(half)])
        yield ""
    yield from scores(report)
    yield from (f"Note: {quote(note, 300)}" for note in report.judgement.notes)
    if report.folder:
        yield f"{len(report.pictures)} pictures and {REPORT} in {report.seconds:.0f} s: {report.folder}"
    yield from (f"Also: {quote(reason, 500)}" for reason in report.judgement.reasons[TOLD:])
    yield quote(report.judgement.line, 2000)


def card(made: CheckpointCard) -> Iterator[str]:
    """Format a weights card with one line per weight set; ``inspect`` prints all details."""
    layout = made.layout
    yield layout.path
    yield f"  {layout.kind}{f', {layout.about}' if layout.about else ''}"
    if layout.configs:
        yield "  " + ", ".join(f"{key} {quote(value)}" for key, value in layout.configs.items())
    yield from aligned(
        (
            each.part.title,
            f"{each.part.parameters:,} parameters",
            ", ".join(each.part.dtypes),
            f"fingerprint {each.fingerprint.values}",
            "sound" if each.health.sound else "not sound",
        )
        for each in made.seen
    )
    for component, found in made.moved.items():
        yield f"  EMA from raw, {component}: relative distance {words.distance(found.whole)}"
