"""Are all tensors there? A set of weights against the module that its configuration describes, built without data."""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.checkpoints.components import class_of
from comparer.checkpoints.fingerprint import ignored
from comparer.checkpoints.tensors import Tensor
from comparer.models.libraries import prepare

# What diffusers and transformers rename themselves when they load an older file.
_RENAMED = {"query": "to_q", "key": "to_k", "value": "to_v", "proj_attn": "to_out.0"}
_OLD = (
    (re.compile(r"^text_model\."), ""),
    *((re.compile(rf"(attentions\.\d+)\.{old}\."), rf"\1.{new}.") for old, new in _RENAMED.items()),
)


@dataclass(frozen=True)
class Keys:
    """How a file's tensors compare with those of its module.

    Attributes:
        wanted: tensors of the module; tied ones count once.
        missing: of these, names that the file has not; loading would leave them random.
        other_shape: names in both with another shape.
        unexpected: the file's names that the module has not.
    """

    wanted: int
    missing: tuple[str, ...] = ()
    other_shape: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()

    @property
    def whole(self) -> bool:
        """Whether nothing is missing or of another shape."""
        return not self.missing and not self.other_shape


def expected(config: dict[str, Any]) -> list[dict[str, tuple[int, ...]]] | None:
    """Return the tensors of the module that a component's configuration describes.

    Args:
        config: its ``config.json``.

    Returns:
        The shape by name of every tensor; tied ones in one dictionary. None where diffusers and transformers do not
        know the class, or cannot build it from this configuration.
    """
    prepare(scorer=False)
    import diffusers
    import torch
    import transformers

    library: Any = diffusers if "_class_name" in config else transformers
    kind: Any = getattr(library, class_of(config), None)
    try:
        with torch.device("meta"):
            built = kind.from_config if library is diffusers else _transformers(kind)
            module = built(config)
    except Exception:  # a damaged configuration fails in any way; whoever loads it says how
        return None
    tied: dict[int, dict[str, tuple[int, ...]]] = {}
    for name, value in module.state_dict(keep_vars=True).items():
        if not ignored(name):
            tied.setdefault(id(value), {})[_today(name)] = tuple(value.shape)
    return list(tied.values())


def _transformers(kind: Any) -> Any:
    return lambda config: kind(kind.config_class.from_dict(config))


def compare(tensors: Iterable[Tensor], config: dict[str, Any]) -> Keys | None:
    """Compare a set of weights with its module.

    Args:
        tensors: of one component, as ``look`` lists them.
        config: the component's ``config.json``.

    Returns:
        What is missing; None where the module is not known (``expected``).
    """
    wanted = expected(config)
    if wanted is None:
        return None
    have = {_today(tensor.name): tensor.shape for tensor in tensors if not ignored(tensor.name)}
    missing, other_shape, known = [], [], set()
    for names in wanted:
        known |= set(names)
        found = [name for name in names if name in have]
        if not found:
            missing.append(next(iter(names)))
        # 1×1 convolutions stand in some files where linear layers are now, and the other way round.
        other_shape += [name for name in found if _squeezed(have[name]) != _squeezed(names[name])]
    unexpected = tuple(name for name in have if name not in known)
    return Keys(len(wanted), tuple(missing), tuple(other_shape), unexpected)


def config_of(root: Path, component: str) -> dict[str, Any]:
    """Read a component's ``config.json`` in a pipeline's folder; {} where there is none that can be read."""
    try:
        read = json.loads((root / component / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return read if isinstance(read, dict) else {}


def _today(name: str) -> str:
    for old, new in _OLD:
        name = old.sub(new, name)
    return name


def _squeezed(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(length for length in shape if length != 1)
