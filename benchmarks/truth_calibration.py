"""Do the intervals keep what they promise? ``python benchmarks/truth_calibration.py``.

The answers that rest on them are counted by ``truth_verdicts.py``.

``simulated`` draws thousands of comparisons whose truth is known and counts; it needs no model and takes seconds.
The same seed gives the same counts. ``real`` makes real comparisons, twice 20 by default, and takes minutes
(``calibration_real.py``). Each part prints a Markdown table with 95 % Wilson intervals of its counts.
"""

import argparse
import math
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from common import ROOT, table
from truth_calibration_real import SLOW_DOWN, real

sys.path.insert(0, str(ROOT))

from comparer.stats.fieller import clip_loss
from comparer.stats.intervals import Estimate, difference, drift, log_ratios, mean, ratio, wilson
from comparer.stats.power import calls_for, level_at, power

RUNS = 1000
PROMPTS, SEEDS = 8, 4
NOISE = 0.05  # standard deviation of a call's log ratio where a slow-down is planted


@dataclass(frozen=True)
class Row:
    """A simulation: what is counted, the share that is promised, and one comparison's answer."""

    title: str
    promised: str
    trial: Callable[[np.random.Generator], bool]


def times(
    rng: np.random.Generator, calls: int, repeats: int = 1, ratio: float = 1.0, noise: float = 0.03,
    wander: float = 0.0, bursts: float = 0.0,
) -> list[tuple[list[float], list[float]]]:  # fmt: skip
    """Draw the seconds of a baseline and of an arm that is ``ratio`` times as fast, call by call.

    Args:
        rng: draws them.
        calls: how many.
        repeats: of each call.
        ratio: the arm's true speed-up.
        noise: standard deviation of a time's logarithm.
        wander: of the steps of the machine's own pace, which both arms share at the same time.
        bursts: share of the times that take half as long again, because others compute.
    """
    pace = np.cumsum(rng.normal(0, wander, (calls, repeats)).ravel()).reshape(calls, repeats)
    logs = pace[:, None] + rng.normal(0, noise, (calls, 2, repeats)) + 0.4 * (rng.random((calls, 2, repeats)) < bursts)
    logs[:, 1] -= math.log(ratio)
    return [(list(base), list(arm)) for base, arm in np.exp(logs)]


def scores(
    rng: np.random.Generator, prompts: int, seeds: int, loss: float = 0.0, left_out: int = 0, apart: float = 0.5
) -> tuple[list[float], list[float], list[int]]:
    """Draw CLIP scores of pairs whose difference varies by prompt (``apart``) and by seed (0.5), both normal."""
    labels = np.repeat(np.arange(prompts), seeds)[: prompts * seeds - left_out]
    base = 25 + rng.normal(0, 2, prompts)[labels] + rng.normal(0, 1, len(labels))
    change = rng.normal(0, apart, prompts)[labels] + rng.normal(0, 0.5, len(labels))
    return list(base), list(base - 25 * loss + change), list(labels)


def speed_up(calls: list[tuple[list[float], list[float]]], level: float = 0.95) -> Estimate:
    """Estimate the speed-up with every turn as a replicate."""
    logs = log_ratios([([base], [arm]) for call in calls for base, arm in zip(*call, strict=True)])
    return ratio(logs, range(len(logs)), level)


def holds(found: Estimate, truth: float) -> bool:
    """Return whether there is an interval and it holds the truth."""
    return found.interval is not None and found.interval.holds(truth)


def quality(rng: np.random.Generator, **how: float) -> bool:
    """Compare the baseline with itself by score."""
    return holds(difference(*scores(rng, PROMPTS, SEEDS, **how)), 0)


def unclustered(rng: np.random.Generator) -> bool:
    """Do what must not be done: take seeds of one prompt for independent."""
    base, arm, _ = scores(rng, PROMPTS, SEEDS)
    return holds(mean([a - b for b, a in zip(base, arm, strict=True)]), 0)


def peeking(rng: np.random.Generator, looks: int, corrected: bool = True) -> bool:
    """Run more calls for as long as the interval holds 1, and believe the last one."""
    seen: list[tuple[list[float], list[float]]] = []
    for look in range(1, looks + 1):
        seen += times(rng, 4)
        found = speed_up(seen, level_at(look) if corrected else 0.95)
        if not holds(found, 1):
            return False
    return True


def extended(rng: np.random.Generator) -> bool:
    """Compare the baseline with itself by score, with more prompts after a first look at an interval that holds 0."""
    first, more = scores(rng, PROMPTS, SEEDS), scores(rng, PROMPTS, SEEDS)
    if not holds(difference(*first, level_at(1)), 0):
        return False
    both = [*first[0], *more[0]], [*first[1], *more[1]], [*first[2], *(label + PROMPTS for label in more[2])]
    return holds(difference(*both, level_at(2)), 0)


def slow_down_found(rng: np.random.Generator, calls: int) -> bool:
    """Return whether the planted slow-down is shown: the whole interval below 1."""
    found = speed_up(times(rng, calls, ratio=1 / SLOW_DOWN, noise=NOISE / math.sqrt(2)))
    return found.interval is not None and found.interval.high < 1


def changed(rng: np.random.Generator, slower: float) -> bool:
    """Return whether twelve baseline calls, of which the later half is slower, are told to have changed."""
    seconds = np.exp(rng.normal(0, 0.03, 12) + math.log(slower) * (np.arange(12) >= 6))
    return not holds(drift(list(seconds)), 1)


def lossy(rng: np.random.Generator, prompts: int) -> bool:
    """Estimate a CLIP loss of 3 %."""
    return holds(clip_loss(*scores(rng, prompts, 2, loss=0.03)), 0.03)


def rows() -> list[Row]:
    """List the simulations."""
    calls = calls_for(math.log(SLOW_DOWN), NOISE) or 0
    chance = power(math.log(SLOW_DOWN), NOISE / math.sqrt(calls), calls - 1)
    few = f"{PROMPTS} prompts × {SEEDS} seeds"
    return [
        Row("speed-up, 4 calls", "95 %", lambda rng: holds(speed_up(times(rng, 4)), 1)),
        Row("speed-up, 8 calls × 3 repeats, a machine that wanders", "95 %",
            lambda rng: holds(speed_up(times(rng, 8, 3, wander=0.05)), 1)),
        Row("speed-up, 8 calls, every tenth time half as long again", "95 % or more",
            lambda rng: holds(speed_up(times(rng, 8, bursts=0.1)), 1)),
        Row(f"difference in CLIP score, {few}", "95 %", quality),
        Row(f"the same, stopped in the last prompt but one: {PROMPTS * SEEDS - 6} pairs", "95 %",
            partial(quality, left_out=6)),
        Row("the same with seeds taken for independent (not done)", "95 %", unclustered),
        Row("CLIP loss, 24 prompts × 2 seeds", "95 %", partial(lossy, prompts=24)),
        Row("CLIP loss, 8 prompts × 2 seeds", "95 %", partial(lossy, prompts=8)),
        Row("speed-up, 4 calls, 4 more if the first interval holds 1", "95 % or more", partial(peeking, looks=2)),
        Row("the same, up to five looks", "95 % or more", partial(peeking, looks=5)),
        Row("the same, five looks without correction (not done)", "95 % or more",
            partial(peeking, looks=5, corrected=False)),
        Row(f"difference in CLIP score, {few}, as many more prompts", "95 % or more", extended),
        Row(f"a slow-down of 5 % shown in the {calls} calls that were predicted", f"{100 * chance:.1f} %",
            partial(slow_down_found, calls=calls)),
        Row("“the machine changed”, 12 calls, it did not", "1 %", partial(changed, slower=1.0)),
        Row("“the machine changed”, 12 calls, the later half 10 % slower", "–", partial(changed, slower=1.1)),
    ]  # fmt: skip


def count(row: Row, runs: int, seed: int) -> int:
    """Run a simulation; each has its own stream, so that one more row changes no other."""
    streams = np.random.default_rng([seed, *row.title.encode()])
    return sum(row.trial(streams) for _ in range(runs))


def simulated(runs: int, seed: int) -> str:
    """Count in simulated comparisons."""
    found = []
    for row in rows():
        hits = count(row, runs, seed)
        low, high = wilson(hits, runs)
        found.append([row.title, row.promised, f"{100 * hits / runs:.1f} % ({100 * low:.1f}–{100 * high:.1f})"])
    return table(["simulated", "promised", f"counted in {runs}"], found)


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "simulated": lambda options: simulated(options.runs, options.seed),
    "real": lambda options: real(options.comparisons, options.seeds, options.steps),
}


def at_least(least: int) -> Callable[[str], int]:
    """Return what reads a whole number and refuses one below this."""

    def number(text: str) -> int:
        if int(text) < least:
            raise argparse.ArgumentTypeError(f"{text} is below {least}")
        return int(text)

    return number


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="may be repeated (default: all)")
    simulations = parser.add_argument_group("simulated")
    simulations.add_argument("--runs", type=at_least(1), default=RUNS, help="comparisons a row (%(default)s)")
    simulations.add_argument("--seed", type=int, default=0, help="of the simulations (%(default)s)")
    measured = parser.add_argument_group("real")
    measured.add_argument("--comparisons", type=at_least(1), default=20, help="of each kind (%(default)s)")
    measured.add_argument("--seeds", type=at_least(2), default=12, help="calls of a comparison (%(default)s)")
    measured.add_argument("--steps", type=at_least(1), default=8, help="of a call (%(default)s)")
    options = parser.parse_args()
    for part in options.part or PARTS:
        print(PARTS[part](options), end="\n\n")


if __name__ == "__main__":
    main()
