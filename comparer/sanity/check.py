"""Sanity check: generate four prompts × two seeds per weight set, then measure, score and judge the images."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import fmean
from time import monotonic
from typing import Any

from comparer.atomic import write_text
from comparer.checkpoints.files.folders import existing_path, never
from comparer.checkpoints.files.tensors import ENDINGS
from comparer.checkpoints.files.weight_sets import EMA, RAW
from comparer.checkpoints.find import locate, resolve
from comparer.checkpoints.inspection.card import make
from comparer.checkpoints.inspection.fingerprint import Hashes
from comparer.checkpoints.read import Checkpoint
from comparer.checkpoints.sources import seen, sources
from comparer.checkpoints.spec import Weights, parse
from comparer.config import Config
from comparer.engine.events import Emit, Progress, Waiting, in_thread
from comparer.engine.fetch import reporter
from comparer.engine.queue import turn
from comparer.errors import ComparerError, Foreign, Incomplete, Refused, Stopped
from comparer.models import samplers
from comparer.models.catalog import CATALOG
from comparer.request.request import Settings
from comparer.runs.store import RunFolder
from comparer.sanity import judge, weight_checks
from comparer.sanity.expectations import Base, base_of, settings_of
from comparer.sanity.judge import BROKEN, Finding, Judgement, WeightSetMeasures
from comparer.sanity.report import REPORT, Made, SanityReport

CACHE = "cache/hashes.json"  # in the runs folder, as the weights card's


Event = Waiting | Progress | SanityReport


def check(
    name: str, config: Config, stop: threading.Event | None = None, settings: Settings | None = None
) -> Iterator[Event]:
    """Check a checkpoint in the queue; yield events, with the ``SanityReport`` last.

    Args:
        name: a catalogue name, a local name as listed on the page, or, for the owner of this machine's files, any path.
        config: folders and device.
        stop: set to cancel; no report is produced then.
        settings: replaces the fixed prompts, seeds or steps; no reference range is known then.

    Raises:
        ComparerError: the checkpoint does not exist, or Comparer cannot run it.
    """
    stop = stop or threading.Event()

    def work(emit: Emit[Event]) -> None:
        checking = _Checking(name, config, stop, emit, settings)
        with turn(lambda *told: emit(Waiting(*told)), stop.is_set, config.limits.queue, checking.now) as mine:
            if mine:
                emit(checking.run())

    yield from in_thread(work, stop, "comparer-check")


def find(name: str, config: Config) -> tuple[Path, Weights, Config]:
    """Return a checkpoint's path, its requested weights, and the config with the folders that may be read for them.

    Raises:
        ComparerError: the checkpoint does not exist, or may not be read.
    """
    weights = parse(name)
    if config.trusted:
        weights, config = _own(weights, config)
    return locate(weights.checkpoint, config)[0], weights, config


def _own(weights: Weights, config: Config) -> tuple[Weights, Config]:
    """Let the owner of this machine's files name any of them: their folders are added to those that may be read."""
    folders: list[Path] = []

    def there(name: str) -> str:
        path = None if name in CATALOG else existing_path(name)
        if path is None:
            return name
        folders.append(path.resolve().parent)
        return str(path)

    loras = tuple((there(file), weight) for file, weight in weights.loras)
    named = {key: there(getattr(weights, key)) for key in ("checkpoint", "base", "vae")}
    return replace(weights, loras=loras, **named), replace(config, checkpoints=(*config.checkpoints, *folders))


def halves(weights: Weights, config: Config) -> list[tuple[str, Checkpoint]]:
    """Return the halves to check: EMA and raw if both exist and none was requested, else the one in use.

    Raises:
        ComparerError: as ``resolve``.
    """
    checkpoint = resolve(weights, config)
    source = sources(checkpoint)[checkpoint.family.denoiser]
    only = checkpoint.parts if source.path in (checkpoint.folder, checkpoint.base) else ()
    present = {part.half for part in seen(source.path, checkpoint.within, only).of(source.part.component)}
    if not weights.half and {EMA, RAW} <= present:
        return [(half, resolve(replace(weights, half=half), config)) for half in (EMA, RAW)]
    return [(source.part.half, checkpoint)]


class _Checking:
    """One check, in a thread of its own."""

    def __init__(
        self, name: str, config: Config, stop: threading.Event, emit: Emit[Event], settings: Settings | None
    ) -> None:
        self.name, self.config, self.stop, self.emit, self.asked = name, config, stop, emit, settings
        self.made: list[Made] = []
        self.steps, self.total, self.began, self.scorer = 0, 1, monotonic(), ""
        self.notes: list[str] = []

    def now(self) -> str:
        """Describe the progress for waiting jobs."""
        return f"a check of {Path(self.name).name}, {len(self.made)} pictures"

    def run(self) -> SanityReport:
        """Run the whole check and return the report."""
        self.began = monotonic()  # excludes the time in the queue
        path, asked, self.config = find(self.name, self.config)
        self._progress("loading", "Reading the weights")
        try:
            card = make(path, Hashes(self.config.runs / CACHE), self._within(asked))
        except Refused:
            raise
        except ComparerError as refusal:
            weights_file = path.suffix in ENDINGS and path.is_file() and not never(path.name)
            if not weights_file and not (path / "model_index.json").is_file():
                raise
            return self._done(judge.judge([Finding(BROKEN, self.config.redact(refusal).rstrip("."), True)], (), None))
        files, notes = weight_checks.findings(card), weight_checks.notes(card)
        if not weight_checks.loads(files):
            return self._done(judge.judge(files, (), None, notes=notes), card=card)
        try:
            listed = halves(asked, self.config)
        except Foreign as refusal:
            told = f"{self.config.redact(refusal).rstrip('.')}, {weight_checks.MISSING}"
            return self._done(judge.judge([*files, Finding(BROKEN, told, True)], (), None, notes=notes), card=card)
        base = base_of(listed[0][1])
        if self.asked:
            base = replace(base, prompts=self.asked.prompts, ranges={})
        settings = self.asked or settings_of(listed[0][1], base)
        folder = RunFolder.create(self.config.runs, f"check-{path.name}", 16 if self.config.public else 3).path
        each = samplers.callback_steps(settings.sampler, settings.steps, listed[0][1].family)
        self.total = len(listed) * len(settings.prompts) * len(settings.seeds) * each
        try:
            found = [self._half(half, checkpoint, base, settings, folder) for half, checkpoint in listed]
        except (Incomplete, Foreign) as refusal:
            told = f"{self.config.redact(refusal).rstrip('.')}, {weight_checks.MISSING}"
            return self._done(judge.judge([*files, Finding(BROKEN, told, True)], (), None, notes=notes), card=card)
        configs = card.layout.configs or {}
        said = judge.Config(_number(configs.get("vae_scaling_factor")), configs.get("prediction_type"))
        judgement = judge.judge(files, found, base, said, list(dict.fromkeys([*notes, *self.notes])))
        return self._done(
            judgement, card=card, base=base, settings=settings, halves=tuple(found), scorer=self.scorer, folder=folder
        )

    def _within(self, asked: Weights) -> tuple[Path, ...]:
        return () if self.config.trusted or asked.checkpoint in CATALOG else self.config.checkpoints

    def _done(self, judgement: Judgement, **found: Any) -> SanityReport:
        seconds = monotonic() - self.began
        report = SanityReport(self.name, judgement, pictures=tuple(self.made), seconds=seconds, **found)
        if report.folder:
            text = json.dumps(report.to_json(), indent=1, ensure_ascii=False) + "\n"
            with _written(report.folder):
                write_text(report.folder / REPORT, text)
        return report

    def _half(
        self, half: str, checkpoint: Checkpoint, base: Base, settings: Settings, folder: Path
    ) -> WeightSetMeasures:
        from comparer.pipelines import loader
        from comparer.sanity.sampling import draw

        called = {EMA: ", EMA", RAW: ", raw"}.get(half, "")
        self._progress("loading", f"Loading {checkpoint.model.title}{called}")
        loaded = loader.load(checkpoint, self.config)
        self.notes += loaded.built.notes
        made, pictures = [], []
        for prompt, seed in [(p, seed) for p in range(len(settings.prompts)) for seed in settings.seeds]:
            text = f"Picture {len(self.made) + len(made) + 1}{called}"
            picture, measures = draw(loaded, settings, prompt, seed, partial(self._step, text), self.stop.is_set)
            file = f"{half or 'picture'}_p{prompt + 1:03}_s{seed}.png"
            self._save(picture, folder / file, settings, prompt, seed)
            made.append(Made(half, prompt, seed, file, measures))
            pictures.append(picture)
        self._progress("scoring", f"Scoring{called}")
        scores = self._scores(checkpoint, base, settings, pictures)
        made = [replace(one, clip=clip) for one, clip in zip(made, scores, strict=True)] if scores else made
        self.made += made
        own = tuple(one.prompt for one in made)
        return WeightSetMeasures(half, tuple(one.measures for one in made), own, tuple(scores), _effect(made, pictures))

    def _save(self, picture: Any, path: Path, settings: Settings, prompt: int, seed: int) -> None:
        from comparer.request.png_write import save_png

        texts = {"prompt": settings.prompts[prompt], "seed": str(seed), "checkpoint": self.name}
        with _written(path.parent):
            save_png(picture, path, texts)

    def _scores(
        self, checkpoint: Checkpoint, base: Base, settings: Settings, pictures: list[Any]
    ) -> list[tuple[float, ...]]:
        from comparer.metrics import clip

        scorer = clip.scorer_for(checkpoint, reporter(self.emit), self.stop.is_set)
        if isinstance(scorer, str):
            self.scorer = f"not scored: {scorer}"
            return []
        self.scorer = scorer.name
        prompts = list(settings.prompts)
        return [tuple(scorer.score([picture] * len(prompts), prompts)) for picture in pictures]

    def _step(self, text: str) -> None:
        self.steps += 1
        self._progress("generating", text)

    def _progress(self, phase: str, text: str) -> None:
        if self.stop.is_set():
            raise Stopped
        left = (monotonic() - self.began) / self.steps * (self.total - self.steps) if self.steps else None
        self.emit(Progress(phase, text, self.steps, self.total, left))


@contextmanager
def _written(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ComparerError(f"The folder {folder} cannot be written: {error.strerror or error}.") from error


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and value > 0 else None


def _effect(made: list[Made], pictures: list[Any]) -> float | None:
    """Return how much another prompt changes a picture of the same seed: the root of the mean square, levels."""
    import numpy as np

    arrays = [np.asarray(picture.convert("RGB"), dtype=float) for picture in pictures]
    squares = [
        float(((arrays[one] - arrays[other]) ** 2).mean())
        for one in range(len(made))
        for other in range(one)
        if made[one].seed == made[other].seed and made[one].prompt != made[other].prompt
    ]
    return fmean(squares) ** 0.5 if squares else None
