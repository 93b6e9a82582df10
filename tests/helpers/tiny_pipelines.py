"""Tiny pipelines of every family, and one call of them with and without accelerators, to their final latents."""

import functools
from pathlib import Path

from comparer.accelerators.base import denoiser_of
from comparer.accelerators.registry import parse_stack
from comparer.accelerators.stack import accelerated
from comparer.checkpoints.read import Checkpoint
from comparer.errors import Stopped
from comparer.models import samplers
from comparer.models.families.base import Model
from comparer.models.tiny import tiny
from comparer.pipelines.loader import Loaded
from comparer.request.request import Settings

FAMILIES = ("sd1", "sd2", "sdxl", "pixart-alpha", "pixart-sigma")
UNETS = FAMILIES[:3]
PROMPTS = ("a cat on a mat", "two dogs", "a red boat at sea", "rain")


@functools.cache
def pipeline(family):
    pipe = tiny(family)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@functools.cache
def _scheduler_config(family):
    return dict(tiny(family).scheduler.config)


@functools.cache
def loaded(family):
    """Return the pipeline as ``generate`` takes it."""
    pipe = pipeline(family)
    model = Model(family, family, "", family, 128, 5.0)
    checkpoint = Checkpoint(model, Path(), dict(denoiser_of(pipe).config), None, ())
    config = _scheduler_config(family)
    return Loaded(checkpoint, pipe, config, "cpu", "", "float32", "", offload="none", vae="whole")


def scheduler(family, sampler):
    """Build a sampler from the family's own scheduler."""
    return samplers.scheduler(sampler, _scheduler_config(family))


def ask(**changes):
    """Build settings that are quick: one picture of 64 pixels, 4 steps."""
    given = {"prompts": PROMPTS[:1], "steps": 4, "guidance": 5.0, "width": 64, "height": 64, "sampler": "DDIM"}
    return Settings(**given | changes)


def arguments(pipe, settings, **more):
    """Return what the pipeline's own ``__call__`` and the tgate package's are called with alike."""
    import torch

    prompts = list(settings.prompts)
    given = {
        "prompt": prompts,
        "negative_prompt": [settings.negative_prompt] * len(prompts),
        "num_inference_steps": settings.steps,
        "guidance_scale": settings.guidance,
        "width": settings.width,
        "height": settings.height,
        "output_type": "latent",
    }
    if hasattr(pipe, "transformer"):
        given |= {"use_resolution_binning": False, "clean_caption": False}
    each = more.get("num_images_per_prompt", 1)
    generators = [torch.Generator().manual_seed(seed) for seed in range(len(prompts) * each)]
    return given | {"generator": generators} | more


def run(family, stack="", settings=None, reports=None, **more):
    """Make one call of the pipeline's own ``__call__`` under a stack; return the final latents.

    ``stack`` is text or built accelerators; ``reports``, a dict, is filled with what each one did.
    """
    settings, pipe = settings or ask(), pipeline(family)
    pipe.scheduler = scheduler(family, settings.sampler)
    built = parse_stack(stack) if isinstance(stack, str) and stack else tuple(stack)
    with accelerated(pipe, built, settings) as live:
        made = pipe(**arguments(pipe, settings, **more)).images
    if reports is not None:
        reports.update(live)
    return made


def same(one, other):
    """Say whether two tensors are equal bit for bit."""
    import torch

    return torch.equal(one, other)


def breaking(family, step, error=Stopped):
    """Return the callback argument that raises after this step, as Stop does."""

    pixart = family.startswith("pixart")

    def callback(*told):
        if told[0 if pixart else 1] == step:
            raise error
        return {}

    return {"callback" if pixart else "callback_on_step_end": callback}
