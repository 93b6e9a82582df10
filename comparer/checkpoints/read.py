"""Find checkpoints and read what they are: the catalogue, the hub's cache and local folders. No torch.

A folder may be read only inside the installation's checkpoint folders, symbolic links resolved.
"""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from comparer.config import Config
from comparer.errors import ComparerError, shown
from comparer.models import hub, samplers
from comparer.models.catalog import CATALOG, DEMO, FAMILIES, Family, Model

# What every sampler knows; some other values fail in the middle of a run.
SCHEDULER = {
    "prediction_type": ("epsilon", "v_prediction"),
    "timestep_spacing": ("leading", "linspace", "trailing"),
}
FEWEST_TIMESTEPS = 100


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        model: name, title, family and defaults.
        folder: the diffusers folder that is loaded, or the denoiser's where ``base`` has the rest.
        denoiser: the denoiser's ``config.json``.
        variant: the weight files' variant, None for the plain ones.
        parts: the components that have weights.
        base: the folder of all components but the denoiser, None where ``folder`` has everything.
        distilled: whether it is made for the LCM sampler.
        revision: the hub's commit for a snapshot of the hub's cache, else "".
    """

    model: Model
    folder: Path
    denoiser: dict
    variant: str | None
    parts: tuple[str, ...]
    base: Path | None = None
    distilled: bool = False
    revision: str = ""

    @property
    def family(self) -> Family:
        """The model's family."""
        return FAMILIES[self.model.family]

    def part(self, name: str) -> Path:
        """Return the folder of one component."""
        return (self.folder if self.base is None or name == self.family.denoiser else self.base) / name

    def record(self) -> dict:
        """Return what ``run.json`` says of the weights: every file that is loaded, with its size in bytes."""
        ending = f".{self.variant}.safetensors" if self.variant else ".safetensors"
        files = {
            f"{part}/{path.name}": path.stat().st_size
            for part in self.parts
            for path in sorted(self.part(part).glob("*.safetensors"))
            if _chosen(path, ending)
        }
        return {
            "name": self.model.name,
            "title": self.model.title,
            "family": self.model.family,
            "variant": self.variant or "default",
            "revision": self.revision,
            "base_revision": self.base.name if self.base else "",
            "files": files,
        }


def _chosen(path: Path, ending: str) -> bool:
    """Say whether diffusers takes this file for the variant; a part without it falls back to the plain one."""
    if ending != ".safetensors" and any(path.parent.glob(f"*{ending[:-12]}*.safetensors")):
        return ending[:-12] in path.name
    return "." not in path.stem


def local_names(config: Config) -> list[str]:
    """List the diffusers folders under the checkpoint folders, newest first, as ``folder/name``."""
    found: dict[str, float] = {}
    for root in config.checkpoints:
        for pattern in ("model_index.json", "*/model_index.json", "*/*/model_index.json"):
            for index in root.glob(pattern):
                inside = index.parent.relative_to(root).as_posix()
                found[root.name if inside == "." else f"{root.name}/{inside}"] = index.stat().st_mtime
    return sorted(found, key=lambda name: -found[name])


def names(config: Config) -> list[str]:
    """List everything that can be chosen: the catalogue (without the hub, its demo), then the local checkpoints."""
    return [*(name for name in CATALOG if config.hub or name == "demo"), *local_names(config)]


def resolve(name: str, config: Config) -> Checkpoint:
    """Find a checkpoint by its name in the catalogue, its listed local name, or its path.

    Raises:
        ComparerError: there is none, it is outside the checkpoint folders, not on this machine, not a
            checkpoint, or of a kind that is not served.
    """
    if name in CATALOG:
        if not config.hub and name != "demo":
            raise ComparerError(
                f"{CATALOG[name].title} is a model of the hub, which this installation does not use: "
                f"choose one of {', '.join(names(config))}."
            )
        return _from_catalog(CATALOG[name])
    return read_folder(_local_folder(name, config), name)


def _from_catalog(model: Model) -> Checkpoint:
    if model.source == str(DEMO):
        return replace(read_folder(DEMO, model.name), model=model)
    found = hub.here(model)
    if found is None:
        raise ComparerError(
            f"{model.title} is not on this machine: fetch it ({weight(model)}; python -m comparer fetch {model.name}), "
            "or choose another checkpoint."
        )
    folder, base = found
    return replace(read_folder(folder, model.name, base), model=model, revision=folder.name)


def weight(model: Model) -> str:
    """Say about how large a catalogue model is before the hub is asked."""
    return f"about {model.gigabytes:g} GB in half precision"


def _local_folder(name: str, config: Config) -> Path:
    known = f"choose one of {', '.join(names(config))}"
    candidates = [root / Path(name).relative_to(root.name) for root in config.checkpoints if _under(name, root.name)]
    try:
        if Path(name).is_absolute() or name.startswith((".", "~")):
            candidates.append(Path(name).expanduser())
        candidates = [path.resolve() for path in candidates]
        folder = next((path for path in candidates if path.is_dir()), None)
    except (OSError, ValueError, RuntimeError):  # too long, with a null character, or of a user who is not here
        raise ComparerError(f"There is no checkpoint '{shown(name)}': {known}.") from None
    roots = [root.resolve() for root in config.checkpoints]
    if folder and any(folder.is_relative_to(root) for root in roots):
        return folder
    if candidates and not any(path.is_relative_to(root) for path in candidates for root in roots):
        where = ", ".join(map(str, config.checkpoints)) or "none is set: start with --checkpoints DIR"
        raise ComparerError(f"'{shown(name)}' is outside the checkpoint folders ({where}).")
    raise ComparerError(f"There is no checkpoint '{shown(name)}': {known}.")


def _under(name: str, root: str) -> bool:
    return name == root or name.startswith(f"{root}/")


def read_folder(folder: Path, name: str, base: Path | None = None) -> Checkpoint:
    """Read a diffusers folder's configuration.

    Args:
        folder: the pipeline's folder, or the one that holds the denoiser alone.
        name: what to call it.
        base: the pipeline's folder in the second case.

    Raises:
        ComparerError: it is no diffusers checkpoint, its class is not served, or its weights are not there
            as safetensors.
    """
    rest = base or folder
    if not (rest / "model_index.json").is_file():
        raise ComparerError(f"'{name}' is no diffusers checkpoint: it has no model_index.json.")
    try:
        index = _json(rest / "model_index.json")
        family = _family(index.get("_class_name", "unnamed"), folder, name)
        denoiser = _json(folder / family.denoiser / "config.json")
        vae, scheduler = _json(rest / "vae" / "config.json"), _json(rest / "scheduler" / "scheduler_config.json")
        _check(family, denoiser, vae, scheduler)
        size = denoiser["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)
        for part in family.text:
            tokenizer = rest / part.replace("text_encoder", "tokenizer")
            if not hub.has_vocabulary(tokenizer):
                raise ValueError(f"its {tokenizer.name} has no vocabulary")
            if family.denoiser == "unet":  # PixArt's pipelines know the length themselves
                length = _json(tokenizer / "tokenizer_config.json")["model_max_length"]
                _whole(f"{tokenizer.name}'s model_max_length", length, 1, 10**6)
        parts = (family.denoiser, "vae", *family.text)
        places = {part: (folder if part == family.denoiser else rest) / part for part in parts}
        there = {part: [v for v in (None, "fp16") if hub.whole(place, v)] for part, place in places.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
        raise ComparerError(f"'{name}' is a damaged checkpoint: {kind}{shown(error, 300)}.") from error
    if missing := [part for part in parts if not there[part]]:
        raise ComparerError(f"'{name}' has no safetensors weights for its {missing[0]}: save them as safetensors.")
    return Checkpoint(
        Model(name, name, str(folder), family.name, size, family.guidance, sampler=samplers.named(scheduler)),
        folder,
        denoiser,
        None if all(None in variants for variants in there.values()) else "fp16",
        parts,
        base,
        scheduler.get("_class_name") == "LCMScheduler" or denoiser.get("time_cond_proj_dim") is not None,
    )


def _check(family: Family, denoiser: dict, vae: dict, scheduler: dict) -> None:
    """Refuse with ``ValueError`` what is computed with before diffusers reads it."""
    _whole("sample_size", denoiser["sample_size"])
    _wholes("vae's block_out_channels", vae["block_out_channels"])
    if not isinstance(kind := denoiser["_class_name"], str):
        raise ValueError(f"its denoiser's class {shown(kind)} is no name")
    if family.denoiser == "unet":
        levels = len(_wholes("block_out_channels", denoiser["block_out_channels"]))
        layers, kinds = denoiser.get("layers_per_block", 2), denoiser["down_block_types"]
        _wholes("layers_per_block", layers if isinstance(layers, list) else [layers] * levels, levels)
        if not isinstance(kinds, list) or len(kinds) != levels or not all(isinstance(kind, str) for kind in kinds):
            raise ValueError(f"its down_block_types {shown(kinds)} are not {levels} names")
        if not isinstance(middle := denoiser.get("mid_block_type"), str | None):
            raise ValueError(f"its mid_block_type {shown(middle)} is no name")
    _whole("num_train_timesteps", scheduler.get("num_train_timesteps", 1000), FEWEST_TIMESTEPS)
    for name, allowed in SCHEDULER.items():
        if (value := scheduler.get(name, allowed[0])) not in allowed:
            raise ValueError(f"its {name} {shown(value)} is none of {', '.join(allowed)}")


def _whole(name: str, value: Any, least: int = 1, most: int = 10**9) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"its {name} {shown(value)} is not a whole number from {least} to {most}")


def _wholes(name: str, values: Any, number: int = 0) -> list:
    if not isinstance(values, list) or not values or len(values) != (number or len(values)):
        raise ValueError(f"its {name} {shown(values)} is not a list of {number or 'some'} whole numbers")
    for value in values:
        _whole(name, value)
    return values


def _family(kind: str, folder: Path, name: str) -> Family:
    families = [family for family in FAMILIES.values() if family.pipeline == kind]
    if not families:
        served = ", ".join(dict.fromkeys(family.pipeline for family in FAMILIES.values()))
        raise ComparerError(f"'{name}' is a {shown(kind)}: served are {served}.")
    if len(families) == 1:
        return families[0]
    unet = _json(folder / "unet" / "config.json")  # Stable Diffusion 2 projects linearly around its attention
    return FAMILIES["sd2" if unet.get("use_linear_projection") or unet["cross_attention_dim"] == 1024 else "sd1"]


def _json(path: Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))
