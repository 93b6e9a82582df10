"""``checkpoints``, ``accelerators`` and ``fetch``: list what can be compared, and download models."""

import argparse
import sys
from typing import Any

from comparer.checkpoints.find import resolve, weight
from comparer.checkpoints.listing import DOWNLOAD, INSTALLED, YOURS, Entry, listing
from comparer.checkpoints.peek import PIPELINE
from comparer.cli.progress import BYTES, progress_bar
from comparer.config import Config
from comparer.engine.fetch import fetch
from comparer.errors import ComparerError
from comparer.metrics.scorers import SCORERS
from comparer.models.catalog import CATALOG
from comparer.options import add_arguments, from_arguments
from comparer.request import compatibility
from comparer.text import aligned


def add_checkpoints(commands: Any) -> None:
    """Add the command that lists checkpoints."""
    parser = commands.add_parser(
        "checkpoints", help="list what can be compared", description="List what can be compared."
    )
    parser.set_defaults(command=_checkpoints)
    add_arguments(parser, matter=("checkpoints", "hub"))


def add_accelerators(commands: Any) -> None:
    """Add the command that shows which accelerators each family supports."""
    parser = commands.add_parser(
        "accelerators", help="show what runs with what, and why not", description="Show what runs with what."
    )
    parser.set_defaults(command=_accelerators)


def add_fetch(commands: Any) -> None:
    """Add the command that downloads a model."""
    parser = commands.add_parser(
        "fetch", help="fetch a model from the hub", description="Fetch a model; Ctrl-C keeps what was downloaded."
    )
    parser.set_defaults(command=_fetch)
    scorers = ", ".join(source.name for source in SCORERS.values() if source.repository)
    parser.add_argument(
        "name", metavar="NAME", help=f"a model that 'checkpoints' lists as not here, or one of {scorers}"
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(parser, matter=("hub", "device", "dtype"))


def _checkpoints(options: argparse.Namespace) -> int:
    config = from_arguments(options)
    found = listing(config)
    for group in (YOURS, INSTALLED, DOWNLOAD):
        rows = [(entry.name, _about(entry, config)) for entry in found.entries if entry.group == group]
        if rows:
            print("\n".join([f"{group.capitalize()}:", *aligned(rows)]))
        if group == YOURS:
            for note in found.notes if config.checkpoints else ["Yours: none. --checkpoints DIR adds a folder."]:
                print(note)
    return 0


def _about(entry: Entry, config: Config) -> str:
    if entry.group == DOWNLOAD:
        model = CATALOG[entry.name]
        return f"{model.title}: not here, {weight(model)}: python -m comparer fetch {entry.name}"
    if entry.kind != PIPELINE:
        return entry.about
    try:
        model = resolve(entry.name, config).model
    except ComparerError as error:
        return str(error)
    return f"{model.title} ({model.size} px){entry.choice}"


def _accelerators(options: argparse.Namespace) -> int:
    print(compatibility.text())
    return 0


def _fetch(options: argparse.Namespace) -> int:
    run = fetch(options.name, from_arguments(options))
    try:
        with progress_bar(options.quiet, "Looking", BYTES) as show:
            for event in run:
                show(event)
    except KeyboardInterrupt:
        run.close()
        print("Stopped. What was downloaded is kept; the same command continues from there.", file=sys.stderr)
        return 130
    model = CATALOG.get(options.name)
    print(f"{model.title if model else options.name} is here.")
    return 0
