"""Comparer: measure, side by side, what a diffusion accelerator gains and what it costs.

``from comparer import Analysis, Config, build_request, compare`` is what a script needs;
``examples/`` has four.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from comparer.config import Config
    from comparer.engine.compare import compare
    from comparer.errors import ComparerError
    from comparer.request.build import build_request
    from comparer.request.request import Arm, Request, Settings
    from comparer.results.analysis import Analysis

__version__ = "0.1.0"
__all__ = ["Analysis", "Arm", "ComparerError", "Config", "Request", "Settings", "build_request", "compare"]

_HOMES = {
    "Analysis": "results.analysis",
    "Arm": "request.request",
    "ComparerError": "errors",
    "Config": "config",
    "Request": "request.request",
    "Settings": "request.request",
    "build_request": "request.build",
    "compare": "engine.compare",
}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used; importing ``comparer`` itself loads nothing."""
    if name in _HOMES:
        return getattr(import_module(f"comparer.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'comparer' has no attribute {name!r}")
