"""``python -m comparer history``: earlier runs, searched, laid side by side, gone on with and deleted."""

import argparse
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from comparer import history, past, two
from comparer.cli_inspect import columns, printable
from comparer.config import Config, add_arguments, from_arguments
from comparer.door import with_arm
from comparer.errors import ComparerError, shown
from comparer.past import Entry
from comparer.request import Request
from comparer.results import Comparison
from comparer.resume import extended
from comparer.verdict import DEFAULT


def add(commands: Any, make: Callable[..., int]) -> None:
    """Add the command; ``make`` runs a request and prints what is seen, as ``compare`` does."""
    parser = commands.add_parser(
        "history",
        help="list earlier runs, search them, lay two side by side, go on with one, delete one",
        description="List earlier runs, newest first, or do one of the following with them.",
    )
    parser.set_defaults(command=run, make=make)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--search", default="", metavar="WORDS", help="list those in which all these words stand")
    what.add_argument("--two", nargs=2, metavar="NAME", help="lay the figures of two runs side by side")
    what.add_argument("--go-on", metavar="NAME", help="make what is missing of a run, and what is asked for besides")
    what.add_argument("--delete", metavar="NAME", help="delete a run")
    parser.add_argument("--arm", metavar="A", help="with --go-on: one more arm, as 'ToMe(ratio=0.5)'")
    parser.add_argument("--more-seeds", type=int, default=0, metavar="N", help="with --go-on: so many more seeds")
    parser.add_argument("--quiet", action="store_true", help="with --go-on: no progress bar")
    parser.add_argument("--yes", action="store_true", help="with --delete: do not ask")
    add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Do what is asked for; return the exit code."""
    config = replace(from_arguments(options), own=True)
    runs = config.runs
    if options.go_on:
        request, folder = go_on(config, options.go_on, options.arm, options.more_seeds)
        return options.make(request, config, DEFAULT, options.quiet, folder)
    if options.two:
        lines = _two(options.two, [history.load(history.find(runs, name)) for name in options.two])
    elif options.delete:
        lines = _delete(runs, options.delete, options.yes)
    else:
        found = past.search(past.entries(runs), options.search)
        lines = [line for entry in found for line in describe(entry)] or ["There is no such run."]
    print("\n".join(map(printable, lines)))
    return 0


def describe(entry: Entry) -> list[str]:
    """Write a run as lines of plain text: its name, when and what, and each arm's verdict."""
    card = entry.card
    when = f"{card.created[:16].replace('T', ' ')} UTC"
    if card.damaged:
        return [entry.name, f"  {when}, damaged: {card.damaged}"]
    prompt = shown(card.prompts[0] if card.prompts else "", 100)
    more = f" and {len(card.prompts) - 1} more" if len(card.prompts) > 1 else ""
    return [
        entry.name,
        f"  {when}, {entry.title}, {card.state}, {card.pictures} pictures: {prompt}{more}",
        *(f"  {arm.name}: {arm.why_not or arm.sentence or 'not judged'}" for arm in card.arms[1:] if not arm.rival),
    ]


def _two(names: list[str], seen: list[Comparison]) -> list[str]:
    one, other = seen
    lines = [*two.remarks(one, other), ""]
    for part in two.parts(one, other):
        rows = [(part.title, *names)]
        rows += [(f"  {row.title}", *(_line(text) for text in (row.one, row.other))) for row in part.rows]
        lines += [*columns(rows), ""]
    return lines[:-1]


def _line(text: str) -> str:
    return shown(text, 60) or "–"


def _delete(runs: Path, name: str, yes: bool) -> list[str]:
    found = past.entry(runs, name)
    if not yes:
        asked = f"Delete {name} with its {found.card.pictures} pictures? It will be gone for good. [y/N] "
        try:
            yes = input(asked).strip().lower() in ("y", "yes")
        except EOFError:
            raise ComparerError("Nobody can be asked here: add --yes to delete the run.") from None
    if not yes:
        return ["Kept."]
    past.delete(runs, name)
    return [f"{name} is deleted."]


def go_on(config: Config, name: str, arm: str | None, seeds: int) -> tuple[Request, Path]:
    """Return what to run to go on with an earlier run, and its folder.

    Args:
        config: folders and limits.
        name: of the run.
        arm: one more arm, as ``door.with_arm`` takes it; None for none.
        seeds: how many more seeds; 0 for none. With neither, what is missing is made.

    Raises:
        ComparerError: there is no such run, or it may not go on so.
    """
    folder = history.find(config.runs, name)
    if past.being_made(folder):
        raise ComparerError(f"The run '{shown(name)}' is being made: wait until it has ended.")
    if not 0 <= seeds <= config.limits.pictures:
        raise ComparerError(f"{seeds} more seeds are out of range: 0 to {config.limits.pictures} is allowed.")
    request = replace(history.load(folder).request, limits=config.limits)
    if arm is not None:
        request = with_arm(config, request, arm)
    return (extended(request, seeds) if seeds else request), folder
