"""Find checkpoints and read what they are: the catalogue, the hub's cache and local folders. No torch.

A folder may be read only inside the installation's checkpoint folders, symbolic links resolved.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG, DEMO, Model

SERVED = "StableDiffusionPipeline"


@dataclass(frozen=True)
class Checkpoint:
    """A checkpoint on this machine.

    Attributes:
        model: name, title, family and defaults.
        folder: the diffusers folder that is loaded.
        denoiser: the denoiser's ``config.json``.
        variant: the weight files' variant, None for the plain ones.
        revision: the hub's commit for a snapshot of the hub's cache, else "".
    """

    model: Model
    folder: Path
    denoiser: dict
    variant: str | None
    revision: str = ""

    def record(self) -> dict:
        """Return what ``run.json`` says of the weights: every file that is loaded, with its size in bytes."""
        ending = f".{self.variant}.safetensors" if self.variant else ".safetensors"
        files = {}
        for path in sorted(self.folder.rglob("*.safetensors")):
            part = path.relative_to(self.folder).parts[0]
            if part in ("unet", "vae", "text_encoder") and _chosen(path, ending):
                files[path.relative_to(self.folder).as_posix()] = path.stat().st_size
        return {
            "name": self.model.name,
            "title": self.model.title,
            "family": self.model.family,
            "variant": self.variant or "default",
            "revision": self.revision,
            "files": files,
        }


def _chosen(path: Path, ending: str) -> bool:
    """Say whether diffusers takes this file for the variant; a part without it falls back to the plain one."""
    if path.name.endswith(ending) and (ending != ".safetensors" or path.stem.count(".") == 0):
        return True
    return path.stem.count(".") == 0 and not any(path.parent.glob(f"*{ending}"))


def local_names(config: Config) -> list[str]:
    """List the diffusers folders under the checkpoint folders, newest first, as ``folder/name``."""
    found: dict[str, float] = {}
    for root in config.checkpoints:
        for index in (*root.glob("model_index.json"), *root.glob("*/model_index.json"), *root.glob("*/*/model_index.json")):  # fmt: skip # noqa: E501
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
        checkpoint = read_folder(DEMO, model.name)
        return Checkpoint(model, checkpoint.folder, checkpoint.denoiser, checkpoint.variant)
    from huggingface_hub import try_to_load_from_cache

    index = try_to_load_from_cache(model.source, "model_index.json")
    if not isinstance(index, str):
        raise ComparerError(
            f"{model.title} is not on this machine: fetch it with 'hf download {model.source}', "
            "or choose another checkpoint."
        )
    found = read_folder(Path(index).parent, model.name)
    return Checkpoint(model, found.folder, found.denoiser, found.variant, revision=found.folder.name)


def _local_folder(name: str, config: Config) -> Path:
    known = f"choose one of {', '.join(names(config))}"
    candidates = [root / Path(name).relative_to(root.name) for root in config.checkpoints if _under(name, root.name)]
    if Path(name).is_absolute() or name.startswith((".", "~")):
        candidates.append(Path(name).expanduser())
    folder = next((path.resolve() for path in candidates if path.is_dir()), None)
    roots = [root.resolve() for root in config.checkpoints]
    if folder and any(folder.is_relative_to(root) for root in roots):
        return folder
    if candidates and not any(path.resolve().is_relative_to(root) for path in candidates for root in roots):
        where = ", ".join(map(str, config.checkpoints)) or "none is set: start with --checkpoints DIR"
        raise ComparerError(f"'{name}' is outside the checkpoint folders ({where}).")
    raise ComparerError(f"There is no checkpoint '{name}': {known}.")


def _under(name: str, root: str) -> bool:
    return name == root or name.startswith(f"{root}/")


def read_folder(folder: Path, name: str) -> Checkpoint:
    """Read a diffusers folder's configuration.

    Raises:
        ComparerError: it is no diffusers checkpoint, its class is not served, or its weights are not there
            as safetensors.
    """
    index, unet = folder / "model_index.json", folder / "unet" / "config.json"
    if not index.is_file():
        raise ComparerError(f"'{name}' is no diffusers checkpoint: it has no model_index.json.")
    try:
        kind = json.loads(index.read_text(encoding="utf-8")).get("_class_name", "unnamed")
        if kind != SERVED:
            raise ComparerError(f"'{name}' is a {kind}: only {SERVED} is served so far.")
        denoiser = json.loads(unet.read_text(encoding="utf-8"))
        vae = json.loads((folder / "vae" / "config.json").read_text(encoding="utf-8"))
        size = denoiser["sample_size"] * 2 ** (len(vae["block_out_channels"]) - 1)
        family = "sd2" if denoiser["cross_attention_dim"] == 1024 else "sd1"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComparerError(f"'{name}' is a damaged checkpoint: {type(error).__name__}: {error}.") from error
    variants = [v for v in (None, "fp16") if _weights(folder / "unet", v) and _weights(folder / "vae", v)]
    if not variants:
        raise ComparerError(f"'{name}' has no safetensors weights for its U-Net and VAE: save them as safetensors.")
    model = Model(name, name, str(folder), family, size, guidance=7.5, min_size=64)
    return Checkpoint(model, folder, denoiser, variants[0])


def _weights(part: Path, variant: str | None) -> bool:
    middle = f".{variant}" if variant else ""
    names = ("diffusion_pytorch_model", "model")
    return any((part / f"{n}{middle}.safetensors{end}").is_file() for n in names for end in ("", ".index.json"))
