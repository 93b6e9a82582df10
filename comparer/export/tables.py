"""Placeholder until the merge."""

from pathlib import Path

from comparer.results import Comparison


def save_tables(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Write."""
    raise NotImplementedError
