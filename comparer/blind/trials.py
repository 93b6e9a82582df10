"""One person's blind test: which pairs in which order and on which sides, what was voted, and how it is read."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comparer.blind.votes import ARM, BAD, BASELINE, TIE, Vote
from comparer.errors import ComparerError
from comparer.text import quote

VOTES = ("a", "b", "tie", "bad")
MOST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Trial:
    """One pair to judge: ``a`` is the arm whose image is shown as A, 0 for the baseline's."""

    prompt: int
    seed: int
    a: int


@dataclass(frozen=True)
class Session:
    """One person's session over the pairs of one arm.

    Attributes:
        id: identifier in the file.
        judge: who votes: random letters stored in their browser.
        arm: position in ``request.arms``; ``name`` is the arm's name at that time.
        seed: random seed of the order and the sides.
        started: start time, in ISO 8601.
        trials: in display order.
        votes: votes on the first trials, each one of ``VOTES``.
        ended: whether the judge has requested the result.
        looks: the numbers of counted votes on the arm with which its result was shown while this was the arm's latest
            session; rising, () for never. Files before schema 2 have none.
    """

    id: str
    judge: str
    arm: int
    name: str
    seed: int
    started: str
    trials: tuple[Trial, ...]
    votes: tuple[str, ...] = ()
    ended: bool = False
    looks: tuple[int, ...] = ()

    @property
    def over(self) -> bool:
        """Return whether the session has ended or no trials remain."""
        return self.ended or len(self.votes) == len(self.trials)

    def choices(self) -> list[Vote]:
        """List the votes with the side each one is for."""
        names = {"tie": TIE, "bad": BAD}
        sides = [names | {"a": ARM if t.a else BASELINE, "b": BASELINE if t.a else ARM} for t in self.trials]
        return [Vote(t.prompt, t.seed, side[v]) for t, side, v in zip(self.trials, sides, self.votes, strict=False)]


def trials(items: Sequence[tuple[int, int]], arm: int, seed: int) -> tuple[Trial, ...]:
    """Shuffle the pairs, and which side the arm is on: A in half of them, of an odd number in one more or less.

    The same seed gives the same on every machine: ``random.random()`` is the method whose numbers Python promises to
    keep, so that all is sorted by it.

    Args:
        items: (prompt number, seed) of each pair.
        arm: 1 or more.
        seed: 0 to 2³² − 1.

    Raises:
        ComparerError: the seed is none.

    >>> [trial.a for trial in trials([(0, 1), (0, 2), (1, 1), (1, 2)], 1, 7)].count(1)
    2
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed <= MOST_SEED:
        raise ComparerError(f"The seed '{quote(seed)}' is not a whole number from 0 to {MOST_SEED}.")
    drawn = random.Random(seed)
    first = drawn.random() < 0.5

    def shuffled(values: Sequence[Any]) -> list[Any]:
        return sorted(values, key=lambda _: drawn.random())

    order = shuffled(items)
    sides = shuffled([arm if (place % 2 == 0) == first else 0 for place in range(len(order))])
    return tuple(Trial(prompt, each, a) for (prompt, each), a in zip(order, sides, strict=True))


def read_session(data: dict[str, Any]) -> Session:
    """Read one session of ``blind.json``.

    Raises:
        KeyError, TypeError, ValueError: a value is missing, unknown, or none that is written there.
    """
    several = {"votes": tuple(data["votes"]), "looks": tuple(data.get("looks", ()))}
    found = Session(**data | several | {"trials": tuple(Trial(**t) for t in data["trials"])})
    numbers = [found.arm, found.seed, *found.looks, *(n for t in found.trials for n in (t.prompt, t.seed, t.a))]
    texts = found.id, found.judge, found.name, found.started
    if not all(type(n) is int and n >= 0 for n in numbers) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a number or a text is none")
    if not found.arm or {t.a for t in found.trials} - {0, found.arm} or set(found.votes) - set(VOTES):
        raise ValueError("a side or a vote is none")
    if len(found.votes) > len(found.trials) or not isinstance(found.ended, bool):
        raise ValueError("there are more votes than pairs")
    return found
