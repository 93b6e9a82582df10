"""Run one half of a guided batch from a given step on; shared by T-GATE and the guidance cutoff."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

from comparer.accelerators.base import Report, denoiser_of


@contextmanager
def one_half(
    pipe: Any, settings: Any, half: int, first: int, report: Report, on_step: Callable[[int], None] = lambda step: None
) -> Iterator[None]:
    """From a given step on, pass the denoiser one half of its batch and return that half's output twice.

    The pipeline's guidance formula u + g·(c − u) then gives exactly that output, so its own ``__call__`` runs
    unchanged. Torch's own hooks are used: they persist where an offload hook of accelerate replaces ``forward``.

    Args:
        pipe: a pipeline whose call is guided.
        settings: the call's ``Settings``.
        half: 0 for the unconditional (negative) half, 1 for the conditional one.
        first: the first step, from 0, that runs with one half.
        report: counts evaluations with and without guidance.
        on_step: called before each evaluation with its step, and before any other accelerator sees the
            evaluation; evaluations that a sampler makes beforehand (PNDM's first) have negative steps.
    """
    denoiser, evaluations = denoiser_of(pipe), count()
    dropped = False

    def before(_: Any, args: tuple, kwargs: dict) -> tuple[tuple, dict] | None:
        nonlocal dropped
        order = pipe.scheduler.order
        beforehand = max(len(pipe.scheduler.timesteps) - settings.steps * order, 0)
        step = (next(evaluations) - beforehand) // order
        dropped = step >= first
        report.counts["without guidance" if dropped else "with guidance"] += 1
        report.schedule += "." if dropped else "F"
        on_step(step)
        if not dropped:
            return None
        batch = len((args or tuple(kwargs.values()))[0])
        return _half(args, half, batch), _half(kwargs, half, batch)

    def after(_: Any, __: tuple, output: tuple) -> tuple | None:
        import torch

        return (torch.cat([output[0], output[0]]),) if dropped else None

    handles = [
        denoiser.register_forward_pre_hook(before, prepend=True, with_kwargs=True),
        denoiser.register_forward_hook(after),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _half(value: Any, half: int, batch: int) -> Any:
    """Return this half of every tensor of the batch, in containers too; the rest as it is."""
    if isinstance(value, dict):
        return {name: _half(item, half, batch) for name, item in value.items()}
    if isinstance(value, (tuple, list)):
        return type(value)(_half(item, half, batch) for item in value)
    if getattr(value, "ndim", 0) and len(value) == batch:
        return value.chunk(2)[half]
    return value
