"""The samplers: the names people know, and the diffusers classes behind them. No torch."""

from dataclasses import dataclass, field
from typing import Any

from comparer.errors import ComparerError


@dataclass(frozen=True)
class Sampler:
    """A diffusers scheduler class, built with ``from_config`` from the checkpoint's own scheduler."""

    class_name: str
    arguments: dict = field(default_factory=dict)


SAMPLERS: dict[str, Sampler] = {
    "DDIM": Sampler("DDIMScheduler"),
    "PNDM": Sampler("PNDMScheduler", {"skip_prk_steps": True}),
    "Euler": Sampler("EulerDiscreteScheduler"),
    "Euler a": Sampler("EulerAncestralDiscreteScheduler"),
    "DPM++ 2M": Sampler("DPMSolverMultistepScheduler"),
    "DPM++ 2M Karras": Sampler("DPMSolverMultistepScheduler", {"use_karras_sigmas": True}),
}


def find(name: str) -> Sampler:
    """Return the sampler of this name, upper and lower case alike.

    Raises:
        ComparerError: no sampler has this name.
    """
    for known, sampler in SAMPLERS.items():
        if known.lower() == name.strip().lower():
            return sampler
    raise ComparerError(f"There is no sampler '{name}': choose one of {', '.join(SAMPLERS)}.")


def scheduler(name: str, config: dict) -> Any:
    """Build the scheduler for a checkpoint's scheduler configuration (prediction type, betas, spacing)."""
    import diffusers

    sampler = find(name)
    # A checkpoint saved with Karras sigmas must not lend them to the plain sampler of the same class.
    plain = {"use_karras_sigmas": False} if "use_karras_sigmas" in config else {}
    return getattr(diffusers, sampler.class_name).from_config(config, **{**plain, **sampler.arguments})
