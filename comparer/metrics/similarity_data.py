"""Similarity of images as plain numbers, and how to read them. No torch.

"SSIM 0.91" says little by itself. A relative scale puts it between 0 %, identical images, and 100 %, the baseline's
images of the same prompt with other seeds. Differences as large as those between two runs of the baseline are not
caused by an accelerator.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean


@dataclass(frozen=True)
class Similarity:
    """Similarity of two images of equal size. None: infinite (``psnr`` of identical ones), or not available.

    Attributes:
        identical: every pixel is equal; then SSIM, MS-SSIM and the cosine are 1, LPIPS is 0 and PSNR infinite.
        max_difference: the largest absolute difference of a colour value, 0 to 255.
        mean_difference: the mean absolute difference of all colour values, 0 to 255.
        psnr: 10·log₁₀(1 / mean squared error), dB; higher is more alike.
        ssim: mean structural similarity (Wang et al. 2004), −1 to 1.
        ms_ssim: the same over five scales (Wang et al. 2003), 0 to 1.
        lpips: distance of AlexNet's features (Zhang et al. 2018, arXiv:1801.03924), from 0; lower is more alike.
        clip_cosine: cosine of the two images' CLIP embeddings, −1 to 1.
    """

    identical: bool
    max_difference: int
    mean_difference: float
    psnr: float | None
    ssim: float
    ms_ssim: float | None = None
    lpips: float | None = None
    clip_cosine: float | None = None


@dataclass(frozen=True)
class Mean:
    """Mean similarity of several pairs, with the fields of ``Similarity``. None: not available.

    Attributes:
        pairs: number of pairs.
        identical: number of pairs equal in every pixel.
        max_difference: the largest of all pairs.
        mean_difference, ssim, ms_ssim, lpips, clip_cosine: means over all pairs.
        psnr: mean over the pairs that are not identical; None if all are.
    """

    pairs: int
    identical: int
    max_difference: int
    mean_difference: float
    psnr: float | None
    ssim: float
    ms_ssim: float | None
    lpips: float | None
    clip_cosine: float | None


@dataclass(frozen=True)
class RelativeDistance:
    """Position of a pair between identical (0) and another seed of the baseline (1); more than 1 is further.

    Attributes:
        ssim, lpips, mean_difference: relative position by each metric; None where the metric is not available, or
            where the baseline's seeds do not change it.
        within_noise: whether no colour value differs by more than between two runs of the baseline; None if
            those were not measured.
        text: a short description of all this.
    """

    ssim: float | None
    lpips: float | None
    mean_difference: float | None
    within_noise: bool | None
    text: str


def mean(found: Sequence[Similarity]) -> Mean | None:
    """Average similarities; None if there are none. A metric that any pair lacks is None in the mean."""
    if not found:
        return None
    psnr = [pair.psnr for pair in found if pair.psnr is not None]

    def over_all(name: str) -> float | None:
        values = [getattr(pair, name) for pair in found]
        return None if None in values else fmean(values)

    return Mean(
        len(found),
        sum(pair.identical for pair in found),
        max(pair.max_difference for pair in found),
        fmean(pair.mean_difference for pair in found),
        fmean(psnr) if psnr else None,
        fmean(pair.ssim for pair in found),
        **{name: over_all(name) for name in ("ms_ssim", "lpips", "clip_cosine")},
    )


def relative_distance(pair: Similarity | Mean, seeds: Mean | None, noise: Mean | None = None) -> RelativeDistance:
    """Locate a pair, or the mean of an arm's pairs, between identical and another seed.

    Args:
        pair: of the baseline's and an arm's images.
        seeds: result of ``seed_distance``.
        noise: result of ``noise_floor``.
    """
    ssim = _share(1 - pair.ssim, None if seeds is None else 1 - seeds.ssim)
    lpips = _share(pair.lpips, None if seeds is None else seeds.lpips)
    apart = _share(pair.mean_difference, None if seeds is None else seeds.mean_difference)
    within = None if noise is None else pair.max_difference <= noise.max_difference
    if pair.max_difference == 0:
        text = "identical"
    elif within:
        text = "no further from the baseline than the baseline from itself"
    elif ssim is None:
        text = "no measure: it takes two seeds of the baseline that differ"
    elif round(ssim * 100) > 100:
        text = f"further than another seed ({ssim:.0%} of the way there)".replace("%", " %")
    else:
        text = f"{_per_cent(ssim)} of the way from identical to another seed"
    return RelativeDistance(ssim, lpips, apart, within, text)


def _share(value: float | None, whole: float | None) -> float | None:
    return None if value is None or not whole else value / whole


def _per_cent(share: float) -> str:
    """Write a share that is not 0: never "0 %".

    >>> [_per_cent(share) for share in (0.1234, 0.001, 1.0)]
    ['12 %', 'less than 1 %', '100 %']
    """
    return "less than 1 %" if share < 0.01 else f"{share * 100:.0f} %"
