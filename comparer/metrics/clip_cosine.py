"""Cosine of two images' CLIP embeddings."""

from typing import Any

from comparer.metrics.base import PairMetric


def _why_not(_width: int, _height: int, scorer: Any) -> str:
    if scorer is None:
        return "The CLIP cosine is not available: the pictures were not scored."
    if scorer.context is None:
        return f"The CLIP cosine is not available: {scorer.source.name} scored the pictures, which is no CLIP."
    return ""


CLIP_COSINE = PairMetric(
    name="clip_cosine",
    title="CLIP cosine",
    about="cosine of the pair's two image embeddings, the ones that the score has computed",
    digits=3,
    higher_is_closer=True,
    identical=1.0,
    compute=lambda pair: pair.scorer.cosine(pair.one, pair.other),
    low=-1,
    high=1,
    needs="a scorer that is a CLIP",
    why_not=_why_not,
)
