"""What the head of an arm says beside its name, wherever one is shown: page, grid, report, viewer, terminal."""

from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import identical, incomplete


def marks(comparison: Comparison, arm: int) -> list[str]:
    """List what must be known before the figures: void and empty images, random tensors, identical weights."""
    said = void.head(comparison, arm), single_colour(comparison, arm)
    return list(filter(None, (*said, incomplete(comparison, arm), identical(comparison, arm))))


def single_colour(comparison: Comparison, arm: int) -> str:
    """Say how many images have one colour only, such as black; void ones are black anyway and do not count."""
    shots = [shot for shot in comparison.shots if shot.arm == arm]
    colours = [shot.single_colour for shot in shots if shot.single_colour and not shot.not_finite]
    listed = ", ".join(dict.fromkeys(colours))
    return f"{len(colours)} of {len(shots)} pictures have one single colour ({listed})" if colours else ""


def marked(comparison: Comparison, arm: int) -> str:
    """Return the same as one line; "" for none."""
    return "; ".join(marks(comparison, arm))
