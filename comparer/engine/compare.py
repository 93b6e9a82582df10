"""Run a request: yield events, end with a Comparison. The page and the command line consume the same events."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing
from datetime import UTC, datetime
from pathlib import Path

from comparer.accelerators import stack
from comparer.checkpoints.find import resolve
from comparer.checkpoints.read import Checkpoint
from comparer.config import Config
from comparer.engine.events import Emit, Event, Finished, Progress, Seen, Waiting, in_thread
from comparer.engine.queue import turn
from comparer.engine.resume import continued
from comparer.engine.runner import Run
from comparer.errors import ComparerError
from comparer.metrics import scorers
from comparer.models import samplers
from comparer.request.request import Request
from comparer.results.comparison import Comparison
from comparer.runs import store
from comparer.runs.lock import hold

__all__ = ["Finished", "Progress", "Seen", "Waiting", "check", "compare"]


def check(request: Request, config: Config) -> tuple[Checkpoint, ...]:
    """Refuse at the door what a checkpoint, an accelerator or the scorer cannot serve; return every arm's checkpoint.

    Raises:
        ComparerError: with the reason, in one sentence.
    """
    asked = [request.settings_of(arm).weights for arm in range(len(request.arms))]
    found = {weights: resolve(weights, config) for weights in dict.fromkeys(asked)}
    for checkpoint in found.values():
        _check(request, checkpoint)
    first = found[asked[0]]
    if "=" in request.scorer and not config.own:
        raise ComparerError("A scorer's file is read for the command line alone: choose a scorer by its name.")
    scorers.choose(request.scorer, first.model.name, first.demo)
    return tuple(found[weights] for weights in asked)


def _check(request: Request, checkpoint: Checkpoint) -> None:
    for pixels in (request.settings.width, request.settings.height):
        if pixels < checkpoint.model.min_size:
            raise ComparerError(
                f"Size {pixels} is too small for {checkpoint.model.title}: "
                f"{checkpoint.model.min_size} to {request.limits.size} is allowed."
            )
    settings, family = request.settings, checkpoint.family
    if samplers.find(settings.sampler).distilled and not checkpoint.distilled:
        raise ComparerError(
            f"Sampler {settings.sampler} is for models distilled for it, and {checkpoint.model.title} is not: "
            f"choose {checkpoint.model.sampler}."
        )
    if settings.steps < family.min_steps:
        raise ComparerError(f"{family.title} makes at least {family.min_steps} steps, not {settings.steps}.")
    if settings.guidance_rescale and not family.rescale:
        raise ComparerError(f"{family.title} has no guidance rescale: leave it at 0.")
    stack.check(request, checkpoint.model.family, checkpoint.denoiser)


def compare(
    request: Request, config: Config, stop: threading.Event | None = None, into: Path | None = None
) -> Iterator[Event]:
    """Run a request in its turn and yield what happens.

    Closing the generator stops the run within one denoising step. Finished pictures stay in the run folder. A run that
    is stopped before its first call ends without ``Finished``.

    Args:
        request: what to make.
        config: folders and device.
        stop: set it to stop.
        into: the run's folder; where it holds an earlier run, that one goes on (``resume.continued``). By default
            a new one in the runs folder.

    Raises:
        ComparerError: the request cannot be served; pictures finished before stay.
    """
    checkpoints = check(request, config)
    stop = stop or threading.Event()
    now = datetime.now(UTC).isoformat(timespec="seconds")
    with ExitStack() as held:
        comparison, mine = Comparison(request, now), set[Path]()

        def keep(folder: Path) -> None:
            if folder not in mine:
                held.enter_context(hold(folder))
                mine.add(folder)

        if into and (into / "run.json").is_file():
            keep(into)  # before it is read: nobody else may go on from what is read here
            comparison = continued(store.load(into), request)

        def work(emit: Emit[Event]) -> None:
            run = Run(comparison, config, checkpoints, stop, emit, into, keep)
            with turn(lambda *told: emit(Waiting(*told)), stop.is_set, config.limits.queue, run.now) as ours:
                if ours:
                    with closing(run.pipes):
                        run.run()

        yield from in_thread(work, stop, "comparer-run")
