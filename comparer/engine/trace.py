"""Trace the latents of one untimed call, step by step."""

from collections.abc import Callable
from typing import Any

from comparer.accelerators.base import Accelerator, denoiser_of
from comparer.metrics.latents import Trace


def trace(
    loaded: Any,
    settings: Any,
    items: list[tuple[int, int]],
    accelerators: tuple[Accelerator, ...] = (),
    *,
    noise: str = "cpu",
    on_step: Callable[[int], None] = lambda step: None,
    stop: Callable[[], bool] = lambda: False,
) -> Trace:
    """Generate one batch again and record its latents after each step; its times are not meaningful.

    Arguments and errors as for ``generate``.
    """
    from comparer.engine.generate import generate

    latents: list[Any] = []
    evaluations: list[int] = []
    made = 0

    def count(*_: Any) -> None:
        nonlocal made
        made += 1

    def keep(seen: Any) -> None:
        latents.append(seen.detach().cpu().clone())
        evaluations.append(made)

    counter = denoiser_of(loaded.pipe).register_forward_pre_hook(count)
    try:
        output = generate(
            loaded, settings, items, accelerators, noise=noise, on_step=on_step, stop=stop, observe=keep
        )  # fmt: skip
    finally:
        counter.remove()
    schedules = {name: report["schedule"] for name, report in output.reports.items() if report["schedule"]}
    return Trace(tuple(items), tuple(latents), tuple(evaluations), schedules)
