"""Detect the layout of a checkpoint from names, headers and configs, without loading weights."""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from comparer.checkpoints.files import folders, foreign
from comparer.checkpoints.files import layout as kinds
from comparer.checkpoints.files.components import (
    COMPONENTS,
    DENOISERS,
    Lora,
    class_of,
    component_of,
    helper,
    lora,
    original,
)
from comparer.checkpoints.files.components import UNKNOWN as NETWORK
from comparer.checkpoints.files.components import split as by_component
from comparer.checkpoints.files.folders import WeightsFile
from comparer.checkpoints.files.layout import File, Layout, Part, lent
from comparer.checkpoints.files.tensors import Stored, Tensor, check_ending, stored
from comparer.checkpoints.files.weight_sets import BESIDE, EMA, RAW, UNKNOWN, Group, groups
from comparer.errors import ComparerError
from comparer.text import quote

STEPS = re.compile(r"(step|checkpoint|ckpt|epoch|iter|global_step)[_-]?\d+")  # outputs of training, no components


def look(path: Path, within: tuple[Path, ...] = (), only: Collection[str] = ()) -> Layout:
    """Detect what is at a path: a diffusers folder, a file in the original layout, a training output, a LoRA, ...

    Args:
        path: a file or a folder.
        within: the folders that may be read, links resolved; () allows the whole machine.
        only: the components whose folders are scanned; () for all.

    Raises:
        ComparerError: the path does not exist, has no weights, is damaged, or may not be read.
    """
    found = folders.existing_path(path)
    try:
        if found and (found.is_dir() or found.is_file()):
            folders.inside(found, within)
            if found.is_dir():
                return _Looking(found, within, only).folder()
            return _Looking(found.parent, within, only).file(found)
    except OSError as error:
        raise ComparerError(f"'{quote(found)}' cannot be read: {error.strerror or quote(error)}.") from error
    raise ComparerError(f"There is nothing at '{quote(path, 200)}'.")


class _Looking:
    """One look: collects files, parts, extras and notes on the way."""

    def __init__(self, root: Path, within: tuple[Path, ...], only: Collection[str]) -> None:
        self.root, self.within, self.only = root, within, only
        self.files: list[File] = []
        self.parts: list[Part] = []
        self.extra: list[Tensor] = []
        self.not_read: list[str] = []
        self.notes: list[str] = []
        self.configs: dict[str, Any] = {}
        self.metadata: dict[str, str] = {}
        self.lora: Lora | None = None
        self.about, self.keyed, self.alone = "", False, False

    def file(self, path: Path) -> Layout:
        """Scan one file."""
        if kind := foreign.file_kind(path):
            raise ComparerError(f"'{quote(path.name)}' is {kind}.")
        check_ending(path)
        if what := folders.never(path.name):
            raise ComparerError(f"'{quote(path.name)}' was not opened: its name says that it is {what}, not weights.")
        self.alone = True  # other files in the folder were not requested
        self.sets([WeightsFile(path.stem, "", path.suffix, (path,))])
        if not self.parts:
            raise ComparerError(f"'{quote(path.name)}' contains no weights.")
        return self.done(self.kind_of_file(), path)

    def kind_of_file(self) -> str:
        if self.lora and all(part.component == "lora" for part in self.parts):
            return kinds.LORA
        return kinds.ORIGINAL if self.about else kinds.DICTIONARY if self.keyed else kinds.WEIGHTS

    def folder(self) -> Layout:
        """Scan a folder: its own weights, then those of the component folders."""
        if self.root.suffix and (kind := foreign.file_kind(self.root)):
            raise ComparerError(f"'{quote(self.root.name)}' is {kind}.")
        index = self.read_json(self.root / "model_index.json")
        class_name = class_of(self.read_json(self.root / "config.json"))
        own, below = folders.weights(self.root), self.below(index)
        sets = {sub: folders.weights(sub) for sub in below}
        filled = any(sets.values())
        for path in sorted(self.root.iterdir()):
            if not path.is_dir() and (what := folders.never(path.name)):
                self.add_file(path, "not read", why=what)
        if own and not (filled and index):
            if class_name:
                self.component(self.root, own, component_of(class_name))
            else:
                self.sets(own)
        elif own:
            self.leave(own, "the components' own folders have weights")
        for sub, inside in sets.items():
            self.component(sub, inside, sub.name.removesuffix("_ema"))
        self.read_configs(index)
        if not self.parts:
            others = sorted(path.name for path in self.root.iterdir() if path.is_dir() and path not in below)
            where = f"; inspect one of its folders: {quote(', '.join(others), 200)}" if others else ""
            what = f": {kind}" if (kind := foreign.folder_kind(self.root)) else where
            raise ComparerError(f"'{quote(self.root.name)}' contains no weights that can be read{what}.")
        if own and below and not filled:
            kind = kinds.ONE_BESIDE
        elif index:
            kind = kinds.FOLDER
        else:
            kind = kinds.COMPONENT if own and class_name else kinds.STEP if own or filled else kinds.WEIGHTS
        held = self.kind_of_file() if kind == kinds.STEP else kind
        return self.done(held if held in (kinds.LORA, kinds.ORIGINAL) else kind, self.root)

    def below(self, index: dict[str, Any]) -> list[Path]:
        """List the component folders in the pipeline's order."""
        found = []
        for sub in sorted(path for path in self.root.iterdir() if path.is_dir()):
            base = sub.name.removesuffix("_ema")
            configured = (sub / "config.json").is_file() and not STEPS.match(sub.name)
            if (base in COMPONENTS or base in index or configured) and (not self.only or base in self.only):
                folders.inside(sub, self.within)
                found.append(sub)
        order = [*index, *COMPONENTS, *(sub.name for sub in found)]
        return sorted(found, key=lambda sub: order.index(sub.name))

    def component(self, sub: Path, sets: Sequence[WeightsFile], name: str) -> None:
        """Scan the weights of a component's folder; without a name, detect the component from the tensor names."""
        config, kept = self.read_json(sub / "config.json"), folders.preferred(sets)
        variants = {each.variant for each in kept}
        for each in kept:
            self.sets([each], name, class_of(config), self.said(sub, each.variant, variants, config))
        self.leave([each for each in sets if each not in kept], "there is another file of the same variant beside it")
        for path in sorted(filter(Path.is_file, sub.glob("*.json"))):
            self.add_file(path, "configuration", (name,) if name else ())

    def leave(self, sets: Sequence[WeightsFile], why: str) -> None:
        """Record sets of weights as not read."""
        for path in (path for each in sets for path in each.files):
            self.add_file(path, "not read", why=why)

    def said(self, sub: Path, variant: str, variants: set[str], config: dict[str, Any]) -> tuple[str, str] | None:
        """Return the half that a component's folder and variant indicate, and how it was detected."""
        if {"decay", "optimization_step"} <= set(config):  # diffusers' EMAModel saved it
            return EMA, "'decay' in its configuration"
        if sub.name.endswith("_ema"):
            return EMA, f"the folder's name '{sub.name}'"
        if variant in ("ema", "non_ema"):
            return EMA if variant == "ema" else RAW, f"the variant '{variant}'"
        if not variant and "non_ema" in variants:
            return EMA, "there is a variant 'non_ema' beside it"
        if not variant and ("ema" in variants or sub.with_name(f"{sub.name}_ema").is_dir()):
            return RAW, "there is an EMA in another file beside it"
        return None

    def sets(
        self,
        sets: Sequence[WeightsFile],
        component: str = "",
        class_name: str = "",
        half: tuple[str, str] | None = None,
    ) -> None:
        """Read the headers of sets of weights and group the tensors by component."""
        for each in sets:
            held = [self.stored(path) for path in each.files]
            merged = replace(held[0], tensors=tuple(tensor for one in held for tensor in one.tensors))
            filled: dict[str, list[str]] = {}
            if len({tensor.keys for tensor in merged.tensors}) < len(merged.tensors):
                raise ComparerError(f"Two shards of {self.relative(each.files[0])} have a tensor of the same name.")
            found = groups(merged)
            self.keyed = self.keyed or any(group.key for group in found)
            for group in found:
                loose = not group.key and any(other.key for other in found)
                for part in self.group(group, each, "" if loose else component, class_name, half):
                    if loose and part.component == NETWORK:  # numbers beside the dictionaries that hold the weights
                        self.extra += part.tensors
                        continue
                    self.parts.append(part)
                    for tensor in part.tensors:
                        if part.component not in filled.setdefault(tensor.file, []):
                            filled[tensor.file].append(part.component)
            for one in held:
                self.add_file(Path(one.path), one.format, tuple(filled.get(one.path, ())))
                self.not_read += [f"{Path(one.path).name}: {key}" for key in one.not_read]

    def group(
        self, group: Group, each: WeightsFile, component: str, class_name: str, half: tuple[str, str] | None
    ) -> Iterator[Part]:
        """Yield the parts in a set of weights; record tensors that belong to no component."""
        found = lora(group.tensors)
        self.lora = self.lora or found
        word = group.key.rpartition(".")[2]
        if found:
            filled = {"lora": group.tensors}
        elif component:
            filled = {component: group.tensors}
        elif (helps := helper(group.key)) or not group.named:
            filled = {helps or NETWORK: group.tensors}
        else:
            self.about = self.about or original(group.tensors)
            filled = by_component(group.tensors)
            if set(filled) == {NETWORK} and word in COMPONENTS:
                filled = {word: group.tensors}
        source = self.relative(each.files[0])
        source += f" and {len(each.files) - 1} more shards" if len(each.files) > 1 else ""
        source += f": {group.key}" if group.key else ""
        said = *(half or (group.half, group.how)), source, each.variant, group.stripped, class_name, group.named
        self.extra += filled.pop("", ())
        for name, tensors in filled.items():
            yield Part(name, *said, tensors)

    def stored(self, path: Path) -> Stored:
        """List a file's tensors if the file may be read."""
        folders.inside(path, self.within)
        found = stored(path)
        self.metadata |= found.metadata or {}
        return found

    def relative(self, path: Path) -> str:
        """Return a file's name relative to the path."""
        return path.relative_to(self.root).as_posix()

    def add_file(self, path: Path, form: str, fills: tuple[str, ...] = (), why: str = "") -> None:
        """Add a file to the list."""
        folders.inside(path, self.within)
        self.files.append(File(self.relative(path), path.stat().st_size, form, fills, why))

    def read_json(self, path: Path) -> dict[str, Any]:
        """Load a config; a damaged one is noted and treated as empty."""
        if not path.is_file():
            return {}
        folders.inside(path, self.within)
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            if isinstance(found, dict):
                return found
            why = "it is not a dictionary"
        except (OSError, ValueError, RecursionError) as error:
            why = quote(error, 100)
        self.notes.append(f"{self.relative(path)} is damaged: {why}.")
        return {}

    def read_configs(self, index: dict[str, Any]) -> None:
        """Read the pipeline-level settings from the configs."""
        scheduler = self.read_json(self.root / "scheduler" / "scheduler_config.json")
        vae = self.read_json(self.root / "vae" / "config.json")
        said = {
            "pipeline": index.get("_class_name"),
            "scheduler": scheduler.get("_class_name"),
            "prediction_type": scheduler.get("prediction_type", "epsilon" if scheduler else None),
            "vae_scaling_factor": vae.get("scaling_factor"),
        }
        self.configs = {key: value for key, value in said.items() if value is not None}
        if index:
            self.add_file(self.root / "model_index.json", "configuration")

    def done(self, kind: str, path: Path) -> Layout:
        """Resolve what needs the whole scan: names of EMA shadows, and which halves are raw."""
        parts = [lent(part, self.parts) for part in self.parts]
        parts = [self.settled(part, parts) for part in parts]
        for part in parts:
            if not part.named:
                self.notes.append(
                    f"{part.source} is a list without tensor names, and no torch file beside it has the same tensors "
                    "in the same order."
                )
        if self.lora and self.lora.unpaired:
            self.notes.append(f"{len(self.lora.unpaired)} matrices of the LoRA have no matching matrix.")
        return Layout(
            str(path), kind, self.about, tuple(self.files), tuple(parts), tuple(self.extra), self.lora,
            tuple(self.not_read), self.configs, tuple(self.notes), self.metadata,
        )  # fmt: skip

    def settled(self, part: Part, parts: Sequence[Part]) -> Part:
        """Mark the path's own weights as raw where an EMA of the same component exists, and only there."""
        emas = [other for other in parts if other.half == EMA and other.component == part.component]
        if part.half == RAW and part.how.startswith(BESIDE) and not emas:
            part = replace(part, half=UNKNOWN, how="")
        elif part.half == UNKNOWN and emas and "/" not in part.source:
            part = replace(part, half=RAW, how=f"{BESIDE} ({emas[0].source})")
        if self.alone:
            return part
        if not part.class_name:
            part = replace(part, class_name=class_of(self.read_json(self.root / part.component / "config.json")))
        denoisers = [name for name in DENOISERS if (self.root / name / "config.json").is_file()]
        if part.component == NETWORK and len(denoisers) == 1 and not any(p.component in denoisers for p in parts):
            part = replace(part, component=denoisers[0])
        return part
