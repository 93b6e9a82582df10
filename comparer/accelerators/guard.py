"""The safety net under every accelerator: whatever it did to the denoiser is undone, bit for bit."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

HOOK_TABLES = (
    "_forward_hooks",
    "_forward_hooks_with_kwargs",
    "_forward_hooks_always_called",
    "_forward_pre_hooks",
    "_forward_pre_hooks_with_kwargs",
    "_backward_hooks",
    "_backward_pre_hooks",
)
TENSORS = ("_parameters", "_buffers", "_modules")


@contextmanager
def guarded(module: Any) -> Iterator[None]:
    """Put every sub-module of ``module`` back on exit: its class, instance attributes and hook tables.

    Parameters and buffers are not copied (an accelerator has no business there) but the tables that name
    them, and the children, are restored.
    """
    before = [(part, part.__class__, _attributes(part), _tables(part)) for part in module.modules()]
    try:
        yield
    finally:
        for part, kind, attributes, tables in before:
            if part.__class__ is not kind:
                part.__class__ = kind
            for name in _attributes(part).keys() - attributes.keys():
                del part.__dict__[name]
            part.__dict__.update(attributes)
            for name, content in tables.items():
                table = part.__dict__[name]
                if dict(table) != content:
                    table.clear()
                    table.update(content)


def _attributes(part: Any) -> dict[str, Any]:
    return {k: v for k, v in part.__dict__.items() if k not in HOOK_TABLES and k not in TENSORS}


def _tables(part: Any) -> dict[str, dict]:
    return {name: dict(part.__dict__[name]) for name in (*HOOK_TABLES, *TENSORS)}
