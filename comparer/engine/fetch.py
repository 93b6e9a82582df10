"""Download a catalogue model from the Hub; shared by the page, the API and the command line."""

import threading
from collections.abc import Callable, Iterator
from time import monotonic

from comparer.config import Config
from comparer.engine.events import Progress, in_thread
from comparer.errors import ComparerError
from comparer.metrics.scorers import DEFAULT, SCORERS, known
from comparer.models import hub
from comparer.models.catalog import CATALOG
from comparer.models.download import OnProgress


def fetch(name: str, config: Config, stop: threading.Event | None = None) -> Iterator[Progress]:
    """Download the missing files of a model, then those of its scorer, or of a scorer, and yield the progress.

    Downloaded data stays after a stop or an error, and the next fetch resumes there.

    Args:
        name: a model of the catalogue, or a scorer.
        config: whether the Hub may be used, and the dtype of the weights.
        stop: set this event to stop; closing the generator stops, too.

    Raises:
        ComparerError: the model does not exist or is unavailable; one sentence, within seconds.
    """
    model = CATALOG.get(name)
    scorer = SCORERS[DEFAULT] if model else known(name)
    if scorer is None:
        raise ComparerError(f"There is no model '{name[:80]}' to fetch: choose one of {', '.join(CATALOG)}.")
    if not config.hub and name != "demo":
        title = model.title if model else scorer.name
        raise ComparerError(f"{title} cannot be fetched: this installation may not use the hub.")
    stop = stop or threading.Event()

    def work(emit: Callable[[Progress], None]) -> None:
        if model:
            hub.fetch(model, _half(config), reporter(emit), stop.is_set)
        if name != "demo":
            hub.scorer_files(scorer.files, reporter(emit), stop.is_set)

    return in_thread(work, stop, "comparer-fetch")


def reporter(emit: Callable[[Progress], None]) -> OnProgress:
    """Return a callback that converts a download's byte counts into Progress events with the remaining time."""
    began: tuple[float, int] | None = None

    def report(done: int, total: int, text: str) -> None:
        nonlocal began
        began = began or (monotonic(), done)
        gained, took = done - began[1], monotonic() - began[0]
        left = (total - done) * took / gained if gained > 0 and took > 1 else None
        unit, name = (1e9, "GB") if total >= 1e9 else (1e6, "MB")
        size = f", {done / unit:.2f} of {total / unit:.2f} {name}" if total else ""
        emit(Progress("fetching", text + size, done, total, left))

    return report


def _half(config: Config) -> bool:
    """Say whether float16 weights will do: a GPU computes with them, and they are half as large."""
    if config.dtype != "auto" or config.device == "cpu":
        return config.dtype in ("float16", "bfloat16")
    from comparer.pipelines.device import choose_device

    return choose_device(config.device)[0] != "cpu"
