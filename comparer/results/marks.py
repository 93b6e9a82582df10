"""What the head of an arm says beside its name, wherever one is shown: page, grid, report, viewer, terminal."""

from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import identical, incomplete


def marks(comparison: Comparison, arm: int) -> list[str]:
    """List what must be known before the figures: images that are not numbers, random tensors, identical weights."""
    said = void.head(comparison, arm), incomplete(comparison, arm), identical(comparison, arm)
    return list(filter(None, said))


def marked(comparison: Comparison, arm: int) -> str:
    """Return the same as one line; "" for none."""
    return "; ".join(marks(comparison, arm))
