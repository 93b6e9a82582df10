"""One measured thing at a time in this process: two would spoil each other's timings."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from comparer.errors import ComparerError

_queue: list[Callable[[], str]] = []  # of every caller, what it says of itself; the first one computes
_changed = threading.Condition()


_aside = threading.Lock()  # held by work that must not go on beside a measurement


def busy() -> bool:
    """Say whether somebody is being measured."""
    return bool(_queue)


@contextmanager
def background_slot() -> Iterator[bool]:
    """Do something that computes while nobody is measured; yields False where somebody is.

    The work must ask ``busy`` often and end when it says so: whoever is to be measured next waits for it.
    """
    with _aside:
        yield not busy()


@contextmanager
def turn(
    on_wait: Callable[[int, str], None], stop: Callable[[], bool], limit: int, now: Callable[[], str]
) -> Iterator[bool]:
    """Wait for this caller's turn, first come first served. Yields False if ``stop`` said so first.

    Args:
        on_wait: called with the number of callers ahead and what the one that computes says, whenever either changes.
        stop: asked while waiting.
        limit: how many may wait; 0 refuses whenever somebody computes.
        now: says in a few words how far this caller is, to those who wait.

    Raises:
        ComparerError: the queue is full.
    """

    def ticket() -> str:  # its own object, also where two callers say the same
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
        with _aside:  # what went on beside the queue has ended
            pass
        yield not ahead
    finally:
        with _changed:
            _queue.remove(ticket)
            _changed.notify_all()
