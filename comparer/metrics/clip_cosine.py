"""Cosine of two images' CLIP embeddings."""

from typing import Any

from comparer.metrics.base import PairMetric


def _why_not(_width: int, _height: int, scorer: Any) -> str:
    return "The CLIP cosine is not available: the pictures were not scored." if scorer is None else ""


CLIP_COSINE = PairMetric(
    name="clip_cosine",
    title="CLIP cosine",
    about="cosine of the pair's two image embeddings, the ones that the CLIP score has computed",
    digits=3,
    higher_is_closer=True,
    identical=1.0,
    compute=lambda pair: pair.scorer.cosine(pair.one, pair.other),
    low=-1,
    high=1,
    needs="a CLIP score",
    why_not=_why_not,
)
