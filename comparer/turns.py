"""One measured thing at a time in this process: two would spoil each other's timings."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

_queue: list[object] = []
_changed = threading.Condition()


@contextmanager
def turn(on_wait: Callable[[int], None], stop: Callable[[], bool]) -> Iterator[bool]:
    """Wait for this caller's turn, first come first served. Yields False if ``stop`` said so first.

    ``on_wait`` is called with the number of callers ahead, whenever it changes.
    """
    ticket = object()
    with _changed:
        _queue.append(ticket)
        told = 0
        while (ahead := _queue.index(ticket)) and not stop():
            if ahead != told:
                told = ahead
                on_wait(ahead)
            _changed.wait(timeout=0.2)
        mine = not ahead
    try:
        yield mine
    finally:
        with _changed:
            _queue.remove(ticket)
            _changed.notify_all()
