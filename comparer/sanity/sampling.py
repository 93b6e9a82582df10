"""Generate one image and measure it with its raw decoder output, before NaN and overshoot are clipped."""

from collections.abc import Callable
from typing import Any

from comparer.engine.generate import generate
from comparer.pipelines.loader import Loaded
from comparer.request.request import Settings
from comparer.sanity.image_measures import measure


def draw(
    loaded: Loaded,
    settings: Settings,
    prompt: int,
    seed: int,
    on_step: Callable[[], None] = lambda: None,
    stop: Callable[[], bool] = lambda: False,
) -> tuple[Any, dict[str, float]]:
    """Generate one image.

    Args:
        loaded: a loaded pipeline; its state is left unchanged.
        settings: shared settings.
        prompt: number of the image's prompt.
        seed: seed of the image.
        on_step: called after each denoising step.
        stop: checked after each step.

    Returns:
        The PIL image and its measures.

    Raises:
        Stopped: ``stop`` returned true.
    """
    import numpy as np

    decoded: list[Any] = []
    latents: list[Any] = [None]

    def keep(_module: Any, _inputs: Any, output: Any) -> None:
        # One tensor per tile if the VAE decodes in tiles; overlaps count twice.
        decoded.append(output.detach().float().cpu().numpy().ravel())

    def observe(now: Any) -> None:
        latents[0] = now

    hook = loaded.pipe.vae.decoder.register_forward_hook(keep)
    try:
        made = generate(loaded, settings, [(prompt, seed)], on_step=lambda _: on_step(), stop=stop, observe=observe)
    finally:
        hook.remove()
    last = latents[0].detach().float().cpu().numpy() if latents[0] is not None else None
    values = np.concatenate(decoded) if decoded else None
    return made.pictures[0], measure(made.pictures[0], values, last)
