"""``python -m comparer continue``: resume a run, with more seeds or one more arm."""

import argparse
from dataclasses import replace
from typing import Any

from comparer.cli import evaluate
from comparer.cli.progress import run
from comparer.errors import ComparerError
from comparer.options import add_arguments, from_arguments
from comparer.request.build import with_arm
from comparer.request.extend import extended
from comparer.runs import store


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "continue",
        help="resume a run: to its end, with more seeds, or with one more arm",
        description="Resume a run. Finished images stay. A later arm is timed together with the baseline again, "
        "whose images must be identical to the kept ones.",
    )
    parser.set_defaults(command=_continue)
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of one in the runs folder")
    parser.add_argument(
        "--more-seeds", type=int, default=0, metavar="N", help="number of additional seeds (%(default)s)"
    )
    parser.add_argument(
        "--arm", action="append", default=[], metavar="A",
        help="one more arm, as --accelerator of compare, or --variant if the run compares checkpoints; may be repeated",
    )  # fmt: skip
    evaluate.add_thresholds(parser, "the run's", "the run's")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(parser)


def _continue(options: argparse.Namespace) -> int:
    config = replace(from_arguments(options), trusted=True)
    folder = store.given(options.run, config.runs)
    if not 0 <= options.more_seeds <= config.limits.pictures:
        raise ComparerError(
            f"{options.more_seeds} more seeds are out of range: 0 to {config.limits.pictures} is allowed."
        )
    request = replace(store.load(folder).request, limits=config.limits)
    request = replace(request, thresholds=evaluate.thresholds(options, request.thresholds))
    if options.more_seeds:
        request = extended(request, options.more_seeds)
    for arm in options.arm:
        request = with_arm(config, request, arm)
    return run(request, config, options, folder)
