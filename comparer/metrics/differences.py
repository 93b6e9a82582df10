"""Largest and mean absolute difference of two images' colour values."""

from comparer.metrics.base import PairMetric

LARGEST = PairMetric(
    name="max_difference",
    title="Largest difference",
    about="largest absolute difference of the pair's colour values",
    digits=0,
    higher_is_closer=False,
    identical=0,
    compute=lambda pair: int(pair.distances.max()),
    unit=" of 255",
    low=0,
    high=255,
    average=max,
)
MEAN = PairMetric(
    name="mean_difference",
    title="Mean difference",
    about="mean absolute difference of the pair's colour values",
    digits=2,
    higher_is_closer=False,
    identical=0.0,
    compute=lambda pair: float(pair.distances.mean()),
    unit=" of 255",
    low=0,
    high=255,
)
