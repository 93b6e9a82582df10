"""Events of a comparison or a download, and their delivery to the consumer's thread."""

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from comparer.errors import Stopped
from comparer.results.comparison import Comparison

Item = TypeVar("Item")


@dataclass(frozen=True)
class Waiting:
    """Another comparison is being measured; ``ahead`` jobs are ahead, ``now`` is the progress of the first."""

    ahead: int
    now: str = ""


@dataclass(frozen=True)
class Progress:
    """Progress of a run or a download.

    ``phase`` is loading, counting, warm-up, choice, generating, scoring, repeating, again, trace or memory, with
    ``done`` of ``total`` denoising steps of the whole run, which may change while it is planned; or fetching, with
    bytes (``total`` is 0 until the Hub reports the sizes). ``seconds_left`` is None until an estimate is available,
    from this run or an earlier one.
    """

    phase: str
    text: str
    done: int
    total: int
    seconds_left: float | None = None


@dataclass(frozen=True)
class Updated:
    """New images or scores are in ``comparison``; the files are in ``folder``."""

    comparison: Comparison
    folder: Path


@dataclass(frozen=True)
class Finished:
    """The run ended: finished or stopped, see ``comparison.state``. ``grid`` is None without images."""

    comparison: Comparison
    folder: Path
    grid: Path | None


Event = Waiting | Progress | Updated | Finished


class Emit(Generic[Item]):
    """Pass items to a consumer that iterates in another thread."""

    def __init__(self, stop: threading.Event) -> None:
        """Create an empty queue."""
        self.stop = stop
        self.queue: queue.Queue[tuple[bool, Item | BaseException | None]] = queue.Queue()

    def __call__(self, item: Item) -> None:
        """Enqueue an item without blocking."""
        self.queue.put((True, item))

    def settled(self) -> None:
        """Block until the consumer has processed every item; return at once after a stop."""
        with self.queue.all_tasks_done:
            while self.queue.unfinished_tasks and not self.stop.is_set():
                self.queue.all_tasks_done.wait(0.1)


def in_thread(work: Callable[[Emit[Item]], None], stop: threading.Event, name: str) -> Iterator[Item]:
    """Run ``work`` in its own thread and yield the items it passes to its argument.

    Closing the generator sets ``stop`` and waits for the thread. ``Stopped`` ends the iteration quietly; any other
    exception of the thread is raised here.
    """
    emit: Emit[Item] = Emit(stop)

    def run() -> None:
        error: BaseException | None = None
        try:
            work(emit)
        except Stopped:
            pass
        except BaseException as raised:  # handed to the consumer, who raises it
            error = raised
        emit.queue.put((False, error))

    worker = threading.Thread(target=run, name=name, daemon=True)
    worker.start()
    try:
        while True:
            goes_on, item = emit.queue.get()
            if goes_on:
                yield item  # type: ignore[misc]  # an Item, as it goes on
                emit.queue.task_done()
            elif item is None:
                return
            else:
                raise item  # type: ignore[misc]
    finally:
        stop.set()
        worker.join()
