"""Cached summary of a run, stored beside its record as ``card.json``, to list a thousand runs quickly.

A card is only a cache: it identifies the ``run.json`` it was made from, and is rebuilt if that file changed or the
card is damaged.
"""

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from types import UnionType
from typing import Any, get_args, get_origin

from comparer.accelerators.base import Accelerator
from comparer.atomic import write_text
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.comparison import Comparison
from comparer.results.notes import fewer_steps
from comparer.results.sorting import LIKENESS, SCORE, distance

FILE, RECORD = "card.json", "run.json"
FORMAT = 2  # increment when the card of an unchanged record would change
THUMB = 192  # pixels of a thumbnail's longer side; images up to twice that size are shown directly
LONGEST = 6000  # total characters of all prompts


@dataclass(frozen=True)
class ArmCard:
    """Summary of one arm; only the name for the baseline, unless its images are not numbers.

    ``headline``, ``sentence`` and ``look`` are those of the verdict. ``value``, from ``low`` to ``high``, is the
    speed-up at the verdict's level, or with ``clip`` the difference in score of an arm with other weights; None if
    unknown. ``score`` is the name before that difference. ``why_not`` is the reason why the arm was not run,
    ``rival`` marks the equal-time baseline with fewer steps, and ``fewer`` is the conclusion that fewer steps do as
    well or better; "" without it.
    """

    name: str
    headline: str = ""
    sentence: str = ""
    look: str = ""
    value: float | None = None
    low: float | None = None
    high: float | None = None
    clip: bool = False
    why_not: str = ""
    rival: bool = False
    score: str = "CLIP"
    fewer: str = ""


@dataclass(frozen=True)
class RunCard:
    """Summary of a run.

    Attributes:
        created: start time, as formatted by ``utc``; "" if the record has no date.
        state: running, finished, stopped or failed; damaged if the run cannot be opened (see ``damaged``).
        checkpoint: the baseline's weights, as parsed by ``spec.parse``.
        device: name of the device.
        prompts: in order, up to ``LONGEST`` characters in total.
        accelerators: titles and names of all accelerators.
        arms: in order, the baseline first.
        pictures, width, height: number of images, and their size in pixels.
        worst: arm, prompt number and seed of the pair with the largest loss of score, or the lowest similarity;
            () if there is none.
        files: the worst pair's images, the baseline's first; one image for a run without pairs.
        thumbs: thumbnails of the same images, () if the files themselves are small.
        damaged: why the run cannot be opened, "" if it can.
    """

    created: str
    state: str
    checkpoint: str = ""
    device: str = ""
    prompts: tuple[str, ...] = ()
    accelerators: tuple[str, ...] = ()
    arms: tuple[ArmCard, ...] = ()
    pictures: int = 0
    width: int = 0
    height: int = 0
    worst: tuple[int, ...] = ()
    files: tuple[str, ...] = ()
    thumbs: tuple[str, ...] = ()
    damaged: str = ""


def made(comparison: Comparison) -> RunCard:
    """Create the card of a run."""
    request = comparison.request
    worst = _worst(comparison)
    arm, prompt, seed = worst or (0, -1, -1)
    shown = [comparison.shot(which, prompt, seed) for which in ((0, arm) if arm else (0,))]
    kinds = {type(each) for each_arm in request.arms for each in each_arm.accelerators}
    left, prompts = LONGEST, []
    for text in request.settings.prompts:
        prompts.append(text[:left])
        left -= len(prompts[-1])
    return RunCard(
        created=utc(comparison.created),
        state=comparison.state,
        checkpoint=request.settings.weights.text(),
        device=str(comparison.environment.get("device_name", "")),
        prompts=tuple(filter(None, prompts)),
        accelerators=tuple(sorted(f"{kind.title} {kind.__name__}" for kind in kinds if issubclass(kind, Accelerator))),
        arms=tuple(map(_arm, Analysis(comparison).arms)),
        pictures=len(comparison.shots),
        width=request.settings.width,
        height=request.settings.height,
        worst=worst,
        files=tuple(shot.file for shot in shown if shot),
    )


def utc(created: Any) -> str:
    """Format an ISO 8601 time as "2026-11-21T16:33:05+00:00", without an offset as UTC; "" if invalid."""
    try:
        moment = datetime.fromisoformat(created)
        moment = moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, TypeError, OverflowError):
        return ""
    return moment.isoformat(timespec="seconds")


def _worst(comparison: Comparison) -> tuple[int, ...]:
    own = [number for number, arm in enumerate(comparison.request.arms) if number and arm.matches_time_of is None]
    for order in (SCORE, LIKENESS):
        told = [(far, arm, *item) for arm in own for item, far in distance(comparison, arm, order).items()]
        if told:
            return min(told)[1:]
    pairs = [(arm, one.prompt, one.seed) for arm in own for one, _ in comparison.pairs(arm)[:1]]
    alone = [(0, shot.prompt, shot.seed) for shot in comparison.shots if shot.arm == 0]
    return next(iter(pairs + alone), ())


def _arm(each: ArmAnalysis) -> ArmCard:
    comparison, number, arm = each.whole.comparison, each.number, each.arm
    if each.not_comparable:
        rival, verdict = arm.matches_time_of is not None, each.verdict
        said = verdict.headline, verdict.sentence, verdict.look
        return ArmCard(arm.name, *said, why_not=comparison.skip_reason(number), rival=rival)
    if not number or not comparison.call_pairs(number):
        return ArmCard(arm.name, why_not=comparison.skip_reason(number), rival=arm.matches_time_of is not None)
    verdict, clip = each.verdict, arm.weights is not None
    assert verdict.quality
    found = verdict.speed.estimate if verdict.speed else verdict.quality.difference
    ended = comparison.state != "running"  # no verdict before the run has ended
    return ArmCard(
        arm.name,
        verdict.headline if ended else "",
        verdict.sentence if ended else "",
        verdict.look if ended else "",
        found.value,
        found.interval.low if found.interval else None,
        found.interval.high if found.interval else None,
        clip,
        comparison.skip_reason(number),
        arm.matches_time_of is not None,
        comparison.scorer.short,
        fewer_steps(each, "headline"),
    )


def damaged(why: str, seconds: float) -> RunCard:
    """Return the card of a folder that cannot be opened; ``seconds`` since 1970 is its creation or last write time."""
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):  # an out-of-range clock
        moment = datetime.fromtimestamp(0, UTC)
    return RunCard(moment.isoformat(timespec="seconds"), "damaged", damaged=why)


def key(record: os.stat_result) -> list[int]:
    """Return the key of the record that a card belongs to."""
    return [FORMAT, record.st_mtime_ns, record.st_size]


def write(folder: Path, card: RunCard, of: list[int]) -> None:
    """Write a card; if that fails, the card is rebuilt on every listing."""
    with suppress(OSError, ValueError):
        write_text(folder / FILE, json.dumps({"of": of, "card": asdict(card)}, ensure_ascii=False))


def read(folder: Path, of: list[int]) -> RunCard | None:
    """Read the card of this record; None if it is missing, outdated or damaged."""
    try:
        data = json.loads((folder / FILE).read_bytes())
        if data["of"] != of:
            return None
        card = _built(RunCard, data["card"] | {"arms": tuple(_built(ArmCard, arm) for arm in data["card"]["arms"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    names = (*card.files, *card.thumbs)
    dated = card.created and card.created == utc(card.created)
    return card if dated and all(map(is_safe_name, names)) and len(card.worst) in (0, 3) else None


def is_safe_name(name: str) -> bool:
    """Return whether this is a plain file name that cannot lead to another folder."""
    return bool(name) and not name.startswith(".") and not re.search(r"[/\\\0]", name)


_KINDS = {kind: [(each.name, each.type) for each in fields(kind)] for kind in (ArmCard, RunCard)}


def _built(kind: Any, data: dict[str, Any]) -> Any:
    """Build one of the two from JSON's data; ``TypeError`` where a value is of another type."""
    data = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    card = kind(**data)
    for name, type_ in _KINDS[kind]:
        value = getattr(card, name)
        if isinstance(type_, UnionType):
            fits = value is None or type(value) in (float, int)
        elif get_origin(type_) is tuple:
            fits = type(value) is tuple and all(isinstance(each, get_args(type_)[0]) for each in value)
        else:
            fits = type(value) is type_
        if not fits:
            raise TypeError(name)
    return card


def thumbs(folder: Path, card: RunCard) -> tuple[str, ...]:
    """Create thumbnails of the worst pair if its images are large; return their file names."""
    if max(card.width, card.height) <= 2 * THUMB:
        return ()
    from PIL import Image

    names = []
    try:
        for number, file in enumerate(card.files):
            with Image.open(folder / file) as picture:
                small = picture.convert("RGB")
            small.thumbnail((THUMB, THUMB), Image.Resampling.LANCZOS)
            names.append(f"thumb-{number}.jpg")
            small.save(folder / names[-1], quality=85)
    except (OSError, ValueError, Image.DecompressionBombError):
        return ()
    return tuple(names)
