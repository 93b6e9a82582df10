"""One call of one arm: seeds in, pictures and stage times out. The pipeline's own ``__call__`` runs.

Everything that could differ between two calls is set here before the clock starts: global generators, one CPU
generator a picture, the sampler's state, deterministic kernels.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from comparer.accelerators.base import Accelerator
from comparer.accelerators.stack import accelerated
from comparer.errors import Stopped
from comparer.models import samplers
from comparer.request import Settings
from comparer.timing import memory
from comparer.timing.clock import Clock


@dataclass(frozen=True)
class Output:
    """What one call gave: PIL pictures in the order of its items, and times as ``results.Call`` has them."""

    pictures: list[Any]
    seconds: float
    stages: dict[str, float]
    steps: tuple[float, ...]
    peak_bytes: int | None
    reports: dict[str, dict]


def generate(
    pipe: Any,
    settings: Settings,
    items: list[tuple[int, int]],
    accelerators: tuple[Accelerator, ...] = (),
    *,
    scheduler_config: dict,
    noise: str = "cpu",
    on_step: Callable[[int], None] = lambda step: None,
    stop: Callable[[], bool] = lambda: False,
) -> Output:
    """Make the pictures of one batch.

    Args:
        pipe: a loaded diffusers pipeline; it is left as it was.
        settings: shared settings.
        items: (prompt number, seed) of every picture of this batch.
        accelerators: applied for this call alone.
        scheduler_config: the checkpoint's own scheduler configuration.
        noise: "cpu" for a CPU generator a picture, "device" for one on the device for the whole batch, seeded
            with the first seed.
        on_step: called after each denoising step with the number of steps done.
        stop: asked after each step; True ends the call.

    Raises:
        Stopped: ``stop`` said so.
    """
    import torch

    device = str(pipe.device)
    seeds = [seed for _, seed in items]
    pipe.scheduler = samplers.scheduler(settings.sampler, scheduler_config)
    if noise == "cpu":
        generators: Any = [torch.Generator("cpu").manual_seed(seed) for seed in seeds]
    else:
        generators = torch.Generator(device).manual_seed(seeds[0])
    clock = Clock(device)

    def after_step(_pipe: Any, step: int, _time: Any, tensors: dict) -> dict:
        clock.mark()
        on_step(step + 1)
        if stop():
            raise Stopped
        return tensors

    with _same_start(seeds[0]), accelerated(pipe, accelerators, settings) as reports:
        first = pipe.unet.register_forward_pre_hook(lambda *_: (clock.mark(), first.remove())[0])
        memory.reset_peak(device)
        try:
            clock.start()
            made = pipe(
                prompt=[settings.prompts[prompt] for prompt, _ in items],
                negative_prompt=[settings.negative_prompt] * len(items) if settings.negative_prompt else None,
                num_inference_steps=settings.steps,
                guidance_scale=settings.guidance,
                width=settings.width,
                height=settings.height,
                generator=generators,
                callback_on_step_end=after_step,
                callback_on_step_end_tensor_inputs=["latents"],
            )
            seconds = clock.stop()
        finally:
            first.remove()
            pipe.maybe_free_model_hooks()
        peak_bytes = memory.peak(device)
    text, *steps, decoding = clock.spans()
    return Output(
        pictures=made.images,
        seconds=seconds,
        stages={"text": text, "denoising": sum(steps), "decoding": decoding},
        steps=tuple(steps),
        peak_bytes=peak_bytes,
        reports={name: asdict(report) for name, report in reports.items()},
    )


@contextmanager
def _same_start(seed: int) -> Iterator[None]:
    """Seed every global generator and choose deterministic kernels; put all of it back afterwards."""
    import numpy as np
    import torch

    cudnn = torch.backends.cudnn
    flags, states = (cudnn.deterministic, cudnn.benchmark), (random.getstate(), np.random.get_state())
    cudnn.deterministic, cudnn.benchmark = True, False
    with torch.random.fork_rng():
        random.seed(seed)
        np.random.seed(seed % 2**32)
        torch.manual_seed(seed)
        try:
            yield
        finally:
            cudnn.deterministic, cudnn.benchmark = flags
            random.setstate(states[0])
            np.random.set_state(states[1])
