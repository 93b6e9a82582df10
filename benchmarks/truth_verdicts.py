"""Do the verdicts keep what they promise? ``python benchmarks/truth_verdicts.py``.

Draws comparisons whose truth is known, judges them as the program does, and counts. It needs no model and takes
minutes; the same seed gives the same counts. Each part prints a Markdown table with 95 % Wilson intervals of its
counts. docs/statistics.md has them as printed.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from common import ROOT, table
from simulated import BAD, Machine, Pairs

sys.path.insert(0, str(ROOT))

from comparer.engine.repeats import turns_needed
from comparer.stats.evidence import Evidence, TimedCall
from comparer.stats.intervals import wilson
from comparer.stats.power import level_at
from comparer.stats.quality import BETTER, KEPT, LOSES, UNDECIDED, judge_quality, offer_quality
from comparer.stats.speed import FASTER, judge_speed, offer_speed
from comparer.stats.speed import UNDECIDED as UNDECIDED_SPEED
from comparer.stats.verdict import DEFAULT

RUNS = 1000
PROMPTS, LOOKS = 80, 5
HALF = 0.5  # share of the score that a very bad pair loses
MOST_TURNS = 60  # that fit in the budget of the simulated runs


@dataclass(frozen=True)
class Row:
    """A simulation: what is counted, what is promised, and one comparison's answer; None leaves it out."""

    title: str
    promised: str
    trial: Callable[[np.random.Generator], bool | None]


def word(rng: np.random.Generator, how: Pairs, prompts: int = PROMPTS, looks: int = 1, arms: int = 1) -> str:
    """Judge an arm; while it is undecided, continue with as many further prompts, up to ``looks`` looks."""
    pairs: list[tuple[int, float, float]] = []
    found = ""
    for look in range(1, looks + 1):
        pairs += how.draw(rng, prompts, len(pairs))
        found = judge_quality(Evidence([], pairs, interim_looks=look, arms=arms), DEFAULT.clip_loss).word
        if found != UNDECIDED:
            break
    return found


def said(words: tuple[str, ...], how: Pairs, **more: int) -> Callable[[np.random.Generator], bool]:
    """Return a trial: whether an arm is called one of these words."""
    return lambda rng: word(rng, how, **more) in words


def any_of_five(rng: np.random.Generator, how: Pairs, looks: int) -> bool:
    """Return whether any of five such arms is called kept."""
    return any(word(rng, how, looks=looks, arms=5) in (KEPT, BETTER) for _ in range(5))


def quality_rows() -> list[Row]:
    """List the simulations of quality."""
    threshold, different = Pairs(bad=DEFAULT.clip_loss / BAD), Pairs(2.0)
    half = Pairs(bad=0.04, size=HALF)

    def kept(how: Pairs, **more: int) -> Callable[[np.random.Generator], bool]:
        return said((KEPT, BETTER), how, **more)

    rows = [
        Row("kept; 8 % of the pairs lose 25 %: mean loss on the threshold", "2.5 % or less", kept(threshold)),
        Row("the same, after five looks", "2.5 % or less", kept(threshold, looks=LOOKS)),
        Row("the same, any of five arms, after five looks", "4 % or less",
            partial(any_of_five, how=threshold, looks=LOOKS)),
        Row("kept; every pair loses 2 %, after five looks", "2.5 % or less", kept(Pairs(loss=0.02), looks=LOOKS)),
    ]  # fmt: skip
    for within in (0.6, 1.0):
        rows.append(Row(f"kept; no loss, SD {within}", "90 % or more", kept(Pairs(within))))
        rows.append(Row(f"kept; no loss, SD {within}, one of five arms", "90 % or more", kept(Pairs(within), arms=5)))
    rows.append(
        Row("loses; equally good but different, SD 2.0, after five looks", "2.5 % or less",
            said((LOSES,), different, looks=LOOKS))
    )  # fmt: skip
    for count in (80, 160, 240):
        title = f"kept; equally good but different, SD 2.0, {count} prompts"
        rows.append(Row(title, "as found", kept(different, prompts=count)))
    return [
        *rows,
        Row("loses; every pair loses 5 %", "–", said((LOSES,), Pairs(loss=0.05))),
        Row("better; every pair gains 5 %", "–", said((BETTER,), Pairs(loss=-0.05))),
        Row("loses; 25 % of the pairs lose 25 %", "–", said((LOSES,), Pairs(bad=0.25))),
        Row("kept; 4 % of the pairs lose half", "a limit", kept(half)),
        Row("the same, after five looks", "a limit", kept(half, looks=LOOKS)),
        Row("kept; 4 % of the prompts lose half, in 4 seeds each", "a limit", kept(replace(half, seeds=4))),
    ]


def run(
    turns: Iterator[tuple[float, float]], before: list[tuple[float, float]], look: int
) -> list[tuple[float, float]]:
    """Make five turns, plan once anew as the program does, and make the rest; return them with the earlier ones."""
    made = [*before, *(next(turns) for _ in range(max(1, 5 - len(before))))]
    needed = turns_needed([math.log(base / arm) for base, arm in made], level_at(look))
    return [*made, *(next(turns) for _ in range(min(needed - len(made), MOST_TURNS)))]


def timed(made: list[tuple[float, float]], look: int = 1) -> Evidence:
    """Return the evidence of some turns of one call."""
    return Evidence([TimedCall([base for base, _ in made], [arm for _, arm in made])], interim_looks=look)


def covers(rng: np.random.Generator, machine: Machine, ratio: float = 1.5) -> bool:
    """Return whether the interval of a run with automatic repeats holds the truth."""
    found = judge_speed(timed(run(machine.turns(rng, ratio), [], 1)), DEFAULT.speed_up).estimate
    return found.interval is not None and found.interval.holds(ratio)


def narrow(rng: np.random.Generator, machine: Machine) -> bool:
    """Return whether that interval reaches ± 5 %."""
    found = judge_speed(timed(run(machine.turns(rng, 1.5), [], 1)), DEFAULT.speed_up).estimate
    assert found.interval
    return found.interval.high / found.interval.low <= 1.05**2


def faster(rng: np.random.Generator, machine: Machine, ratio: float, looks: int = LOOKS) -> bool:
    """Return whether an arm is called faster, continuing while it is undecided."""
    turns, made = machine.turns(rng, ratio), []
    for look in range(1, looks + 1):
        made = run(turns, made, look)
        found = judge_speed(timed(made, look), DEFAULT.speed_up).word
        if found != UNDECIDED_SPEED:
            return found == FASTER
    return False


def two_calls(rng: np.random.Generator) -> bool:
    """Return whether two calls on a quiet GPU (0.5 % of noise) decide a 1.9×."""
    turns = Machine(0.005).turns(rng, 1.9)
    return judge_speed(timed([next(turns), next(turns)]), DEFAULT.speed_up).word == FASTER


def speed_rows() -> list[Row]:
    """List the simulations of speed."""
    machines = {
        "spreads 1:1": Machine(),
        "spreads 1:2": Machine(arm=2),
        "spreads 1:3": Machine(arm=3),
        "heavy tails": Machine(tails=True),
        "a drift of 1 % per turn": Machine(drift=0.01),
        "autocorrelated pace": Machine(wander=0.02),
    }
    bursty = Machine(bursts=0.05)
    holds = "interval holds 1.5×"
    return [
        *(Row(f"{holds}; {name}", "92 % or more", partial(covers, machine=each)) for name, each in machines.items()),
        Row(f"{holds}; every twentieth time half as long again", "as found", partial(covers, machine=bursty)),
        Row("interval within ± 5 %; noise 2 %", "–", partial(narrow, machine=Machine())),
        Row("faster; truth 1.05×, up to five looks", "2.5 % or less", partial(faster, machine=Machine(), ratio=1.05)),
        Row("the same, spreads 1:3", "2.5 % or less", partial(faster, machine=Machine(arm=3), ratio=1.05)),
        Row("the same, bursts", "2.5 % or less", partial(faster, machine=bursty, ratio=1.05)),
        Row("faster; truth 1.1×, first look", "–", partial(faster, machine=Machine(), ratio=1.1, looks=1)),
        Row("faster; two calls, truth 1.9×, noise 0.5 %", "–", two_calls),
    ]  # fmt: skip


def offered_turns(rng: np.random.Generator) -> tuple[float, bool] | None:
    """Return the printed chance of an offer of more turns, and whether they settled the question."""
    machine = Machine(float(np.exp(rng.uniform(math.log(0.01), math.log(0.1)))))
    turns = machine.turns(rng, float(np.exp(rng.uniform(0, math.log(1.3)))))
    made = [next(turns) for _ in range(rng.integers(2, 6))]
    if judge_speed(timed(made), DEFAULT.speed_up).word != UNDECIDED_SPEED:
        return None
    offer = offer_speed(timed(made), DEFAULT.speed_up)
    if offer is None or offer.chance is None:
        return None
    made += [next(turns) for _ in range(offer.more)]
    return offer.chance, judge_speed(timed(made, 2), DEFAULT.speed_up).word != UNDECIDED_SPEED


def offered_prompts(rng: np.random.Generator) -> tuple[float, bool] | None:
    """Return the printed chance of an offer of more prompts, and whether they settled the question."""
    bad = float(rng.uniform(0, 0.15)) if rng.random() < 0.3 else 0.0
    how = Pairs(float(np.exp(rng.uniform(math.log(0.5), math.log(3)))), float(rng.uniform(-0.01, 0.04)), bad)
    pairs = how.draw(rng, int(rng.integers(8, 81)))
    evidence = Evidence([], pairs)
    if judge_quality(evidence, DEFAULT.clip_loss).word != UNDECIDED:
        return None
    offer = offer_quality(evidence, DEFAULT.clip_loss)
    if offer is None or offer.chance is None:
        return None
    pairs += how.draw(rng, offer.more, len(pairs))
    return offer.chance, judge_quality(Evidence([], pairs, interim_looks=2), DEFAULT.clip_loss).word != UNDECIDED


def counted(rows: list[Row], runs: int, seed: int) -> str:
    """Count every row; each has its own stream, so that one more row changes no other."""
    found = []
    for row in rows:
        rng = np.random.default_rng([seed, *row.title.encode()])
        hits = sum(bool(row.trial(rng)) for _ in range(runs))
        low, high = wilson(hits, runs)
        found.append([row.title, row.promised, f"{100 * hits / runs:.1f} % ({100 * low:.1f}–{100 * high:.1f})"])
        print(found[-1], file=sys.stderr, flush=True)
    return table(["called, and the truth", "promised", f"counted in {runs:,}"], found)


def offers(runs: int, seed: int) -> str:
    """Compare the chances that are printed with how often the offers settle the question."""
    found = []
    for title, draw in (("more turns", offered_turns), ("more prompts", offered_prompts)):
        rng, seen = np.random.default_rng([seed, *title.encode()]), []
        while len(seen) < runs:
            one = draw(rng)
            seen += [one] if one else []
        settled = sum(ok for _, ok in seen)
        low, high = wilson(settled, len(seen))
        chance = 100 * float(np.mean([chance for chance, _ in seen]))
        found.append(
            [title, f"{chance:.1f} %", f"{100 * settled / len(seen):.1f} % ({100 * low:.1f}–{100 * high:.1f})"]
        )
    return table(["offer", "printed chance, mean", f"settled, of {runs:,} offers"], found)


PARTS: dict[str, Callable[[argparse.Namespace], str]] = {
    "speed": lambda options: counted(speed_rows(), options.runs, options.seed),
    "quality": lambda options: counted(quality_rows(), options.runs, options.seed),
    "offers": lambda options: offers(options.runs, options.seed),
}


def main() -> None:
    """Print the parts that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--part", action="append", choices=PARTS, help="may be repeated (default: all)")
    parser.add_argument("--runs", type=int, default=RUNS, help="comparisons a row (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the simulations (%(default)s)")
    options = parser.parse_args()
    for part in options.part or PARTS:
        print(PARTS[part](options), end="\n\n", flush=True)


if __name__ == "__main__":
    main()
