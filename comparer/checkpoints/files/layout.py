"""Layout of a checkpoint: files, components, EMA and raw halves, and which half is chosen. Plain data, no torch."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from comparer.checkpoints.files.components import DENOISERS, Lora
from comparer.checkpoints.files.tensors import TORCH, Tensor
from comparer.checkpoints.files.weight_sets import EMA, RAW, UNKNOWN
from comparer.errors import ComparerError
from comparer.text import quote

FOLDER, ONE_BESIDE, COMPONENT, STEP = "diffusers folder", "one file beside configs", "component folder", "step folder"
ORIGINAL, DICTIONARY, LORA, WEIGHTS = "original layout", "training dictionary", "LoRA", "weights"


@dataclass(frozen=True)
class File:
    """A file of a checkpoint.

    Attributes:
        name: relative to the checkpoint's path; the file name where the path is the file itself.
        size: in bytes.
        format: "safetensors", "torch", "configuration", or "not read".
        fills: the components the file provides, in order.
        why: why the file is not read, else "".
    """

    name: str
    size: int
    format: str
    fills: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True)
class Part:
    """One set of weights for one component.

    Attributes:
        component: such as ``unet``; ``network`` where the names do not tell.
        half: "ema", "raw", or "" if unknown.
        how: what indicates the half; "" if nothing does.
        source: the file, or the files' folder, and the dictionary key.
        variant: such as ``fp16``; "" for the plain one.
        stripped: prefixes of training wrappers removed from the names.
        class_name: from the component's config, or "".
        named: False for a list of EMA shadows whose names are unknown.
        tensors: with the component's own names.
    """

    component: str
    half: str
    how: str
    source: str
    variant: str
    stripped: tuple[str, ...]
    class_name: str
    named: bool
    tensors: tuple[Tensor, ...]

    @property
    def parameters(self) -> int:
        """Number of parameters in all tensors."""
        return sum(tensor.elements for tensor in self.tensors)

    @property
    def dtypes(self) -> dict[str, int]:
        """Number of parameters per stored dtype, in descending order."""
        found: dict[str, int] = {}
        for tensor in self.tensors:
            found[tensor.dtype] = found.get(tensor.dtype, 0) + tensor.elements
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    @property
    def title(self) -> str:
        """Component, variant and half for display: ``unet (fp16, raw)``."""
        said = [word for word in (self.variant, {EMA: "EMA", RAW: "raw"}.get(self.half, "")) if word]
        return f"{self.component} ({', '.join(said)})" if said else self.component


@dataclass(frozen=True)
class Layout:
    """The contents of a checkpoint path.

    Attributes:
        path: absolute path, as given.
        kind: one of this module's kinds.
        about: detail of the kind, such as "SD 1.x"; "" if there is none.
        files: all files in order, including those not read.
        parts: sets of weights, in order.
        extra: tensors that belong to no component.
        lora: what a LoRA changes, else None.
        not_read: keys of training dictionaries that were skipped, such as "x.pt: optimizer".
        configs: pipeline, scheduler, prediction_type and vae_scaling_factor, where configs state them.
        notes: remarks for the user, one sentence each.
        metadata: the texts of safetensors headers and the numbers and texts of torch dictionaries, of all files.
    """

    path: str
    kind: str
    about: str
    files: tuple[File, ...]
    parts: tuple[Part, ...]
    extra: tuple[Tensor, ...] = ()
    lora: Lora | None = None
    not_read: tuple[str, ...] = ()
    configs: dict[str, Any] | None = None
    notes: tuple[str, ...] = ()
    metadata: dict[str, str] | None = None

    def of(self, component: str) -> tuple[Part, ...]:
        """Return all sets of weights of a component."""
        return tuple(part for part in self.parts if part.component == component)

    @property
    def denoiser(self) -> str:
        """Name of the component that denoises; "" if there is none."""
        return next((part.component for part in self.parts if part.component in DENOISERS), "")


def choose(layout: Layout, component: str, half: str = "") -> tuple[Part, str]:
    """Choose a component's weights.

    Args:
        layout: the layout to choose from.
        component: such as ``unet``.
        half: "ema", "raw", or "" for EMA if available.

    Returns:
        The weights and the reason, a sentence.

    Raises:
        ComparerError: the component or the requested half is missing; the other half is never used instead.
    """
    parts, name = layout.of(component), Path(layout.path).name
    if not parts:
        raise ComparerError(f"'{quote(name)}' has no weights of a {quote(component)}.")
    plain = sorted(parts, key=lambda part: bool(part.variant) and part.variant not in ("ema", "non_ema"))
    found = [part for part in plain if not half or part.half == half]
    if not found:
        called = {EMA: "EMA", RAW: "raw"}
        there = ", ".join(f"{part.source} ({called.get(part.half, 'unknown kind')})" for part in parts)
        raise ComparerError(f"'{quote(name)}' has no {called[half]} weights of its {component}; it has {quote(there)}.")
    if half:
        return found[0], f"requested: {found[0].how}."
    emas = [part for part in found if part.half == EMA]
    if emas:
        return emas[0], f"EMA, the default if there is one: {emas[0].how}."
    unknown = [part for part in found if part.half == UNKNOWN]
    if unknown:
        many = len(rivals(layout, unknown[0]))
        which = f"the first of {many + 1} sets that look the same" if many else "the only weights"
        return unknown[0], f"{which}; it is not known whether they are EMA or raw."
    return found[0], f"raw, because there is no EMA: {found[0].how}."


def rivals(layout: Layout, part: Part) -> tuple[Part, ...]:
    """Return other sets of weights that could be meant as well: same component, half and variant.

    Sets with less than half as many parameters are excluded: they hold something else that the names do not tell.
    """
    return tuple(
        other for other in layout.of(part.component)
        if other is not part and (other.half, other.variant) == (part.half, part.variant)
        and 2 * other.parameters >= part.parameters
    )  # fmt: skip


def lent(part: Part, parts: Sequence[Part]) -> Part:
    """Name a list of shadows after weights beside it that were saved in the same order.

    Only torch files keep the model's order; safetensors files are sorted by name, where equal shapes would mislead.
    """
    if part.named:
        return part
    shapes = [tensor.shape for tensor in part.tensors]
    for other in parts:
        ordered = other.named and Path(other.tensors[0].file).suffix in TORCH
        if ordered and [tensor.shape for tensor in other.tensors] == shapes:
            pairs = zip(part.tensors, other.tensors, strict=True)
            tensors = tuple(replace(tensor, name=lender.name) for tensor, lender in pairs)
            return replace(part, component=other.component, named=True, tensors=tensors)
    counts = {other.component for other in parts if other.named and len(other.tensors) == len(shapes)}
    return replace(part, component=counts.pop()) if len(counts) == 1 else part
