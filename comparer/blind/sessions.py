"""Blind tests: order and sides of the pairs, votes stored in a run folder, and their results.

No torch, no gradio. The judge sees images A and B; only ``blind.json`` records which of them is the arm's.
See docs/blind.md for a description.
"""

import json
import os
import random
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from comparer.atomic import write_text
from comparer.blind.votes import ARM, BAD, BASELINE, TIE, Preference, Vote, preference
from comparer.errors import ComparerError
from comparer.results.comparison import Comparison
from comparer.runs import store
from comparer.text import quote

try:
    import fcntl
except ImportError:  # Windows: only what happens in this process is kept apart
    fcntl = None  # type: ignore[assignment]

FILE, SCHEMA = "blind.json", 1
VOTES = ("a", "b", "tie", "bad")
MOST = 1000  # sessions of a run
MOST_SEED = 2**32 - 1
_writing = threading.Lock()


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


def load(folder: Path) -> list[Session]:
    """Load the sessions of a run folder, oldest first; [] if nobody has judged.

    Raises:
        ComparerError: the file is damaged, or of a later version.
    """
    where = f"'{folder.name}/{FILE}'"
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        if data["schema"] > SCHEMA:
            raise ComparerError(f"{where} was written by a later version of Comparer, so it was not changed.")
        return [_session(each) for each in data["sessions"]]
    except FileNotFoundError:
        return []
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {quote(error)}"
        raise ComparerError(f"{where} is damaged ({why}); it was not changed. Move it away to start again.") from error


def begin(folder: Path, comparison: Comparison, arm: int, seed: int, judge: str) -> Session:
    """Start a session with every pair of the arm.

    Raises:
        ComparerError: there is no pair, the seed is invalid, or the file cannot be read or written.
    """
    pairs = [(other.prompt, other.seed) for _, other in comparison.pairs(arm)]
    if not pairs:
        raise ComparerError("There is no pair to judge yet.")
    now, name = datetime.now().astimezone().isoformat(timespec="seconds"), comparison.request.arms[arm].name
    session = Session(secrets.token_hex(8), judge, arm, name, seed, now, trials(pairs, arm, seed))
    with _changed(folder) as sessions:
        if len(sessions) >= MOST:
            raise ComparerError(f"This run already has {MOST} blind tests: no more are allowed.")
        sessions.append(session)
    return session


def cast(folder: Path, id_: str, number: int, vote: str) -> Session:
    """Record a vote on trial ``number``, from 0; a vote on any trial but the next one is ignored.

    A key pressed twice, or in two windows, therefore counts once.

    Raises:
        ComparerError: there is no such session or vote, or the file cannot be read or written.
    """
    if vote not in VOTES:
        raise ComparerError(f"The vote '{quote(vote)}' is not valid: choose one of {', '.join(VOTES)}.")

    def voted(session: Session) -> Session:
        awaited = number == len(session.votes) and not session.over
        return replace(session, votes=(*session.votes, vote)) if awaited else session

    return _replaced(folder, id_, voted)


def end(folder: Path, id_: str) -> Session:
    """End a session; trials that were not judged are left out.

    Raises:
        ComparerError: there is no such session, or the file cannot be read or written.
    """
    return _replaced(folder, id_, lambda session: replace(session, ended=True))


def unfinished(sessions: Sequence[Session], judge: str, arm: int) -> Session | None:
    """Return this person's latest session on this arm if it has trials remaining, else None."""
    mine = [each for each in sessions if each.judge == judge and each.arm == arm]
    return mine[-1] if mine and not mine[-1].over else None


def counted(sessions: Sequence[Session], arm: int) -> tuple[list[Vote], int, int]:
    """Return an arm's votes that count, the number of votes that do not, and the number of people who voted.

    Only a person's first vote on a pair counts: it was cast without knowing any result, and two votes of one person
    on one pair are not independent evidence.
    """
    found: dict[tuple[str, int, int], Vote] = {}
    every = [(each.judge, vote) for each in sessions if each.arm == arm for vote in each.choices()]
    for judge, vote in every:
        found.setdefault((judge, vote.prompt, vote.seed), vote)
    return list(found.values()), len(every) - len(found), len({judge for judge, _ in every})


def judged(comparison: Comparison, sessions: Sequence[Session], arm: int) -> Preference:
    """Compute the figures from the votes on an arm."""
    votes, repeated, judges = counted(sessions, arm)
    scores = {
        (base.prompt, base.seed): (base.clip_score, other.clip_score)
        for base, other in comparison.pairs(arm)
        if base.clip_score is not None and other.clip_score is not None
    }
    names = comparison.request.arms[0].name, comparison.request.arms[arm].name
    return preference(arm, names, votes, scores, judges, repeated, comparison.scorer.why_not)


def result(folder: Path) -> list[Preference]:
    """Load a run folder and compute the figures of each arm that was judged.

    Raises:
        ComparerError: the folder holds no run, or its votes cannot be read.
    """
    sessions, comparison = load(folder), store.load(folder)
    every = (judged(comparison, sessions, arm) for arm in range(1, len(comparison.request.arms)))
    return [each for each in every if each.votes]


def _replaced(folder: Path, id_: str, change: Any) -> Session:
    with _changed(folder) as sessions:
        place = next((place for place, each in enumerate(sessions) if each.id == id_), None)
        if place is None:
            raise ComparerError("This blind test is no longer in the run folder: start a new one.")
        sessions[place] = change(sessions[place])
        return sessions[place]


@contextmanager
def _changed(folder: Path) -> Iterator[list[Session]]:
    """Yield the sessions to be changed, and write them: one at a time, so that nobody's vote is lost."""
    try:
        with _writing, _alone(folder):
            sessions = load(folder)
            yield sessions
            text = json.dumps({"schema": SCHEMA, "sessions": [asdict(each) for each in sessions]})
            write_text(folder / FILE, text + "\n")
    except OSError as error:
        raise ComparerError(f"'{folder.name}/{FILE}' cannot be written: {error.strerror or error}.") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes out; the system opens the lock again whatever becomes of this one."""
    if fcntl is None:
        yield
        return
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _session(data: dict[str, Any]) -> Session:
    """Read one session.

    Raises:
        ValueError: a value is none that this module writes.
    """
    found = Session(**data | {"trials": tuple(Trial(**t) for t in data["trials"]), "votes": tuple(data["votes"])})
    numbers = [found.arm, found.seed, *(n for t in found.trials for n in (t.prompt, t.seed, t.a))]
    texts = found.id, found.judge, found.name, found.started
    if not all(type(n) is int and n >= 0 for n in numbers) or not all(isinstance(text, str) for text in texts):
        raise ValueError("a number or a text is none")
    if not found.arm or {t.a for t in found.trials} - {0, found.arm} or set(found.votes) - set(VOTES):
        raise ValueError("a side or a vote is none")
    if len(found.votes) > len(found.trials) or not isinstance(found.ended, bool):
        raise ValueError("there are more votes than pairs")
    return found


def judge_id(kept: Any) -> str:
    """Return who a browser says that it is, or a new name where it says nothing of use.

    >>> judge_id("0123456789abcdef"), len(judge_id("<script>"))
    ('0123456789abcdef', 16)
    """
    return kept if isinstance(kept, str) and re.fullmatch("[0-9a-f]{16}", kept) else secrets.token_hex(8)
