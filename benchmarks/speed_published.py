"""The speed-ups that others published for settings that ``accelerators.py`` can measure."""

from collections.abc import Mapping
from dataclasses import dataclass

from common import table

from comparer.accelerators.registry import Accelerator, parse_stack


@dataclass(frozen=True)
class Published:
    """One published figure.

    Attributes:
        model: a name of ``catalog.CATALOG``; its native size.
        steps: denoising steps.
        stack: the accelerators as the command line writes them.
        factor: baseline seconds / accelerated seconds, of the whole call.
        circumstances: their hardware, and what differs from or is missing in the setting.
        source: where it stands.
    """

    model: str
    steps: int
    stack: str
    factor: float
    circumstances: str
    source: str

    def accelerators(self) -> tuple[Accelerator, ...]:
        """Build the stack."""
        return parse_stack(self.stack)


_DEEPCACHE = "https://github.com/horseee/DeepCache, README"
_DOCS = "https://huggingface.co/docs/diffusers/optimization/deepcache"
_TOME = "https://github.com/dbolya/tomesd, README"
_TGATE_1 = "https://github.com/HaozheLiu-ST/T-GATE, tag 0.1.0, README"
_TGATE_2 = "https://github.com/HaozheLiu-ST/T-GATE, README"
_V1 = "GTX 1080 Ti, gate taken from the README; the MACs published with it fit a gate near step 5"

PUBLISHED = (
    Published("sd-1.5", 50, "DeepCache(interval=5)", 2.3, "GPU and interval not stated (its example: 5)", _DEEPCACHE),
    Published("sd-1.5", 50, "ToMe(ratio=0.5)", 1.87, "RTX 4090, float16, before torch had fused attention", _TOME),
    Published("sd-1.5", 25, "T-GATE(gate_step=10, sp_interval=1, warm_up=0)", 1.63, _V1, _TGATE_1),
    Published("sd-2.1", 50, "DeepCache(interval=3)", 2.33, "RTX A5000", _DOCS),
    Published("sd-2.1", 50, "DeepCache(interval=5)", 3.21, "RTX A5000", _DOCS),
    Published("sd-2.1", 25, "T-GATE(gate_step=10, sp_interval=1, warm_up=0)", 1.63, _V1, _TGATE_1),
    Published("sdxl", 50, "DeepCache(interval=3)", 2.61, "GPU and interval not stated (its example: 3)", _DEEPCACHE),
    Published("sdxl", 25, "DeepCache(interval=3)", 2.67, "GTX 1080 Ti, interval not stated", _TGATE_2),
    Published("sdxl", 25, "T-GATE(gate_step=10)", 1.68, "GTX 1080 Ti", _TGATE_2),
    Published("sdxl", 25, "DeepCache(interval=3)+T-GATE(gate_step=10)", 3.63, "GTX 1080 Ti", _TGATE_2),
    Published("pixart-alpha-1024", 25, "T-GATE(gate_step=15, sp_interval=3)", 1.68, "GTX 1080 Ti", _TGATE_2),
    Published("pixart-sigma-1024", 25, "T-GATE(gate_step=15, sp_interval=3)", 1.66, "GTX 1080 Ti", _TGATE_2),
)

Key = tuple[str, int, tuple[Accelerator, ...]]


def beside(ours: Mapping[Key, float], models: set[str] | None = None) -> str:
    """Write a table of theirs, ours and ours / theirs.

    Args:
        ours: measured speed-ups of the whole call by (model, steps, stack).
        models: which models' figures; None for all.
    """
    rows = []
    for item in PUBLISHED:
        if models is None or item.model in models:
            mine = ours.get((item.model, item.steps, item.accelerators()))
            measured = ("not measured", "–") if mine is None else (f"{mine:.2f}×", f"{mine / item.factor:.2f}")
            told = [item.model, str(item.steps), item.stack, f"{item.factor:.2f}×", *measured]
            rows.append([*told, item.circumstances, item.source])
    return table(("model", "steps", "stack", "theirs", "ours", "ours / theirs", "their circumstances", "source"), rows)
