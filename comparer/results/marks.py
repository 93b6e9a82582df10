"""What the head of an arm says beside its name, wherever one is shown: page, grid, report, viewer, terminal."""

from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import incomplete


def marks(comparison: Comparison, arm: int) -> list[str]:
    """List what must be known of an arm before its figures: images that are not numbers, random tensors."""
    return list(filter(None, (void.head(comparison, arm), incomplete(comparison, arm))))


def marked(comparison: Comparison, arm: int) -> str:
    """Return the same as one line; "" for none."""
    return "; ".join(marks(comparison, arm))
