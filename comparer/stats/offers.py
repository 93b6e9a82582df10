"""Predict how much more would settle an undecided question, and with which chance.

The chance is averaged over what is not known of the true mean and spread (the "assurance" of A. O'Hagan, J. W. Stevens,
M. J. Campbell, "Assurance in Clinical Trial Design", Pharmaceutical Statistics 4, 2005): they are drawn from their
posterior distribution under the usual reference prior, further values are drawn from each, and the share of draws in
which the question would be settled is counted. The draws are the same in every call.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import fmean
from typing import Any

from comparer.stats.tail import LARGEST_SHARE, Tail, tail

OFFERED_FROM = 0.8
DRAWS = 1000
TURNS = (1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 40, 50, 64, 80, 100)  # further turns
PROMPTS = (60, 80, 100, 120, 160, 200, 240, 320, 400, 480, 640, 800, 1000)  # in all
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
    differences = [a - b for b, a in zip(base, arm, strict=True)]
    losses = _means([d + threshold * average for d in differences], prompts)  # above 0: the loss is below the threshold
    rng = np.random.default_rng(1)
    rest = found.prompts - found.lost - found.gained
    shares = rng.dirichlet([found.lost + PRIOR[0], found.gained + PRIOR[1], rest + PRIOR[2]], DRAWS)
    for total in PROMPTS:
        more = total - found.prompts
        if more < 1:
            continue
        middle, deviation, freedom = _predicted(losses, more)
        ahead = middle / deviation
        t = _t(1 - 2 * error, freedom)
        drawn = rng.multinomial(more, shares)
        worse = np.ceil(found.lost - 1e-9).astype(int) + drawn[:, 0]
        better = np.floor(found.gained + 1e-9).astype(int) + drawn[:, 1]
        # The tail is asked only where it can decide: an excess below the limit is never shown to be above it.
        excess, limit, settled = worse - better, LARGEST_SHARE * total, ahead < -t
        open_ = np.flatnonzero(~settled & np.where(excess < limit, ahead > t, excess > limit))
        if settled.sum() + len(open_) < OFFERED_FROM * DRAWS:
            continue
        for draw in open_:
            settled[draw] = _shown(int(worse[draw]), int(better[draw]), total, error)
        chance = float(settled.mean())
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

    rng, n = np.random.default_rng(0), len(values)
    middle, square = fmean(values), max(math.fsum((v - fmean(values)) ** 2 for v in values), 1e-18)
    variance = square / rng.chisquare(n - 1, DRAWS)
    truth = middle + np.sqrt(variance / n) * rng.standard_normal(DRAWS)
    new = truth + np.sqrt(variance / more) * rng.standard_normal(DRAWS)
    within = variance * rng.chisquare(more - 1, DRAWS) if more > 1 else 0.0
    total = n + more
    squares = square + within + (new - middle) ** 2 * n * more / total
    return (n * middle + more * new) / total, np.sqrt(squares / (total - 1) / total), total - 1


def _t(level: float, freedom: float) -> float:
    from comparer.stats.intervals import t_quantile

    return t_quantile((1 + level) / 2, freedom)


@lru_cache(maxsize=4096)
def _shown(worse: int, better: int, prompts: int, error: float) -> bool:
    """Return whether it is shown on which side of the largest share the tail lies."""
    counts = Tail(worse, better, prompts, worse, better, prompts)
    return counts.below(error) if worse - better < LARGEST_SHARE * prompts else counts.above(error)
