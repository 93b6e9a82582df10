"""The middle of some values, with an interval that a few wild ones hardly move: for times under bursts of load.

J. L. Hodges and E. L. Lehmann, "Estimates of Location Based on Rank Tests", Annals of Mathematical Statistics 34(2),
1963; its interval is that of F. Wilcoxon's signed-rank test, "Individual Comparisons by Ranking Methods", Biometrics
Bulletin 1(6), 1945. Where values are normal it needs 5 % more of them than a mean.
"""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import count

from comparer.stats.intervals import LEVEL, Estimate, Interval


def middle(values: Sequence[float], level: float = LEVEL) -> Estimate:
    """Estimate the middle of a symmetric distribution: the median of the means of every two values.

    Args:
        values: independent, any unit; the result has the same.
        level: 0 to 1, exclusive. The ends are chosen by the normal approximation of the signed-rank distribution.

    >>> found = middle([1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 70.0, 8.0])
    >>> found.value, found.interval.low, found.interval.high
    (4.75, 2.0, 37.5)
    """
    import numpy as np

    n = len(values)
    if not n:
        return Estimate(why_not="there are no values")
    one, other = np.triu_indices(n)
    given = np.asarray(values, dtype=float)
    means = np.sort((given[one] + given[other]) / 2)
    plain = Estimate(float(np.median(means)), n=n, clusters=n)
    if (cut := _cut(n, level)) < 1:
        return replace(plain, why_not=f"{n} values are too few: {needed(level)} are needed")
    return replace(plain, interval=Interval(float(means[cut - 1]), float(means[-cut]), level))


def needed(level: float = LEVEL) -> int:
    """Return how many values an interval of this level needs at least.

    >>> needed(0.95), needed(0.975)
    (6, 8)
    """
    return next(n for n in count(1) if _cut(n, level) >= 1)


def _cut(n: int, level: float) -> int:
    """Return the place, from 1, of the interval's lower end among the sorted means; below 1 if there is none."""
    from scipy.special import ndtri

    spread = math.sqrt(n * (n + 1) * (2 * n + 1) / 24)
    return math.floor(n * (n + 1) / 4 - float(ndtri((1 + level) / 2)) * spread)
