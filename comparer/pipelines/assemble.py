"""Assemble a pipeline from its components, each with its chosen weights; equal components are shared."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from comparer.checkpoints import base_configs
from comparer.checkpoints.files.components import class_of
from comparer.checkpoints.read import Checkpoint, read_json
from comparer.checkpoints.read import state as files_of
from comparer.checkpoints.sources import Source, seen, sources
from comparer.errors import ComparerError
from comparer.pipelines.build import Filled, build, refill
from comparer.pipelines.schedule import schedule
from comparer.text import counted, few, quote

# The original code's schedule, EMA counters, and marks that were read.
_KNOWN_EXTRA = re.compile(
    r"(^|\.)(alphas_cumprod\w*|betas|\w*_alphas_cumprod|posterior_\w+|lvlb_weights|logvar|model_ema\..*|num_updates|"
    r"decay|v_pred|ztsnr|scaled_fp8|scale_factor|global_step|n_averaged|step|initted|denoiser\.sigmas)$"
)
_ABOUT = ("architectures", "transformers_version", "dtype", "torch_dtype", "sample_size")


@dataclass(frozen=True)
class Component:
    """A component on its device, with its contents and source.

    Attributes:
        module: the diffusers or transformers module.
        filled: the loaded weights.
        source: where the weights come from.
        state: state of the files, as returned by ``read.state``.
        plain: whether no LoRA was added and no tensor was randomly initialised.
    """

    module: Any
    filled: Filled
    source: Source
    state: tuple
    plain: bool = True


@dataclass(frozen=True)
class Assembled:
    """A diffusers pipeline, its components by name, its scheduler config, the reason for its prediction type, notes.

    Notes name what the files say otherwise, or have and was not used, a sentence each.
    """

    pipe: Any
    components: dict[str, Component]
    scheduler: dict[str, Any]
    prediction_reason: str
    notes: tuple[str, ...] = ()


def pipeline(checkpoint: Checkpoint, dtype: str, others: Iterable[dict[str, Component]] = ()) -> Assembled:
    """Build a pipeline on the CPU.

    Args:
        checkpoint: the checkpoint to load.
        dtype: name of the torch dtype.
        others: components of pipelines on the same device, shared if they hold the same weights.

    Raises:
        ComparerError: files are damaged or refused, tensors are missing, or a LoRA does not fit.
    """
    import diffusers

    frame, family = checkpoint.base or checkpoint.folder, checkpoint.family
    index, known = read_json(frame / "model_index.json"), list(others)
    made = {
        name: _component(source, _class_of(source, index[name][1], checkpoint), dtype, checkpoint, known)
        for name, source in sources(checkpoint).items()
    }
    extra = {argument.name: argument.value for argument in family.load}
    modules = {name: component.module for name, component in made.items()}
    if base_configs.is_builtin(frame):
        extra |= base_configs.frame_of(family.name).tokenizers()
    pipe = getattr(diffusers, family.pipeline).from_pretrained(frame, **modules, **extra, local_files_only=True)
    chosen = schedule(checkpoint, dict(pipe.scheduler.config), modules[family.denoiser])
    for file, weight in checkpoint.loras:
        _add_lora(pipe, file, weight, checkpoint)
    if checkpoint.loras:
        made = {
            name: each if each.plain else replace(each, filled=refill(each.filled, each.module))
            for name, each in made.items()
        }
    notes = *chosen.notes, *surplus(checkpoint, made)
    return Assembled(pipe, made, chosen.config, chosen.reason, notes)


def _class_of(source: Source, usual: str, checkpoint: Checkpoint) -> str:
    """Return a component's class: the index's, or that of another VAE's own config."""
    if source.component == "vae" and checkpoint.vae:
        return class_of(read_json(source.config / "config.json")) or usual
    return usual


def _component(
    source: Source, class_name: str, dtype: str, checkpoint: Checkpoint, others: list[dict[str, Component]]
) -> Component:
    name, state = source.component, files_of(*source.files, source.config / "config.json")
    changed = bool(checkpoint.loras) and name != "vae"
    known = [other[name] for other in others if name in other and other[name].plain and not changed]
    for other in known:
        if (other.source.part, other.state, other.filled.dtype) == (source.part, state, dtype):
            return replace(other, source=source, filled=replace(other.filled, why=source.why))
    module, filled = build(source, class_name, dtype, checkpoint.weights.incomplete)
    plain = not (changed or filled.missing or filled.misshaped)
    for other in known:
        if plain and same(filled, other.filled) and _config(module) == _config(other.module):
            module = other.module
    return Component(module, filled, source, state, plain)


def surplus(checkpoint: Checkpoint, made: dict[str, Component]) -> list[str]:
    """Name the tensors of the chosen files that were not used, a sentence per component."""
    notes = [
        f"{counted(len(each.filled.unexpected), 'tensor')} of {quote(each.source.path.name)} "
        f"({few(each.filled.unexpected)}) have no place in the {name}, and were not used."
        for name, each in made.items()
        if each.filled.unexpected
    ]
    if checkpoint.overlay:
        extra = [tensor.stored for tensor in seen(checkpoint.overlay, checkpoint.within).extra]
        if extra := [name for name in extra if not _KNOWN_EXTRA.search(name)]:
            notes.append(
                f"{counted(len(extra), 'tensor')} of {quote(checkpoint.overlay.name)} ({few(extra)}) belong to no "
                "component, and were not used."
            )
    return notes


def _config(module: Any) -> dict[str, Any]:
    config = module.config
    found = config.to_dict() if hasattr(config, "to_dict") else dict(config)
    return {key: value for key, value in found.items() if key != "_name_or_path"}


def configuration(module: Any) -> str:
    """Return the part of a module's config that affects its output, as text, without names, versions and dtypes."""
    told = {key: value for key, value in _config(module).items() if not key.startswith("_") and key not in _ABOUT}
    return json.dumps(told, sort_keys=True, default=str)


def same(one: Filled, other: Filled) -> bool:
    """Return whether two components hold the same values under the same names, in the same dtype."""
    return (one.class_name, one.dtype, one.named) == (other.class_name, other.dtype, other.named)


def _add_lora(pipe: Any, file: Path, weight: float, checkpoint: Checkpoint) -> None:
    """Add a LoRA to the weights themselves, as ``fuse_lora`` does; accelerators then see a plain module."""
    lora = seen(file, checkpoint.within).lora
    assert lora is not None  # checked when it was found
    asked = sum(count for counted in lora.ranks.values() for count in counted.values())
    if not hasattr(pipe, "load_lora_weights"):
        raise ComparerError(f"diffusers adds no LoRA to a {checkpoint.family.title}.")
    if lora.unpaired or lora.others:
        what = ("of which the other half is missing", lora.unpaired) if lora.unpaired else ("of no LoRA", lora.others)
        raise ComparerError(
            f"'{quote(file.name)}' holds {len(what[1])} tensors {what[0]} ({quote(what[1][0])}): it was not added."
        )
    try:
        pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name="added", local_files_only=True)
    except (LookupError, ValueError, RuntimeError) as error:
        why = quote(next((line.strip() for line in str(error).split("\n")[1:] if line.strip()), error), 200)
        raise ComparerError(
            f"'{quote(file.name)}' is a LoRA of another model: diffusers cannot add it to {checkpoint.model.title} "
            f"({why})."
        ) from error
    taken = 0
    for name in pipe._lora_loadable_modules:
        module = getattr(pipe, name, None)
        taken += sum("added" in getattr(each, "lora_A", {}) for each in module.modules()) if module else 0
    if taken < asked:
        raise ComparerError(
            f"'{quote(file.name)}' is a LoRA of another model: {taken} of its {asked} layers are found in "
            f"{checkpoint.model.title}."
        )
    pipe.fuse_lora(lora_scale=weight, adapter_names=["added"])
    pipe.unload_lora_weights()
