"""Predict how much more would settle an undecided question, and with which chance.

The chance is averaged over what is not known of the true mean and spread (the "assurance" of A. O'Hagan, J. W. Stevens,
M. J. Campbell, "Assurance in Clinical Trial Design", Pharmaceutical Statistics 4, 2005): they are drawn from their
posterior distribution under the usual reference prior, further values are drawn from each, and the share of draws in
which the question would be settled is counted. The draws are the same in every call.
"""

import math
from bisect import bisect_left
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

from comparer.stats.tail import CLEAR, LARGEST_SHARE, Tail, tail

OFFERED_FROM = 0.8
DRAWS = 1000
TURNS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 50, 64, 80, 100)  # further turns
PROMPTS = (60, 80, 100, 120, 160, 200, 240, 320, 480, 640, 1000)  # in all
USUAL = 2.0  # clear differences are taken to be so many times the smallest, where none was seen
PRIOR = (0.2, 0.2, 0.6)  # of worse, better and other prompts: the weight of one prompt


@dataclass(frozen=True)
class Offer:
    """The cheapest way to settle a question.

    Attributes:
        unit: "turn" (every arm makes the same call once more) or "prompt".
        more: number of further ones.
        chance: that it settles the question, 0.8 to 1; None if there is too little to predict from.
    """

    unit: str
    more: int
    chance: float | None


def offer_turns(values: Sequence[float], clusters: Sequence[Hashable], level: float) -> Offer | None:
    """Return the fewest further turns after which the mean is probably shown to lie on one side of 0.

    Args:
        values: logarithms of ratios, minus that of the threshold.
        clusters: the cluster of each value; further turns are as many further clusters.
        level: of the next interval.

    Returns:
        None if 100 further turns have a chance below 80 %.
    """
    means = _means(values, clusters)
    if len(means) < 2:
        return Offer("turn", 5 - len(means), None) if means else None
    for more in TURNS:
        middle, error, freedom = _predicted(means, more)
        chance = float((abs(middle) > _t(level, freedom) * error).mean())
        if chance >= OFFERED_FROM:
            return Offer("turn", more, chance)
    return None


def offer_prompts(
    base: Sequence[float], arm: Sequence[float], prompts: Sequence[int], threshold: float, error: float
) -> Offer | None:
    """Return the fewest further prompts after which the quality is probably decided.

    Args:
        base: scores of the baseline's images, of at least two prompts.
        arm: scores of the arm's images, pair by pair.
        prompts: number of each pair's prompt.
        threshold: the loss from which quality is not kept.
        error: on one side, at the next look.

    Returns:
        None if 1,000 prompts in all have a chance below 80 %.
    """
    import numpy as np

    found, average = tail(base, arm, prompts), fmean(base)
    differences = _means([a - b for b, a in zip(base, arm, strict=True)], prompts)
    worse, better = ([d for d in differences if sign * d > CLEAR * average] for sign in (-1, 1))
    ordinary = [d for d in differences if abs(d) <= CLEAR * average]
    if len(ordinary) < 2:
        return None
    rng = np.random.default_rng(1)
    rest = found.prompts - found.lost - found.gained
    shares = rng.dirichlet([found.lost + PRIOR[0], found.gained + PRIOR[1], rest + PRIOR[2]], DRAWS)
    usual = USUAL * CLEAR * average
    losing, gaining = (abs(fmean(each)) if each else usual for each in (worse, better))
    for total in PROMPTS:
        more = total - found.prompts
        if more < 1:
            continue
        new_worse, new_better, new_rest = rng.multinomial(more, shares).T
        # An ordinary prompt's difference is normal; clear ones have the size of those seen, or the usual one.
        middle, square = _further(ordinary, np.maximum(new_rest, 1))
        sums = math.fsum(differences) + new_rest * middle + new_better * gaining - new_worse * losing
        squares = math.fsum(d * d for d in differences) + np.where(new_rest, square + new_rest * middle**2, 0.0)
        squares = squares + new_better * gaining**2 + new_worse * losing**2
        means = sums / total
        deviations = np.sqrt(np.maximum(squares - total * means**2, 1e-18) / (total - 1) / total)
        ahead, t = (means + threshold * average) / deviations, _t(1 - 2 * error, total - 1)
        all_worse = np.ceil(found.lost - 1e-9).astype(int) + new_worse
        all_better = np.floor(found.gained + 1e-9).astype(int) + new_better
        limits = {int(count): _limits(int(count), total, error) for count in np.unique(all_better)}
        most, least = np.array([limits[int(count)] for count in all_better]).T
        chance = float(((ahead < -t) | (ahead > t) & (all_worse <= most) | (all_worse >= least)).mean())
        if chance >= OFFERED_FROM:
            return Offer("prompt", more, chance)
    return None


def _means(values: Sequence[float], clusters: Sequence[Hashable]) -> list[float]:
    groups: dict[Hashable, list[float]] = {}
    for value, label in zip(values, clusters, strict=True):
        groups.setdefault(label, []).append(value)
    return [fmean(group) for group in groups.values()]


def _predicted(values: Sequence[float], more: int) -> tuple[Any, Any, float]:
    """Draw means, their standard errors and degrees of freedom of all values together with ``more`` further ones."""
    import numpy as np

    n, total = len(values), len(values) + more
    middle, square = fmean(values), _square(values)
    new, within = _further(values, np.full(DRAWS, more))
    squares = square + within + (new - middle) ** 2 * n * more / total
    return (n * middle + more * new) / total, np.sqrt(squares / (total - 1) / total), total - 1


def _further(values: Sequence[float], more: Any) -> tuple[Any, Any]:
    """Draw means of further values, and the sums of their squared deviations from them; ``more`` of each draw."""
    import numpy as np

    rng, n = np.random.default_rng(0), len(values)
    variance = _square(values) / rng.chisquare(n - 1, DRAWS)
    truth = fmean(values) + np.sqrt(variance / n) * rng.standard_normal(DRAWS)
    new = truth + np.sqrt(variance / more) * rng.standard_normal(DRAWS)
    return new, np.where(more > 1, variance * rng.chisquare(np.maximum(more - 1, 1), DRAWS), 0.0)


def _square(values: Sequence[float]) -> float:
    return max(math.fsum((value - fmean(values)) ** 2 for value in values), 1e-18)


def _t(level: float, freedom: float) -> float:
    from comparer.stats.intervals import t_quantile

    return t_quantile((1 + level) / 2, freedom)


@lru_cache(maxsize=4096)
def _limits(better: int, prompts: int, error: float) -> tuple[int, int]:
    """Return the largest number of worse prompts that is shown to be few enough, and the smallest shown to be too many.

    −1 and prompts + 1 where there is none.
    """

    def counts(worse: int) -> Tail:
        return Tail(worse, better, prompts, worse, better, prompts)

    tried, middle = range(prompts - better + 1), math.ceil(LARGEST_SHARE * prompts) + better
    few = bisect_left(tried[:middle], True, key=lambda worse: not counts(worse).below(error))
    many = middle + bisect_left(tried[middle:], True, key=lambda worse: counts(worse).above(error))
    return few - 1, many if many in tried else prompts + 1
