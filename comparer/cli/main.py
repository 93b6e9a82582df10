"""The command line: everything the page does, without a browser."""

import argparse
import sys

from comparer import __version__
from comparer.cli import catalog, check, compare, evaluate, export, history, inspect, resume
from comparer.errors import ComparerError


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 2 for a user error, 3 if an arm was not run, 130 after Ctrl-C."""
    try:
        options = _parser().parse_args(arguments)
        return options.command(options)
    except ComparerError as error:
        print(f"comparer: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m comparer", description="Compare diffusion accelerators and checkpoints from the command line."
    )
    parser.add_argument("--version", action="version", version=f"comparer {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    compare.add(commands)
    catalog.add_checkpoints(commands)
    resume.add(commands)
    evaluate.add(commands)
    export.add(commands)
    inspect.add(commands)
    check.add(commands)
    history.add(commands)
    catalog.add_accelerators(commands)
    catalog.add_fetch(commands)
    return parser
