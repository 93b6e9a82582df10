"""Conditions of a call's images: arms of one evaluation share one size and one noise schedule."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Conditions:
    """Conditions that must be equal between the arms of one evaluation, read after a call.

    Attributes:
        width, height: of the images, pixels; equal for all images of a call.
        timesteps: the sampler's time steps, one per evaluation.
        sigmas: the sampler's noise levels, including the last one; () if it has none.
    """

    width: int
    height: int
    timesteps: tuple[float, ...]
    sigmas: tuple[float, ...] = ()

    @classmethod
    def of(cls, pictures: list, scheduler: object) -> "Conditions":
        """Read a call's conditions from its images and its diffusers scheduler, after the call."""
        width, height = pictures[0].size
        steps, sigmas = ((getattr(scheduler, name, None)) for name in ("timesteps", "sigmas"))
        return cls(width, height, *(() if x is None else tuple(map(float, x)) for x in (steps, sigmas)))


def differ(baseline: Conditions, other: Conditions, steps: bool = True) -> str:
    """Say in one sentence where two calls' conditions differ, "" where they are equal.

    Args:
        baseline: of the baseline's call.
        other: of another arm's call.
        steps: whether the noise schedule must be equal, too; not so for an arm that has fewer steps by intent.

    >>> differ(Conditions(64, 64, (9.0, 5.0)), Conditions(64, 64, (9.0, 4.0)))
    'The time steps differ from the 2nd on: 5 in the baseline and 4 here.'
    """
    if (baseline.width, baseline.height) != (other.width, other.height):
        return (
            f"The pictures differ in size: {baseline.width}×{baseline.height} pixels in the baseline and "
            f"{other.width}×{other.height} here."
        )
    if not steps:
        return ""
    for what, base, here in (
        ("time steps", baseline.timesteps, other.timesteps),
        ("noise levels", baseline.sigmas, other.sigmas),
    ):
        if len(base) != len(here):
            return f"The {what} differ in number: {len(base)} in the baseline and {len(here)} here."
        for position, (one, two) in enumerate(zip(base, here, strict=True), 1):
            if one != two:
                return f"The {what} differ from the {_th(position)} on: {one:g} in the baseline and {two:g} here."
    return ""


def unlike(known: dict[int, Conditions], arm: int, found: Conditions, fewer: int | None) -> str:
    """Describe how an arm's call differs from its first one or from the baseline's; "" if it does not.

    Args:
        known: by arm, the conditions of its first call; the arm's are added.
        arm: position of the arm.
        found: conditions of the call.
        fewer: the arm's own number of steps; None if it has the baseline's.
    """
    mine = known.setdefault(arm, found)
    return differ(mine, found) or differ(known.get(0, mine), found, fewer is None)


def _th(number: int) -> str:
    ending = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th") if number % 100 not in (11, 12, 13) else "th"
    return f"{number}{ending}"
