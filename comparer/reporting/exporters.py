"""Every export of a run, in the order of the page's buttons.

The page, the command line, and the check which files of a run folder may be deleted take them from here.
"""

from comparer.reporting import record, tables
from comparer.reporting.exporter import Exporter
from comparer.reporting.grid import export as grid
from comparer.reporting.report import export as report
from comparer.reporting.script import export as script

EXPORTERS: dict[str, Exporter] = {
    module.EXPORTER.name: module.EXPORTER for module in (grid, report, tables, script, record)
}
