"""Similarities of images that need no images."""

from comparer.metrics.registry import METRICS
from comparer.metrics.similarity_data import Similarity


def alike(ssim, identical=False, max_difference=9, mean_difference=1.0, psnr=30.0, **others):
    """Return a similarity with these values; every other metric is not available."""
    values = {"max_difference": max_difference, "mean_difference": mean_difference, "psnr": psnr, "ssim": ssim}
    return Similarity(identical, dict.fromkeys(METRICS) | values | others)


SAME = alike(1.0, True, 0, 0.0, None)
