"""Report of a sanity check, as plain data."""

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from comparer.checkpoints.inspection.card import CheckpointCard
from comparer.request.request import Settings
from comparer.sanity.expectations import Base
from comparer.sanity.image_measures import RULES
from comparer.sanity.judge import Judgement, WeightSetMeasures

REPORT = "check.json"
MEASURES = ("measure", "least", "most", "right", "beyond")
CALLED = {"ema": "EMA", "raw": "raw", "": ""}


@dataclass(frozen=True)
class Made:
    """One generated image.

    Attributes:
        half: "ema", "raw" or "".
        prompt: number of its prompt.
        seed: seed of the image.
        file: file name in the report's folder.
        measures: result of ``image_measures.measure``.
        clip: scores with every prompt; () if there is no scorer.
    """

    half: str
    prompt: int
    seed: int
    file: str
    measures: dict[str, float]
    clip: tuple[float, ...] = ()


@dataclass(frozen=True)
class SanityReport:
    """Results of a sanity check.

    Attributes:
        name: the checkpoint's name, as requested.
        judgement: the one-line verdict, with reasons.
        card: the weights card; None if the files could not be read.
        base: reference data of the base model; None if nothing was generated.
        settings: settings of the images, else None.
        pictures: all images, EMA first.
        halves: measures that the judgement is based on.
        scorer: the CLIP model used for scoring, or the reason why none was.
        seconds: duration from loading to the last score.
        folder: the folder of the images and ``check.json``.
    """

    name: str
    judgement: Judgement
    card: CheckpointCard | None = None
    base: Base | None = None
    settings: Settings | None = None
    pictures: tuple[Made, ...] = ()
    halves: tuple[WeightSetMeasures, ...] = ()
    scorer: str = ""
    seconds: float = 0.0
    folder: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data for JSON, without folders of this machine."""
        return _plain({
            "name": self.name,
            "judgement": self.judgement.to_json(),
            "base": asdict(self.base) if self.base else None,
            "settings": asdict(self.settings) if self.settings else None,
            "scorer": self.scorer,
            "seconds": self.seconds,
            "halves": [
                {"half": half.half, "clip": half.score, "own_prompt_wins": half.wins, "effect": half.effect,
                 "detail": half.detail, "pictures": len(half.measures)} for half in self.halves
            ],
            "pictures": [asdict(made) for made in self.pictures],
            "card": self.card.to_json() | {"path": Path(self.card.layout.path).name} if self.card else None,
        })  # fmt: skip


def _plain(value: Any) -> Any:
    """Return the same with None for numbers that are not finite: JSON has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(inside) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inside) for inside in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def measures(half: WeightSetMeasures) -> Iterator[tuple[str, ...]]:
    """Yield a row for every measure of a half's images, in the columns of ``MEASURES``."""
    for name, rule in RULES.items():
        values = [found[name] for found in half.measures if name in found]
        if values:
            bad = sum(not rule.right(value) for value in values)
            sides = (("≥", rule.low), ("≤", rule.high))
            right = ", ".join(f"{sign} {limit:{rule.form}}" for sign, limit in sides if limit is not None)
            edges = (f"{edge(values):{rule.form}}" for edge in (min, max))
            yield (f"{name} ({rule.what})", *edges, right, f"{bad} of {len(values)}")


def scores(report: SanityReport) -> Iterator[str]:
    """Describe the images' scores, with the accepted range where known."""
    if report.scorer and not any(half.clip for half in report.halves):
        yield report.scorer
    if report.base is None:
        return
    for half in report.halves:
        title = f"{CALLED[half.half]}: " if half.half else ""
        known = report.base.ranges.get("clip")
        if half.score is not None:
            right = f"at least {known.low:.2f} is right" if known and known.low is not None else "no known range"
            own = f"{half.wins} of {len(half.own)} highest with their own prompt"
            yield f"{title}CLIP score {half.score:.2f} ({right}), {own}; {report.scorer}"
        detail = report.base.ranges.get("detail")
        right = f"at most {detail.high:.2f} is right" if detail and detail.high is not None else "no known range"
        yield f"{title}{half.detail:.2f} bits per pixel ({right})"
