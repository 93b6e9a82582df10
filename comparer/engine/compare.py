"""Run a request: yield events, end with a Comparison. The page and the command line consume the same events."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from comparer.config import Config
from comparer.engine.events import Emit, Event, Waiting, in_thread
from comparer.engine.queue import turn
from comparer.engine.resume import continued
from comparer.engine.runner import Run
from comparer.request.request import Request
from comparer.request.validate import validate
from comparer.results.comparison import Comparison
from comparer.runs import store
from comparer.runs.lock import hold


def compare(
    request: Request, config: Config, stop: threading.Event | None = None, into: Path | None = None
) -> Iterator[Event]:
    """Wait for this request's turn, run it and yield its events.

    Closing the generator stops the run within one denoising step. Finished images stay in the run folder. A run that
    is stopped before its first call ends without ``Finished``.

    Args:
        request: the request to run.
        config: folders and device.
        stop: set this event to stop the run.
        into: the run's folder; if it holds an earlier run, that run is resumed (``resume.continued``). Default: a new
            folder in the runs folder.

    Raises:
        ComparerError: the request cannot be served; images finished before stay.
    """
    checkpoints = validate(request, config)
    stop = stop or threading.Event()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with ExitStack() as held:
        comparison, mine = Comparison(request, now), set[Path]()

        def keep(folder: Path) -> None:
            if folder not in mine:
                held.enter_context(hold(folder))
                mine.add(folder)

        if into and (into / "run.json").is_file():
            keep(into)  # hold before loading, so that no other process resumes the same run
            comparison = continued(store.load(into), request)

        def work(emit: Emit[Event]) -> None:
            run = Run(comparison, config, checkpoints, stop, emit, into, keep)
            with turn(lambda *told: emit(Waiting(*told)), stop.is_set, config.limits.queue, run.now) as ours:
                if ours:
                    with closing(run.pipes):
                        run.run()

        yield from in_thread(work, stop, "comparer-run")
