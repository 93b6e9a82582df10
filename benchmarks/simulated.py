"""Simulated scores and times whose truth is known, for ``truth_verdicts.py``."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

SCORE, BETWEEN = 31.0, 0.3  # mean CLIP score, and its standard deviation between prompts
BAD = 0.25  # share of the score that a bad pair loses


@dataclass(frozen=True)
class Pairs:
    """How scores are drawn.

    Attributes:
        within: standard deviation of the difference between two equally good images of a prompt.
        loss: mean share that every pair loses.
        bad: share of the pairs, or of the prompts, that lose ``size`` more.
        seeds: pairs of a prompt; with several, a bad prompt is bad in all of them.
    """

    within: float = 1.0
    loss: float = 0.0
    bad: float = 0.0
    size: float = BAD
    seeds: int = 1

    def draw(self, rng: np.random.Generator, prompts: int, first: int = 0) -> list[tuple[int, float, float]]:
        """Draw (prompt, the baseline's score, the arm's) of every pair."""
        base = np.repeat(SCORE + rng.normal(0, BETWEEN, prompts), self.seeds)
        base = base + rng.normal(0, self.within / math.sqrt(2), len(base))
        bad = np.repeat(rng.random(prompts) < self.bad, self.seeds)
        arm = base + rng.normal(0, self.within, len(base)) - SCORE * (self.loss + self.size * bad)
        labels = first + np.repeat(np.arange(prompts), self.seeds)
        return [(int(p), float(b), float(a)) for p, b, a in zip(labels, base, arm, strict=True)]


@dataclass(frozen=True)
class Machine:
    """How times are drawn: log-normal noise of both arms, and what else the machine does.

    Attributes:
        noise: standard deviation of the logarithm of the baseline's time.
        arm: the same of the arm's, in multiples of ``noise``.
        tails: whether noise is heavy-tailed (Student's t with 3 degrees of freedom, of the same spread).
        bursts: share of the times that take half as long again.
        drift: steady slow-down of both per turn.
        wander: standard deviation of the steps of the machine's pace, an autoregression of 0.7.
    """

    noise: float = 0.02
    arm: float = 1.0
    tails: bool = False
    bursts: float = 0.0
    drift: float = 0.0
    wander: float = 0.0

    def turns(self, rng: np.random.Generator, ratio: float) -> Iterator[tuple[float, float]]:
        """Draw (the baseline's seconds, the arm's) of one turn after the other."""
        pace, turn = 0.0, 0
        while True:
            each = []
            for place in range(2):
                pace = 0.7 * pace + self.wander * rng.normal()
                spread = rng.standard_t(3) / math.sqrt(3) if self.tails else rng.normal()
                noise = self.noise * (self.arm if place != turn % 2 else 1.0) * spread
                burst = 0.4 * (rng.random() < self.bursts)
                each.append(pace + self.drift * (2 * turn + place) / 2 + noise + burst)
            base, arm = each if turn % 2 == 0 else reversed(each)  # A B, B A
            yield math.exp(base), math.exp(arm) / ratio
            turn += 1
