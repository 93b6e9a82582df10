"""Power analysis: the level per look, the power of a test, and the sample size needed to decide."""

import math
from bisect import bisect_left
from collections.abc import Callable, Hashable, Sequence
from statistics import fmean

from comparer.stats.intervals import LEVEL, ROUNDING, clustered_error, t_quantile

POWER = 0.8  # J. Cohen, "Statistical Power Analysis for the Behavioral Sciences", 1988: the usual choice
QUALITY_ERROR = 0.01  # on each side, over all looks and all arms of a run
HOPELESS = 1000  # more additional seeds, prompts or calls are not suggested


def level_at(look: int, level: float = LEVEL) -> float:
    """Return the level of the intervals at the given look, so that all looks together keep ``level``.

    Looking, running more and looking again gives several chances of error. Look k may err with (1 − level) / 2^k:
    over any number of looks that adds up to 1 − level at most, whatever the reason for continuing (Bonferroni's
    inequality with unequal shares; the idea of spending the error is that of K. K. G. Lan and D. L. DeMets, "Discrete
    Sequential Boundaries for Clinical Trials", Biometrika 70(3), 1983). Halving leaves most of the error to the looks
    that happen: it is milder than (1 − level) / k(k + 1) at the second and the third. The first look pays for the
    option to continue.

    Args:
        look: 1 for the first.
        level: of all looks together, 0 to 1, exclusive.

    Raises:
        ValueError: ``look`` is not a valid number.

    >>> [level_at(look) for look in (1, 2, 3)]
    [0.975, 0.9875, 0.99375]
    """
    if look < 1:
        raise ValueError(f"look {look}: the first is 1")
    return 1 - (1 - level) / 2.0**look


def error_at(look: int, arms: int = 1) -> float:
    """Return the error on one side that a look may spend on each arm: 1 % in all.

    Halved with each look, as ``level_at``, and shared equally among the arms (Bonferroni's inequality).

    >>> error_at(1), error_at(2), error_at(1, 5)
    (0.005, 0.0025, 0.001)
    """
    return QUALITY_ERROR / 2.0**look / max(1, arms)


def power(effect: float, error: float, freedom: float, level: float = LEVEL) -> float:
    """Return the probability that a t interval ends above 0 if the truth is ``effect``.

    The upper tail of the noncentral t distribution (J. Cohen, "Statistical Power Analysis for the Behavioral
    Sciences", 1988, chapter 2).

    Args:
        effect: the true mean's distance from the threshold, in the direction to be shown; any unit.
        error: the standard error of the mean, in the same unit, above 0.
        freedom: degrees of freedom of the error, above 0.
        level: of the interval, 0 to 1, exclusive.

    >>> round(power(0.5, 1 / 34**0.5, 33), 3)  # the textbook's 34 pairs for half a standard deviation
    0.808
    """
    from scipy.special import nctdtr

    return 1 - float(nctdtr(freedom, effect / error, t_quantile((1 + level) / 2, freedom)))


def calls_for(effect: float, spread: float, level: float = LEVEL, wanted: float = POWER) -> int | None:
    """Return the number of independent values needed to show a mean that lies ``effect`` beyond a threshold.

    Args:
        effect: distance of the mean from the threshold, in the direction to be shown; 0 or less is hopeless.
        spread: standard deviation of the values in the same unit, above 0.
        level: of the interval.
        wanted: probability of success, as ``power`` computes it.

    Returns:
        at least 2; None if 1,000 are not enough.

    >>> calls_for(math.log(1.05), 0.05)
    11
    """
    more = _smallest(lambda k: (spread / math.sqrt(1 + k), k), effect, level, wanted)
    return None if more is None else more + 1


def more_values(values: Sequence[float], bound: float, level: float = LEVEL, wanted: float = POWER) -> int | None:
    """Return how many more values would probably raise the mean's t interval above a bound.

    The current mean and spread are assumed to be the true ones. The spread of a few values is uncertain, so the result
    is a prediction, not a guarantee.

    Args:
        values: independent values observed so far.
        bound: in their unit.
        level: of the interval after the further values.
        wanted: probability of success.

    Returns:
        1 or more; None if 1,000 more are not enough, if the mean lies on the wrong side of the bound, or if there is
        no spread to predict from.
    """
    return more_clusters(values, range(len(values)), bound, level, wanted)


def more_clusters(
    values: Sequence[float], clusters: Sequence[Hashable], bound: float, level: float = LEVEL, wanted: float = POWER
) -> int | None:
    """Return how many more clusters of the current size would probably raise the interval above a bound.

    As ``more_values``, with the error and the degrees of freedom of ``clustered_error``: the error shrinks with the
    square root of the number of clusters, the degrees of freedom grow by 1 with each.
    """
    found = len(set(clusters))
    if found < 2:
        return None
    error, freedom = clustered_error(values, clusters)
    if error <= ROUNDING:
        return None
    return _smallest(
        lambda k: (error * math.sqrt(found / (found + k)), freedom + k), fmean(values) - bound, level, wanted
    )


def more_inside(
    values: Sequence[float], clusters: Sequence[Hashable], bound: float, level: float = LEVEL, wanted: float = POWER
) -> int | None:
    """Return how many more values in every cluster would probably raise the mean's interval above a bound.

    The error² is the variation between clusters plus the variation of values within them (an analysis of variance with
    one factor); only the second part shrinks, and the degrees of freedom stay. So more seeds of the same prompts may be
    hopeless where more prompts are not. With one value per cluster the parts cannot be separated: all variation then
    counts as within clusters. Values of a single cluster are treated as independent, as in ``intervals.mean``.
    """
    n, found = len(values), len(set(clusters))
    if found == 1:
        return more_values(values, bound, level, wanted)
    if not values:
        return None
    error, freedom = clustered_error(values, clusters)
    if error <= ROUNDING:
        return None
    inside = error**2 * n
    if n > found:
        groups = [[v for v, label in zip(values, clusters, strict=True) if label == which] for which in set(clusters)]
        means = [fmean(group) for group in groups]
        squares = sum((v - middle) ** 2 for group, middle in zip(groups, means, strict=True) for v in group)
        inside = squares / (n - found)
    between = max(0.0, error**2 - inside / n)
    return _smallest(
        lambda k: (math.sqrt(between + inside / (n + k * found)), freedom), fmean(values) - bound, level, wanted
    )


def _smallest(predict: Callable[[int], tuple[float, float]], effect: float, level: float, wanted: float) -> int | None:
    """Find the smallest k for which ``predict(k)``, an error and its freedom, has the wanted power.

    The error must not grow with k, nor the freedom fall.
    """
    if effect <= 0:
        return None
    tried = range(1, HOPELESS + 1)
    place = bisect_left(tried, True, key=lambda k: power(effect, *predict(k), level) >= wanted)
    return tried[place] if place < len(tried) else None
