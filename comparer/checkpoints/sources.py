"""Sources of a pipeline's components: which files, which half of them, and why. No torch."""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from comparer.checkpoints import quantised
from comparer.checkpoints.base_configs import is_builtin
from comparer.checkpoints.files.components import DENOISERS, UNKNOWN, class_of, component_of
from comparer.checkpoints.files.foreign import adapter, folder_kind, other_autoencoder, tiny_autoencoder
from comparer.checkpoints.files.layout import Layout, Part, choose, rivals
from comparer.checkpoints.files.scan import look
from comparer.checkpoints.read import Checkpoint, read_json
from comparer.checkpoints.read import state as files_of
from comparer.errors import ComparerError, Foreign
from comparer.text import quote

VAES = ("AutoencoderKL", "AutoencoderTiny")


@dataclass(frozen=True)
class Source:
    """The weights of one component.

    Attributes:
        component: such as ``unet``.
        part: the set of weights.
        why: why these weights were chosen, a sentence.
        path: path of the checkpoint that the weights belong to.
        config: the folder of the component's config.
    """

    component: str
    part: Part
    why: str
    path: Path
    config: Path

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that the weights are read from."""
        return tuple(dict.fromkeys(Path(tensor.file) for tensor in self.part.tensors))


def sources(checkpoint: Checkpoint) -> dict[str, Source]:
    """Return the source of every component that has weights, in the pipeline's order.

    Weights that override a base take precedence over the base; a separate VAE takes precedence over both.

    Raises:
        ComparerError: files are damaged or refused, a component has no weights, or the requested half is missing.
    """
    family, half, within = checkpoint.family, checkpoint.weights.half, checkpoint.within
    frame, over = checkpoint.base or checkpoint.folder, checkpoint.overlay
    found = {}
    # The denoiser first: users mostly want to know about it.
    for component in checkpoint.parts:
        if component == "vae" and checkpoint.vae:
            found[component] = _own_vae(checkpoint, frame)
            continue
        wanted = half if component == family.denoiser else ""
        folder = checkpoint.folder if component == family.denoiser else frame
        source = _over(over, component, frame, within, half, wanted) if over else None
        if source is None and over and wanted:
            raise ComparerError(f"'{quote(over.name)}' has no {component}, so it has no {wanted} weights of it.")
        if source is None and is_builtin(frame):
            raise ComparerError(_lacking(over or frame, component))
        if source is None:
            own = "" if over else half  # the half is requested of the overriding weights, not of the base
            source = _of(seen(folder, within, checkpoint.parts), component, folder, folder, own, wanted)
        found[component] = source
    if over and not any(source.path == over for source in found.values()):
        held = ", ".join(dict.fromkeys(part.component for part in seen(over, within).parts))
        raise ComparerError(
            f"'{quote(over.name)}' contains only {quote(held)}, which a {family.title} does not have: choose another "
            "base."
        )
    for component, source in found.items():
        if (config := source.config / "config.json").is_file():
            quantised.check_config(component, source.path.name, read_json(config))
    return found


def _lacking(path: Path, component: str) -> str:
    """Say what a file in the original layout lacks, and what adds it."""
    called = {"vae": "VAE", "text_encoder": "text encoder", "text_encoder_2": "second text encoder"}
    ways = ("vae=…", "base=…") if component == "vae" else ("base=…",)
    return f"'{quote(path.name)}' has no {called.get(component, component)}; add {' or '.join(ways)}."


def seen(path: Path, within: tuple[Path, ...], only: Collection[str] = ()) -> Layout:
    """Scan a path; the result is cached while the files stay the same.

    Raises:
        ComparerError: as ``look``.
    """
    return _seen(path, within, tuple(only), files_of(path))


@lru_cache(maxsize=32)
def _seen(path: Path, within: tuple[Path, ...], only: tuple[str, ...], _state: tuple) -> Layout:
    return look(path, within, only)


def _over(over: Path, component: str, frame: Path, within: tuple[Path, ...], half: str, wanted: str) -> Source | None:
    layout = seen(over, within)
    named = component
    if not layout.of(component) and component in DENOISERS and layout.of(UNKNOWN):
        named = UNKNOWN
    if not layout.of(named):
        return None
    return _of(layout, named, over, frame, half, wanted, component)


def _of(layout: Layout, named: str, path: Path, frame: Path, half: str, wanted: str, component: str = "") -> Source:
    """Choose a component's weights; the half that was asked for must be there for the denoiser alone."""
    component = component or named
    if not layout.of(named) and (kind := folder_kind(path / component)):
        raise ComparerError(f"'{quote(path.name)}' has no weights of a {component} that can be read: {kind}.")
    known = any(part.half == half for part in layout.of(named))
    part, why = _only(layout, *choose(layout, named, wanted or (half if known else "")))
    return Source(component, part, why, path, _config(path, component, frame))


def _only(layout: Layout, part: Part, why: str) -> tuple[Part, str]:
    """Refuse to guess between sets of weights that nothing tells apart."""
    if others := rivals(layout, part):
        there = ", ".join(each.source for each in (part, *others))
        raise ComparerError(
            f"'{quote(Path(layout.path).name)}' has {len(others) + 1} sets of weights for its {part.component}, and "
            f"Comparer cannot choose between them: {quote(there, 200)}; name one file, or save one set alone."
        )
    return part, why


def _config(path: Path, component: str, frame: Path) -> Path:
    """Return where a component's configuration is: beside its weights, or else in the frame."""
    usual = frame / component
    if (path / component / "config.json").is_file():
        return path / component
    own = class_of(read_json(path / "config.json")) if (path / "config.json").is_file() else ""
    return path if own and component_of(own) == component else usual


def _own_vae(checkpoint: Checkpoint, frame: Path) -> Source:
    assert checkpoint.vae is not None
    path, within = checkpoint.vae, checkpoint.within
    folder = path / "vae" if (path / "vae").is_dir() else path
    layout = seen(folder, within)
    named = "vae" if layout.of("vae") else UNKNOWN
    if not layout.of(named):
        raise ComparerError(f"'{quote(path.name)}' has no autoencoder.")
    part, _ = _only(layout, *choose(layout, named))
    own = folder / "config.json"
    name = quote(path.name)
    if own.is_file():
        config = read_json(own)
        if (kind := class_of(config)) and kind not in VAES:
            raise ComparerError(f"The VAE '{name}' is an {kind}, which is not supported: {' and '.join(VAES)} are.")
        takes, gives = checkpoint.denoiser.get("in_channels", 4), config.get("latent_channels", 4)
        if takes != gives:
            raise Foreign(
                f"The VAE '{name}' has latents of {quote(gives)} channels, but the {checkpoint.family.denoiser} takes "
                f"{quote(takes)}: it belongs to another model."
            )
        levels = config.get("block_out_channels") or config.get("encoder_block_out_channels") or range(4)
        if (factor := 2 ** (len(levels) - 1)) != checkpoint.model.factor:
            raise Foreign(
                f"The VAE '{name}' reduces images {factor} times, but that of {checkpoint.model.title} "
                f"{checkpoint.model.factor} times: it belongs to another model."
            )
    elif kind := tiny_autoencoder(part.tensors):
        more = (
            "copy its config.json into the folder" if path.is_dir() else "name a folder that has its config.json, too"
        )
        raise ComparerError(f"'{name}' is {kind}, not a complete VAE; {more}.")
    elif kind := adapter(part.tensors) or other_autoencoder(part.tensors):
        raise ComparerError(f"'{name}' is {kind}, which is not supported as a VAE: {' and '.join(VAES)} are.")
    return Source("vae", part, "requested.", folder, folder if own.is_file() else frame / "vae")
