"""The result table in the terminal."""

from comparer.results.analysis import Analysis
from comparer.results.columns import TERMINAL, result_table
from comparer.text import aligned


def table(analysis: Analysis) -> str:
    """Format the figures of every arm as a plain-text table."""
    rows = result_table(analysis, TERMINAL)
    rule = ["-" * max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(aligned([rows[0], rule, *rows[1:]], indent=""))
