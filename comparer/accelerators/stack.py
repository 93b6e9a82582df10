"""Apply a stack of accelerators to a loaded pipeline, in the one right order, under the guard."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from comparer.accelerators.base import Accelerator, Report, denoiser_of
from comparer.accelerators.guard import guarded
from comparer.errors import ComparerError


def check(request: Any, family: str, denoiser: dict) -> None:
    """Refuse, before anything runs, what an arm's accelerators cannot serve.

    Raises:
        ComparerError: with the first accelerator's reason, or that one stands twice in an arm.
    """
    for arm in request.arms:
        kinds = [type(accelerator) for accelerator in arm.accelerators]
        if len(set(kinds)) < len(kinds):
            raise ComparerError(f"The arm '{arm.name}' has the same accelerator twice: each once.")
        for accelerator in arm.accelerators:
            if reason := accelerator.why_not(request, family, denoiser):
                raise ComparerError(reason)


@contextmanager
def accelerated(pipe: Any, accelerators: tuple[Accelerator, ...], settings: Any) -> Iterator[dict[str, Report]]:
    """Apply the accelerators for the length of one call with these settings; undo them, also after an exception.

    Yields each one's live report by name. The pipeline's own ``__call__`` runs inside.
    """
    if not accelerators:
        yield {}
        return
    with guarded(denoiser_of(pipe)), ExitStack() as stack:
        yield {
            type(accelerator).__name__: stack.enter_context(accelerator.apply(pipe, settings))
            for accelerator in sorted(accelerators, key=lambda a: a.order)
        }
