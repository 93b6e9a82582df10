"""Resolve checkpoint names: in the catalogue, in the Hub cache, in the checkpoint folders. No torch.

Only the installation's checkpoint folders are read, with symbolic links resolved.
"""

from dataclasses import replace
from pathlib import Path

from comparer.checkpoints import base_configs
from comparer.checkpoints.files import layout as kinds
from comparer.checkpoints.files.folders import inside
from comparer.checkpoints.files.foreign import adapter
from comparer.checkpoints.files.tensors import ENDINGS
from comparer.checkpoints.listing import YOURS, labelled, listing, unusable
from comparer.checkpoints.peek import FILE, LORA, PIPELINE, WEIGHTS
from comparer.checkpoints.read import Checkpoint, read_folder, with_config
from comparer.checkpoints.schedule_evidence import evidence, own_scheduler
from comparer.checkpoints.sources import seen, sources
from comparer.checkpoints.spec import Weights
from comparer.checkpoints.walk import nested
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models import hub
from comparer.models.catalog import CATALOG, DEMO
from comparer.models.families.base import Model
from comparer.models.families.registry import FAMILIES
from comparer.text import quote

FILES = ENDINGS
MOST_NAMED = 20  # in a sentence


def local_names(config: Config) -> list[str]:
    """List the pipelines in the checkpoint folders, as ``folder/name``, in the order of ``listing``."""
    return [entry.name for entry in listing(config).of((PIPELINE,), (YOURS,))]


def loose_names(config: Config) -> list[str]:
    """List single files, training outputs and LoRAs in the checkpoint folders, in the order of ``listing``."""
    return [entry.name for entry in listing(config).of((FILE, WEIGHTS, LORA), (YOURS,))]


def names(config: Config) -> list[str]:
    """List all available pipelines: the catalogue (only its demo if the Hub is off), then the local ones."""
    return [*(name for name in CATALOG if config.hub or name == "demo"), *local_names(config)]


def resolve(asked: str | Weights, config: Config) -> Checkpoint:
    """Resolve a checkpoint from its catalogue name, its listed local name or its path, with all requested weights.

    Raises:
        ComparerError: the checkpoint does not exist, is outside the checkpoint folders, is not on this machine, is not
            a checkpoint, is of an unsupported kind, or lacks what is requested.
    """
    weights = Weights(asked) if isinstance(asked, str) else asked
    name, roots = weights.checkpoint, tuple(root.resolve() for root in config.checkpoints)
    path = None if name in CATALOG else nested(resolve_path(name, config))
    over = path if path and (weights.base or not (path / "model_index.json").is_file()) else None
    if path and over is None:
        found = read_folder(path, name)
    elif path:
        found = _frame(path, weights, config, roots)
    elif weights.base:
        raise ComparerError(f"{CATALOG[name].title} is complete and takes no base: leave base= out.")
    else:
        found = _catalogued(name, config)
    vae = _vae(weights.vae, config) if weights.vae else None
    homes = [_home(folder) for folder in (found.folder, found.base, vae) if folder]
    within = (*roots, *homes)
    loras = tuple((_lora(nested(resolve_path(file, config, "LoRA")), within), weight) for file, weight in weights.loras)
    found = replace(found, weights=weights, overlay=over, vae=vae, loras=loras, within=within)
    for file in (file for sub in (found.base or found.folder).glob("tokenizer*") for file in (sub, *sub.glob("*"))):
        inside(file, within)  # diffusers reads them by itself
    if path or vae or weights.half:
        try:
            denoiser = sources(found)[found.family.denoiser]
        except ComparerError as error:
            raise ComparerError(f"'{quote(name)}' could not be loaded: {error}") from error
        if over and denoiser.config != found.folder / found.family.denoiser:
            found = with_config(found, denoiser.config, name)
    return found


def _frame(path: Path, weights: Weights, config: Config, roots: tuple[Path, ...]) -> Checkpoint:
    """Find what has the configurations, and the components that the weights at a path lack."""
    name = weights.checkpoint
    if what := unusable(path, roots):
        raise ComparerError(f"'{quote(name)}' is {what}.")
    layout = seen(path, roots)
    if kind := adapter(tensor for part in layout.parts for tensor in part.tensors):
        raise ComparerError(f"'{quote(name)}' is {kind}, which is not supported as a checkpoint.")
    if layout.kind == kinds.LORA:
        raise ComparerError(f"'{quote(name)}' is a LoRA: add it to a checkpoint, as in 'demo; lora={quote(name)}'.")
    fitting = _fitting(layout)
    if layout.kind == kinds.ORIGINAL and not weights.base:
        if layout.about == "Stable Diffusion" and fitting:
            raise ComparerError(
                f"'{quote(name)}' has no text encoder; add base=…, as in '{quote(name)}; base={fitting}'."
            )
        if layout.about == "Stable Diffusion":
            raise ComparerError(
                f"'{quote(name)}' has no text encoder, so its Stable Diffusion version is not known; add base=…, as in "
                f"'{quote(name)}; base={next(iter(FAMILIES.values())).models[0].name}'."
            )
        frame = base_configs.frame(layout.about)
        found = read_folder(frame.folder, name, words=base_configs.TOKENIZER)
        twin, kind = found.family.twin, weights.prediction or base_configs.prediction(layout)[0]
        size = twin.size if twin and kind == twin.prediction else found.model.size
        return replace(found, model=replace(found.model, title=f"{Path(name).name} ({layout.about})", size=size))
    if weights.base:
        base = _base(weights.base, config)
        evidence(layout, settled=bool(weights.prediction))  # refuses at the door
        own_scheduler(path, roots)
        title = f"{Path(name).name} over {base.model.title}"
        return replace(base, model=replace(base.model, name=name, title=title))
    held = ", ".join(dict.fromkeys(part.component for part in layout.parts))
    raise ComparerError(
        f"'{quote(name)}' is not a diffusers checkpoint: it has no model_index.json. It contains {quote(held)}; name "
        f"a checkpoint that has the rest, as in '{quote(name)}; base={fitting or 'demo'}'."
    )


def _fitting(layout: kinds.Layout) -> str:
    """Name the catalogue's first model whose U-Net reads text of the same width; "" if there is none."""
    tensors = [tensor for part in layout.parts for tensor in part.tensors]
    pooled = any(tensor.name.startswith(("label_emb.", "add_embedding.")) for tensor in tensors)
    widths = {t.shape[1] for t in tensors if t.name.endswith("attn2.to_k.weight") and len(t.shape) == 2}
    models = [model for family in FAMILIES.values() for model in family.models]
    return next(
        (
            model.name for model in models
            if bool(model.denoiser.get("addition_embed_type")) == pooled
            and (pooled or model.denoiser.get("cross_attention_dim") in widths)
        ),
        "",
    )  # fmt: skip


def _base(name: str, config: Config) -> Checkpoint:
    """Find a base: configurations at least; weights are looked for where those that lie over it have none."""
    if name in CATALOG:
        return _catalogued(name, config)
    path = resolve_path(name, config, "base")
    if not (path / "model_index.json").is_file():
        raise ComparerError(f"The base '{quote(name)}' is not a diffusers checkpoint: it has no model_index.json.")
    return read_folder(path, name)


def _catalogued(name: str, config: Config) -> Checkpoint:
    model = CATALOG[name]
    if not config.hub and name != "demo":
        raise ComparerError(
            f"{model.title} is a model of the hub, which this installation may not use: "
            f"choose one of {', '.join(names(config))}."
        )
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
    """Estimate the size of a catalogue model before the Hub is asked."""
    return f"about {model.gigabytes:g} GB in half precision"


def resolve_path(name: str, config: Config, what: str = "checkpoint") -> Path:
    """Return the file or folder of this name, inside the checkpoint folders.

    Raises:
        ComparerError: the path does not exist or is outside.
    """
    roots = [*labelled(config).items(), *((root.name, root) for root in config.checkpoints)]
    candidates = [root / Path(name).relative_to(label) for label, root in roots if _under(name, label)]
    try:
        if Path(name).is_absolute() or name.startswith((".", "~")):
            candidates.append(Path(name).expanduser())
        candidates = [path.resolve() for path in candidates]
        found = next((path for path in candidates if path.exists()), None)
    except (OSError, ValueError, RuntimeError):  # path too long, null character, or unknown user
        raise ComparerError(f"There is no {what} '{quote(name)}': {_known(config)}.") from None
    allowed = [root.resolve() for root in config.checkpoints]
    if found and any(found.is_relative_to(root) for root in allowed):
        return found
    if candidates and not any(path.is_relative_to(root) for path in candidates for root in allowed):
        where = ", ".join(map(str, config.checkpoints)) or "none is set: start with --checkpoints DIR"
        raise ComparerError(f"'{quote(name)}' is outside the checkpoint folders ({where}).")
    raise ComparerError(f"There is no {what} '{quote(name)}': {_known(config)}.")


def _known(config: Config) -> str:
    known = names(config)
    more = f" and {len(known) - MOST_NAMED} more (run 'checkpoints' to list them)" if len(known) > MOST_NAMED else ""
    return f"choose one of {', '.join(known[:MOST_NAMED])}{more}"


def locate(name: str, config: Config) -> tuple[Path, tuple[Path, ...]]:
    """Return where a catalogue model or a checkpoint of the checkpoint folders is, and the folders that may be read.

    Raises:
        ComparerError: the model is not on this machine; or as ``resolve_path``.
    """
    if name in CATALOG:
        found = resolve(name, config)
        return found.folder, found.within
    return nested(resolve_path(name, config)), tuple(root.resolve() for root in config.checkpoints)


def _under(name: str, root: str) -> bool:
    return name == root or name.startswith(f"{root}/")


def _vae(name: str, config: Config) -> Path:
    if name not in CATALOG:
        return resolve_path(name, config)
    found = _catalogued(name, config)
    return (found.base or found.folder) / "vae"


def _lora(path: Path, within: tuple[Path, ...]) -> Path:
    """Return a LoRA's file; of a folder, as diffusers' training scripts leave it, the one that is in it."""
    layout = seen(path, within)
    kind = adapter(tensor for part in layout.parts for tensor in part.tensors)
    if kind and layout.lora and (others := layout.lora.others):
        raise ComparerError(
            f"'{quote(path.name)}' is {kind}: it contains {len(others)} tensors that do not belong to a "
            f"LoRA ({quote(others[0])}), so it was not added."
        )
    if kind:
        why = "which is not supported" if kind.startswith("a LoRA for") else "not a LoRA"
        raise ComparerError(f"'{quote(path.name)}' is {kind}, {why}: it was not added.")
    files = {tensor.file for part in layout.parts for tensor in part.tensors}
    if layout.kind != kinds.LORA or len(files) != 1:
        raise ComparerError(
            f"'{quote(path.name)}' is not a LoRA."
            if len(files) == 1
            else f"'{quote(path.name)}' is not a single LoRA: name the LoRA's file."
        )
    return Path(files.pop())


def _home(folder: Path) -> Path:
    """Return what a folder's links may lead to: the hub's cache keeps the files of a snapshot beside it."""
    for parent in folder.parents:
        if parent.name == "snapshots" and parent.parent.name.startswith("models--"):
            return parent.parent
    return folder
