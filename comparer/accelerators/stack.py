"""Apply a stack of accelerators to a loaded pipeline, in the correct order, under the guard."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from comparer.accelerators.base import Accelerator, Report, denoiser_of
from comparer.accelerators.guard import guarded
from comparer.errors import ComparerError


def check(request: Any, family: str, denoiser: dict, factor: int = 8) -> None:
    """Check that an arm's accelerators can serve the request, before anything runs.

    Raises:
        ComparerError: with the reason from ``why_not``.
    """
    for arm in request.arms:
        if reason := why_not(arm.accelerators, request, family, denoiser, factor):
            raise ComparerError(reason)


def why_not(
    accelerators: Sequence[Accelerator], request: Any, family: str, denoiser: dict, factor: int = 8
) -> str | None:
    """Return a one-sentence reason why this stack cannot serve the request, or None.

    Args:
        accelerators: in any order.
        request: the whole ``Request``.
        family: the checkpoint's family.
        denoiser: the denoiser's config.
        factor: pixels per latent along a side.
    """
    named = {type(accelerator).__name__: accelerator for accelerator in accelerators}
    for name, accelerator in named.items():
        if sum(type(other).__name__ == name for other in accelerators) > 1:
            return f"{accelerator.title} is twice in one stack: put the second one in another arm."
    reasons = [accelerator.why_not(request, family, denoiser, factor) for accelerator in accelerators]
    reasons += [rule(named[one], named[other]) for (one, other), rule in PAIRS.items() if {one, other} <= named.keys()]
    return next(filter(None, reasons), None)


def label(accelerators: Sequence[Accelerator], first: bool = True) -> str:
    """Return a stack's column label: ``DeepCache(interval=3) + T-GATE(gate_step=10)``; ``parse_stack`` reads it.

    Each accelerator shows its first parameter and its non-default values; in a stack of several, the stacked defaults
    count as defaults.

    Args:
        accelerators: in any order; none gives "".
        first: whether to include first parameters that have their defaults.
    """
    alone = len(accelerators) == 1
    return " + ".join(
        accelerator.named({} if alone else accelerator.stacked, first)
        for accelerator in sorted(accelerators, key=lambda a: a.order)
    )


@contextmanager
def accelerated(pipe: Any, accelerators: tuple[Accelerator, ...], settings: Any) -> Iterator[dict[str, Report]]:
    """Apply the accelerators for the duration of one call with these settings; undo them, even after an exception.

    Yields the live report of each, keyed by title. The pipeline's own ``__call__`` runs inside.
    """
    if not accelerators:
        yield {}
        return
    with guarded(denoiser_of(pipe)), ExitStack() as stack:
        yield {
            accelerator.title: stack.enter_context(accelerator.apply(pipe, settings))
            for accelerator in sorted(accelerators, key=lambda a: a.order)
        }


def _both_drop_half(gate: Any, cutoff: Any) -> str:
    return (
        f"T-GATE (gate_step {gate.gate_step}) and Guidance cutoff (after {cutoff.after:g}) drop opposite halves of the "
        "guided batch: put them in two arms."
    )


def _gate_beside_tome(gate: Any, tome: Any) -> str | None:
    because = "but ToMe reorders the tokens in every evaluation, so tokens would get other tokens' outputs"
    if tome.merge_crossattn:
        return f"T-GATE keeps cross-attention outputs, {because}: turn ToMe's merge_crossattn off."
    return _no_reuse(because)(gate, tome)


def _no_reuse(because: str) -> Callable[[Any, Any], str | None]:
    def rule(gate: Any, other: Any) -> str | None:
        for name in ("sp_interval", "fi_interval"):
            if (value := getattr(gate, name)) > 1:
                return f"T-GATE's {name} {value} reuses self-attention outputs, {because}: set it to 1."
        return None

    return rule


PAIRS: dict[tuple[str, str], Callable[[Any, Any], str | None]] = {
    ("TGATE", "GuidanceCutoff"): _both_drop_half,
    ("TGATE", "ToMe"): _gate_beside_tome,
    ("TGATE", "DeepCache"): _no_reuse(
        "which would come from different steps in one evaluation if DeepCache had skipped their blocks"
    ),
}
"""What two accelerators, by their class names, cannot do together; what is not listed they can."""
