"""Samplers: their common names and the diffusers classes that implement them. No torch."""

import inspect
from dataclasses import dataclass, field
from typing import Any

from comparer.errors import ComparerError
from comparer.models.families.base import Family
from comparer.text import quote


@dataclass(frozen=True)
class Sampler:
    """A diffusers scheduler class, built with ``from_config`` from the checkpoint's own scheduler.

    Attributes:
        class_name, arguments: the class, and its arguments beside the checkpoint's schedule.
        order: denoiser evaluations per step; Heun makes one evaluation fewer in total.
        distilled: only for models distilled for this sampler.
    """

    class_name: str
    arguments: dict = field(default_factory=dict)
    order: int = 1
    distilled: bool = False


_DPM = {"algorithm_type": "dpmsolver++", "solver_order": 2}
SAMPLERS: dict[str, Sampler] = {
    "DDIM": Sampler("DDIMScheduler"),
    "PNDM": Sampler("PNDMScheduler", {"skip_prk_steps": True}),
    "Euler": Sampler("EulerDiscreteScheduler"),
    "Euler a": Sampler("EulerAncestralDiscreteScheduler"),
    "DPM++ 2M": Sampler("DPMSolverMultistepScheduler", _DPM),
    "DPM++ 2M Karras": Sampler("DPMSolverMultistepScheduler", {**_DPM, "use_karras_sigmas": True}),
    "DPM++ 2M SDE Karras": Sampler(
        "DPMSolverMultistepScheduler", {**_DPM, "algorithm_type": "sde-dpmsolver++", "use_karras_sigmas": True}
    ),
    "UniPC": Sampler("UniPCMultistepScheduler"),
    "Heun": Sampler("HeunDiscreteScheduler", order=2),
    "LCM": Sampler("LCMScheduler", distilled=True),
}

# Schedulers of diffusers that share the betas of a discrete schedule: the samplers above can follow their configs.
KNOWN = (
    *dict.fromkeys(sampler.class_name for sampler in SAMPLERS.values()), "DDPMScheduler", "LMSDiscreteScheduler",
    "DPMSolverSinglestepScheduler", "DPMSolverSDEScheduler", "KDPM2DiscreteScheduler",
    "KDPM2AncestralDiscreteScheduler", "DEISMultistepScheduler", "SASolverScheduler", "TCDScheduler",
    "DDIMParallelScheduler", "DDPMParallelScheduler", "DDIMInverseScheduler",
)  # fmt: skip


def foreign(config: dict, listed: Any = None) -> str:
    """Return why a scheduler config cannot be followed, as the end of a sentence; "" if it can.

    Args:
        config: a checkpoint's scheduler config.
        listed: the class that ``model_index.json`` names.

    >>> foreign({"_class_name": "FlowMatchEulerDiscreteScheduler"})
    'was trained for flow matching (its scheduler is FlowMatchEulerDiscreteScheduler), which is not supported'
    >>> foreign({"_class_name": "PNDMScheduler"}, "PNDMScheduler")
    ''
    """
    unknown = [quote(kind) for kind in (config.get("_class_name"), listed) if kind is not None and kind not in KNOWN]
    told = f"its scheduler is {unknown[0]}" if unknown else ""
    flow = ("use_flow_sigmas", "use_dynamic_shifting")
    told = told or next((f"its scheduler's config has {name}" for name in flow if config.get(name)), "")
    if not told and str(config.get("prediction_type", "")).startswith("flow"):
        told = f"its prediction_type is {quote(config['prediction_type'])}"
    if told and (not unknown or "Flow" in told):
        return f"was trained for flow matching ({told}), which is not supported"
    if not told and config.get("timestep_type") == "continuous":
        told = "its scheduler's timestep_type is continuous"
        return f"was trained for EDM's noise levels ({told}), which are not supported"
    if "EDM" in told:
        return f"was trained for EDM's noise levels ({told}), which are not supported"
    return f"has an unknown schedule ({told})" if told else ""


def canonical(name: str) -> str:
    """Return the sampler's listed name; case does not matter.

    Raises:
        ComparerError: no sampler has this name.
    """
    for known in SAMPLERS:
        if known.lower() == name.strip().lower():
            return known
    raise ComparerError(f"There is no sampler '{quote(name)}': choose one of {', '.join(SAMPLERS)}.")


def find(name: str) -> Sampler:
    """Return the sampler with this name; errors as ``canonical``."""
    return SAMPLERS[canonical(name)]


def named(config: dict) -> str:
    """Return the sampler name of a checkpoint's scheduler config; DDIM if none matches."""
    karras, kind = bool(config.get("use_karras_sigmas")), config.get("_class_name")
    for name, sampler in SAMPLERS.items():
        if sampler.class_name == kind and karras == ("use_karras_sigmas" in sampler.arguments):
            return name
    return next((name for name, sampler in SAMPLERS.items() if sampler.class_name == kind), "DDIM")


def evaluations(name: str, steps: int) -> int:
    """Count the denoiser evaluations for a number of steps n: Heun makes 2n − 1, PNDM n + 1, the others n.

    >>> [evaluations(name, 25) for name in ("DDIM", "Heun", "PNDM")]
    [25, 49, 26]
    """
    return {"Heun": 2 * steps - 1, "PNDM": steps + 1}.get(canonical(name), steps)


def callback_steps(name: str, steps: int, family: Family) -> int:
    """Count the steps that a family's pipeline reports: evaluations, or whole steps without ``on_step_end``."""
    return evaluations(name, steps) if family.on_step_end else steps


def scheduler(name: str, config: dict) -> Any:
    """Build the scheduler for a checkpoint's scheduler config (prediction type, betas, spacing)."""
    import diffusers

    sampler = find(name)
    # A checkpoint saved with Karras sigmas must not pass them on to the plain sampler of the same class.
    plain = {"use_karras_sigmas": False} if "use_karras_sigmas" in config else {}
    # DDIM clips by default, which is meant for pixels: latents reach further than −1 to 1.
    plain |= {} if "clip_sample" in config else {"clip_sample": False}
    built = getattr(diffusers, sampler.class_name)
    known = inspect.signature(built.__init__).parameters
    return built.from_config(config, **{**{k: v for k, v in plain.items() if k in known}, **sampler.arguments})
