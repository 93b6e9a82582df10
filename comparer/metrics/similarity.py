"""Similarity of two images by every metric of the registry.

All metrics compare two images of equal size, RGB from 0 to 1, on the CPU in float32. None of them uses the prompt:
they measure how far an image moved, not whether it became worse.
"""

from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.metrics.base import Pair
from comparer.metrics.registry import METRICS
from comparer.metrics.similarity_data import Similarity
from comparer.models.libraries import prepare


def similarity(one: Any, other: Any, scorer: Any = None) -> Similarity:
    """Compute the similarity of two images; unavailable metrics are None, and ``not_available`` explains why.

    Args:
        one: a PIL image, or the path of an image file.
        other: the same; the order does not matter.
        scorer: an ``EmbeddingScorer``, whose embeddings give the cosine.

    Raises:
        ComparerError: the images differ in size.
    """
    pair = Pair(opened(one), opened(other), scorer)
    if pair.one.size != pair.other.size:
        raise ComparerError(
            f"Pictures of {pair.one.width}×{pair.one.height} and {pair.other.width}×{pair.other.height} pixels cannot "
            "be compared: use one size."
        )
    lacking = not_available(pair.one.width, pair.one.height, scorer)
    available = {name: metric for name, metric in METRICS.items() if name not in lacking}
    if identical := not pair.distances.any():
        values = {name: metric.identical for name, metric in available.items()}
    else:
        prepare()
        import torch

        with torch.no_grad():
            values = {name: metric.compute(pair) for name, metric in available.items()}
    return Similarity(identical, dict.fromkeys(METRICS) | values)


def not_available(width: int, height: int, scorer: Any = None) -> dict[str, str]:
    """List similarity metrics that are unavailable here and how to enable each."""
    reasons = {name: metric.why_not(width, height, scorer) for name, metric in METRICS.items()}
    return {name: why for name, why in reasons.items() if why}


def opened(picture: Any) -> Any:
    """Open an image, given as a PIL image or a file, as RGB."""
    from PIL import Image

    if not isinstance(picture, str | Path):
        return picture.convert("RGB")
    with Image.open(picture) as file:
        return file.convert("RGB")
