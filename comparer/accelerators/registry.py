"""Registry of accelerators: find, parse and serialize them, and order them into a stack."""

import ast
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, fields
from typing import Any

from comparer.accelerators.base import Accelerator, Report
from comparer.accelerators.cutoff import GuidanceCutoff
from comparer.accelerators.deepcache import DeepCache
from comparer.accelerators.tgate import TGATE
from comparer.accelerators.tome import ToMe
from comparer.errors import ComparerError
from comparer.text import quote

LONGEST = 300  # characters of an arm: the fullest stack has fewer
REGISTRY: dict[str, type[Accelerator]] = {kind.title: kind for kind in (DeepCache, ToMe, TGATE, GuidanceCutoff)}

Usual = Callable[[type[Accelerator]], dict[str, Any]]

__all__ = [
    "REGISTRY", "Accelerator", "Report", "build", "build_stack", "find", "from_json", "parse", "parse_stack", "to_json",
]  # fmt: skip


def find(name: str) -> type[Accelerator]:
    """Return the accelerator class with this title or class name; case, spaces and hyphens do not matter.

    Raises:
        ComparerError: unknown name.
    """
    for title, kind in REGISTRY.items():
        if _plain(name) in (_plain(title), _plain(kind.__name__)):
            return kind
    raise ComparerError(f"There is no accelerator '{quote(name)}': choose one of {', '.join(REGISTRY)}.")


def build(name: str, parameters: dict[str, Any]) -> Accelerator:
    """Build an accelerator by name.

    Raises:
        ComparerError: unknown name, unknown parameter, or a value out of range.
    """
    kind = find(name)
    allowed = [item.name for item in fields(kind)]
    for parameter in parameters:
        if parameter not in allowed:
            raise ComparerError(f"{kind.title} has no parameter '{quote(parameter)}': it has {', '.join(allowed)}.")
    return kind(**parameters)


def build_stack(parts: Sequence[tuple[str, dict[str, Any]]]) -> tuple[Accelerator, ...]:
    """Build a stack in the order of application; missing parameters take their stacked defaults.

    Raises:
        ComparerError: as ``build``.
    """
    built = [build(name, (find(name).stacked if len(parts) > 1 else {}) | given) for name, given in parts]
    return tuple(sorted(built, key=lambda accelerator: accelerator.order))


def parse(text: str) -> Accelerator:
    """Parse ``DeepCache`` or ``DeepCache(interval=3, branch=0)``.

    Raises:
        ComparerError: invalid syntax, or as ``build``.
    """
    _short(text)
    return build(*_read(text))


def parse_stack(text: str, usual: Usual = lambda kind: {}) -> tuple[Accelerator, ...]:
    """Parse one accelerator or several: ``DeepCache(interval=3)+T-GATE(gate_step=10)``.

    Their order does not matter. In a stack of several, T-GATE's self-attention reuse is off unless requested.

    Args:
        text: as above.
        usual: returns a class's parameters that replace its defaults where the text sets none.

    Raises:
        ComparerError: as ``parse``.
    """
    _short(text)
    parts = [_read(part) for part in re.split(r"\+(?![^(]*\))", text)]
    return build_stack([(name, usual(find(name)) | given) for name, given in parts])


def to_json(accelerator: Accelerator) -> dict[str, Any]:
    """Return plain data: the name and the parameters."""
    return {"name": type(accelerator).__name__, **asdict(accelerator)}


def from_json(data: dict[str, Any]) -> Accelerator:
    """Build an accelerator from ``to_json``'s data; errors as ``build``."""
    parameters = dict(data)
    return build(parameters.pop("name", ""), parameters)


def _plain(name: str) -> str:
    return re.sub(r"[\W_]", "", str(name)).lower()


def _short(text: str) -> None:
    if len(text) > LONGEST:
        raise ComparerError(f"An accelerator has {len(text)} characters: at most {LONGEST} are allowed.")


def _read(text: str) -> tuple[str, dict[str, Any]]:
    if match := re.fullmatch(r"(\w[\w -]*)(\(.*\))?", text.strip()):
        try:
            call = ast.parse(f"_{match[2] or '()'}", mode="eval").body
            # A positional value, ** and a second pair of brackets are refused.
            if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and not call.args:
                given = [(word.arg or "**", ast.literal_eval(word.value)) for word in call.keywords]
                if len(dict(given)) < len(given):
                    raise ComparerError(f"'{quote(text)}' gives a parameter twice: give each parameter once.")
                return match[1].strip(), dict(given)
        except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
            pass
    raise ComparerError(f"'{quote(text)}' is not an accelerator: write it as DeepCache(interval=3).")
