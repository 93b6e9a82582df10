"""Extend a request: more seeds, or one more arm."""

from dataclasses import replace

from comparer.request.request import EQUAL_TIME, Arm, Request, fewer


def extended(request: Request, seeds: int) -> Request:
    """Return the request with so many seeds more, counted on from its largest."""
    known = request.settings.seeds
    after = range(max(known) + 1, max(known) + 1 + seeds)
    return replace(request, settings=replace(request.settings, seeds=(*known, *after)))


def append_arm(request: Request, arm: Arm) -> Request:
    """Return the request with one more arm behind the others; the baseline with fewer steps beside it, if others have.

    Raises:
        ComparerError: the request may not have this arm.
    """
    arms = [*request.arms, arm]
    if EQUAL_TIME in request.wanted() and arm.accelerators:
        arms.append(fewer(len(arms) - 1, arm))
    return replace(request, arms=tuple(arms))
