"""Sign-flip test of whether a share differs from one half on average over prompts, and an interval that agrees.

The unit is the prompt. A prompt's value is a share, 0 to 1; the test asks how often the mean of all shares would lie
as far from one half as it does, if every prompt could as well have favoured the other side: a share of s is then as
probable as 1 − s. Nothing is assumed about the votes on one prompt, which may depend on each other in any way.
"""

import math
from collections.abc import Sequence
from itertools import count
from statistics import fmean, variance

from comparer.stats import power
from comparer.stats.intervals import LEVEL, ROUNDING, Estimate, Interval, t_quantile

EVEN = 0.5
EXACT = 12  # up to so many prompts all 2ⁿ flips are counted: 4,096
BLOCK, BLOCKS = 1000, 20  # drawn flips of more prompts, block by block to save memory
TIE = 1e-9  # sums of shares that differ by less are equal up to rounding


def p_value(shares: Sequence[float]) -> float:
    """Return the two-sided p of the sign-flip test that the mean share is one half.

    p is the part of the flips whose mean is at least as far from one half as the observed one (R. A. Fisher, "The
    Design of Experiments", 1935, section 21; E. S. Edgington and P. Onghena, "Randomization Tests", 4th ed., 2007). Up
    to 12 prompts all 2ⁿ flips are counted, so that p is exact. With more, 20,000 are drawn by a fixed seed, and the
    observed one is counted among them (B. Phipson and G. K. Smyth, "Permutation P-values Should Never Be Zero",
    Statistical Applications in Genetics and Molecular Biology 9(1), 2010): p is never below 1/20,001. With one vote per
    prompt this is the sign test.

    Args:
        shares: one of each prompt, 0 to 1. Without any, p is 1.

    Raises:
        ValueError: a share is not in 0 to 1.

    >>> p_value([1, 1, 1, 1, 2 / 3, 1, 1, 1 / 3])
    0.0234375
    """
    import numpy as np

    for share in shares:
        if not 0 <= share <= 1:
            raise ValueError(f"a share of {share}: choose one from 0 to 1")
    if not shares:
        return 1.0
    n, beyond = len(shares), np.array(shares, float) - EVEN

    def as_far(flipped: np.ndarray) -> int:
        means = beyond.sum() - 2 * (flipped @ beyond)
        return int(np.sum(np.abs(means) >= abs(beyond.sum()) - TIE))

    if n <= EXACT:
        return as_far((np.arange(2**n)[:, None] >> np.arange(n)) & 1) / float(2**n)
    drawn = np.random.default_rng(0)
    found = sum(as_far(drawn.integers(0, 2, (BLOCK, n), np.int8)) for _ in range(BLOCKS))
    return max((1 + found) / (1 + BLOCK * BLOCKS), 2.0 ** (1 - n))  # by luck fewer are drawn than there are


def mean_share(shares: Sequence[float], level: float = LEVEL, p: float | None = None) -> Estimate:
    """Estimate the mean share over prompts with an interval that leaves out one half exactly if p ≤ 1 − level.

    The interval is that of Clopper and Pearson for the effective number of votes of E. L. Korn and B. I. Graubard,
    "Confidence Intervals for Proportions with Small Expected Number of Positive Counts Estimated from Survey Data",
    Survey Methodology 24(2), 1998: mean · (1 − mean) / error², times the square of the normal quantile over that of
    t with n − 1 degrees of freedom, where error is the standard error of the mean over n prompts. It is taken for n at
    least, since shares of 0 to 1 vary at most as zeros and ones do. Then the interval ends at one half where the test
    (``p_value``) refuses one half, and is extended to one half where it does not: test and interval are computed in
    different ways, and would now and then disagree.

    Args:
        shares: one of each prompt, 0 to 1.
        level: 0 to 1, exclusive.
        p: what ``p_value`` returns for the shares; None to compute it.

    Raises:
        ValueError: a share is not in 0 to 1, or there is none.

    >>> found = mean_share([1, 1, 1, 1, 2 / 3, 1, 1, 1 / 3])
    >>> round(found.value, 3), round(found.interval.low, 3), round(found.interval.high, 3)
    (0.875, 0.52, 0.994)
    """
    if not shares:
        raise ValueError("no shares: there is no mean")
    n, middle = len(shares), fmean(shares)
    p = p_value(shares) if p is None else p
    plain = clopper_pearson(middle, _effective(shares, level), level)
    low, high = plain.low, plain.high
    if not refuses(p, level):
        low, high = min(low, EVEN), max(high, EVEN)
    elif middle > EVEN:
        low = max(low, math.nextafter(EVEN, 1))  # an open end: one half itself is outside
    else:
        high = min(high, math.nextafter(EVEN, 0))
    return Estimate(middle, Interval(low, high, level), n=n, clusters=n)


def refuses(p: float, level: float = LEVEL) -> bool:
    """Return whether a test with this p refuses its hypothesis at a level: p ≤ 1 − level, up to rounding."""
    return p <= 1 - level + TIE


def fewest(level: float = LEVEL) -> int | None:
    """Return the number of prompts below which the sign-flip test cannot refuse one half, however the votes fall.

    If all n prompts favour one side, 2 of the 2ⁿ flips are as far from one half.

    Returns:
        None if no number is enough: 1 − level is below 1/20,001, the smallest p of drawn flips.

    >>> fewest(0.95), fewest(0.975), fewest(0.9875), fewest(0.99999)
    (6, 7, 8, None)
    """
    if not refuses(1 / (1 + BLOCK * BLOCKS), level):
        return None
    return next(n for n in count(1) if refuses(2.0 ** (1 - n), level))


def more_prompts(shares: Sequence[float], level: float = LEVEL) -> int | None:
    """Return with how many more prompts the test would probably refuse one half.

    As ``power.more_clusters`` predicts from the mean and the spread so far, and at least as many as ``fewest`` asks
    for. A prediction, not a guarantee.

    Args:
        shares: one of each prompt, 0 to 1.
        level: of the test after the further prompts.

    Returns:
        1 or more; None if 1,000 more are not enough, or if the prompts are even.
    """
    least = fewest(level)
    if not shares or least is None or abs(fmean(shares) - EVEN) <= TIE:
        return None
    leading = [share if fmean(shares) > EVEN else 1 - share for share in shares]
    missing = max(1, least - len(shares))
    if max(leading) - min(leading) <= TIE:  # no spread to predict from
        return missing
    predicted = power.more_clusters(leading, range(len(leading)), EVEN, level)
    return None if predicted is None else max(predicted, missing)


def clopper_pearson(share: float, n: float, level: float = LEVEL) -> Interval:
    """Return the exact interval of a share: the shares that a two-sided binomial test of equal tails does not refuse.

    C. J. Clopper and E. S. Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the
    Binomial", Biometrika 26, 1934, by quantiles of the beta distribution.

    Args:
        share: observed share, 0 to 1.
        n: number of votes, 1 or more; an effective number need not be whole.
        level: 0 to 1, exclusive.

    >>> found = clopper_pearson(9 / 12, 12)
    >>> round(found.low, 4), round(found.high, 4)
    (0.4281, 0.9451)
    """
    from scipy.special import betaincinv

    tail, wins, losses = (1 - level) / 2, share * n, (1 - share) * n
    low = float(betaincinv(wins, losses + 1, tail)) if wins > TIE else 0.0
    high = float(betaincinv(wins + 1, losses, 1 - tail)) if losses > TIE else 1.0
    return Interval(low, high, level)


def _effective(shares: Sequence[float], level: float) -> float:
    """Return the number of independent votes that tell as much about the mean as the prompts' shares."""
    from scipy.special import ndtri

    n, middle = len(shares), fmean(shares)
    error2 = variance(shares) / n if n > 1 else 0.0
    if error2 <= ROUNDING:  # no spread was observed, which does not prove that there is none
        return n
    tail = (1 + level) / 2
    return max(n, middle * (1 - middle) / error2 * float(ndtri(tail) / t_quantile(tail, n - 1)) ** 2)
