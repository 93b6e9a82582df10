"""Restore the denoiser bit for bit after any accelerator."""

from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CONTAINERS = (dict, OrderedDict, list, set)


@contextmanager
def guarded(module: Any) -> Iterator[None]:
    """Restore every sub-module of ``module`` on exit: its class, its attributes, and the contents of their containers.

    Containers are the tables of hooks, children, parameters and buffers, and any other plain dict, list or set:
    the same object gets its former entries. Tensors are not copied: an accelerator must not change them.

    Accelerate's offloading keeps ``forward``, ``_old_forward`` and ``_hf_hook`` in the modules and swaps
    parameters for placeholders; all are restored to their state before the call. The hook objects belong to accelerate
    and keep their state. The registry of diffusers' hooks is restored like a module.
    """
    before = [(part, part.__class__, _state(part)) for part in module.modules()]
    registries = [(registry, _state(registry)) for part, *_ in before if (registry := _registry(part)) is not None]
    try:
        yield
    finally:
        for part, kind, state in before:
            if part.__class__ is not kind:
                part.__class__ = kind
            _put_back(part, state)
        for registry, state in registries:
            _put_back(registry, state)


def _registry(part: Any) -> Any:
    return part.__dict__.get("_diffusers_hook")


def _state(thing: Any) -> dict[str, tuple[Any, Any]]:
    """Remember every attribute, and a copy of its entries where it is a container."""
    return {
        name: (value, value.copy() if type(value) in CONTAINERS else None) for name, value in thing.__dict__.items()
    }


def _put_back(thing: Any, state: dict[str, tuple[Any, Any]]) -> None:
    for name in thing.__dict__.keys() - state.keys():
        del thing.__dict__[name]
    for name, (value, entries) in state.items():
        if entries is not None:
            value.clear()
            (value.extend if isinstance(value, list) else value.update)(entries)
        thing.__dict__[name] = value
