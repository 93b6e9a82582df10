"""How often does a blind test call a preference, wrongly and rightly? ``python benchmarks/truth_blind.py``.

Draws blind tests whose truth is known and asks ``comparer.blind.votes`` for the result; it needs no model. A pair's
logit of the arm's chance is the true mean, plus a normal deviation of its prompt, plus one of the pair itself; every
person votes on every pair with that chance. With peeking, the result is looked at after every fifth of the votes, and
believed when it first calls a preference: with one person after a fifth of the pairs, with five after each person.
Prints a Markdown table with 95 % Wilson intervals of its counts. The same seed gives the same counts.
"""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from common import ROOT, table

sys.path.insert(0, str(ROOT))

from comparer.blind.votes import ARM, BASELINE, UNDECIDED, Vote, preference
from comparer.stats.intervals import wilson
from comparer.text import counted

RUNS = 500
PROMPT_SPREAD, PAIR_SPREAD = 1.5, 0.5  # standard deviations of the logit
TRULY = 1.0  # mean logit where the arm is truly preferred
LOOKS = 5
NAMES = ("baseline", "arm")


@dataclass(frozen=True)
class Design:
    """Prompts and seeds that so many people judge, with one look at the end or with five on the way."""

    people: int
    prompts: int
    seeds: int
    peeking: bool

    @property
    def title(self) -> str:
        """Name the design."""
        people = "1 person" if self.people == 1 else f"{self.people} people"
        looks = counted(LOOKS if self.peeking else 1, "look")
        return f"{people}, {self.prompts} prompts × {counted(self.seeds, 'seed')}, {looks}"


DESIGNS = [
    Design(people, *size, peeking) for size in ((8, 3), (20, 1)) for people in (1, 5) for peeking in (False, True)
]


def votes(rng: np.random.Generator, design: Design, mean: float) -> list[Vote]:
    """Draw everybody's votes in the order in which they are cast, person by person, the pairs shuffled for each."""
    logits = rng.normal(mean, PROMPT_SPREAD, (design.prompts, 1))
    logits = logits + rng.normal(0, PAIR_SPREAD, (design.prompts, design.seeds))
    chances, cast = 1 / (1 + np.exp(-logits)), []
    for _ in range(design.people):
        for_arm = rng.random(chances.shape) < chances
        for pair in rng.permutation(chances.size):
            prompt, seed = divmod(int(pair), design.seeds)
            cast.append(Vote(prompt, seed, ARM if for_arm[prompt, seed] else BASELINE))
    return cast


def by_prompts(cast: list[Vote], people: int, look: int) -> int:
    """Return whom the result calls preferred: 1 for the arm, −1 for the baseline, 0 for nobody."""
    found = preference(1, NAMES, cast, {}, people, look=look)
    return 0 if found.kind == UNDECIDED else found.ahead


def by_votes(cast: list[Vote], people: int, look: int) -> int:
    """Do what must not be done: the sign test at 5 % over all votes, whatever their prompts, people and looks."""
    from scipy.special import bdtr

    wins = sum(vote.choice == ARM for vote in cast)
    losses = len(cast) - wins
    return (wins > losses) - (wins < losses) if 2 * bdtr(min(wins, losses), len(cast), 0.5) <= 0.05 else 0


def called(cast: list[Vote], design: Design, test: Callable[[list[Vote], int, int], int]) -> int:
    """Return what the first look that calls a preference says, 0 if none does."""
    ends = [len(cast) * look // LOOKS for look in range(1, LOOKS + 1)] if design.peeking else [len(cast)]
    said = (test(cast[:end], design.people, look) for look, end in enumerate(ends, 1))
    return next((side for side in said if side), 0)


def cell(hits: int, runs: int) -> str:
    """Write a count in percent with its interval."""
    low, high = wilson(hits, runs)
    return f"{100 * hits / runs:.1f} % ({100 * low:.1f}–{100 * high:.1f})"


def row(design: Design, runs: int, seed: int) -> list[str]:
    """Count in so many tests of each truth; each design has its own stream, so that one more changes no other."""
    rng = np.random.default_rng([seed, *design.title.encode()])
    wrong = wrong_by_votes = right = 0
    for _ in range(runs):
        nobody, arm = votes(rng, design, 0.0), votes(rng, design, TRULY)
        wrong += called(nobody, design, by_prompts) != 0
        wrong_by_votes += called(nobody, design, by_votes) != 0
        right += called(arm, design, by_prompts) == 1
    return [design.title, *(cell(hits, runs) for hits in (wrong, right, wrong_by_votes))]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=RUNS, help="tests a row and truth (%(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of the simulation (%(default)s)")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error(f"{options.runs} runs: 1 or more are needed")
    head = [f"called preferred in {options.runs}", "wrongly: nobody is", "rightly: the arm is",
            "wrongly, by votes and without looks (not done)"]  # fmt: skip
    print(table(head, [row(design, options.runs, options.seed) for design in DESIGNS]))


if __name__ == "__main__":
    main()
