"""``checkpoints``, ``accelerators`` and ``fetch``: list what can be compared, and download models."""

import argparse
import sys
from typing import Any

from comparer.checkpoints.find import loose_names, names, resolve, weight
from comparer.cli.progress import BYTES, progress_bar
from comparer.config import Config
from comparer.engine.fetch import fetch
from comparer.errors import ComparerError
from comparer.models import hub
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
        "fetch", help="fetch a model from the hub", description="Fetch a model; what has come stays after Ctrl-C."
    )
    parser.set_defaults(command=_fetch)
    parser.add_argument("name", metavar="NAME", help="a model that 'checkpoints' lists as not here")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(parser, matter=("hub", "device", "dtype"))


def _checkpoints(options: argparse.Namespace) -> int:
    config = from_arguments(options)
    rows = [(name, _availability(name, config)) for name in names(config)]
    rows += [
        (name, f"not whole: weights over a base, as '{name}; base=demo', or a LoRA; inspect says which")
        for name in loose_names(config)
    ]
    print("\n".join(aligned(rows, indent="")))
    return 0


def _availability(name: str, config: Config) -> str:
    model = CATALOG.get(name)
    if model and not hub.here(model):
        return f"{model.title}: not here, {weight(model)}: python -m comparer fetch {name}"
    try:
        model = resolve(name, config).model
    except ComparerError as error:
        return str(error)
    return f"{model.title} ({model.size} px)"


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
        print("Stopped; what has come is kept, and the same command goes on from there.", file=sys.stderr)
        return 130
    print(f"{CATALOG[options.name].title} is here.")
    return 0
