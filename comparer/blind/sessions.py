"""Blind tests: sessions, votes and looks at the result, stored in a run folder, and the results.

No torch, no gradio. The judge sees images A and B; only ``blind.json`` records which of them is the arm's.
See docs/blind.md for a description.
"""

import json
import os
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from comparer.atomic import write_text
from comparer.blind.trials import VOTES, Session, read_session, trials
from comparer.blind.votes import Preference, Vote, preference
from comparer.errors import ComparerError
from comparer.results.comparison import Comparison
from comparer.runs import store
from comparer.text import quote

try:
    import fcntl
except ImportError:  # Windows: only what happens in this process is kept apart
    fcntl = None  # type: ignore[assignment]

FILE, SCHEMA = "blind.json", 2  # 2: sessions have looks
MOST = 1000  # sessions of a run
_writing = threading.Lock()


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
        return [read_session(each) for each in data["sessions"]]
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


def look(folder: Path, arms: Sequence[int]) -> list[Session]:
    """Record that the results of these arms are shown now, and load the sessions.

    A result that was shown before with the same votes is no new look. In a folder that cannot be written nothing is
    recorded: no vote can follow there, so that nothing is spent.

    Raises:
        ComparerError: the file cannot be read or written.
    """
    sessions = load(folder)
    if not any(_not_seen(sessions, arm) for arm in arms) or not os.access(folder, os.W_OK):
        return sessions
    with _changed(folder) as sessions:
        for arm in arms:
            if votes := _not_seen(sessions, arm):
                latest = max(place for place, each in enumerate(sessions) if each.arm == arm)
                sessions[latest] = replace(sessions[latest], looks=(*sessions[latest].looks, votes))
    return sessions


def look_number(sessions: Sequence[Session], arm: int) -> int:
    """Return the number of a look at an arm's result with these votes: 1, plus one per look with fewer votes."""
    votes = len(counted(sessions, arm)[0])
    return 1 + len({seen for each in sessions if each.arm == arm for seen in each.looks if seen < votes})


def _not_seen(sessions: Sequence[Session], arm: int) -> int:
    """Return the number of an arm's counted votes if its result was not shown with them yet, else 0."""
    votes = len(counted(sessions, arm)[0])
    return 0 if any(votes in each.looks for each in sessions if each.arm == arm) else votes


def judged(comparison: Comparison, sessions: Sequence[Session], arm: int) -> Preference:
    """Compute the figures from the votes on an arm, at the level of the look that is recorded; ``look`` records it."""
    votes, repeated, judges = counted(sessions, arm)
    scores = {
        (base.prompt, base.seed): (base.clip_score, other.clip_score)
        for base, other in comparison.pairs(arm)
        if base.clip_score is not None and other.clip_score is not None
    }
    names = comparison.request.arms[0].name, comparison.request.arms[arm].name
    look_ = look_number(sessions, arm)
    found = preference(arm, names, votes, scores, judges, repeated, comparison.scorer.why_not, look_)
    return replace(found, score=comparison.scorer.title, difference=comparison.scorer.difference)


def result(folder: Path) -> list[Preference]:
    """Load a run folder and compute the figures of each arm that was judged; this is a look at each of them.

    Raises:
        ComparerError: the folder holds no run, or its votes cannot be read.
    """
    comparison = store.load(folder)
    arms = range(1, len(comparison.request.arms))
    sessions = look(folder, arms)
    return [each for arm in arms if (each := judged(comparison, sessions, arm)).votes]


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


def judge_id(kept: Any) -> str:
    """Return who a browser says that it is, or a new name where it says nothing of use.

    >>> judge_id("0123456789abcdef"), len(judge_id("<script>"))
    ('0123456789abcdef', 16)
    """
    return kept if isinstance(kept, str) and re.fullmatch("[0-9a-f]{16}", kept) else secrets.token_hex(8)
