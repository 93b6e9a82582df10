"""``python -m comparer export``: export grid, report, tables and script of a run, without a browser."""

import argparse
import re
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.options import add_arguments, from_arguments
from comparer.reporting.grid import selection
from comparer.results.comparison import Comparison
from comparer.runs import store
from comparer.text import quote


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "export",
        help="take a run with you: grid, report, tables, script",
        description="Write a run's grid, report, tables and script into its folder. Without any of --grid, --report, "
        "--tables and --script: grid, report and tables.",
    )
    parser.set_defaults(command=_export)
    parser.add_argument("run", metavar="RUN", help="a run folder, or the name of one in the runs folder")
    parser.add_argument("--grid", action="store_true", help="grid.png, and further pages where it is large")
    parser.add_argument(
        "--report",
        nargs="?",
        const="full",
        choices=["full", "reduced"],
        help="report.html; full pictures if left out",
    )
    parser.add_argument("--tables", action="store_true", help="pairs.csv and summary.md")
    parser.add_argument(
        "--script", metavar="ARM:PROMPT:SEED", help="a Python file that makes this pair again; numbers from 1, "
        "arm 1 is the first beside the baseline",
    )  # fmt: skip
    parser.add_argument("--arms", metavar="LIST", help="of the grid: numbers as 0,2, the baseline is 0 (all)")
    parser.add_argument(
        "--prompts", default="", metavar="LIST", help="of the grid: numbers from 1, as 1,3 or 2-4 (all)"
    )
    parser.add_argument("--seeds", default="", metavar="LIST", help="of the grid (all)")
    parser.add_argument("--transpose", action="store_true", help="the grid's arms as rows")
    parser.add_argument("--cell", type=int, metavar="PX", help="width of the grid's pictures (as they are)")
    parser.add_argument("--no-labels", action="store_true", help="a grid without words")
    parser.add_argument("--no-margins", action="store_true", help="a grid without margins")
    add_arguments(parser, matter=("runs",))


def _export(options: argparse.Namespace) -> int:
    folder = store.given(options.run, from_arguments(options).runs)
    seen = store.load(folder)
    nothing = not (options.grid or options.report or options.tables or options.script)
    for path in _made(seen, folder, options, nothing):
        print(path)
    return 0


def _made(seen: Comparison, folder: Path, options: argparse.Namespace, everything: bool) -> list[Path]:
    from comparer.reporting.grid.draw import GridOptions, save_grid
    from comparer.reporting.report.report import save_report
    from comparer.reporting.script.script import save_script
    from comparer.reporting.tables import save_tables

    made: list[Path] = []
    if options.grid or everything:
        grid = GridOptions(
            _arms(options.arms),
            selection.rows(seen.request, options.prompts, options.seeds),
            options.transpose,
            options.cell,
            not options.no_labels,
            not options.no_margins,
        )
        made += save_grid(seen, folder, grid)
    if options.report or everything:
        made.append(save_report(seen, folder, options.report or "full"))
    if options.tables or everything:
        made += save_tables(seen, folder)
    if options.script:
        made.append(save_script(seen, folder, *_pair(options.script)))
    return made


def _arms(text: str | None) -> tuple[int, ...] | None:
    if text is None:
        return None
    if not re.fullmatch(r"\d{1,4}(,\d{1,4})*", text):
        raise ComparerError(f"The arms '{quote(text)}' are no numbers such as 0,2.")
    return tuple(map(int, text.split(",")))


def _pair(text: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"\d{1,4}:[1-9]\d{0,5}:\d{1,10}", text):
        raise ComparerError(f"'{quote(text)}' is no pair: write the arm, the prompt's number and the seed, as 1:1:42.")
    arm, prompt, seed = map(int, text.split(":"))
    return arm, prompt - 1, seed
