"""Equal-time control: the baseline with fewer steps, in an accelerated arm's time. Would fewer steps do as well?

Whole steps seldom take exactly the arm's time. So the step counts just below and just above it are measured like any
arm, and their scores are interpolated to the arm's time. It is called equal time only if the interpolated time is
shown to be within ± 3 % of the arm's. Plain arithmetic, no torch.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from statistics import fmean

from comparer.request.request import ABOVE, BELOW
from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.stats.intervals import Estimate, Interval, difference
from comparer.stats.power import level_at
from comparer.stats.signed_rank import middle, needed
from comparer.stats.verdict import WIDE, level_text
from comparer.text import counted, decimals, signed

TOLERANCE = 0.03  # equal time is a ratio within 1 ± this
TIME_LEVEL = 0.90  # over all looks: two one-sided tests at 5 %, Schuirmann 1987
CLAIM_LEVEL = 0.98  # over all looks: 1 % for a wrong claim on either side
GENERAL = 8  # with fewer prompts, a conclusion is about these prompts
AS_WELL, BETTER, WORSE, OPEN, NO_TIME = "do as well", "do better", "do worse", "undecided", "no equal time"


def interpolate(turns: Sequence[Sequence[float]], look: int = 1) -> tuple[float, Estimate]:
    """Interpolate the times of two neighbouring step counts to an arm's; never beyond the two.

    Each turn is a replicate of time: with a fixed schedule of steps, time depends on neither prompt nor seed.

    Args:
        turns: seconds of calls that were made beside each other: the arm's, then that of one or two step counts, fewer
            steps first.
        look: number of the interim look.

    Returns:
        the share of the last step count, 0 to 1, and the interpolated time / the arm's, with its interval.
    """
    level = level_at(look, TIME_LEVEL)
    share, last = 1.0, len(turns[0]) - 1 if turns else 1
    if last == 2:
        low, high = (math.exp(_log_ratio(turns, number).value or 0.0) for number in (1, 2))
        share = 0.5 if low == high else min(max((1 - low) / (high - low), 0.0), 1.0)
    mixed = [(times[0], (1 - share) * times[-2] + share * times[-1] if last == 2 else times[-1]) for times in turns]
    found = _log_ratio(mixed, 1, level)
    bounds = found.interval and Interval(math.exp(found.interval.low), math.exp(found.interval.high), level)
    return share, replace(found, value=None if found.value is None else math.exp(found.value), interval=bounds)


def _log_ratio(turns: Sequence[Sequence[float]], number: int, level: float = 0.95) -> Estimate:
    return middle([math.log(times[number] / times[0]) for times in turns], level)


def is_equal(time: Estimate) -> bool:
    """Return whether a ratio of times is shown to be within 1 ± ``TOLERANCE``."""
    return time.interval is not None and 1 - TOLERANCE < time.interval.low <= time.interval.high < 1 + TOLERANCE


def conclude(
    scores: Sequence[Sequence[float]], prompts: Sequence[int], share: float, clip_loss: float, look: int = 1
) -> tuple[str, Estimate, float]:
    """Say whether the baseline with fewer steps scores as well as an arm in the same time.

    Args:
        scores: the full baseline's, the arm's, and that of one or two step counts, of each pair.
        prompts: of each pair.
        share: of the last step count, from ``interpolate``.
        clip_loss: the share of the full baseline's mean score that may be lost.
        look: number of the interim look.

    Returns:
        AS_WELL, BETTER, WORSE or OPEN; the mean of the arm's score − the interpolated one, over pairs clustered by
        prompt; and the points that may be lost.
    """
    mixed = [(1 - share) * each[-2] + share * each[-1] if len(each) > 3 else each[-1] for each in scores]
    clip = difference(mixed, [each[1] for each in scores], prompts, level_at(look, CLAIM_LEVEL))
    limit = clip_loss * fmean(each[0] for each in scores) if scores else 0.0
    bounds = clip.interval
    if bounds is None:
        return OPEN, clip, limit
    if bounds.high < 0:
        return BETTER, clip, limit
    if bounds.high < limit:
        return AS_WELL, clip, limit
    return WORSE if bounds.low > 0 else OPEN, clip, limit


@dataclass(frozen=True)
class Rival:
    """An accelerated arm compared with the baseline with fewer steps, in the same time.

    Attributes:
        arm: position of the arm.
        controls: positions of the arms that it is compared with, fewer steps first; 0 where the baseline itself is the
            upper neighbour; one alone where fewer steps are not possible, and in records of earlier versions.
        steps: of the controls.
        of: steps of the full baseline.
        share: of the last control in the interpolation, 0 to 1.
        time: the interpolated time / the arm's; ``n`` counts the turns.
        clip: mean of the arm's score − the interpolated one, over pairs clustered by prompt.
        limit: points of score that may be lost: this share of the full baseline's mean.
        clip_loss: that share.
        prompts: number of prompts of these pairs.
        kind: AS_WELL, BETTER, WORSE or OPEN; NO_TIME if the times are not shown to be equal.
        needed: turns without which equal time cannot be shown.
        fewest: whether fewer steps than the last control's are not possible.
        not_scored: why there are no scores.
        score: name of the score.
    """

    arm: int
    controls: tuple[int, ...]
    steps: tuple[int, ...]
    of: int
    share: float
    time: Estimate
    clip: Estimate
    limit: float
    clip_loss: float
    prompts: int
    kind: str
    needed: int
    fewest: bool = False
    not_scored: str = ""
    score: str = "CLIP score"

    @property
    def said(self) -> str:
        """Return the conclusion in a few words: "12 to 13 steps do as well"."""
        if self.kind == NO_TIME:
            return "No equal time"
        if self.kind == OPEN:
            return f"Undecided whether {self._steps} do as well"
        these = "this prompt" if self.prompts == 1 else f"these {self.prompts} prompts"
        return f"{self._steps} {self.kind}" + (f" for {these}" if self.prompts < GENERAL else "")

    @property
    def headline(self) -> str:
        """Return the conclusion if it speaks against the arm, else ""."""
        return self.said if self.kind in (AS_WELL, BETTER) else ""

    @property
    def sentence(self) -> str:
        """Return the conclusion with its figures."""
        if self.kind == NO_TIME:
            return f"{self.said}: {self._no_time()}."
        least = f"; fewer than {self.steps[-1]} are not possible" if self.fewest else ""
        took = f"the baseline with {self._steps} of its {self.of} takes {self._ratio()} of this arm's time{least}"
        return f"{self.said}: {took}. {self._about_scores()}."

    @property
    def _steps(self) -> str:
        if len(self.steps) == 1:
            return counted(self.steps[0], "step")
        return f"{self.steps[0]} to {counted(self.steps[1], 'step')}"

    def _no_time(self) -> str:
        calls, bounds = self.time.n, self.time.interval
        if bounds is None:
            few = f"{counted(calls, 'timed call')} of each {'is' if calls == 1 else 'are'} too few"
            return f"{few} to show that {self._steps} take this arm's time; {self.needed} are needed"
        takes = f"{self._ratio()} of this arm's time"
        if bounds.low >= 1 + TOLERANCE and self.fewest:
            return f"even {self._steps}, the fewest possible, take {takes}"
        if bounds.high <= 1 - TOLERANCE and self.steps[-1] == self.of:
            return f"this arm is no faster than the full baseline, which takes {takes}"
        mixed = " interpolated to this arm's time" if len(self.steps) > 1 else ""
        return f"{self._steps}{mixed} take {takes}, which is not shown to be within ± 3 %"

    def _ratio(self) -> str:
        value, bounds = self.time.value or 0.0, self.time.interval
        if bounds is None or bounds.high > WIDE * value:
            return f"{value:.2f}×" + (" (its interval is too wide to be of use)" if bounds else "")
        ends = bounds.low, bounds.high
        digits = max(decimals(ends, limit, 2) for limit in (1 - TOLERANCE, 1 + TOLERANCE))
        return f"{value:.{digits}f}× ({'–'.join(f'{end:.{digits}f}' for end in ends)})"

    def _about_scores(self) -> str:
        clip, bounds = self.clip, self.clip.interval
        if clip.value is None:
            return f"The scores are not known: {self.not_scored}"
        if bounds is None:
            return f"This arm's {self.score} − theirs is {signed(clip.value)}, but {clip.why_not}"
        ends = bounds.low, bounds.high
        digits = max(decimals(ends, limit, 2) for limit in (0, self.limit))  # the side of these is what is claimed
        spread = " to ".join(signed(end, digits) for end in ends)
        found = f"{signed(clip.value, digits)} points ({spread}, {level_text(bounds.level)} interval)"
        limit = f"{self.limit:.{digits}f}, which is {100 * self.clip_loss:g} % of the baseline's"
        return f"This arm's {self.score} − theirs is {found}; what may be lost is {limit}"


def rivalry(comparison: Comparison, arm: int) -> Rival | None:
    """Compare an arm with the baseline with fewer steps; None if there is none, no pair of the two, or a void image."""
    request = comparison.request
    unneeded = {each.arm for each in comparison.not_run if each.unneeded}
    asked = request.fewer_steps(arm)
    sides = {side: 0 if side == ABOVE and number in unneeded else number for side, number in asked.items()}
    controls = tuple(sides[side] for side in (BELOW, ABOVE, "") if side in sides and sides[side] not in unneeded)
    if not controls or any(map(partial(void.reason, comparison), (arm, *controls))):
        return None
    pairs = [comparison.pairs(arm, control) for control in controls]
    if not all(pairs):
        return None
    look, thresholds = comparison.interim_looks, request.thresholds
    share, time = interpolate(_turns(comparison, (arm, *controls)), look)
    scores = _scores(comparison, (0, arm, *controls))
    prompts = [prompt for prompt, _ in scores]
    kind, clip, limit = conclude(list(scores.values()), prompts, share, thresholds.clip_loss, look)
    return Rival(
        arm,
        controls,
        tuple(request.settings_of(control).steps for control in controls),
        request.settings.steps,
        share,
        time,
        clip,
        limit,
        thresholds.clip_loss,
        len(set(prompts)),
        kind if is_equal(time) else NO_TIME,
        needed(level_at(look, TIME_LEVEL)),
        asked.get(BELOW) in unneeded,
        comparison.scorer.why_not or "there are none",
        comparison.scorer.title,
    )


def _turns(comparison: Comparison, arms: Sequence[int]) -> list[list[float]]:
    """List the seconds of the arms' calls that were made beside each other: one batch and repeat in one process."""
    made = [{(c.batch, c.process, c.repeat): c.seconds for c in comparison.valid_calls(arm)} for arm in arms]
    return [[calls[turn] for calls in made] for turn in made[0] if all(turn in calls for calls in made)]


def _scores(comparison: Comparison, arms: Sequence[int]) -> dict[tuple[int, int], list[float]]:
    """Return the arms' CLIP scores by (prompt, seed), where all of them have one."""
    known = {(shot.arm, shot.prompt, shot.seed): shot.clip_score for shot in comparison.shots if not shot.not_finite}
    found = {item: [known.get((arm, *item)) for arm in arms] for item in comparison.request.items()}
    return {item: [s for s in row if s is not None] for item, row in found.items() if None not in row}
