"""Generate one batch of one arm with the pipeline's own ``__call__``; return images and stage times.

Everything that could differ between two calls is set before the clock starts: global generators, one CPU
generator per image, the sampler's state, deterministic kernels.
"""

import itertools
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from comparer.accelerators.base import Accelerator, denoiser_of
from comparer.accelerators.stack import accelerated
from comparer.engine.clock import Clock
from comparer.engine.finite import kept_tensors
from comparer.errors import Stopped
from comparer.models import samplers
from comparer.models.families.base import Family
from comparer.pipelines import memory
from comparer.pipelines.loader import Loaded
from comparer.request.request import Settings
from comparer.results.conditions import Conditions
from comparer.results.records import NotFinite


@dataclass(frozen=True)
class Output:
    """Output of one call: PIL images in the order of the items, and times as in ``records.Call``.

    ``conditions`` must equal those of the baseline's call; ``not_finite`` says of each image where a NaN or an infinity
    is, as in ``records.Shot``.
    """

    pictures: list[Any]
    seconds: float
    stages: dict[str, float]
    steps: tuple[float, ...]
    peak_bytes: int | None
    reports: dict[str, dict]
    conditions: Conditions
    not_finite: tuple[NotFinite, ...]


def generate(
    loaded: Loaded,
    settings: Settings,
    items: list[tuple[int, int]],
    accelerators: tuple[Accelerator, ...] = (),
    *,
    noise: str = "cpu",
    on_step: Callable[[int], None] = lambda step: None,
    stop: Callable[[], bool] = lambda: False,
    observe: Callable[[Any], None] | None = None,
) -> Output:
    """Generate the images of one batch.

    Args:
        loaded: a loaded pipeline; unchanged afterwards.
        settings: shared settings.
        items: (prompt number, seed) of every image of this batch.
        accelerators: applied for this call only.
        noise: "cpu" for one CPU generator per image, "device" for one generator on the device for the whole batch,
            seeded with the first seed.
        on_step: called after each denoising step with the number of finished steps, up to
            ``samplers.callback_steps``.
        stop: polled after each step; True ends the call.
        observe: called after each step with the latents of all images, which it must not modify. The times of an
            observed call are not meaningful.

    Raises:
        Stopped: ``stop`` returned True.
    """
    import torch

    pipe, family, device = loaded.pipe, loaded.checkpoint.family, loaded.device
    seeds = [seed for _, seed in items]
    pipe.scheduler = samplers.scheduler(settings.sampler, loaded.scheduler_config)
    if noise == "cpu":
        generators: Any = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    else:
        generators = torch.Generator(device).manual_seed(seeds[0])
    clock, done = Clock(device), itertools.count(1)

    def after_step() -> None:
        clock.mark()
        on_step(next(done))
        if stop():
            raise Stopped

    arguments = _arguments(family, settings, items, after_step)
    if observe:
        arguments |= _observed(family, after_step, observe)
    vae_dtype = pipe.vae.dtype
    with _same_start(seeds[0]), kept_tensors(pipe.vae) as kept, accelerated(pipe, accelerators, settings) as reports:
        first = denoiser_of(pipe).register_forward_pre_hook(lambda *_: (clock.mark(), first.remove())[0])
        memory.reset_peak(device)
        try:
            clock.start()
            made = pipe(**arguments, generator=generators)
            seconds = clock.stop()
        finally:
            first.remove()
            pipe.maybe_free_model_hooks()
            if pipe.vae.dtype != vae_dtype:  # SDXL lifts its VAE to float32 and, after an error, leaves it there
                pipe.vae.to(vae_dtype)
        peak_bytes = memory.peak(device)
    text, *steps, decoding = clock.spans()
    return Output(
        pictures=made.images,
        seconds=seconds,
        stages={"text": text, "denoising": sum(steps), "decoding": decoding},
        steps=tuple(steps),
        peak_bytes=peak_bytes,
        reports={name: asdict(report) for name, report in reports.items()},
        conditions=Conditions.of(made.images, pipe.scheduler),
        not_finite=kept.not_finite(len(items)),
    )


def _arguments(family: Family, settings: Settings, items: list[tuple[int, int]], after_step: Callable) -> dict:
    """Build what the family's pipeline is called with; size conditions are its defaults, the requested size."""
    arguments: dict[str, Any] = {
        "prompt": [settings.prompts[prompt] for prompt, _ in items],
        "num_inference_steps": settings.steps,
        "guidance_scale": settings.guidance,
        "width": settings.width,
        "height": settings.height,
    }
    if settings.negative_prompt:
        arguments["negative_prompt"] = [settings.negative_prompt] * len(items)
    if family.rescale:
        arguments["guidance_rescale"] = settings.guidance_rescale
    arguments |= {argument.name: argument.value for argument in family.call}
    if not family.on_step_end:
        return arguments | {"callback": lambda *_: after_step()}

    def on_step_end(_pipe: Any, _step: int, _time: Any, tensors: dict) -> dict:
        after_step()
        return tensors

    return arguments | {"callback_on_step_end": on_step_end, "callback_on_step_end_tensor_inputs": []}


def _observed(family: Family, after_step: Callable, observe: Callable[[Any], None]) -> dict:
    """Build the arguments that hand out latents: apart, so that a timed call does no more than it must."""

    def on_step_end(_pipe: Any, _step: int, _time: Any, tensors: dict) -> dict:
        after_step()
        observe(tensors["latents"])
        return tensors

    if family.on_step_end:
        return {"callback_on_step_end": on_step_end, "callback_on_step_end_tensor_inputs": ["latents"]}
    return {"callback": lambda _step, _time, latents: (after_step(), observe(latents))}


@contextmanager
def _same_start(seed: int) -> Iterator[None]:
    """Seed every global generator and choose deterministic kernels; put all of it back afterwards."""
    import numpy as np
    import torch

    cudnn = torch.backends.cudnn
    flags, states = (cudnn.deterministic, cudnn.benchmark), (random.getstate(), np.random.get_state())
    cudnn.deterministic, cudnn.benchmark = True, False
    # Values that are not finite become black without a warning: ``not_finite`` tells them.
    with torch.random.fork_rng(), np.errstate(invalid="ignore"):
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = flags
            random.setstate(states[0])
            np.random.set_state(states[1])
