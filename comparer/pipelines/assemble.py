"""Assemble a pipeline from its components, each with its chosen weights; equal components are shared."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from comparer.checkpoints import base_configs, quantised
from comparer.checkpoints.files.components import class_of
from comparer.checkpoints.read import Checkpoint, read_json
from comparer.checkpoints.read import state as files_of
from comparer.checkpoints.sources import Source, seen, sources
from comparer.errors import ComparerError
from comparer.pipelines.build import Filled, build, refill
from comparer.pipelines.lora import add_lora
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
    """A diffusers pipeline, its components by name, its scheduler config, and the reason for its prediction type.

    ``notes`` say what the files state otherwise, or have and was not used, a sentence each; ``identical`` names what
    was added to the checkpoint and changed no value; ``adapted`` names files that diffusers by itself would load with
    other names or other scales.
    """

    pipe: Any
    components: dict[str, Component]
    scheduler: dict[str, Any]
    prediction_reason: str
    notes: tuple[str, ...] = ()
    identical: tuple[str, ...] = ()
    adapted: tuple[str, ...] = ()


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
    identical = ["its own VAE"] if checkpoint.vae and _is_own_vae(checkpoint, index, made["vae"], dtype) else []
    adapted = [each.source.path.name for each in made.values() if quantised.split(each.source.part)[1]]
    if checkpoint.loras:
        made = _refilled(made)  # by the module's names, as after the LoRA
    for file, weight in checkpoint.loras:
        before = made
        if not add_lora(pipe, file, weight, checkpoint):
            adapted.append(file.name)
        made = _refilled(made)
        if all(same(before[name].filled, each.filled) for name, each in made.items()):
            identical.append(f"without LoRA {file.stem} × {weight:g}")
    notes = *chosen.notes, *surplus(checkpoint)
    adapted = list(dict.fromkeys(adapted))
    return Assembled(pipe, made, chosen.config, chosen.reason, notes, tuple(identical), tuple(adapted))


def _refilled(made: dict[str, Component]) -> dict[str, Component]:
    """Take the fingerprints of the components that a LoRA can change anew."""
    return {
        name: each if each.plain else replace(each, filled=refill(each.filled, each.module))
        for name, each in made.items()
    }


def _is_own_vae(checkpoint: Checkpoint, index: dict[str, Any], asked: Component, dtype: str) -> bool:
    """Return whether the VAE that was asked for holds the values and the config of the one that it replaces."""
    try:
        own = sources(replace(checkpoint, vae=None))["vae"]
        module, filled = build(own, index["vae"][1], dtype)
    except ComparerError:
        return False  # the checkpoint has none, or a damaged one
    return same(filled, asked.filled) and _config(module) == _config(asked.module)


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


def surplus(checkpoint: Checkpoint) -> list[str]:
    """Name the tensors of the checkpoint's own files that belong to no component; known bookkeeping is left out."""
    if not checkpoint.overlay:
        return []
    extra = [tensor.stored for tensor in seen(checkpoint.overlay, checkpoint.within).extra]
    unknown = [name for name in extra if not _KNOWN_EXTRA.search(name)]
    if not unknown:
        return []
    named = f"{counted(len(unknown), 'tensor')} of {quote(checkpoint.overlay.name)} ({few(unknown)})"
    return [f"Not used, because no component has them: {named}."]


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
