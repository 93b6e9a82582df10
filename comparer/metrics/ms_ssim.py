"""Multi-scale structural similarity, as computed by torchmetrics."""

from typing import Any

from comparer.metrics.base import Pair, PairMetric

SIDE = 176
"""Pixels per side that it needs: its fifth scale, a sixteenth of the side, must hold the 11 pixels of the window."""


def _ms_ssim(pair: Pair) -> float:
    from torchmetrics.functional import image

    one, other = (tensor.double() for tensor in pair.tensors)
    return float(image.multiscale_structural_similarity_index_measure(one, other, data_range=1.0))


def _why_not(width: int, height: int, _scorer: Any) -> str:
    told = f"MS-SSIM is not available: its five scales need {SIDE} pixels per side."
    return told if min(width, height) < SIDE else ""


MS_SSIM = PairMetric(
    name="ms_ssim",
    title="MS-SSIM",
    about="SSIM over five scales, each half as large ([Wang et al. 2003](https://doi.org/10.1109/ACSSC.2003.1292216))",
    digits=3,
    higher_is_closer=True,
    identical=1.0,
    compute=_ms_ssim,
    low=0,
    high=1,
    needs=f"{SIDE} pixels per side",
    why_not=_why_not,
)
