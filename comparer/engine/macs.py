"""Count the denoiser's multiply-accumulates (MACs) of a call with a stack of accelerators, without weights.

The denoiser is built from its config on torch's meta device, where tensors have shapes but no values. The
accelerators' own code runs on the denoiser for every evaluation of the call. Matrix products, convolutions and
attention are counted by torch's formulas (``torch.utils.flop_counter``); one multiply-accumulate is two of its
operations. Text encoding and decoding are excluded.
"""

import json
import logging
import threading
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import replace
from functools import lru_cache
from typing import Any

from comparer.accelerators.base import no_guidance
from comparer.accelerators.registry import Accelerator
from comparer.accelerators.stack import accelerated
from comparer.checkpoints.read import Checkpoint
from comparer.errors import Stopped
from comparer.models import samplers
from comparer.models.families.base import Family
from comparer.models.families.registry import FAMILIES
from comparer.models.libraries import prepare
from comparer.request.request import Request, Settings
from comparer.results.comparison import Comparison

log = logging.getLogger(__name__)
_stop: ContextVar[Callable[[], bool]] = ContextVar("stop")  # not part of the cache key
_one_at_a_time = threading.Lock()  # the denoiser is kept, and accelerators change it while they are applied


def macs(
    kind: str,
    config: dict,
    settings: Settings,
    accelerators: tuple[Accelerator, ...],
    family: str,
    stop: Callable[[], bool] = lambda: False,
    factor: int = 8,
) -> int:
    """Count the multiply-accumulates of the denoiser per image.

    Args:
        kind: the denoiser's diffusers class.
        config: the denoiser's config.
        settings: size, steps, sampler and guidance are used; guidance above 1 evaluates every image twice.
        accelerators: the stack; () for the baseline. ``stack.check`` must accept the stack.
        family: a key of ``FAMILIES``; determines what the denoiser receives.
        stop: polled at every operation; True ends the counting.
        factor: pixels per latent along a side.

    Raises:
        Stopped: ``stop`` returned True.
    """
    one = replace(settings, checkpoint="", prompts=("",), negative_prompt="", seeds=(0,), batch_size=1)
    before = _stop.set(stop)
    try:
        return _macs(kind, json.dumps(dict(config), sort_keys=True), one, tuple(accelerators), family, factor)
    finally:
        _stop.reset(before)


def ratio(kind: str, config: dict, settings: Settings, accelerators: tuple[Accelerator, ...], family: str) -> float:
    """Return baseline MACs / stack MACs, e.g. 2.55 for 2.55× fewer; arguments as for ``macs``."""
    return macs(kind, config, settings, (), family) / macs(kind, config, settings, accelerators, family)


@lru_cache(maxsize=256)
def _macs(
    kind: str, config: str, settings: Settings, accelerators: tuple[Accelerator, ...], family: str, factor: int
) -> int:
    prepare()
    import torch

    with _one_at_a_time, torch.no_grad():
        denoiser, counter = _denoiser(kind, config)
        pipe = _Pipe(denoiser, FAMILIES[family].denoiser, samplers.scheduler(settings.sampler, {}))
        pipe.scheduler.set_timesteps(settings.steps)
        evaluate = _evaluation(denoiser, settings, FAMILIES[family], factor)
        times = pipe.scheduler.timesteps
        counter.operations.total = 0
        with accelerated(pipe, accelerators, settings), counter:
            if not accelerators:
                evaluate(times[0])
                return counter.operations.total // 2 * len(times)
            for time in times:
                evaluate(time)
        return counter.operations.total // 2


class _Pipe:
    """As much of a pipeline as accelerators look at: its denoiser and its sampler."""

    def __init__(self, denoiser: Any, name: str, scheduler: Any) -> None:
        setattr(self, name, denoiser)
        self.scheduler = scheduler


@lru_cache(maxsize=2)
def _denoiser(kind: str, config: str) -> tuple[Any, Any]:
    """Build the denoiser on the meta device, and a counter for it."""
    import diffusers
    import torch

    with torch.device("meta"):
        denoiser = getattr(diffusers, kind).from_config(json.loads(config))
    return denoiser.eval(), _counter()


def _counter() -> Any:
    """Build a counter of the operations that torch functions make on meta tensors.

    A function is computed once for every layout of its inputs; afterwards its output is returned and what it
    counted is added, which is several times quicker. Torch's own ``FlopCounterMode`` would hook the modules of
    all threads, a measured call's too.
    """
    import torch
    from torch.overrides import TorchFunctionMode
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Operations(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            made = func(*args, **(kwargs or {}))
            if formula := flop_registry.get(func._overloadpacket):
                self.total += formula(*args, **(kwargs or {}), out_val=made)
            return made

    class Counter(TorchFunctionMode):
        def __init__(self) -> None:
            super().__init__()
            self.operations = Operations()
            self.known: dict[Any, tuple[Any, int]] = {}

        def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
            if _stop.get()():
                raise Stopped
            kwargs = kwargs or {}
            name = func.__name__
            if name == "__get__" or name.endswith("_") and not name.endswith("__"):
                return func(*args, **kwargs)  # an attribute, or changes its input in place
            key = (func, layout(args), layout(kwargs))
            if key not in self.known:
                before = self.operations.total
                with self.operations:
                    made = func(*args, **kwargs)
                if not on_meta(made):
                    return made
                self.known[key] = made, self.operations.total - before
            else:
                self.operations.total += self.known[key][1]
            return self.known[key][0]

    def layout(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.shape, value.stride(), value.dtype, value.device.type
        if isinstance(value, tuple | list):
            return tuple(map(layout, value))
        if isinstance(value, dict):
            return tuple((name, layout(item)) for name, item in value.items())
        return repr(value)

    def on_meta(made: Any) -> bool:
        if isinstance(made, tuple | list):
            return all(map(on_meta, made))
        return isinstance(made, torch.Tensor) and made.device.type == "meta"

    return Counter()


def _evaluation(denoiser: Any, settings: Settings, family: Family, factor: int) -> Callable[[Any], Any]:
    """Return a function that evaluates the denoiser at a time step, as the family's pipeline calls it."""
    width, height = family.made_size(denoiser.config, settings.width, settings.height)
    batch = 1 if no_guidance("", settings, denoiser.config) else 2
    return family.evaluation(denoiser, batch, width // factor, height // factor, family.context)


def count(
    checkpoints: Sequence[Checkpoint], request: Request, stop: Callable[[], bool] = lambda: False
) -> tuple[int, ...]:
    """Count every arm's multiply-accumulates of the denoiser per image, without weights.

    An arm whose reduced steps are not chosen yet is counted with all steps.

    Args:
        checkpoints: one per arm.
        request: the request to count.
        stop: True ends the counting.

    Raises:
        Stopped: ``stop`` returned True.
    """
    from comparer.engine.macs import macs

    return tuple(
        macs(
            its.denoiser["_class_name"], its.denoiser, request.settings_of(number), arm.accelerators,
            its.model.family, stop, its.model.factor,
        )
        for number, (arm, its) in enumerate(zip(request.arms, checkpoints, strict=True))
    )  # fmt: skip


def count_all(comparison: Comparison, checkpoints: Sequence[Checkpoint], stop: Callable[[], bool]) -> None:
    """Store every arm's multiply-accumulates, or a remark if they cannot be counted.

    Raises:
        Stopped: ``stop`` returned True.
    """
    try:
        comparison.macs = count(checkpoints, comparison.request, stop)
    except Stopped:
        raise
    except Exception as error:  # of a denoiser that diffusers can load but the counter does not support
        log.warning("multiply-accumulates were not counted", exc_info=True)
        comparison.remarks.append(f"Multiply-accumulates were not counted: {type(error).__name__}: {error}.")
