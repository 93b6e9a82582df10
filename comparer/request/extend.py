"""Extend a request: more seeds, or one more arm."""

from dataclasses import replace

from comparer.request.request import EQUAL_TIME, Arm, Request, fewer


def extended(request: Request, seeds: int) -> Request:
    """Add ``seeds`` more seeds to the request, counting up from its largest."""
    known = request.settings.seeds
    after = range(max(known) + 1, max(known) + 1 + seeds)
    return replace(request, settings=replace(request.settings, seeds=(*known, *after)))


def append_arm(request: Request, arm: Arm) -> Request:
    """Append an arm to the request, with its equal-time arms if the request has that measurement.

    Raises:
        ComparerError: the request cannot have this arm.
    """
    arms = [*request.arms, arm]
    if EQUAL_TIME in request.wanted() and arm.accelerators:
        arms += fewer(len(arms) - 1, arm)
    return replace(request, arms=tuple(arms))
