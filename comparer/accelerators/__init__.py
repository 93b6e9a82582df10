"""The accelerators: their registry, how they are written and read, and the stack they are applied as."""

import ast
from dataclasses import asdict, fields

from comparer.accelerators.base import Accelerator, Report
from comparer.accelerators.deepcache import DeepCache
from comparer.accelerators.tome import ToMe
from comparer.errors import ComparerError

REGISTRY: dict[str, type[Accelerator]] = {kind.__name__: kind for kind in (DeepCache, ToMe)}

__all__ = ["REGISTRY", "Accelerator", "Report", "build", "from_json", "parse", "to_json"]


def build(name: str, parameters: dict) -> Accelerator:
    """Build an accelerator by name, upper and lower case alike.

    Raises:
        ComparerError: unknown name, unknown parameter, or a value out of range.
    """
    for known, kind in REGISTRY.items():
        if known.lower() == str(name).strip().lower():
            allowed = [item.name for item in fields(kind)]
            for parameter in parameters:
                if parameter not in allowed:
                    raise ComparerError(f"{known} has no parameter '{parameter}': it has {', '.join(allowed)}.")
            return kind(**parameters)
    raise ComparerError(f"There is no accelerator '{name}': choose one of {', '.join(REGISTRY)}.")


def parse(text: str) -> Accelerator:
    """Read ``DeepCache`` or ``DeepCache(interval=3, branch=0)``.

    Raises:
        ComparerError: it is not written like that, or as ``build`` says.
    """
    try:
        call = ast.parse(text.strip(), mode="eval").body
        if isinstance(call, ast.Name):
            return build(call.id, {})
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
            return build(call.func.id, {word.arg: ast.literal_eval(word.value) for word in call.keywords})
    except (SyntaxError, ValueError):
        pass
    raise ComparerError(f"'{text}' is not an accelerator: write it as DeepCache(interval=3).")


def to_json(accelerator: Accelerator) -> dict:
    """Return plain data: the name and the parameters."""
    return {"name": type(accelerator).__name__, **asdict(accelerator)}


def from_json(data: dict) -> Accelerator:
    """Build an accelerator from ``to_json``'s data; errors as ``build`` says."""
    parameters = dict(data)
    return build(parameters.pop("name", ""), parameters)
