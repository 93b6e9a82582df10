"""CLIP loss with Fieller's interval, which agrees with the verdict; explained in docs/statistics.md."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from statistics import fmean

from comparer.stats.intervals import LEVEL, Estimate, Interval, clustered_error, difference, mean, t_quantile


def clip_loss(
    baseline: Sequence[float], arm: Sequence[float], prompts: Sequence[Hashable], level: float = LEVEL
) -> Estimate:
    """Estimate (baseline's mean − arm's mean) / baseline's mean over pairs of shots, clustered by prompt.

    The interval is E. C. Fieller's ("Some Problems in Interval Estimation", JRSS B 16, 1954): all shares s for which
    the interval of the mean of arm − (1 − s)·baseline, as ``intervals.mean`` computes it, contains 0. So it contains 0
    exactly if the interval of the difference does, and lies below s exactly if the verdict's claim that the loss is
    below s is shown at this level. With x = s − loss, the values are r + x·baseline, where r = arm −
    (1 − loss)·baseline has the mean 0. Their error² is quadratic in x, so the ends are the roots of

        (mean² − t²·V(baseline))·x² − 2·t²·C(r, baseline)·x − t²·V(r) = 0

    with V the error² and C the covariance by ``intervals.clustered_error``, and t the quantile. Without a positive
    first coefficient, the baseline's own interval contains 0, and the shares that are not rejected are no interval.

    Args:
        baseline: scores of the baseline's shots, 0 or more.
        arm: scores of the arm's shots, pair by pair.
        prompts: each pair's prompt.
        level: 0 to 1, exclusive.

    Returns:
        a share of 1 (0.02 is 2 %); value None if the baseline's mean is below 1, since a share of almost nothing
        is meaningless. Median and worst are None: a ratio of means has no single values.

    Raises:
        ValueError: as for ``intervals.mean``.
    """
    seen = difference(baseline, arm, prompts, level)
    plain = replace(seen, value=None, interval=None, median=None, worst=None, constant=False)
    middle = fmean(baseline) if seen.n else 0.0
    if seen.value is None or middle < 1:
        return replace(plain, why_not=seen.why_not or "the baseline's mean is below 1", remark="")
    loss = (middle - fmean(arm)) / middle
    plain = replace(plain, value=loss)
    if seen.interval is None:
        return plain
    if seen.constant and loss == 0:
        return replace(plain, interval=Interval(0.0, 0.0, level), constant=True)
    labels = prompts if seen.clusters > 1 else range(seen.n)
    error, freedom = clustered_error(baseline, labels)
    t = t_quantile((1 + level) / 2, freedom)
    first = middle**2 - (t * error) ** 2
    if first <= 0:
        units = f"{seen.clusters} prompts" if seen.clusters > 1 else f"{seen.n} pairs"
        return replace(plain, why_not=f"{units} do not show that the baseline's mean is above 0")
    rest = [a - (1 - loss) * b for b, a in zip(baseline, arm, strict=True)]
    found = mean(rest, prompts, level)
    if found.constant:
        return replace(plain, interval=Interval(loss, loss, level), constant=True)
    if found.interval is None:
        return replace(plain, why_not=found.why_not)
    own, _ = clustered_error(rest, labels)
    both, _ = clustered_error([r + b for r, b in zip(rest, baseline, strict=True)], labels)
    half = t**2 * (both**2 - own**2 - error**2) / 2
    root = math.sqrt(half**2 + first * (t * own) ** 2)
    return replace(plain, interval=Interval(loss + (half - root) / first, loss + (half + root) / first, level))
