"""FIFO queue: only one measured job runs at a time, so timings do not interfere."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from comparer.errors import ComparerError

_queue: list[Callable[[], str]] = []  # status function of every caller; the first one is running
_changed = threading.Condition()


_aside = threading.Lock()  # held by work that must not run during a measurement


def busy() -> bool:
    """Return whether a measured job is running."""
    return bool(_queue)


@contextmanager
def background_slot() -> Iterator[bool]:
    """Run background work while no job is measured; yield False if one is.

    The work must poll ``busy`` often and end when a job is queued: the next measured job waits for the work to end.
    """
    with _aside:
        yield not busy()


@contextmanager
def turn(
    on_wait: Callable[[int, str], None], stop: Callable[[], bool], limit: int, now: Callable[[], str]
) -> Iterator[bool]:
    """Wait for this caller's turn, first come, first served. Yield False if ``stop`` returned True first.

    Args:
        on_wait: called with the number of callers ahead and the status of the running job, whenever either changes.
        stop: polled while waiting.
        limit: maximum number of waiting callers; 0 refuses whenever a job is running.
        now: returns a short status of this caller, shown to those who wait.

    Raises:
        ComparerError: the queue is full.
    """

    def ticket() -> str:  # a new object per caller, even if two return the same text
        return now()

    with _changed:
        if len(_queue) > limit:
            raise ComparerError(f"The queue is full ({len(_queue) - 1} wait for {_queue[0]()}): try again later.")
        _queue.append(ticket)
    try:
        told = None
        with _changed:
            while (ahead := _queue.index(ticket)) and not stop():
                news = ahead, _queue[0]()
                if news != told:
                    on_wait(*news)
                told = news
                _changed.wait(timeout=0.2)
        with _aside:  # wait until background work has ended
            pass
        yield not ahead
    finally:
        with _changed:
            _queue.remove(ticket)
            _changed.notify_all()
