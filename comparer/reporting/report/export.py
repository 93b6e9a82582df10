"""The report as an export; its option ``report`` says which pictures it holds."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comparer.reporting.exporter import Exporter
from comparer.reporting.report.embed import FULL, KINDS
from comparer.results.comparison import Comparison


def export(comparison: Comparison, folder: Path, options: Mapping[str, Any]) -> list[Path]:
    """Save the report."""
    from comparer.reporting.report.report import save_report

    return [save_report(comparison, folder, options.get("report") or FULL)]


EXPORTER = Exporter(
    name="report",
    title="Report",
    formats="HTML",
    summary="One file with pictures, viewer, figures and cards; opens without a connection",
    files=r"report\.html",
    export=export,
    default=True,
    flag={"nargs": "?", "const": FULL, "choices": KINDS},
)
