"""The grid as an export, with its options."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.reporting.exporter import Exporter
from comparer.reporting.grid import selection
from comparer.reporting.grid.options import GridOptions
from comparer.results.comparison import Comparison
from comparer.text import quote


def export(comparison: Comparison, folder: Path, options: Mapping[str, Any]) -> list[Path]:
    """Save the grid; the options are those of ``EXPORTER``, and ``max_pages``, more than which are refused."""
    from comparer.reporting.grid.draw import pages, save_grid

    given = {name: options[name] for name in ("arms", "transpose", "cell", "labels", "margins") if name in options}
    rows = selection.rows(comparison.request, options.get("prompts", ""), options.get("seeds", ""))
    asked = GridOptions(rows=rows, **given)
    most = options.get("max_pages")
    if most and (number := pages(comparison, asked)) > most:
        raise ComparerError(f"The grid would have {number} pages: choose fewer rows or a smaller cell.")
    return save_grid(comparison, folder, asked)


def _arms(text: str) -> tuple[int, ...]:
    if not re.fullmatch(r"\d{1,4}(,\d{1,4})*", text):
        raise ComparerError(f"The arms '{quote(text)}' are not numbers such as 0,2.")
    return tuple(map(int, text.split(",")))


EXPORTER = Exporter(
    name="grid",
    title="Grid",
    formats="PNG",
    summary="One picture of every arm and row, with its measurements",
    files=r"grid(-\d+)?\.png",
    export=export,
    default=True,
    arguments={
        "--arms": {"type": _arms, "metavar": "LIST", "help": "numbers as 0,2, the baseline is 0 (all)"},
        "--prompts": {"default": "", "metavar": "LIST", "help": "numbers from 1, as 1,3 or 2-4 (all)"},
        "--seeds": {"default": "", "metavar": "LIST", "help": "seeds, as 7,9 or 1-4 (all)"},
        "--transpose": {"action": "store_true", "help": "arms as rows"},
        "--cell": {"type": int, "metavar": "PX", "help": "width of the pictures (unchanged)"},
        "--no-labels": {"dest": "labels", "action": "store_false", "help": "without text"},
        "--no-margins": {"dest": "margins", "action": "store_false", "help": "without margins"},
    },
)
