"""Run a request: yield events, end with a Comparison. The page and the command line consume the same events."""

import logging
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from time import monotonic

from comparer import history
from comparer.accelerators import stack
from comparer.checkpoints.read import Checkpoint, resolve
from comparer.config import Config
from comparer.errors import ComparerError, Stopped
from comparer.events import Emit, Event, Finished, Progress, Seen, Waiting, in_thread
from comparer.fetch import reporter
from comparer.history import RunFolder
from comparer.models import samplers
from comparer.request import Request
from comparer.results import Call, Comparison, NotRun, Scorer, Shot
from comparer.resume import continued, unmade
from comparer.timing import pace
from comparer.turns import turn


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


log = logging.getLogger(__name__)


def check(request: Request, config: Config) -> Checkpoint:
    """Refuse at the door what the checkpoint or an accelerator cannot serve.

    Raises:
        ComparerError: with the reason, in one sentence.
    """
    checkpoint = resolve(request.settings.checkpoint, config)
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
    return checkpoint


def count(checkpoint: Checkpoint, request: Request, stop: Callable[[], bool] = lambda: False) -> tuple[int, ...]:
    """Count every arm's multiply-accumulates of the denoiser for one picture, without weights.

    Raises:
        Stopped: ``stop`` said so.
    """
    from comparer.accelerators.macs import macs

    of = checkpoint.denoiser["_class_name"], checkpoint.denoiser, request.settings
    return tuple(macs(*of, arm.accelerators, checkpoint.model.family, stop) for arm in request.arms)


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
    checkpoint = check(request, config)
    stop = stop or threading.Event()
    goes_on = into is not None and (into / "run.json").is_file()
    comparison = continued(history.load(into), request) if into and goes_on else Comparison(request, _now())

    def work(emit: Emit[Event]) -> None:
        run = _Run(comparison, config, checkpoint, stop, emit, into)
        with turn(lambda *told: emit(Waiting(*told)), stop.is_set, config.limits.queue, run.now) as mine:
            if mine:
                run.run()

    yield from in_thread(work, stop, "comparer-run")


class _Run:
    """One run, in its own thread."""

    def __init__(self, comparison, config, checkpoint, stop, emit, folder) -> None:  # noqa: ANN001
        self.comparison, self.config, self.checkpoint, self.stop, self.emit = comparison, config, checkpoint, stop, emit
        self.request = request = comparison.request
        self.into: Path | None = folder
        self.folder = RunFolder(folder) if comparison.shots else None  # made with the first picture
        self.plan = pace.plan(request, unmade(comparison))
        self.steps = samplers.marks(request.settings.sampler, request.settings.steps, checkpoint.family)
        self.pace = pace.Pace(request, config, self.steps, self.plan)
        self.failed = {failure.arm for failure in comparison.not_run}
        self.began = monotonic()

    def now(self) -> str:
        """Say how far it is to those who wait: no prompt, for they may be strangers."""
        pictures = len(self.request.arms) * len(self.request.items())
        return f"{Path(self.request.settings.checkpoint).name}, {len(self.comparison.shots)} of {pictures} pictures"

    def run(self) -> None:
        self._progress("loading", f"Loading {self.checkpoint.model.title}", 0)
        from comparer.models import pipelines, remarks
        from comparer.scores import clip

        self.loaded = pipelines.load(self.checkpoint, self.config)
        self.scorer = clip.scorer_for(self.checkpoint, reporter(self.emit), self.stop.is_set)
        self.comparison.environment = pipelines.environment(self.loaded)
        self.comparison.checkpoint = self.checkpoint.record()
        self.comparison.scorer = self._scorer_record()
        self.comparison.remarks = remarks.remarks(self.loaded, self.request.settings)
        self._count()
        try:
            self._calls()
            self.comparison.state = "finished" if self.comparison.shots else "failed"
        except Stopped:
            self._score()
            self.comparison.state, self.comparison.message = "stopped", "stopped before the end"
        except BaseException as error:
            self.comparison.state, self.comparison.message = "failed", f"{type(error).__name__}: {error}"
            raise
        finally:
            if self.folder:
                self.folder.save(self.comparison)
        if not self.folder:
            return  # stopped before the first picture
        grid = None
        if self.comparison.shots:
            from comparer.export.grid import save_grid

            grid = save_grid(self.comparison, self.folder.path)
        pace.remember(self.comparison, self.config)
        self.emit(Finished(self.comparison, self.folder.path, grid))

    def _save(self) -> Path:
        """Write the record, in a folder that is made for the first one, and show what is new."""
        if not self.folder:
            name = self.request.settings.checkpoint
            self.folder = (
                RunFolder.at(self.into)
                if self.into
                else RunFolder.create(self.config.runs, name, 16 if self.config.public else 3)
            )
        self.folder.save(self.comparison)
        return self.folder.path

    def _calls(self) -> None:
        for position, planned in enumerate(self.plan):
            if self.stop.is_set():
                raise Stopped
            if planned.arm not in self.failed:
                self._call(position, planned)
            after = self.plan[position + 1 :][:1]
            if planned.batch >= 0 and (not after or after[0].batch != planned.batch):
                self.pace.begin(position + 1, self.failed)
                self.began = monotonic()
                self._progress("scoring", "Scoring", position + 1)
                self._score()

    def _call(self, position: int, planned: pace.Planned) -> None:
        from comparer.generate import generate
        from comparer.models import pipelines
        from comparer.timing.memory import out_of_memory, remedies

        phase, text = ("warm-up" if planned.batch < 0 else "generating"), self._text(planned)
        self.began = monotonic()
        self.pace.begin(position, self.failed)
        self._progress(phase, text, position)
        self.emit.settled()  # nobody draws what happened before while this call is timed
        try:
            output = generate(
                self.loaded,
                self.request.settings,
                planned.items,
                self.request.arms[planned.arm].accelerators,
                noise=self.request.noise,
                on_step=lambda step: self._progress(phase, text, position, step),
                stop=self.stop.is_set,
            )
        except Exception as error:
            told = out_of_memory(error, self.loaded.device)
            if not told:
                raise
            told = f"{told}; try {remedies(self.config, self.loaded.device, self.request.settings)}"
            self.comparison.not_run.append(NotRun(planned.arm, told))
            self.failed.add(planned.arm)
        else:
            self.pace.ended(position, monotonic() - self.began)
            if planned.batch >= 0:
                self._keep(planned, output)
            return
        pipelines.empty()  # outside the handler: the error's traceback held the call's tensors
        self.emit(Seen(self.comparison, self._save()))

    def _keep(self, planned: pace.Planned, output) -> None:  # noqa: ANN001
        arm, number = planned.arm, len(self.comparison.calls)
        pixels = tuple(sha256(picture.tobytes()).hexdigest()[:32] for picture in output.pictures)
        call = Call(
            arm, planned.batch, len(planned.items), output.seconds, output.stages, output.steps, output.peak_bytes,
            output.reports, planned.repeat, self.comparison.process, pixels,
        )  # fmt: skip
        self.comparison.calls.append(call)
        self._save()
        if planned.repeat == 0:
            for (prompt, seed), picture, digest in zip(planned.items, output.pictures, pixels, strict=True):
                file = self.folder.save_shot(self.comparison, arm, prompt, seed, picture)
                self.comparison.shots.append(Shot(arm, prompt, seed, file, number, pixels=digest))
        self.emit(Seen(self.comparison, self._save()))

    def _score(self) -> None:
        """Score every shot that has no score yet, from its file: the picture that people will see."""
        if isinstance(self.scorer, str):
            return
        from PIL import Image

        for position, shot in enumerate(self.comparison.shots):
            if shot.clip_score is None:
                with Image.open(self.folder.path / shot.file) as picture:
                    prompt = self.request.settings.prompts[shot.prompt]
                    (score,) = self.scorer.score([picture.convert("RGB")], [prompt])
                self.comparison.shots[position] = replace(shot, clip_score=score)
        if self.folder:
            self.emit(Seen(self.comparison, self._save()))

    def _count(self) -> None:
        if len(self.request.arms) == 1:
            return
        self._progress("counting", "Counting multiply-accumulates", 0)
        try:
            self.comparison.macs = count(self.checkpoint, self.request, self.stop.is_set)
        except Stopped:
            raise
        except Exception as error:  # of a denoiser that diffusers loads and the counter does not know
            log.warning("multiply-accumulates were not counted", exc_info=True)
            self.comparison.remarks.append(f"Multiply-accumulates were not counted: {type(error).__name__}: {error}.")

    def _scorer_record(self) -> Scorer:
        if isinstance(self.scorer, str):
            return Scorer(why_not=self.scorer)
        prompts = self.request.settings.prompts
        cut = tuple(i for i, prompt in enumerate(prompts) if self.scorer.truncates(prompt))
        return Scorer(self.scorer.name, truncated=cut, context=self.scorer.context)

    def _text(self, planned: pace.Planned) -> str:
        name = self.request.arms[planned.arm].name
        if planned.batch < 0:
            return f"Warming up: {name}"
        again = f", repeat {planned.repeat + 1} of {self.request.repeats}" if self.request.repeats > 1 else ""
        return f"{name}: call {planned.batch + 1} of {len(self.comparison.batches)}{again}"

    def _progress(self, phase: str, text: str, position: int, step: int = 0) -> None:
        left = self.pace.left(step, monotonic() - self.began)
        if step:
            text = f"{text}, step {step} of {self.steps}"
        self.emit(Progress(phase, text, position * self.steps + step, len(self.plan) * self.steps, left))
