"""Group a file's tensors into sets of weights: EMA or raw, key, training-wrapper prefixes removed. No torch.

A file may hold several: a dictionary with ``generator`` and ``generator_ema``, an original-layout checkpoint with a
``model_ema.`` half, a shadow list beside a state dictionary.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from comparer.checkpoints.files.tensors import Stored, Tensor

EMA, RAW, UNKNOWN = "ema", "raw", ""
BESIDE = "it is beside the EMA weights"

_EMA = re.compile(r"(^|[_.-])(ema(?:_?only)?|shadow|averaged)(?=$|[_.\d-])", re.IGNORECASE)
_RAW = re.compile(r"(^|[_.-])(non|no|not)[_-]?ema(?=$|[_.-])|(^|[_.-])(raw|online)(?=$|[_.-])", re.IGNORECASE)
_EMA_PREFIX = re.compile(r"((?:\w+_)?ema(?:_\w+)?)\.", re.IGNORECASE)
_RAW_PREFIX = re.compile(r"(online_model)\.", re.IGNORECASE)
# Anywhere in a name: torch.compile, FSDP and activation checkpointing wrap modules one by one.
_INSIDE = re.compile(r"(?:(?<=\.)|^)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
# Prefixes of weight averaging; they precede the wrapped module's.
_COUNTERS = ("n_averaged", "num_updates", "decay", "initted", "step")
# Only where every other name has it.
_LEADING = ("module.", "model.diffusion_model.", "first_stage_model.",
            "model.", "unet.", "generator.", "_forward_module.", "ema_model.",
            "text_model.")  # fmt: skip


@dataclass(frozen=True)
class Group:
    """One set of weights of a file.

    Attributes:
        key: key of the dictionary, nested keys joined by dots; "" at the top of the file.
        half: "ema", "raw", or "" if unknown.
        how: what indicates the half, as a part of a sentence; "" if nothing does.
        stripped: the prefixes removed from the names, in order.
        tensors: with the names that the model uses.
        named: False for a list of EMA shadows, whose names are numbers.
    """

    key: str
    half: str
    how: str
    stripped: tuple[str, ...]
    tensors: tuple[Tensor, ...]
    named: bool = True


def half_of(name: str) -> str:
    """Return the half that a key or file name indicates: "ema", "raw", or "" if unknown.

    >>> half_of("generator_ema"), half_of("unet.non_ema"), half_of("schema"), half_of("ema_0.9999")
    ('ema', 'raw', '', 'ema')
    """
    if _RAW.search(name):
        return RAW
    return EMA if _EMA.search(name) else UNKNOWN


def groups(stored: Stored) -> tuple[Group, ...]:
    """Group a file's tensors into sets of weights, in the file's order."""
    under: dict[tuple[str, ...], list[Tensor]] = {}
    for tensor in stored.tensors:
        under.setdefault(tensor.keys[:-1], []).append(tensor)
    found: list[Group] = []
    for keys, tensors in under.items():
        key = ".".join(keys)
        listed = bool(keys) and [tensor.keys[-1] for tensor in tensors] == [str(i) for i in range(len(tensors))]
        half, how = half_of(key), f"the dictionary's key '{key}'"
        if half == UNKNOWN:
            half, how = half_of(Path(stored.path).stem), f"the file's name '{Path(stored.path).name}'"
        found += _split(Group(key, half, how if half else "", (), tuple(tensors), not listed))
    return _beside(tuple(_stripped(group) for group in found))


def _split(group: Group) -> list[Group]:
    """Take apart an EMA half that shares one dictionary with the raw one, by its prefix."""
    prefixes: dict[str, list[Tensor]] = {}
    for tensor in group.tensors:
        found = _EMA_PREFIX.match(tensor.name) or _RAW_PREFIX.match(tensor.name)
        prefixes.setdefault(found[1] if found else "", []).append(tensor)
    if not group.named or set(prefixes) == {""}:
        return [group]
    raw = [t for prefix, inside in prefixes.items() if not prefix or _RAW_PREFIX.match(f"{prefix}.") for t in inside]
    halves = []
    if raw:
        halves.append(replace(group, tensors=tuple(_without(raw, "online_model."))))
    for prefix, inside in prefixes.items():
        if prefix and not _RAW_PREFIX.match(f"{prefix}."):
            named = _undotted(_without(inside, f"{prefix}."), raw)
            how = f"names that begin with '{prefix}.'"
            halves.append(replace(group, half=EMA, how=how, stripped=(f"{prefix}.",), tensors=tuple(named)))
    return halves


def _without(tensors: Iterable[Tensor], prefix: str) -> list[Tensor]:
    return [replace(tensor, name=tensor.name.removeprefix(prefix)) for tensor in tensors]


def _undotted(tensors: Sequence[Tensor], raw: Sequence[Tensor]) -> list[Tensor]:
    """Give names back their dots: the EMA of the original code leaves them out, and "model." before them."""
    dotted: dict[str, str] = {}
    for tensor in raw:
        if tensor.name.startswith("model."):
            dotted[tensor.name.removeprefix("model.").replace(".", "")] = tensor.name
    return [replace(tensor, name=dotted.get(tensor.name, tensor.name)) for tensor in tensors]


def _stripped(group: Group) -> Group:
    """Take off the prefixes of training wrappers; a LoRA's prefixes say what it is for, and stay."""
    if not group.named or any("lora" in tensor.name.lower() for tensor in group.tensors):
        return group
    names = [tensor.name for tensor in group.tensors]
    taken = list(group.stripped)
    while True:
        if wrappers := sorted({found[1] for name in names if (found := _INSIDE.search(name))}):
            taken += [f"{wrapper}." for wrapper in wrappers]
            names = [_INSIDE.sub("", name) for name in names]
        weights = [name for name in names if name not in _COUNTERS]
        leading = next((prefix for prefix in _LEADING if weights and all(n.startswith(prefix) for n in weights)), "")
        if not leading:
            break
        taken.append(leading)
        names = [name.removeprefix(leading) for name in names]
    if len(set(names)) < len(names):  # two wrappers around the same names: only the stored ones tell them apart
        return group
    tensors = tuple(replace(tensor, name=name) for tensor, name in zip(group.tensors, names, strict=True))
    return replace(group, stripped=tuple(dict.fromkeys(taken)), tensors=tensors)


def _beside(found: tuple[Group, ...]) -> tuple[Group, ...]:
    """Call weights raw that stand beside an EMA half in the same file."""
    emas = [group for group in found if group.half == EMA]
    if not emas:
        return found
    said = emas[0].key or emas[0].how
    how = f"{BESIDE} ({said})"
    return tuple(replace(group, half=RAW, how=how) if group.half == UNKNOWN else group for group in found)
