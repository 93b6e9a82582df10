"""CLIP loss with a bootstrap interval; explained in docs/statistics.md."""

import math
from collections.abc import Hashable, Sequence
from dataclasses import replace
from statistics import fmean

from comparer.stats.intervals import LEVEL, Estimate, Interval, difference, t_quantile

RESAMPLES = 10_000


def clip_loss(
    baseline: Sequence[float],
    arm: Sequence[float],
    prompts: Sequence[Hashable],
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Estimate:
    """Estimate (baseline's mean − arm's mean) / baseline's mean, with a paired bootstrap interval over prompts.

    Whole prompts with all their pairs are drawn with replacement (A. C. Davison and D. V. Hinkley, "Bootstrap
    Methods and their Application", 1997, section 3.8). The percentiles are moved outwards by as much as Student's t
    interval is wider than the normal one, because plain percentiles are too narrow for few prompts: T. C. Hesterberg,
    "What Teachers Should Know about the Bootstrap", The American Statistician 69(4), 2015. The range of G prompts
    contains their median with a probability of only 1 − 2^(1 − G), and no resample lies outside that range: if this
    probability is below the level, as for five prompts at 95 %, there is no interval. If all pairs share one
    prompt, pairs are drawn individually.

    Args:
        baseline: scores of the baseline's shots, 0 or more.
        arm: scores of the arm's shots, pair by pair.
        prompts: each pair's prompt.
        level: 0 to 1, exclusive.
        resamples: number of resamples.
        seed: seed of the resamples, so that the same scores give the same interval.

    Returns:
        a share of 1 (0.02 is 2 %); value None if the baseline's mean is below 1, since a share of almost nothing
        is meaningless. Median and worst are None: a ratio of means has no single values.
    """
    import numpy as np

    seen = difference(baseline, arm, prompts, level)
    plain = replace(seen, value=None, interval=None, median=None, worst=None, constant=False)
    if seen.value is None or fmean(baseline) < 1:
        return replace(plain, why_not=seen.why_not or "the baseline's mean is below 1", remark="")
    plain = replace(plain, value=-seen.value / fmean(baseline), why_not=seen.why_not if seen.n == 1 else "")
    if seen.n == 1:
        return plain
    if seen.constant and seen.value == 0:
        return replace(plain, interval=Interval(0.0, 0.0, level), constant=True)
    labels = list(prompts) if seen.clusters > 1 else list(range(seen.n))
    names = list(dict.fromkeys(labels))
    if 2.0 ** (1 - len(names)) > 1 - level:
        unit = "prompts" if seen.clusters > 1 else "pairs"
        return replace(plain, why_not=f"{len(names)} {unit} are too few for an interval of the ratio", remark="")
    place = np.array([names.index(label) for label in labels])
    base, lost, size = (
        np.bincount(place, weights) for weights in (baseline, np.subtract(baseline, arm), np.ones(seen.n))
    )
    drawn = np.random.default_rng(seed).multinomial(len(names), np.full(len(names), 1 / len(names)), resamples)
    if np.min(drawn @ base / (drawn @ size)) < 1:
        return replace(plain, why_not="the baseline's mean is below 1 in some resamples")
    tail = _normal_share(-math.sqrt(len(names) / (len(names) - 1)) * t_quantile((1 + level) / 2, len(names) - 1))
    low, high = np.quantile((drawn @ lost) / (drawn @ base), [tail, 1 - tail])
    return replace(plain, interval=Interval(float(low), float(high), level))


def _normal_share(value: float) -> float:
    return math.erfc(-value / math.sqrt(2)) / 2
