"""Share of prompts whose image became clearly worse, beyond what equally good but different images do.

A pair is clearly worse if the arm loses more than 10 % of the baseline's mean score, and clearly better if it gains as
much. Images that are merely different do both equally often, so the test is about the difference of the two shares.
docs/statistics.md explains it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

CLEAR = 0.1  # of the baseline's mean score
LARGEST_SHARE = 0.1  # of the prompts


@dataclass(frozen=True)
class Tail:
    """Pairs that differ clearly.

    Attributes:
        worse, better: number of pairs that lose, or gain, more than 10 % of the baseline's mean score.
        pairs: number of scored pairs.
        lost, gained: sums over prompts of the share of the prompt's pairs that are clearly worse, or better.
        prompts: number of prompts.
    """

    worse: int
    better: int
    pairs: int
    lost: float
    gained: float
    prompts: int

    def below(self, error: float, share: float = LARGEST_SHARE) -> bool:
        """Return whether it is shown that the share of clearly worse prompts − better ones is below ``share``."""
        excess = math.ceil(self.lost - self.gained - 1e-9)
        return self.prompts > 0 and math.fsum(self._null(share)[: self.prompts + excess + 1]) <= error

    def above(self, error: float, share: float = LARGEST_SHARE) -> bool:
        """Return whether it is shown that the share of clearly worse prompts − better ones is above ``share``."""
        excess = math.floor(self.lost - self.gained + 1e-9)
        return self.prompts > 0 and math.fsum(self._null(share)[self.prompts + excess :]) <= error

    def _null(self, share: float) -> list[float]:
        """Return the probabilities of an excess of −prompts … +prompts if the shares differ by ``share``.

        Each prompt is worse with the probability share + q, better with q, neither otherwise. q is unknown: its
        maximum likelihood estimate under this hypothesis is used (T. Tango, "Equivalence Test and Confidence Interval
        for the Difference in Proportions for the Paired-Sample Design", Statistics in Medicine 17, 1998), and the
        probabilities are then exact (C. J. Lloyd, "Exact P-values for Discrete Models Obtained by Estimation and
        Maximization", Australian and New Zealand Journal of Statistics 50(4), 2008).
        """
        import numpy as np

        n, q = self.prompts, _better_share(self.lost, self.gained, self.prompts, share)
        one = np.array([q, max(0.0, 1 - share - 2 * q), share + q])  # better, neither, worse
        size = 2 * n + 1
        found = np.fft.irfft(np.fft.rfft(one, 2 * size) ** n, 2 * size)[:size]
        return [float(p) for p in np.clip(found, 0, 1)]


def tail(base: Sequence[float], arm: Sequence[float], prompts: Sequence[int]) -> Tail:
    """Count the pairs that differ clearly.

    Args:
        base: scores of the baseline's images.
        arm: scores of the arm's images, pair by pair.
        prompts: number of each pair's prompt.
    """
    if not base:
        return Tail(0, 0, 0, 0.0, 0.0, 0)
    limit = CLEAR * abs(fmean(base))
    worse = [b - a > limit for b, a in zip(base, arm, strict=True)]
    better = [a - b > limit for b, a in zip(base, arm, strict=True)]

    def over_prompts(found: list[bool]) -> float:
        groups: dict[int, list[bool]] = {}
        for one, prompt in zip(found, prompts, strict=True):
            groups.setdefault(prompt, []).append(one)
        return math.fsum(sum(group) / len(group) for group in groups.values())

    return Tail(sum(worse), sum(better), len(base), over_prompts(worse), over_prompts(better), len(set(prompts)))


def _better_share(lost: float, gained: float, n: int, share: float) -> float:
    """Return the maximum likelihood estimate of the share of better prompts if worse − better is ``share``."""
    if not gained:
        return 0.0 if lost <= n * share else max(0.0, _root(lost, gained, n, share))
    return max(0.0, _root(lost, gained, n, share))


def _root(lost: float, gained: float, n: int, share: float) -> float:
    # 2n·q² − ((lost + gained)(1 − share) − 2·gained·share − 2(n − lost − gained)·share)·q − gained·share(1 − share) = 0
    linear = (lost + gained) * (1 - share) - 2 * gained * share - 2 * (n - lost - gained) * share
    return (linear + math.sqrt(linear**2 + 8 * n * gained * share * (1 - share))) / (4 * n)
