"""Peak signal-to-noise ratio, as computed by torchmetrics."""

import math
from collections.abc import Sequence
from statistics import fmean

from comparer.metrics.base import Pair, PairMetric


def _psnr(pair: Pair) -> float:
    from torchmetrics.functional import image

    return float(image.peak_signal_noise_ratio(*pair.tensors, data_range=1.0))


def _average(values: Sequence[float]) -> float:
    """Return the PSNR of the mean squared error: a mean of decibels would count a few identical pairs as everything."""
    error = fmean(10 ** (-value / 10) for value in values)
    return -10 * math.log10(error) if error else math.inf


PSNR = PairMetric(
    name="psnr",
    title="PSNR",
    about="10 · log₁₀(1 / mean squared error), colour values from 0 to 1; infinite for identical images",
    digits=1,
    higher_is_closer=True,
    identical=None,
    compute=_psnr,
    unit=" dB",
    low=0,
    average=_average,
)
