"""Folded details below the figures: all times, image similarity, divergence of latents."""

from comparer.markup import join, markup
from comparer.reporting.html.details import held, latents, likeness, times, uncertainty
from comparer.results.comparison import Comparison


def details(comparison: Comparison) -> str:
    """Render all details as folds, once a run has ended; empty ones are left out."""
    if comparison.state == "running":
        return ""
    folds = (
        ("Which weights", held(comparison)),
        ("How sure the figures are", uncertainty(comparison)),
        ("Times", times(comparison)),
        ("How alike the pictures are", likeness(comparison)),
        ("How the latents part", latents(comparison)),
    )
    return join(
        markup("<details><summary>{}</summary>{}</details>", title, inside) for title, inside in folds if inside
    )
