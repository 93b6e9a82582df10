"""Structural similarity: torchmetrics' map of it, averaged where the window lies inside the images.

The value is that of scikit-image's ``structural_similarity(..., gaussian_weights=True, sigma=1.5,
use_sample_covariance=False)``, which leaves out the borders, too. In float32 the variances of a bright, flat area are
differences of nearly equal numbers: the mean is off by up to 1e-3.
"""

from typing import Any

from comparer.metrics.base import Pair, PairMetric

BORDER = 5
"""Pixels from an edge at which the Gaussian window of 11 pixels reaches beyond the image."""
SIDE = 2 * BORDER + 1


def _why_not(width: int, height: int, _scorer: Any) -> str:
    return f"SSIM is not available: its window needs {SIDE} pixels a side." if min(width, height) < SIDE else ""


def _ssim(pair: Pair) -> float:
    from torchmetrics.functional import image

    one, other = (tensor.double() for tensor in pair.tensors)
    _, found = image.structural_similarity_index_measure(one, other, data_range=1.0, return_full_image=True)
    return float(found[..., BORDER:-BORDER, BORDER:-BORDER].mean())


SSIM = PairMetric(
    name="ssim",
    title="SSIM",
    about="mean over all places of (2μₓμᵧ + c₁)(2σₓᵧ + c₂) / ((μₓ² + μᵧ² + c₁)(σₓ² + σᵧ² + c₂)) "
    "([Wang et al. 2004](https://doi.org/10.1109/TIP.2003.819861))",
    digits=3,
    higher_is_closer=True,
    identical=1.0,
    compute=_ssim,
    low=-1,
    high=1,
    why_not=_why_not,
)
