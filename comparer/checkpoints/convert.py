"""Convert a component's tensors to the names of its diffusers or transformers module, one tensor at a time.

Names in the original layout of Stable Diffusion are translated by diffusers' own converters. The converters run on
stand-ins without data first, which shows how tensors map and which are dropped before any tensor is read.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from types import SimpleNamespace
from typing import Any

from comparer.checkpoints.files.components import class_of
from comparer.checkpoints.files.layout import Part
from comparer.checkpoints.files.tensors import Tensor
from comparer.errors import ComparerError
from comparer.models.libraries import prepare
from comparer.text import quote

# In files, but no weights of the module: counters, and constants that the module makes itself.
_BOOKKEEPING = re.compile(r"(^|\.)(position_ids|logit_scale|attn_mask|num_updates|decay|v_pred|ztsnr)$")
# What marks the original names of a component, and what the names began with in the whole file.
_ORIGINAL = {
    "unet": (re.compile(r"(input_blocks|middle_block|output_blocks)\."), "model.diffusion_model."),
    "vae": (re.compile(r"(encoder\.(down|mid)|decoder\.(up|mid))\."), "first_stage_model."),
    # SDXL's prefix for SD 2.x as well: under its own, the converter leaves out layer 23 of whatever model.
    "text": (re.compile(r"(transformer\.resblocks|ln_final)\."), "conditioner.embedders.1.model."),
}
_LAYER = re.compile(r"transformer\.resblocks\.(\d+)\.")


@dataclass(frozen=True)
class _Move:
    """One stored tensor: the names and shapes it gives, and what makes these of its values."""

    tensor: Tensor
    gives: dict[str, tuple[int, ...]]
    make: Callable[[Any], dict[str, Any]]


@dataclass(frozen=True)
class Fit:
    """How a set of weights fits a module.

    Attributes:
        moves: conversions that produce the fitting tensors.
        missing: names of the module that have no source; tied weights are listed under one name.
        unexpected: stored names that have no target in the module.
        misshaped: names of the module whose source has another shape, with both shapes.
    """

    moves: tuple[_Move, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshaped: dict[str, str]

    def values(self, read: Callable[[Tensor], Any], wanted: dict[str, Any]) -> Iterator[tuple[str, Any]]:
        """Yield every fitting tensor under the module's name, in the module's shape and the stored dtype.

        Args:
            read: from ``tensors.reading``, which must stay open while tensors are taken.
            wanted: the module's ``state_dict``.
        """
        for move in self.moves:
            for name, value in move.make(read(move.tensor)).items():
                if name in wanted and name not in self.misshaped:
                    yield name, value.reshape(wanted[name].shape)


def fit(part: Part, config: dict[str, Any], target: Any) -> Fit:
    """Match a component's tensors with its module before any tensor is read.

    Tensors without a place in the module are skipped: bookkeeping, the last layer of an OpenCLIP encoder where the
    config ends one layer earlier (SD 2.x), and a text projection where the module has none.

    Args:
        part: a part of a layout.
        config: the component's ``config.json``, in the format of diffusers or transformers.
        target: the component's module, as built by ``module``.

    Raises:
        ComparerError: the names are unknown, two names map to the same tensor, or diffusers' converter fails.
    """
    if not part.named:
        raise ComparerError(f"{quote(part.source, 200)} is a list without tensor names, so it cannot be loaded.")
    wanted = target.state_dict(keep_vars=True)
    moves = _moves(part, config, target)
    given = {name: shape for move in moves for name, shape in move.gives.items()}
    if twice := [name for name, count in Counter(name for move in moves for name in move.gives).items() if count > 1]:
        raise ComparerError(f"{quote(part.source, 200)} contains {len(twice)} tensors twice ({quote(twice[0])}).")
    there = {id(wanted[name]) for name in given if name in wanted}
    return Fit(
        tuple(moves),
        tuple(name for name, value in wanted.items() if id(value) not in there and not _BOOKKEEPING.search(name)),
        tuple(move.tensor.stored for move in moves if not any(name in wanted for name in move.gives)),
        {
            name: f"{_size(shape)} instead of {_size(wanted[name].shape)}"
            for name, shape in given.items()
            if name in wanted and _plain(shape) != _plain(wanted[name].shape)
        },
    )


def module(config: dict[str, Any], class_name: str = "", empty: bool = True) -> Any:
    """Build the module of a config; with ``empty``, its weights have names and shapes but use no memory.

    Args:
        config: the component's ``config.json``.
        class_name: class to build instead of the one named in the config.
        empty: if False, initialize random weights.

    Raises:
        ComparerError: diffusers and transformers have no such model class.
    """
    prepare(scorer=False)
    import diffusers
    import transformers
    from accelerate import init_empty_weights
    from huggingface_hub.errors import StrictDataclassError

    name = class_name or class_of(config)
    library, base = (diffusers, "ModelMixin") if "_class_name" in config else (transformers, "PreTrainedModel")
    kind: Any = getattr(library, name, None)
    known = isinstance(kind, type) and issubclass(kind, getattr(library, base))
    if not known:
        raise ComparerError(f"A configuration names the class '{quote(name)}', which {library.__name__} does not have.")
    # Buffers that no file holds are computed, so they need memory.
    with init_empty_weights(include_buffers=False) if empty else nullcontext():
        try:
            made = kind.from_config(config) if library is diffusers else kind(kind.config_class.from_dict(config))
        except StrictDataclassError as error:  # transformers' own exception, not derived from Python's
            raise ComparerError(f"The configuration of a {quote(name)} is damaged: {quote(error, 200)}.") from error
    return tied(made).eval()


def tied(made: Any) -> Any:
    """Restore the weight tying of a module."""
    if hasattr(made, "tie_weights"):
        made.tie_weights()
    return made


def _kind(part: Part) -> str:
    for kind, (mark, _) in _ORIGINAL.items():
        if any(mark.match(tensor.name) for tensor in part.tensors):
            return kind
    return ""


def _moves(part: Part, config: dict[str, Any], target: Any) -> list[_Move]:
    kind = _kind(part)
    tensors = [tensor for tensor in part.tensors if not _BOOKKEEPING.search(tensor.name)]
    wanted = set(target.state_dict())
    try:
        if kind == "text":
            moves = [_open_clip(tensor, config) for tensor in tensors if _used(tensor, config)]
        elif kind:
            moves = _converted(kind, tensors, config)
        else:
            moves = [_Move(t, {t.name: t.shape}, partial(_as, t.name, t.shape)) for t in tensors]
    except (LookupError, AttributeError, TypeError, ValueError, RuntimeError) as error:
        said = f"it lacks {quote(error)}" if isinstance(error, KeyError) else quote(error, 200)
        raise ComparerError(f"{quote(part.source, 200)} cannot be converted as a {part.component}: {said}.") from error
    old = {name: name for move in moves for name in move.gives}
    if hasattr(target, "_fix_state_dict_keys_on_load"):  # a VAE of 2022 says query, key, value, proj_attn
        target._fix_state_dict_keys_on_load(old)
    new = {before: _fitting(after, wanted) for after, before in old.items()}
    moves = [_renamed(move, new) for move in moves]
    projection = {"text_projection.weight"} - wanted
    return [move for move in moves if not projection & set(move.gives)]


def _as(name: str, shape: tuple[int, ...], value: Any) -> dict[str, Any]:
    return {name: value.reshape(shape)}


def _renamed(move: _Move, new: dict[str, str]) -> _Move:
    gives = {new[name]: shape for name, shape in move.gives.items()}
    return _Move(move.tensor, gives, lambda value: {new[name]: made for name, made in move.make(value).items()})


def _fitting(name: str, wanted: set[str]) -> str:
    """Return the module's name of a tensor: versions of transformers differ in the prefix of CLIP's text encoder."""
    bare = name.removeprefix("text_model.")
    return next((known for known in (name, bare, f"text_model.{bare}") if known in wanted), name)


def _converted(kind: str, tensors: list[Tensor], config: dict[str, Any]) -> list[_Move]:
    """Convert a U-Net or a VAE: the converters give every tensor one name, and may drop dimensions of 1."""
    import torch
    from diffusers.loaders import single_file_utils as converters

    convert = converters.convert_ldm_unet_checkpoint if kind == "unet" else converters.convert_ldm_vae_checkpoint
    prefix = _ORIGINAL[kind][1]
    # Every value of a stand-in is its tensor's number; the stand-in uses no memory.
    numbered = {prefix + t.name: torch.tensor(number).expand(t.shape) for number, t in enumerate(tensors)}
    moves, left = [], set(range(len(tensors)))
    for name, value in convert(numbered, config=config).items():
        if value is None:  # requested, but missing
            continue
        number, shape = int(value[(0,) * value.dim()]), tuple(value.shape)
        left.discard(number)
        moves.append(_Move(tensors[number], {name: shape}, partial(_as, name, shape)))
    # Tensors that a converter skips keep their names and are reported as unknown.
    return moves + [_Move(t, {t.name: t.shape}, partial(_as, t.name, t.shape)) for t in (tensors[i] for i in left)]


def _open_clip(tensor: Tensor, config: dict[str, Any]) -> _Move:
    """Convert one tensor of an OpenCLIP text encoder; joined query, key and value give three."""
    import torch
    from diffusers.loaders.single_file_utils import convert_open_clip_checkpoint

    model = SimpleNamespace(config=SimpleNamespace(hidden_size=config["hidden_size"]))
    prefix = _ORIGINAL["text"][1]

    def make(value: Any) -> dict[str, Any]:
        return convert_open_clip_checkpoint(model, {prefix + tensor.name: value}, prefix=prefix)

    gives = make(torch.empty(tensor.shape, device="meta"))
    if not gives:
        return _Move(tensor, {tensor.name: tensor.shape}, partial(_as, tensor.name, tensor.shape))
    return _Move(tensor, {name: tuple(value.shape) for name, value in gives.items()}, make)


def _used(tensor: Tensor, config: dict[str, Any]) -> bool:
    """Say whether a tensor is none of the one layer behind the configuration's last."""
    found = _LAYER.match(tensor.name)
    return not found or int(found[1]) != config["num_hidden_layers"]


def _size(shape: Any) -> str:
    return "×".join(map(str, shape)) or "one number"


def _plain(shape: Any) -> tuple[int, ...]:
    """Return a shape without the ones at its end: 1×1 convolutions are stored as matrices, and the other way."""
    sizes = list(shape)
    while sizes and sizes[-1] == 1:
        sizes.pop()
    return tuple(sizes)
