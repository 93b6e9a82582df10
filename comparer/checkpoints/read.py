"""Read a diffusers folder: its family, its configs and the names of its weights. No torch."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from comparer.checkpoints.spec import Weights
from comparer.errors import ComparerError, Foreign
from comparer.models import hub, samplers
from comparer.models.catalog import DEMO
from comparer.models.families.base import Family, Model
from comparer.models.families.registry import FAMILIES
from comparer.text import quote

# Values that every sampler supports; some other values fail during a run.
SCHEDULER = {
    "prediction_type": ("epsilon", "v_prediction"),
    "timestep_spacing": ("leading", "linspace", "trailing"),
    "beta_schedule": ("linear", "scaled_linear", "squaredcos_cap_v2"),
}
FEWEST_TIMESTEPS = 100
PEFT_CONFIG = "adapter_config.json"  # beside a LoRA that PEFT saved
ENDLESS = 10**20  # transformers writes 10^30 for a tokenizer without a length
FEW_WORDS = 100_000  # bytes of a tokenizer


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        model: name, title, family and defaults.
        folder: the diffusers folder to load, or the denoiser's folder where ``base`` has the rest.
        denoiser: the denoiser's ``config.json``.
        variant: the weight files' variant, None for the plain ones.
        parts: the components that have weights.
        base: the folder of all components but the denoiser, None where ``folder`` has everything.
        distilled: whether the checkpoint is distilled for the LCM sampler.
        revision: the Hub commit for a snapshot in the Hub cache, else "".
        weights: the requested weights.
        over: the file or folder whose weights override those of ``folder``, else None.
        vae: the file or folder of a separate VAE, else None.
        loras: LoRA files to add, with their weights.
        within: the folders that may be read.
        demo: whether the checkpoint reads the demo's words only.
    """

    model: Model
    folder: Path
    denoiser: dict
    variant: str | None
    parts: tuple[str, ...]
    base: Path | None = None
    distilled: bool = False
    revision: str = ""
    weights: Weights = Weights()
    overlay: Path | None = None
    vae: Path | None = None
    loras: tuple[tuple[Path, float], ...] = ()
    within: tuple[Path, ...] = ()
    demo: bool = False

    @property
    def family(self) -> Family:
        """The model's family."""
        return FAMILIES[self.model.family]

    def paths(self) -> tuple[Path, ...]:
        """Return every file and folder that the checkpoint is read from."""
        given = (self.folder, self.base, self.overlay, self.vae, *(file for file, _ in self.loras))
        beside = (file.parent / PEFT_CONFIG for file, _ in self.loras)
        return tuple(dict.fromkeys((*filter(None, given), *(path for path in beside if path.is_file()))))

    def record(self) -> dict:
        """Return the checkpoint's entry in ``run.json``, besides its components."""
        return {
            "name": self.model.name,
            "title": self.model.title,
            "family": self.model.family,
            "variant": self.variant or "default",
            "revision": self.revision,
            "base_revision": self.base.name if self.base else "",
        }


def state(*paths: Path) -> tuple:
    """Return name, size and modification time of every file at and below some paths."""
    files = sorted(file for path in paths for file in ([path] if path.is_file() else path.rglob("*")) if file.is_file())
    return tuple((str(file), file.stat().st_size, file.stat().st_mtime_ns) for file in files)


def read_folder(folder: Path, name: str, base: Path | None = None, words: Path | None = None) -> Checkpoint:
    """Read the configs of a diffusers folder.

    Args:
        folder: the pipeline's folder, or the one that holds the denoiser alone.
        name: name of the checkpoint.
        base: the pipeline's folder in the second case.
        words: the folder of the vocabulary, if not in the tokenizers' own.

    Raises:
        ComparerError: not a diffusers checkpoint, a damaged config, or an unsupported class.
    """
    rest = base or folder
    if not (rest / "model_index.json").is_file():
        raise ComparerError(f"'{name}' is not a diffusers checkpoint: it has no model_index.json.")
    try:
        index = read_json(rest / "model_index.json")
        family = _family(index.get("_class_name", "unnamed"), folder, name)
        denoiser = read_json(folder / family.denoiser / "config.json")
        vae, scheduler = (
            read_json(rest / "vae" / "config.json"),
            read_json(rest / "scheduler" / "scheduler_config.json"),
        )
        _check(family, denoiser, vae, scheduler)
        for part in (family.denoiser, "vae", "scheduler", *family.text, *(_tokenizer(text) for text in family.text)):
            _known(part, index.get(part))
        check_schedule(name, scheduler, index["scheduler"])
        check_channels(name, family, denoiser, vae)
        factor = 2 ** (len(vae["block_out_channels"]) - 1)
        size = denoiser["sample_size"] * factor
        for part in family.text:
            tokenizer = rest / _tokenizer(part)
            if not hub.has_vocabulary(words or tokenizer):
                raise ValueError(f"its {tokenizer.name} has no vocabulary")
            if not family.fixed_context:
                length = read_json(tokenizer / "tokenizer_config.json").get("model_max_length")
                if length is None or (isinstance(length, int) and length > ENDLESS):
                    raise ValueError(
                        f"its {tokenizer.name}'s tokenizer_config.json has no model_max_length, the longest prompt in "
                        f"tokens; {family.title}'s is {family.context}"
                    )
                _whole(f"{tokenizer.name}'s model_max_length", length, 1, 10**6)
        parts = (family.denoiser, "vae", *family.text)
        places = {part: (folder if part == family.denoiser else rest) / part for part in parts}
        there = {part: [v for v in (None, "fp16") if hub.whole(place, v)] for part, place in places.items()}
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        kind = "" if type(error) is ValueError else f"{type(error).__name__}: "
        raise ComparerError(f"'{name}' is a damaged checkpoint: {kind}{quote(error, 300)}.") from error
    sampler = samplers.named(scheduler)
    model = Model(name, name, str(folder), family.name, size, family.guidance, sampler=sampler, factor=factor)
    return Checkpoint(
        model,
        folder,
        denoiser,
        "fp16" if any(variants == ["fp16"] for variants in there.values()) else None,
        parts,
        base,
        scheduler.get("_class_name") == "LCMScheduler" or denoiser.get("time_cond_proj_dim") is not None,
        demo=_same_words(rest / "tokenizer"),
    )


def with_config(checkpoint: Checkpoint, config: Path, name: str) -> Checkpoint:
    """Return the checkpoint with its denoiser's config taken from another folder.

    Raises:
        ComparerError: that config is damaged.
    """
    rest = checkpoint.base or checkpoint.folder
    try:
        denoiser, vae = read_json(config / "config.json"), read_json(rest / "vae" / "config.json")
        _check(checkpoint.family, denoiser, vae, read_json(rest / "scheduler" / "scheduler_config.json"))
        check_channels(name, checkpoint.family, denoiser, vae)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ComparerError(f"'{name}' is a damaged checkpoint: {quote(error, 300)}.") from error
    size = denoiser["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)
    return replace(checkpoint, denoiser=denoiser, model=replace(checkpoint.model, size=size))


def _same_words(tokenizer: Path) -> bool:
    """Say whether a tokenizer has the demo's words."""
    known = DEMO / "tokenizer" / "vocab.json"
    try:
        if (its := tokenizer / "vocab.json").is_file():
            return its.stat().st_size == known.stat().st_size and read_json(its) == read_json(known)
        its = tokenizer / "tokenizer.json"
        # Those of other models have tens of thousands of words.
        return its.stat().st_size < FEW_WORDS and read_json(its)["model"]["vocab"] == read_json(known)
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return False


def _check(family: Family, denoiser: dict, vae: dict, scheduler: dict) -> None:
    """Refuse with ``ValueError`` what is computed with before diffusers reads it."""
    _whole("sample_size", denoiser["sample_size"])
    _wholes("vae's block_out_channels", vae["block_out_channels"])
    if not isinstance(kind := denoiser["_class_name"], str):
        raise ValueError(f"its denoiser's class {quote(kind)} is not a name")
    if family.denoiser == "unet":
        levels = len(_wholes("block_out_channels", denoiser["block_out_channels"]))
        layers, kinds = denoiser.get("layers_per_block", 2), denoiser["down_block_types"]
        _wholes("layers_per_block", layers if isinstance(layers, list) else [layers] * levels, levels)
        if not isinstance(kinds, list) or len(kinds) != levels or not all(isinstance(kind, str) for kind in kinds):
            raise ValueError(f"its down_block_types {quote(kinds)} are not {levels} names")
        if not isinstance(middle := denoiser.get("mid_block_type"), str | None):
            raise ValueError(f"its mid_block_type {quote(middle)} is not a name")
    factor = vae.get("scaling_factor", 1.0)
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < float("inf"):
        raise ValueError(f"its vae's scaling_factor {quote(factor)} is not a number above 0")
    _whole("num_train_timesteps", scheduler.get("num_train_timesteps", 1000), FEWEST_TIMESTEPS)


def check_schedule(name: str, scheduler: dict, said: Any = None) -> None:
    """Refuse a schedule that the samplers cannot follow.

    Args:
        name: name of the checkpoint.
        scheduler: its scheduler config.
        said: the scheduler's entry in ``model_index.json``.

    Raises:
        ComparerError: the noise levels are EDM's or flow matching's, or the scheduler's class is not known.
        ValueError: a value of the config is not allowed.
    """
    listed = said[1] if isinstance(said, list) and len(said) == 2 else None
    if why := samplers.foreign(scheduler, listed):
        raise ComparerError(f"'{quote(name)}' {why}.")
    for key, allowed in SCHEDULER.items():
        if (value := scheduler.get(key, allowed[0])) not in allowed:
            raise ValueError(f"its {key} {quote(value)} is not one of {', '.join(allowed)}")


# What pipelines of other uses give the denoiser beside the latents, by its channels.
_USES = {5: "depth to image", 7: "the ×4 upscaler", 8: "instruct-pix2pix", 9: "inpainting"}


def check_channels(name: str, family: Family, denoiser: dict, vae: dict) -> None:
    """Refuse a denoiser whose channels are not those of the VAE's latents.

    Args:
        name: name of the checkpoint.
        family: its family.
        denoiser: the denoiser's config.
        vae: the VAE's config.

    Raises:
        Foreign: they differ; the sentence names the use that has so many.
    """
    latents = vae.get("latent_channels", 4)
    takes = denoiser.get("in_channels", 4)
    use = f", as for {_USES[takes]}" if takes in _USES and latents == 4 else ""
    if takes != latents:
        raise Foreign(
            f"'{quote(name)}' is not a text-to-image checkpoint: its {family.denoiser} takes {quote(takes)} "
            f"channels{use}, but the latents of its VAE have {quote(latents)}."
        )
    if family.denoiser == "unet" and (gives := denoiser.get("out_channels", 4)) != latents:
        raise Foreign(
            f"'{quote(name)}' cannot be sampled: its unet returns {quote(gives)} channels, but the latents of its VAE "
            f"have {quote(latents)}."
        )


def _tokenizer(text_encoder: str) -> str:
    return text_encoder.replace("text_encoder", "tokenizer")


def _known(part: str, said: Any) -> None:
    """Refuse a component that the index does not name, or names as of another library than the families' own."""
    names = isinstance(said, list) and len(said) == 2 and all(isinstance(word, str) for word in said)
    if not names or said[0] not in ("diffusers", "transformers"):
        raise ValueError(
            f"its model_index.json has {quote(said)} for the {part}, which is not a class of diffusers or transformers"
        )


def _whole(name: str, value: Any, least: int = 1, most: int = 10**9) -> None:
    if type(value) is not int or not least <= value <= most:
        raise ValueError(f"its {name} {quote(value)} is not a whole number from {least} to {most}")


def _wholes(name: str, values: Any, number: int = 0) -> list:
    if not isinstance(values, list) or not values or len(values) != (number or len(values)):
        raise ValueError(f"its {name} {quote(values)} is not a list of {number or 'some'} whole numbers")
    for value in values:
        _whole(name, value)
    return values


def _family(kind: str, folder: Path, name: str) -> Family:
    families = [family for family in FAMILIES.values() if family.pipeline == kind]
    if not families:
        served = ", ".join(dict.fromkeys(family.pipeline for family in FAMILIES.values()))
        raise ComparerError(f"'{name}' is a {quote(kind)}, which is not supported: {served} are.")
    if len(families) == 1:
        return families[0]
    denoiser = read_json(folder / families[0].denoiser / "config.json")
    matching = (family for family in families if family.matches and family.matches(denoiser))
    return next(matching, None) or next(family for family in families if not family.matches)


def read_json(path: Path) -> dict:
    """Load a config; ``OSError`` or ``ValueError`` if there is none."""
    return json.loads(path.read_text(encoding="utf-8"))
