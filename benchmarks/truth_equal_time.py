"""Is equal time equal, and is "fewer steps do as well" true? ``python benchmarks/truth_equal_time.py``.

Draws comparisons of an accelerated arm with the baseline with fewer steps, whose times and scores are known, and asks
``comparer.results.equal_time``: it chooses the steps from two calls each, interpolates, and concludes. No model, no
clock. Prints a Markdown table with 95 % Wilson intervals of its counts. The same seed gives the same counts.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from common import ROOT, table

sys.path.insert(0, str(ROOT))

from comparer.engine.equal_time_steps import neighbours
from comparer.engine.schedule import CHOICES
from comparer.request.request import Settings
from comparer.results.equal_time import AS_WELL, BETTER, TOLERANCE, WORSE, conclude, interpolate, is_equal
from comparer.stats.intervals import wilson
from comparer.stats.verdict import DEFAULT

RUNS = 2000
OUTSIDE = 0.1  # share of a baseline's call that is not denoising
SCORE, GAIN = 25.0, 4.0  # mean CLIP score with all steps, and what a single step lacks
APART, SEED = 0.5, 0.3  # standard deviations of a score's difference: by prompt, by pair and arm


@dataclass(frozen=True)
class Noise:
    """Noise of times: the standard deviation of a logarithm, and the share of calls that take half as long again."""

    title: str
    spread: float
    bursts: float = 0.0

    def times(self, rng: np.random.Generator, seconds: Sequence[float], turns: int) -> np.ndarray:
        """Draw the seconds of calls that truly take so long, a row per turn."""
        shape = turns, len(seconds)
        logs = rng.normal(0, self.spread, shape) + 0.4 * (rng.random(shape) < self.bursts)
        return np.asarray(seconds) * np.exp(logs)


NOISES = Noise("quiet, 1 % of noise", 0.01), Noise("5 % of noise", 0.05), Noise("1 %, and bursts", 0.01, 0.1)


@dataclass(frozen=True)
class Row:
    """A row of the table: steps of the full baseline, noise, prompts of one seed, repeats."""

    of: int
    noise: Noise
    prompts: int = 24
    repeats: int = 2

    @property
    def title(self) -> str:
        """Name the row."""
        return f"{self.of} steps, {self.prompts * self.repeats} calls, {self.noise.title}"


ROWS = [Row(of, noise) for of in (8, 25, 50) for noise in NOISES] + [Row(of, NOISES[1], 12, 1) for of in (8, 25, 50)]


@dataclass(frozen=True)
class Outcome:
    """Of one comparison: whether it was called equal time, whether it was, and the conclusion."""

    called: bool
    within: bool
    kind: str


def seconds(steps: float, of: int) -> float:
    """Return the true time of the baseline with so many steps; 1 with all."""
    return OUTSIDE + (1 - OUTSIDE) * steps / of


def score(steps: float) -> float:
    """Return the true mean score of the baseline with so many steps: the first ones matter most."""
    return SCORE - GAIN / steps


def drawn(rng: np.random.Generator, row: Row, loss: float) -> Outcome:
    """Draw a comparison whose arm is truly better than the baseline in the same time by this share of the score."""
    of, noise, prompts = row.of, row.noise, row.prompts
    took = rng.uniform(0.35, 0.9)
    steps = (took - OUTSIDE) / (1 - OUTSIDE) * of  # the baseline's in exactly this time, not a whole number
    base, arm = (noise.times(rng, [true], CHOICES)[:, 0] for true in (1.0, took))
    settings = Settings(("x",), steps=of)
    below, above = neighbours([(each, (1 - OUTSIDE) * each) for each in base], list(arm), settings)
    counts = [above] if below is None else [below, above]
    turns = noise.times(rng, [took, *(seconds(count, of) for count in counts)], prompts * row.repeats)
    share, time = interpolate(turns.tolist())
    truly = (1 - share) * seconds(counts[0], of) + share * seconds(counts[-1], of)
    within = abs(truly / took - 1) <= TOLERANCE
    if not is_equal(time):
        return Outcome(False, within, "")
    content = rng.normal(0, 2, prompts)
    own = score(steps) + loss * SCORE + content + rng.normal(0, APART, prompts) + rng.normal(0, SEED, prompts)
    theirs = [score(count) + content + rng.normal(0, SEED, prompts) for count in counts]
    whole = SCORE + content + rng.normal(0, SEED, prompts)
    kind, _, _ = conclude(np.stack([whole, own, *theirs], 1).tolist(), range(prompts), share, DEFAULT.clip_loss)
    return Outcome(True, within, kind)


def told(hits: int, of: int) -> str:
    """Format a count as a percentage with its interval."""
    low, high = wilson(hits, of)
    return f"{100 * hits / of:.1f} % ({100 * low:.1f}–{100 * high:.1f})" if of else "–"


def counted(row: Row, runs: int, seed: int) -> list[str]:
    """Count in simulated comparisons, without a difference and with one at the threshold."""
    rng = np.random.default_rng([seed, *row.title.encode()])
    same = [drawn(rng, row, 0.0) for _ in range(runs)]
    lost = [drawn(rng, row, DEFAULT.clip_loss) for _ in range(runs)]
    called = [each for each in (*same, *lost) if each.called]
    equal = [each for each in same if each.called]
    as_well = sum(each.kind in (AS_WELL, BETTER) for each in lost)
    return [
        row.title,
        told(len(called), 2 * runs),
        told(sum(each.within for each in called), len(called)),
        told(as_well, sum(each.called for each in lost)),
        told(sum(each.kind == WORSE for each in equal), len(equal)),
        told(sum(each.kind in (AS_WELL, BETTER) for each in equal), len(equal)),
    ]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="comparisons of each kind a row (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the simulations (%(default)s)")
    options = parser.parse_args()
    head = [
        f"counted in {options.runs}",
        "called equal time",
        f"of these, within ± {100 * TOLERANCE:g} % (95 % or more)",
        "at the threshold: “do as well” (2.5 % or less)",
        "no difference: “do worse” (2.5 % or less)",
        "no difference: “do as well”",
    ]
    print(table(head, [counted(row, options.runs, options.seed) for row in ROWS]))


if __name__ == "__main__":
    main()
