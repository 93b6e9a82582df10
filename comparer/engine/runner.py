"""Execute one run, from loading to the grid: all calls in order, and the measurements between and after them."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from time import monotonic
from typing import Any

from comparer.checkpoints.read import Checkpoint
from comparer.config import Config
from comparer.engine import equal_time_steps, eta, scoring
from comparer.engine.events import Emit, Event, Finished, Progress, Updated
from comparer.engine.fetch import reporter
from comparer.engine.finite import single_colour
from comparer.engine.macs import count_all
from comparer.engine.pool import PipelinePool
from comparer.engine.repeats import ExtraTurnPlanner
from comparer.engine.resume import left, made_before
from comparer.engine.rss_probe import resident
from comparer.engine.schedule import AGAIN, CHOICE, EXTRA, TIMED, TRACE, WARM_UP, Planned, describe_call, plan
from comparer.engine.trace import trace
from comparer.errors import ComparerError, Stopped
from comparer.metrics import latents
from comparer.models import samplers
from comparer.pipelines import memory
from comparer.pipelines.device import empty
from comparer.pipelines.environment import environment
from comparer.request.request import Request
from comparer.results.comparison import Comparison
from comparer.results.conditions import unlike
from comparer.results.records import Call, NotRun, Shot
from comparer.runs.store import RunFolder


class Run:
    """A comparison in progress, in its own thread."""

    def __init__(
        self,
        comparison: Comparison,
        config: Config,
        checkpoints: Sequence[Checkpoint],
        stop: threading.Event,
        emit: Emit[Event],
        into: Path | None,
        hold: Callable[[Path], Any],
    ) -> None:
        """Plan the remaining work; arguments as for ``compare``; ``hold`` locks a folder when it is created."""
        self.comparison, self.config, self.stop, self.emit = comparison, config, stop, emit
        self.checkpoint, self.checkpoints, self.into, self.hold = checkpoints[0], checkpoints, into, hold
        self.folder = RunFolder(into) if into and comparison.shots else None  # created with the first image
        self.pipes = PipelinePool(comparison.request, config, checkpoints)
        self.steps = self._marks(0)
        self._plan()
        # Results that a resumed run generates again are dropped from the record with the first new call, not earlier.
        self.defer_write = bool(comparison.calls) and any(call.kind == TIMED for call in self.plan)
        self.failed = {failure.arm for failure in comparison.not_run}
        self.began = monotonic()
        self.chosen_from: list[tuple[int, float, float]] = []  # (arm, seconds, denoising seconds)
        self.again: dict[str, list[Any]] = {}  # file of a baseline shot -> images of its further runs
        self.traced: latents.Trace | None = None  # the baseline's

    @property
    def request(self) -> Request:
        """Return the request; steps matched to another arm's time are filled in during the run."""
        return self.comparison.request

    def _plan(self) -> None:
        done, work = self.comparison, left(self.comparison)
        self.plan, self.extra = plan(done.request, work, self.pipes.blocks), ExtraTurnPlanner(done, work)
        self.pace = eta.Pace(done.request, self.config, self.steps, self.plan, self.extra)

    def _marks(self, arm: int) -> int:
        settings = self.request.settings_of(arm)
        return samplers.callback_steps(settings.sampler, settings.steps, self.checkpoints[arm].family)

    def now(self) -> str:
        """Return the progress as shown to waiting users, without prompts, since they may be strangers."""
        pictures = len(self.request.arms) * len(self.request.items())
        return f"{Path(self.request.settings.checkpoint).name}, {len(self.comparison.shots)} of {pictures} pictures"

    def _load(self) -> None:
        """Load the arms' pipelines and the scorer; a name that is kept here would keep a pipeline in memory."""
        self._progress("loading", f"Loading {self.checkpoint.model.title}", 0)
        from comparer.metrics import clip
        from comparer.pipelines import caveats

        self.pipes.begin(lambda text: self._progress("loading", text, 0))
        if len(self.pipes.blocks) > 1:
            self.comparison.blocks = self.pipes.blocks
            self._plan()
        found = clip.scorer_for(self.checkpoint, reporter(self.emit), self.stop.is_set, self.request.scorer)
        self.scorer = None if isinstance(found, str) else found
        first = self.pipes.loaded[0]
        before, now, said = self.comparison.environment, environment(first), self.comparison.remarks
        self.device, self.comparison.environment = first.device, now
        moved = caveats.moved(before, now, said)
        self.pipes.keep(self.comparison, because=caveats.differences(before, now))
        self.comparison.scorer = scoring.record(found, self.request.settings.prompts)
        self.comparison.not_available = scoring.not_available(self.request.settings, self.scorer)
        self.comparison.remarks = caveats.remarks(first, self.request.settings) + moved

    def run(self) -> None:
        """Execute the run; finished images and calls are kept however the run ends."""
        self._load()
        self._count()
        try:
            self._calls()
            if not self.plan:
                self._score()  # the previous process ended after the last call
            self._resident()
            self._distance()
            self.comparison.state = "finished" if self.comparison.shots else "failed"
        except Stopped:
            self._score()
            self._distance()
            self.comparison.state, self.comparison.message = "stopped", "stopped before the end"
        except BaseException as error:
            self.comparison.state, self.comparison.message = "failed", f"{type(error).__name__}: {error}"
            raise
        finally:
            if self.defer_write and self.comparison.state != "finished":
                self.folder = None  # nothing is new: the record stays unchanged
            if self.folder:
                self.folder.save(self.comparison)
        if not self.folder:
            return  # stopped before the first image
        grid = None
        if self.comparison.shots:
            from comparer.reporting.grid.draw import save_grid

            grid, *_ = save_grid(self.comparison, self.folder.path)
        eta.remember(self.comparison, self.config)
        self.emit(Finished(self.comparison, self.folder.path, grid))

    def _save(self) -> RunFolder:
        """Write the record, in a folder that is made for the first one."""
        if not self.folder:
            made = (self.config.runs, self.request.settings.checkpoint, 16 if self.config.public else 3)
            self.folder = RunFolder.at(self.into) if self.into else RunFolder.create(*made)
            self.hold(self.folder.path)
        if not self.defer_write:
            self.folder.save(self.comparison)
        return self.folder

    def _seen(self) -> None:
        """Keep what is new, and show it."""
        self.emit(Updated(self.comparison, self._save().path))

    def _calls(self) -> None:
        for position, planned in enumerate(self.plan):  # it grows by the extra turns
            if self.stop.is_set():
                raise Stopped
            untraceable = planned.kind == TRACE and planned.arm and self.traced is None
            if planned.arm not in self.failed and not untraceable:
                self._call(position, planned)
            after = self.plan[position + 1 :][:1]
            ends = not after or (after[0].kind, after[0].batch) != (planned.kind, planned.batch)
            if ends and planned.batch >= 0 and planned.kind != EXTRA:
                self.pace.begin(position + 1, self.failed)
                self.began = monotonic()
                self._progress("scoring", "Scoring", position + 1)
                self._score()
            if planned.kind in (TIMED, EXTRA) and (not after or after[0].kind not in (TIMED, EXTRA)):
                more = self.extra.next()  # after the images were scored
                self.plan[position + 1 : position + 1] = more
                if planned.kind == EXTRA and not more:
                    self._score()

    def _call(self, position: int, planned: Planned) -> None:
        from comparer.engine.generate import generate
        from comparer.pipelines.memory import out_of_memory, remedies

        if not self._chosen(planned.arm):
            return
        arm, settings = self.request.arms[planned.arm], self.request.settings_of(planned.arm)
        if planned.kind == WARM_UP and self.device.startswith("cuda"):
            empty()  # do not count memory reserved by other arms
        text = describe_call(planned, self.request, len(self.comparison.batches))
        text += self.extra.place() if planned.kind == EXTRA else ""
        try:
            loaded = self.pipes.of(planned.arm, lambda text: self._progress("loading", text, position), self.comparison)
        except ComparerError as error:
            self._fail(planned.arm, str(error).rstrip("."))
            self._seen()
            return
        steps, self.began = self._marks(planned.arm), monotonic()
        self.pace.begin(position, self.failed)
        self._progress(planned.kind, text, position)
        self.emit.settled()  # no earlier event is rendered during a timed call
        make: Callable[..., Any] = trace if planned.kind == TRACE else generate
        try:
            output = make(
                loaded,
                settings,
                planned.items,
                arm.accelerators,
                noise=self.request.noise,
                on_step=lambda step: self._progress(planned.kind, f"{text}, step {step} of {steps}", position, step),
                stop=self.stop.is_set,
            )
        except Exception as error:
            told = out_of_memory(error, self.device)
            if not told:
                raise
            told += f"; try {remedies(self.config, self.device, self.request.settings)}"
            if planned.kind in (AGAIN, TRACE):
                self.comparison.remarks.append(f"{text}: {told}.")
            else:
                self._fail(planned.arm, told)
        else:
            self.pace.ended(position, monotonic() - self.began)
            self._keep(planned, output)
            return
        empty()  # outside the handler, because the error's traceback holds the call's tensors
        self._seen()

    def _fail(self, arm: int, reason: str, unneeded: bool = False) -> None:
        self.comparison.not_run.append(NotRun(arm, reason, unneeded))
        self.failed.add(arm)

    def _chosen(self, number: int) -> bool:
        """Choose the steps on both sides of another arm's time, once; return whether this arm is to be run."""
        arm = self.request.arms[number]
        if (like := arm.matches_time_of) is None or arm.steps is not None:
            return True
        base, other = ([(s, d) for which, s, d in self.chosen_from if which == w] for w in (0, like))
        if not base or not other:
            self._fail(number, "the arm that it is matched to was not run")
            return False
        least, seconds = self.checkpoint.family.min_steps, [s for s, _ in other]
        chosen = equal_time_steps.choose(self.request, like, base, seconds, least)
        self.comparison.request, unneeded = self.request.with_steps(chosen.steps), chosen.unneeded
        for which, reason in unneeded.items():
            self._fail(which, reason, unneeded=True)
        self._count()
        return number not in self.failed

    def _keep(self, planned: Planned, output: Any) -> None:
        """Keep what a call gave, by what it was for."""
        if planned.kind == WARM_UP:
            reserved = memory.reserved(self.device)
            if reserved is not None:
                self.comparison.reserved.setdefault(planned.arm, reserved)
        elif planned.kind == CHOICE:
            self.chosen_from.append((planned.arm, output.seconds, output.stages["denoising"]))
        elif planned.kind == TRACE:
            if self.traced:
                self.comparison.divergence[planned.arm] = latents.diverge(self.traced, output)
                self._seen()
            else:
                self.traced = output
        elif planned.kind == AGAIN:
            self._repeated(planned.arm, planned.items, output)
            self._again(planned.items, output.pictures)
        elif why := unlike(
            self.comparison.conditions, planned.arm, output.conditions, self.request.arms[planned.arm].steps
        ):
            self._fail(planned.arm, f"it differs from the baseline in how it was made: {why.rstrip('.')}")
            self._seen()
        else:
            self._timed(planned, output)

    def _timed(self, planned: Planned, output: Any) -> None:
        arm, number = planned.arm, len(self.comparison.calls)
        pixels = tuple(sha256(picture.tobytes()).hexdigest()[:32] for picture in output.pictures)
        call = Call(
            arm, planned.batch, len(planned.items), output.seconds, output.stages, output.steps, output.peak_bytes,
            output.reports, planned.repeat, self.comparison.process, pixels,
        )  # fmt: skip
        late, folder = made_before(self.comparison, arm, planned.items, pixels), self._save()
        self.comparison.calls.append(call)
        self.defer_write = False
        if planned.repeat == 0 and not late:
            made = zip(planned.items, output.pictures, pixels, output.not_finite, strict=True)
            for (prompt, seed), picture, digest, where in made:
                file, colour = folder.save_shot(self.comparison, arm, prompt, seed, picture), single_colour(picture)
                shot = Shot(arm, prompt, seed, file, number, pixels=digest, not_finite=where, single_colour=colour)
                self.comparison.shots.append(shot)
        else:
            self._repeated(arm, planned.items, output)
            floor = planned.kind == TIMED or self.request.repeats > 1 or "noise-floor" in self.request.extras
            if arm == 0 and not late and floor:
                self._again(planned.items, output.pictures)
        self._seen()

    def _repeated(self, arm: int, items: list[tuple[int, int]], output: Any) -> None:
        """Mark the shots as void of which a repeat is."""
        for (prompt, seed), where in zip(items, output.not_finite, strict=True):
            self.comparison.mark_void(arm, prompt, seed, where)

    def _again(self, items: list[tuple[int, int]], pictures: list[Any]) -> None:
        """Hold the baseline's further pictures until they are laid beside its first ones, outside the timed calls."""
        for (prompt, seed), picture in zip(items, pictures, strict=True):
            shot = self.comparison.shot(0, prompt, seed)
            if shot:
                self.again.setdefault(shot.file, []).append(picture)

    def _score(self) -> None:
        """Score what has no score yet, and keep it."""
        if self.folder:
            scoring.score(self.comparison, self.folder.path, self.scorer, self.again)
            self._seen()

    def _distance(self) -> None:
        if self.folder:
            self.comparison.seed_distance = scoring.distance(self.comparison, self.folder.path, self.scorer)
            found = scoring.floor(self.comparison, self.folder.path, self.scorer)
            self.comparison.scorer = replace(self.comparison.scorer, floor=found)

    def _resident(self) -> None:
        """Measure every arm's peak memory on a CPU, where that was asked for."""
        if "memory" not in self.request.extras or self.device != "cpu":
            return
        resident(
            self.comparison, self.config, self.failed, self.stop.is_set,
            lambda text: self._progress("memory", text, len(self.plan)),
        )  # fmt: skip
        self._seen()

    def _count(self) -> None:
        if len(self.request.arms) > 1:
            self._progress("counting", "Counting multiply-accumulates", 0)
            count_all(self.comparison, self.checkpoints, self.stop.is_set)

    def _progress(self, phase: str, text: str, position: int, step: int = 0) -> None:
        left = self.pace.left(step, monotonic() - self.began)
        self.emit(Progress(phase, text, position * self.steps + step, self.pace.total * self.steps, left))
