"""Folded details below the figures: all times, image similarity, divergence of latents."""

from comparer.reporting.html.details import held, latents, likeness, times, uncertainty
from comparer.reporting.markup import join, markup
from comparer.results.analysis import Analysis


def details(analysis: Analysis) -> str:
    """Render all details as folds, once a run has ended; empty ones are left out."""
    if analysis.comparison.state == "running":
        return ""
    folds = (
        ("Which weights", held(analysis.comparison)),
        ("How sure the figures are", uncertainty(analysis)),
        ("Times", times(analysis)),
        ("How alike the pictures are", likeness(analysis)),
        ("How the latents part", latents(analysis.comparison)),
    )
    return join(
        markup("<details><summary>{}</summary>{}</details>", title, inside) for title, inside in folds if inside
    )
