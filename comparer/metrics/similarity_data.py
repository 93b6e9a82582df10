"""Similarity of images as plain numbers, and how to read them. No torch.

"SSIM 0.91" says little by itself. A relative scale puts it between 0 %, identical images, and 100 %, the baseline's
images of the same prompt with other seeds. Differences as large as those between two runs of the baseline are not
caused by an accelerator.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from comparer.metrics.registry import METRICS


class _Values:
    """Values by metric: each is an attribute, too (``found.ssim``), and lies flat beside the other fields in JSON."""

    values: Mapping[str, float | None]

    def __getattr__(self, name: str) -> Any:
        if name not in METRICS:
            raise AttributeError(name)
        return self.values.get(name)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Any:
        """Create from the data of ``run.json``; fields and metrics that are not known are left out.

        Raises:
            ValueError: a field is missing, or a value is not a number.
        """
        own = [each.name for each in fields(cls) if each.name != "values"]  # type: ignore[arg-type]
        values = {name: data.get(name) for name in METRICS}
        if not isinstance(data, dict) or not all(isinstance(data.get(name), int) for name in own):
            raise ValueError("a similarity lacks a field")
        if not all(value is None or isinstance(value, int | float) for value in values.values()):
            raise ValueError("a similarity has a value that is not a number")
        return cls(**{name: data[name] for name in own}, values=values)  # type: ignore[call-arg]

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.from_json)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"title": cls.__name__}


@dataclass(frozen=True)
class Similarity(_Values):
    """Similarity of two images of equal size. A metric is None where it is not available, or infinite.

    Attributes:
        identical: whether every pixel is equal.
        values: value by metric of the registry.
    """

    identical: bool
    values: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True)
class Mean(_Values):
    """Similarity of several pairs. A metric is None where it is not available.

    Attributes:
        pairs: number of pairs.
        identical: number of pairs equal in every pixel.
        values: by metric the mean over all pairs, the largest value, or the PSNR of the mean squared error.
    """

    pairs: int
    identical: int
    values: Mapping[str, float | None] = field(default_factory=dict)


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
    values: dict[str, float | None] = {}
    for name, metric in METRICS.items():
        infinite = metric.identical is None
        known = [math.inf if infinite and pair.identical else pair.values.get(name) for pair in found]
        numbers = [value for value in known if value is not None]
        average = metric.average(numbers) if len(numbers) == len(known) else math.inf
        values[name] = average if math.isfinite(average) else None
    return Mean(len(found), sum(pair.identical for pair in found), values)


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
        text = "no further from the baseline than the baseline is from itself"
    elif ssim is None:
        text = "not available: it needs two seeds of the baseline that differ"
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
