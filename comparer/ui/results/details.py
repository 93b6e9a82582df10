"""What is folded away below the figures: every single time, how alike the pictures are, how the latents part."""

from comparer.reporting.html.details import held, latents, likeness, times, uncertainty
from comparer.results.comparison import Comparison


def details(comparison: Comparison) -> str:
    """Draw all of it as folds, once a run has ended; each only where there is something in it."""
    if comparison.state == "running":
        return ""
    folds = (
        ("Which weights", held(comparison)),
        ("How sure the figures are", uncertainty(comparison)),
        ("Times", times(comparison)),
        ("How alike the pictures are", likeness(comparison)),
        ("How the latents part", latents(comparison)),
    )
    return "".join(f"<details><summary>{title}</summary>{inside}</details>" for title, inside in folds if inside)
