"""The weights card: every file, every set of weights with fingerprint and health, EMA against raw. Plain data."""

import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from comparer.checkpoints import quantised
from comparer.checkpoints.files.components import head
from comparer.checkpoints.files.layout import LORA, File, Layout, Part, choose
from comparer.checkpoints.files.scan import look
from comparer.checkpoints.files.tensors import Tensor, reading
from comparer.checkpoints.files.weight_sets import EMA, RAW
from comparer.checkpoints.inspection.fingerprint import Fingerprint, Hashes, digest, fingerprint
from comparer.checkpoints.inspection.health import Distances, Health, distances
from comparer.checkpoints.read import read_json
from comparer.errors import ComparerError, Stopped
from comparer.text import counted, quote

CURVE = 100  # values from which a list counts as a curve over timesteps


def _never() -> bool:
    return False


@dataclass(frozen=True)
class WeightSetReport:
    """A set of weights and its checks.

    Attributes:
        part: the set of weights.
        fingerprint: fingerprint of the tensors.
        health: health of the tensors.
    """

    part: Part
    fingerprint: Fingerprint
    health: Health

    def to_json(self) -> dict[str, Any]:
        """Return the report as plain data, without individual tensors."""
        part = self.part
        kept = ("component", "half", "how", "source", "variant", "class_name", "parameters", "dtypes", "named")
        return {key: getattr(part, key) for key in kept} | {
            "stripped": list(part.stripped),
            "tensors": len(part.tensors),
            "fingerprint": self.fingerprint.values,
            "fingerprint_named": self.fingerprint.names,
            "health": asdict(self.health) | {"sound": self.health.sound},
        }


@dataclass(frozen=True)
class Read:
    """A file that was read, and its hash.

    Attributes:
        file: the file.
        sha256: 64 hexadecimal digits; "" for a file that is not read.
        blob: the Hub cache's name for the content; "" elsewhere.
    """

    file: File
    sha256: str
    blob: str = ""


@dataclass(frozen=True)
class Curve:
    """An extra tensor that may be a curve over timesteps: its name and its values in order."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class CheckpointCard:
    """What is known of a checkpoint without running it.

    Attributes:
        layout: files, components and halves.
        files: with hashes, including those not read.
        commit: commit of a snapshot in the Hub cache, else "".
        seen: every set of weights.
        chosen: per component, the source of the default weights and the reason.
        moved: per component, the distance of its EMA from its raw weights, relative to raw.
        extra: number of tensors that belong to no component, per first word of their names.
        curves: the extra tensors that are lists of numbers as long as a training schedule.
    """

    layout: Layout
    files: tuple[Read, ...]
    commit: str
    seen: tuple[WeightSetReport, ...]
    chosen: dict[str, tuple[str, str]]
    moved: dict[str, Distances] = field(default_factory=dict)
    extra: dict[str, int] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether every value of every set of weights is finite, and no set is all zeros."""
        return all(each.health.sound for each in self.seen)

    def of(self, component: str) -> tuple[WeightSetReport, ...]:
        """Return all sets of weights of a component, the chosen one first."""
        found = [each for each in self.seen if each.part.component == component]
        source = self.chosen.get(component, ("",))[0]
        return tuple(sorted(found, key=lambda each: each.part.source != source))

    def to_json(self) -> dict[str, Any]:
        """Return plain data for JSON, without the names of sound tensors."""
        layout = self.layout
        return {
            "path": layout.path,
            "kind": layout.kind,
            "about": layout.about,
            "commit": self.commit,
            "configs": layout.configs or {},
            "files": [asdict(read.file) | {"sha256": read.sha256, "blob": read.blob} for read in self.files],
            "components": [each.to_json() for each in self.seen],
            "chosen": {name: {"source": source, "why": why} for name, (source, why) in self.chosen.items()},
            "ema_from_raw": {name: asdict(found) for name, found in self.moved.items()},
            "extra": self.extra,
            "curves": [asdict(curve) for curve in self.curves],
            "lora": asdict(layout.lora) if layout.lora else None,
            "not_read": list(layout.not_read),
            "notes": list(layout.notes),
        }


def make(
    path: Path, hashes: Hashes | None = None, within: tuple[Path, ...] = (), stop: Callable[[], bool] = _never
) -> CheckpointCard:
    """Read a checkpoint once and return its card.

    Args:
        path: a file or a folder, as for ``look``.
        hashes: cache of file hashes; without it all hashes are computed.
        within: the folders that may be read; () allows the whole machine.
        stop: checked between tensors.

    Raises:
        ComparerError: as ``look``, or a file cannot be read to its end.
        Stopped: ``stop`` returned true.
    """
    layout, hashes = look(path, within), hashes or Hashes()
    root = Path(layout.path)
    root = root if root.is_dir() else root.parent
    layout = replace(layout, notes=(*layout.notes, *_quantised(layout)))
    files = tuple(_read(root / file.name, file, hashes) for file in layout.files)
    seen = tuple(WeightSetReport(part, *examine(part.tensors, stop)) for part in layout.parts)
    components = dict.fromkeys(part.component for part in layout.parts)
    chosen = {}
    for component in components:
        part, why = choose(layout, component)
        chosen[component] = (part.source, why)
    moved = {}
    for component in components:
        halves = {part.half: part for part in reversed(layout.of(component)) if part.named}
        if {EMA, RAW} <= set(halves):
            moved[component] = distances(halves[RAW].tensors, halves[EMA].tensors)
    extra: dict[str, int] = {}
    for tensor in layout.extra:
        extra[head(tensor.name)] = extra.get(head(tensor.name), 0) + 1
    commit = re.search(r"/snapshots/([0-9a-f]{40})(?:/|$)", root.as_posix())
    return CheckpointCard(
        layout, files, commit[1] if commit else "", seen, chosen, moved, extra, _curves(layout.extra)
    )  # fmt: skip


def _quantised(layout: Layout) -> Iterator[str]:
    """Say of each set of quantised weights what loading does with it, a sentence each."""
    for component in dict.fromkeys(part.component for part in layout.parts):
        for config in (Path(layout.path) / component / "config.json", Path(layout.path) / "config.json"):
            # A config that is damaged or leads out of the folders is noted, or refused, by the scan.
            if config.is_file() and config.resolve().is_relative_to(Path(layout.path).resolve()):
                with suppress(OSError, ValueError, AttributeError, RecursionError):
                    if method := quantised.config_says(read_json(config)):
                        yield f"The config of the {component} says that its weights are quantised: {method}."
                break
    for part in layout.parts if layout.kind != LORA else ():
        try:
            _, scales = quantised.split(part)
        except ComparerError as error:
            yield str(error)
            continue
        if scales:
            yield (
                f"{quote(part.source, 200)} has scales of {counted(len(scales), 'weight')}: loading multiplies these "
                "weights by them; fingerprint and health are those of the stored values."
            )


def _read(path: Path, file: File, hashes: Hashes) -> Read:
    return Read(file, "" if file.format == "not read" else hashes.of(path), blob(path))


def blob(path: Path) -> str:
    """Return the Hub cache's name for the content of a file; "" elsewhere."""
    target = path.resolve()
    return target.name if path.is_symlink() and target.parent.name == "blobs" else ""


def examine(tensors: Iterable[Tensor], stop: Callable[[], bool] = _never) -> tuple[Fingerprint, Health]:
    """Read tensors once, one at a time, and compute their fingerprint and health.

    Raises:
        ComparerError: a tensor cannot be read.
        Stopped: ``stop`` returned true.
    """
    listed, health, digests = list(tensors), Health(), {}
    with reading(listed) as read:
        for tensor in listed:
            if stop():
                raise Stopped
            value = read(tensor)
            digests[tensor.name] = digest(tensor.name, value)
            health.see(tensor.name, value)
    return fingerprint(digests), health


def _curves(tensors: Iterable[Tensor]) -> tuple[Curve, ...]:
    listed = [
        tensor for tensor in tensors
        if CURVE <= tensor.elements <= 100_000 and sum(length > 1 for length in tensor.shape) == 1
        and tensor.dtype.startswith(("float", "bfloat"))
    ]  # fmt: skip
    with reading(listed) as read:
        return tuple(Curve(tensor.name, tuple(read(tensor).double().flatten().tolist())) for tensor in listed)
