"""``python -m comparer history``: list, search, compare and delete earlier runs."""

import argparse
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.options import add_arguments, from_arguments
from comparer.results import side_by_side
from comparer.results.comparison import Comparison
from comparer.runs import index, store
from comparer.runs.index import Entry
from comparer.text import aligned, printable, quote


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "history",
        help="list, search, compare and delete earlier runs",
        description="List earlier runs, newest first; or search, compare or delete them.",
    )
    parser.set_defaults(command=run)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--search", default="", metavar="WORDS", help="list the runs that contain all these words")
    what.add_argument("--two", nargs=2, metavar="NAME", help="show the figures of two runs side by side")
    what.add_argument("--delete", metavar="NAME", help="delete a run")
    parser.add_argument("--yes", action="store_true", help="with --delete: do not ask")
    add_arguments(parser, matter=("runs",))


def run(options: argparse.Namespace) -> int:
    """Execute the requested action; return the exit code."""
    runs = from_arguments(options).runs
    if options.two:
        lines = _two(options.two, [store.load(store.find(runs, name)) for name in options.two])
    elif options.delete:
        lines = _delete(runs, options.delete, options.yes)
    else:
        found = index.search(index.entries(runs), options.search)
        lines = [line for entry in found for line in describe(entry)] or ["No run was found."]
    print("\n".join(map(printable, lines)))
    return 0


def describe(entry: Entry) -> list[str]:
    """Format a run as lines of plain text: name, time and contents, and each arm's verdict."""
    card = entry.card
    when = f"{card.created[:16].replace('T', ' ')} UTC"
    if card.damaged:
        return [entry.name, f"  {when}, damaged: {card.damaged}"]
    prompt = quote(card.prompts[0] if card.prompts else "", 100)
    more = f" and {len(card.prompts) - 1} more" if len(card.prompts) > 1 else ""
    return [
        entry.name,
        f"  {when}, {entry.title}, {card.state}, {card.pictures} pictures: {prompt}{more}",
        *(
            f"  {arm.name}: {arm.why_not or '. '.join(filter(None, (arm.sentence, arm.fewer))) or 'not judged'}"
            for number, arm in enumerate(card.arms)
            if (number or arm.headline) and not arm.rival
        ),
    ]


def _two(names: list[str], seen: list[Comparison]) -> list[str]:
    one, other = seen
    lines = [*side_by_side.remarks(one, other), ""]
    for part in side_by_side.parts(one, other):
        rows = [(part.title, *names)]
        rows += [(f"  {row.title}", *(_line(text) for text in (row.one, row.other))) for row in part.rows]
        lines += [*aligned(rows), ""]
    return lines[:-1]


def _line(text: str) -> str:
    return quote(text, 60) or "–"


def _delete(runs: Path, name: str, yes: bool) -> list[str]:
    found = index.entry(runs, name)
    if not yes:
        asked = f"Delete {name} with its {found.card.pictures} pictures? This cannot be undone. [y/N] "
        try:
            yes = input(asked).strip().lower() in ("y", "yes")
        except EOFError:
            raise ComparerError("There is no terminal to confirm this: add --yes to delete the run.") from None
    if not yes:
        return ["Kept."]
    index.delete(runs, name)
    return [f"{name} was deleted."]
