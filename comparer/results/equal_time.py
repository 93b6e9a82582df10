"""Equal-time control: the baseline with fewer steps, matched to an accelerated arm's runtime.

The steps are chosen from measured times, then the control is measured like any arm, and the actual difference in time
is reported with its interval. Plain arithmetic, no torch.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from statistics import fmean

from comparer.models.samplers import evaluations
from comparer.request.request import Settings
from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.evidence import evidence
from comparer.stats.intervals import Estimate, difference
from comparer.stats.power import level_at
from comparer.stats.verdict import WIDE
from comparer.text import decimals, signed

BETTER, WORSE, MIXED, OPEN = (
    "Fewer steps would not do as well",
    "Fewer steps would do better",
    "Fewer steps would do better in one way and worse in the other",
    "Cannot tell whether fewer steps would do as well",
)
SLOW = "No fewer steps take this arm's time"


def fewer_steps(base: Sequence[tuple[float, float]], arm: Sequence[float], settings: Settings, least: int = 1) -> int:
    """Choose the steps with which the baseline takes a time nearest to an arm's.

    A call's time is taken to be what is outside the denoising and the sampler's evaluations at equal length. Of the
    calls of each the fastest counts: what others do on the machine only ever makes one slower.

    Args:
        base: (seconds, of these denoising) of the baseline's calls.
        arm: seconds of the arm's calls.
        settings: of the baseline; the answer is at most its steps, for an arm that is no faster.
        least: steps that the model needs.

    >>> fewer_steps([(1.1, 1.0)], [0.5], Settings(("x",), steps=20))
    8
    """
    (seconds, denoising), wanted = min(base), min(arm)
    each = denoising / evaluations(settings.sampler, settings.steps)
    # Some samplers cannot make a single step.
    return min(
        range(min(max(least, 2), settings.steps), settings.steps + 1),
        key=lambda steps: abs(seconds - denoising + each * evaluations(settings.sampler, steps) - wanted),
    )


@dataclass(frozen=True)
class Rival:
    """An accelerated arm compared with the baseline with fewer steps, its control.

    Attributes:
        arm, other: positions of the arm and of the control.
        steps, of: steps of the control and of the full baseline.
        time: the control's time / the arm's.
        clip: mean of the arm's CLIP score − the control's, over pairs clustered by prompt.
        ssim: mean of the arm's SSIM with the full baseline − the control's, likewise.
        arm_ssim, other_ssim: the two means; None if nothing was measured.
        kind: which of the sentences above.
        score: name of the score.
    """

    arm: int
    other: int
    steps: int
    of: int
    time: Estimate
    clip: Estimate
    ssim: Estimate
    arm_ssim: float | None
    other_ssim: float | None
    kind: str
    score: str = "CLIP score"

    @property
    def sentence(self) -> str:
        """Describe which of the two does better, with the figures."""
        clip, near = (_whose(found) for found in (self.clip, self.ssim))
        points = "" if self.clip.value is None else f" ({_spread(self.clip)})"
        known = self.arm_ssim is not None and self.other_ssim is not None
        ssim = f" (SSIM {self.arm_ssim:.3f} against {self.other_ssim:.3f})" if known else ""
        if self.steps == self.of:
            time = f"the full baseline takes {_ratio(self.time)} of its time"
            return f"{SLOW}: when they were chosen it was no faster than the full baseline; in the timed calls {time}."
        steps = f"the baseline with {self.steps} of its {self.of} steps takes {_ratio(self.time)} of this arm's time"
        if self.kind == OPEN and self.ssim.n < 2:
            return f"{self.kind} from one pair: {steps}."
        return (
            f"{self.kind}: {steps}. The higher {self.score} is {clip}{points}; the one nearer to the full "
            f"baseline is {near}{ssim}."
        )


def rivalry(comparison: Comparison, arm: int) -> Rival | None:
    """Compare an arm with the baseline with fewer steps; None if there is none, no pair of the two, or a void image."""
    other = comparison.request.fewer_steps(arm)
    if other is None or not comparison.pairs(arm, other) or any(map(partial(void.reason, comparison), (arm, other))):
        return None
    level, found = level_at(comparison.interim_looks), evidence(comparison, arm, other)
    alike = [
        (one.similarity.ssim, two.similarity.ssim, one.prompt)
        for one, two in comparison.pairs(arm, other)
        if one.similarity and two.similarity
    ]
    theirs, mine, prompts = (list(column) for column in zip(*alike, strict=True)) if alike else ([], [], [])
    clip, ssim = found.clip_difference(level), difference(theirs, mine, prompts, level)
    sides = {_sign(clip), _sign(ssim)} - {0}
    fewer, full = comparison.request.settings_of(other).steps, comparison.request.settings.steps
    kind = MIXED if len(sides) > 1 else {1: BETTER, -1: WORSE}[sides.pop()] if sides else OPEN
    time = found.speed_up(level)
    if time.interval and ((kind == BETTER and time.interval.high < 1) or (kind == WORSE and time.interval.low > 1)):
        kind = OPEN  # the one that lost had less time
    kind = SLOW if fewer == full else kind
    return Rival(
        arm, other, fewer, full,
        time, clip, ssim, fmean(mine) if mine else None, fmean(theirs) if theirs else None, kind,
        comparison.scorer.title,
    )  # fmt: skip


def _sign(estimate: Estimate) -> int:
    """Return 1 or −1 where the whole interval lies on one side of 0, else 0."""
    interval = estimate.interval
    return 0 if interval is None else (interval.low > 0) - (interval.high < 0)


def _whose(estimate: Estimate) -> str:
    return {1: "this arm's", -1: "that of fewer steps", 0: "not settled"}[_sign(estimate)]


def _ratio(estimate: Estimate) -> str:
    if estimate.interval is None:
        return f"{estimate.value:.2f}×"
    if estimate.value and estimate.interval.high > WIDE * estimate.value:
        return f"{estimate.value:.2f}× (its interval is too wide to be of use)"
    return f"{estimate.value:.2f}× ({estimate.interval.low:.2f}–{estimate.interval.high:.2f})"


def _spread(estimate: Estimate) -> str:
    if estimate.interval is None:
        return signed(estimate.value or 0)
    ends = (estimate.interval.low, estimate.interval.high)
    digits = decimals(ends, 0, 2)  # the side of 0 on which the interval lies is what is claimed
    return f"{signed(estimate.value or 0, digits)}, {' to '.join(signed(end, digits) for end in ends)}"
