"""Choose the steps of equal-time arms from a few measured calls: just below and just above an arm's time. No torch."""

from collections.abc import Sequence
from dataclasses import dataclass

from comparer.models.samplers import evaluations
from comparer.request.request import ABOVE, BELOW, Request, Settings
from comparer.text import counted

STANDS_IN = "the baseline itself has that many steps, and its calls stand for it"


@dataclass(frozen=True)
class Choice:
    """Steps of the equal-time arms of an accelerated arm.

    Attributes:
        steps: by position of the equal-time arm.
        unneeded: by position, why an equal-time arm is not run.
    """

    steps: dict[int, int]
    unneeded: dict[int, str]


def neighbours(
    base: Sequence[tuple[float, float]], arm: Sequence[float], settings: Settings, least: int = 1
) -> tuple[int | None, int]:
    """Predict the steps with which the baseline takes just less and just more time than an arm.

    A call's time is taken to be what is outside the denoising and the sampler's evaluations at equal length. Of the
    calls of each the fastest counts: what others do on the machine only ever makes one slower.

    Args:
        base: (seconds, of these denoising) of the baseline's calls.
        arm: seconds of the arm's calls.
        settings: of the baseline. Its own steps are the upper neighbour of an arm that is no faster.
        least: steps that the model needs.

    Returns:
        two successive numbers of steps; None and the fewest possible steps if even these take longer.

    >>> neighbours([(1.1, 1.0)], [0.52], Settings(("x",), steps=20))
    (8, 9)
    """
    fewest = min(max(least, 2), settings.steps)  # some samplers cannot make a single step
    below = [steps for steps in range(fewest, settings.steps) if _predicted(base, settings, steps) <= min(arm)]
    return (below[-1], below[-1] + 1) if below else (None, fewest)


def _predicted(base: Sequence[tuple[float, float]], settings: Settings, steps: int) -> float:
    (seconds, denoising), name = min(base), settings.sampler
    return seconds - denoising * (1 - evaluations(name, steps) / evaluations(name, settings.steps))


def choose(
    request: Request, like: int, base: Sequence[tuple[float, float]], arm: Sequence[float], least: int = 1
) -> Choice:
    """Choose the steps of the equal-time arms of the arm at ``like``; other arguments as for ``neighbours``."""
    below, above = neighbours(base, arm, request.settings, least)
    controls, whole = request.fewer_steps(like), request.settings.steps
    steps: dict[int, int] = {}
    unneeded: dict[int, str] = {}
    if BELOW in controls and below is not None:
        steps[controls[BELOW]] = below
    elif BELOW in controls:
        unneeded[controls[BELOW]] = f"{counted(above, 'step')} are the fewest possible, and they take longer"
    if ABOVE in controls:
        steps[controls[ABOVE]] = above
        if above == whole:
            unneeded[controls[ABOVE]] = STANDS_IN
    if "" in controls:  # of an earlier version: the nearest in time
        known = [above] if below is None else [below, above]
        steps[controls[""]] = min(known, key=lambda n: abs(_predicted(base, request.settings, n) - min(arm)))
    return Choice(steps, unneeded)
