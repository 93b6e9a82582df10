"""Structural similarity, as computed by torchmetrics."""

from comparer.metrics.base import Pair, PairMetric


def _ssim(pair: Pair) -> float:
    from torchmetrics.functional import image

    return float(image.structural_similarity_index_measure(*pair.tensors, data_range=1.0))  # type: ignore[arg-type]


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
)
