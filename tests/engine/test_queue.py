"""The queue: first come first served, who computes, and no more than may wait."""

import threading
from contextlib import ExitStack
from queue import SimpleQueue

import pytest

from comparer.engine.queue import background_slot, busy, turn
from comparer.errors import ComparerError


def never():
    return False


class Caller(threading.Thread):
    """Takes a turn in its own thread and holds it until ``go`` is set."""

    def __init__(self, name, limit=20):
        super().__init__(daemon=True)
        self.told, self.go, self.stop, self.limit, self.says = SimpleQueue(), threading.Event(), False, limit, name
        self.start()

    def run(self):
        with turn(lambda *news: self.told.put(news), lambda: self.stop, self.limit, lambda: self.says) as mine:
            self.told.put(mine)
            self.go.wait(20)

    def hears(self):
        return self.told.get(timeout=20)


def test_turns_come_in_order_and_those_who_wait_hear_who_computes():
    first = Caller("demo, 0 of 2 pictures")
    assert first.hears() is True
    second = Caller("second")
    assert second.hears() == (1, "demo, 0 of 2 pictures")
    third = Caller("third")
    assert third.hears() == (2, "demo, 0 of 2 pictures")
    first.says = "demo, 2 of 2 pictures"
    assert second.hears() == (1, "demo, 2 of 2 pictures") and third.hears() == (2, "demo, 2 of 2 pictures")
    first.go.set()
    assert second.hears() is True and third.hears() == (1, "second")
    second.go.set()
    assert third.hears() is True
    third.go.set()
    third.join(20)


def test_a_full_queue_is_refused_in_one_sentence_and_frees_again():
    with ExitStack() as waiting:
        first = Caller("demo, 12 of 40 pictures")
        waiting.callback(first.go.set)
        assert first.hears() is True
        second = Caller("second")
        waiting.callback(second.go.set)
        assert second.hears() == (1, "demo, 12 of 40 pictures")
        told = r"queue is full \(1 wait for demo, 12 of 40 pictures\)"
        with pytest.raises(ComparerError, match=told), turn(print, never, 1, str):
            pass
    second.join(20)
    with turn(print, never, 0, str) as mine:
        assert mine


def test_who_stops_waiting_makes_room():
    first = Caller("first")
    assert first.hears() is True
    second = Caller("second", limit=1)
    assert second.hears() == (1, "first")
    second.stop = True
    second.go.set()
    assert second.hears() is False
    second.join(20)
    third = Caller("third", limit=1)
    assert third.hears() == (1, "first")
    first.go.set()
    assert third.hears() is True
    third.go.set()
    third.join(20)


def test_what_goes_on_aside_ends_before_anybody_is_measured():
    """The counting of bars must never run beside a timed call."""
    began, ended = threading.Event(), []

    def count():
        with background_slot() as free:
            assert free
            began.set()
            while not busy():
                threading.Event().wait(0.01)
            threading.Event().wait(0.3)  # it takes a moment to notice
            ended.append(True)

    worker = threading.Thread(target=count, daemon=True)
    worker.start()
    assert began.wait(20)
    with turn(print, never, 20, str) as mine:
        assert mine and ended == [True]
        with background_slot() as free:
            assert not free
    worker.join(20)
    with background_slot() as free:
        assert free


def test_nobody_works_on_an_event_when_the_next_call_is_timed():
    from comparer.engine.events import in_thread

    stop, drawing, overlaps = threading.Event(), threading.Event(), []

    def work(emit):
        for number in range(3):
            emit(number)
            emit.settled()
            overlaps.append(drawing.is_set())

    for _ in in_thread(work, stop, "test"):
        drawing.set()
        threading.Event().wait(0.1)
        drawing.clear()
    assert overlaps == [False] * 3
    seen = in_thread(work, threading.Event(), "test")
    assert next(seen) == 0
    seen.close()  # whoever waits for a consumer that is gone goes on
