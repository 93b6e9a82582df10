"""``python -m comparer export``: export grid, report, tables and script of a run, without a browser."""

import argparse
from typing import Any

from comparer.options import add_arguments, from_arguments
from comparer.reporting.exporters import EXPORTERS
from comparer.runs import store


def add(commands: Any) -> None:
    """Add the command."""
    flags = [f"--{name}" for name in EXPORTERS]
    usual = [name for name, exporter in EXPORTERS.items() if exporter.default]
    parser = commands.add_parser(
        "export",
        help=f"export a run: {', '.join(EXPORTERS)}",
        description=f"Export a run into its folder. Without any of {', '.join(flags[:-1])} and {flags[-1]}: "
        f"{', '.join(usual[:-1])} and {usual[-1]}.",
    )
    parser.set_defaults(command=_export)
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of one in the runs folder")
    for name, exporter in EXPORTERS.items():
        told = f"{exporter.summary} ({exporter.formats})".replace("%", "%%")
        parser.add_argument(f"--{name}", **{"dest": name, "help": told, **exporter.flag})
    for exporter in EXPORTERS.values():
        if exporter.arguments:
            group = parser.add_argument_group(f"options of the {exporter.title.lower()}")
            for flag, settings in exporter.arguments.items():
                group.add_argument(flag, **settings)
    add_arguments(parser, matter=("runs",))


def _export(options: argparse.Namespace) -> int:
    folder = store.given(options.run, from_arguments(options).runs)
    seen, given = store.load(folder), vars(options)
    chosen = [exporter for exporter in EXPORTERS.values() if given[exporter.name]]
    for exporter in chosen or [exporter for exporter in EXPORTERS.values() if exporter.default]:
        for path in exporter.export(seen, folder, given):
            print(path)
    return 0
