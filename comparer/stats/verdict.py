"""Judge whether an arm is worth it: one of four verdicts, from intervals and thresholds, with its figures.

Every verdict is a conjunction or an alternative of claims of one form, "the mean of these values lies above 0". A
claim is shown when its whole interval lies above 0, at the level of the current look (``power.level_at``):

    fast    the speed-up is above its threshold             slow    it is below it
    kept    the CLIP loss is below its threshold            lost    it is above it
    same    the speed-up is within 1/t to t and the CLIP score within ± a share s of the baseline's, with t and s the
            thresholds, but at most 1.05 and 2 %: even with a threshold of 3×, a speed-up of 2× is a difference

| verdict, the first that fits | when |
| --- | --- |
| No difference | same |
| Not worth it | slow or lost |
| Worth it | fast and kept |
| Cannot tell | otherwise: too few calls, nothing scored, or too near to a threshold |

A loss below a share s is the claim that the mean of arm − (1 − s)·baseline is above 0, over pairs clustered by
prompt: no ratio has to be estimated for it (E. C. Fieller, "Some Problems in Interval Estimation", JRSS B 16, 1954).
Where the loss has an interval (``fieller.clip_loss``), the claim is shown exactly if its upper end is below s.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

from comparer.errors import ComparerError
from comparer.stats import power
from comparer.stats.evidence import Evidence
from comparer.stats.intervals import Estimate, difference, log_ratios, mean
from comparer.stats.power import HOPELESS, level_at
from comparer.text import counted, decimals, signed

WORTH_IT, NOT_WORTH_IT, NO_DIFFERENCE, CANNOT_TELL = "Worth it", "Not worth it", "No difference", "Cannot tell"
NOT_COMPARABLE = "Not comparable"  # of images that are not numbers; nothing is judged
WIDE = 10  # an upper bound above this multiple of the speed-up makes the interval useless
PILOT = 4  # calls, or pairs, that a spread can be judged from: t falls from 12.7 for two to 3.2 for four


@dataclass(frozen=True)
class Thresholds:
    """Required speed-up and acceptable loss of an accelerator.

    Attributes:
        speed_up: worthwhile from this value on, above 1 and at most 100.
        clip_loss: worthwhile below this share, above 0 and below 1; 0.02 is 2 %.
    """

    speed_up: float = 1.05
    clip_loss: float = 0.02

    def __post_init__(self) -> None:
        """Raise ``ComparerError`` for values out of range."""
        for value in (self.speed_up, self.clip_loss):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ComparerError(f"The threshold '{value}' is not a number.")
        if not 1 < self.speed_up <= 100:
            raise ComparerError(f"Worthwhile from {self.speed_up:g}× is out of range: above 1, up to 100 is allowed.")
        if not 0 < self.clip_loss < 1:
            raise ComparerError(
                f"A CLIP loss of {100 * self.clip_loss:g} % is out of range: above 0 %, below 100 % is allowed."
            )


DEFAULT = Thresholds()


@dataclass(frozen=True)
class Verdict:
    """One of the four verdicts, and its basis.

    Attributes:
        kind: "Worth it", "Not worth it", "No difference" or "Cannot tell"; "Not comparable" if images of the arm or of
            the baseline are not numbers, which nothing is concluded from.
        sentence: the same with its figures.
        note: the intervals' level with its reason, and what the intervals do not cover.
        speed_up, clip: the figures at that level; ``clip`` is the mean of arm − baseline.
        more_seeds, more_prompts: how many more would probably settle an undecided verdict, None where more would not.
    """

    kind: str
    sentence: str
    note: str
    speed_up: Estimate
    clip: Estimate
    more_seeds: int | None = None
    more_prompts: int | None = None


@dataclass(frozen=True)
class _Claim:
    """That the mean of some values lies above 0; of one value per call where no prompts are given."""

    values: Sequence[float]
    evidence: Evidence
    prompts: Sequence[int] | None = None

    def shown(self, level: float) -> bool:
        interval = mean(self.values, self.prompts, level).interval
        return interval is not None and interval.low > 0

    def more(self, unit: str, level: float) -> int | None:
        """Return how many more seeds or prompts would probably show the claim."""
        if self.shown(level):
            return 0
        if self.prompts is not None:
            how = power.more_inside if unit == "seeds" else power.more_clusters
            return how(self.values, self.prompts, 0, level)
        calls, asked = power.more_values(self.values, 0, level), self.evidence
        pictures = asked.prompt_count if unit == "seeds" else asked.seed_count
        more = None if calls is None else math.ceil(calls * asked.batch_size / pictures)
        return None if more is None or more > HOPELESS else more


class _Claims:
    """The claims of the module's docstring, and what they say of the pictures."""

    def __init__(self, evidence: Evidence, thresholds: Thresholds, level: float) -> None:
        logs, enough, share = log_ratios(evidence.calls), math.log(thresholds.speed_up), thresholds.clip_loss
        base, arm, prompts = evidence.scored()
        self.unscored = "" if base else evidence.not_scored
        if evidence.same_pictures:  # any score would be the same on both sides
            prompts = [prompt for prompt, _, _ in evidence.pairs]
            base = arm = [1.0] * len(prompts)
            self.unscored = ""
        elif base and fmean(base) < 1:
            self.unscored = "the loss is undefined where the baseline's mean CLIP score is below 1"
        elif len(base) == 1:
            self.unscored = "one pair has no spread"
        self.clip = difference(base, arm, prompts, level)

        def about_pairs(base_share: float, arm_share: float) -> _Claim:
            values = [arm_share * a + base_share * b for b, a in zip(base, arm, strict=True)]
            return _Claim([] if self.unscored else values, evidence, [] if self.unscored else prompts)

        self.fast = _Claim([x - enough for x in logs], evidence)
        self.slow = _Claim([enough - x for x in logs], evidence)
        self.kept, self.lost = about_pairs(share - 1, 1), about_pairs(1 - share, -1)
        little, few = math.log(min(thresholds.speed_up, DEFAULT.speed_up)), min(share, DEFAULT.clip_loss)
        times = (_Claim([little + sign * x for x in logs], evidence) for sign in (1, -1))
        self.same = (*times, about_pairs(few - 1, 1), about_pairs(few + 1, -1))

    def settled_by(self, unit: str, level: float) -> int | None:
        """Return how many more seeds or prompts would probably give another verdict than "Cannot tell"."""
        fast, kept, slow, lost = (c.more(unit, level) for c in (self.fast, self.kept, self.slow, self.lost))
        worth_it = None if fast is None or kept is None else max(fast, kept)
        return min((way for way in (worth_it, slow, lost) if way is not None), default=None)


def judge(evidence: Evidence, thresholds: Thresholds = DEFAULT) -> Verdict:
    """Judge an arm by the table in the module's docstring.

    Args:
        evidence: times in seconds and scores; no call at all gives "Cannot tell", too.
        thresholds: the verdict thresholds.

    Raises:
        ValueError: a time is not above 0, or a figure is not finite.
    """
    level = level_at(evidence.interim_looks)
    claims, speed = _Claims(evidence, thresholds, level), evidence.speed_up(level)
    words = _Words(evidence, thresholds, speed, claims.clip, claims.unscored)
    seen = about_intervals(evidence), speed, claims.clip
    is_slow, is_lost, is_kept = claims.slow.shown(level), claims.lost.shown(level), claims.kept.shown(level)
    if all(claim.shown(level) for claim in claims.same):
        return Verdict(NO_DIFFERENCE, words.told(NO_DIFFERENCE), *seen)
    if is_slow or is_lost:
        return Verdict(NOT_WORTH_IT, words.not_worth_it(is_slow, is_lost), *seen)
    is_fast = claims.fast.shown(level)
    if is_fast and is_kept:
        return Verdict(WORTH_IT, words.told(WORTH_IT), *seen)
    seeds = prompts = None
    if speed.n == 0:
        offer = "nothing was timed."
    elif speed.n == 1:
        seeds = math.ceil((PILOT - 1) * evidence.batch_size / evidence.prompt_count)
        offer = f"one call is not enough to judge; run {counted(seeds, 'more seed')}."
    else:
        seeds, prompts = (
            claims.settled_by(unit, level_at(evidence.interim_looks + 1)) for unit in ("seeds", "prompts")
        )
        offer = words.offer(seeds, prompts)
    return Verdict(CANNOT_TELL, words.cannot_tell(offer, is_fast, is_kept), *seen, seeds, prompts)


@dataclass(frozen=True)
class _Words:
    """The sentences, from figures at the verdict's level."""

    evidence: Evidence
    thresholds: Thresholds
    speed: Estimate
    clip: Estimate
    unscored: str

    @property
    def loss(self) -> str:
        return f"{100 * self.thresholds.clip_loss:g} %"

    @property
    def calls(self) -> str:
        return counted(self.speed.n, "call") + (" of one prompt" if self.evidence.prompt_count == 1 else "")

    def ratio(self) -> str:
        """Format the speed-up with enough digits to tell its bounds apart from the threshold."""
        found = self.speed
        ends = [found.interval.low, found.interval.high] if found.interval else []
        known = ends or ([] if found.value is None else [found.value])
        digits = decimals(known, self.thresholds.speed_up, 2)
        if not found.interval:
            return f"{found.value:.{digits}f}×"
        spread = "the same in every call" if found.constant else "–".join(f"{x:.{digits}f}" for x in ends)
        if found.value and found.interval.high > WIDE * found.value:
            spread = "its interval is too wide to be of use"
        return f"{found.value:.{digits}f}× ({spread})"

    def quality(self) -> str:
        return "the same pictures" if self.evidence.same_pictures else difference_text(self.clip)

    def told(self, kind: str) -> str:
        return f"{kind}: {self.ratio()}, {self.quality()}, {self.calls}"

    def not_worth_it(self, is_slow: bool, is_lost: bool) -> str:
        slow = f"{self.ratio()} is below {self.thresholds.speed_up:g}×"
        lost = f"{self.quality()} is a loss above {self.loss}"
        if is_slow and is_lost:
            return f"{NOT_WORTH_IT}: {slow} and {lost}, {self.calls}"
        return (
            f"{NOT_WORTH_IT}: {f'{slow}, {self.quality()}' if is_slow else f'{self.ratio()}, but {lost}'}, {self.calls}"
        )

    def offer(self, seeds: int | None, prompts: int | None) -> str:
        if seeds is not None:
            return f"{counted(seeds, 'more seed')} would probably settle it."
        if prompts is not None:
            return f"more seeds alone would hardly settle it, {counted(prompts, 'more prompt')} probably would."
        if self.unscored:
            return f"the CLIP loss is not known: {self.unscored}."
        return f"it is too near to a threshold for {HOPELESS} more seeds or prompts to settle it."

    def cannot_tell(self, offer: str, is_fast: bool, is_kept: bool) -> str:
        head = f"{CANNOT_TELL} from {counted(self.speed.n, 'call')}: {offer}"
        if not self.speed.n:
            return head
        so_far = f"So far {self.ratio()}, {self.quality()}."
        if is_fast and not self.unscored:
            so_far = (
                f"It is faster, {self.ratio()}; it is undecided whether its CLIP loss is below {self.loss}: "
                f"{self.quality()}."
            )
        if is_kept:
            so_far = (
                f"The quality is kept, {self.quality()}; it is undecided whether it reaches "
                f"{self.thresholds.speed_up:g}×: {self.ratio()}."
            )
        return f"{head} {so_far}"


def about_intervals(evidence: Evidence) -> str:
    """Describe the intervals' level and its reason, and what the intervals do not cover."""
    only = " One prompt: other prompts may differ." if evidence.prompt_count == 1 else ""
    return f"{about_level(evidence.interim_looks)}{only}"


def about_level(look: int) -> str:
    """Describe the level of the intervals at a look, from 1, and its reason."""
    why = "half of the 5 % of error is kept for continuing."
    if look > 1:
        why = f"this is look {look}, and each has half of the error of the one before; together they keep 95 %."
    return f"The intervals are {level_text(level_at(look))} intervals: {why}"


def level_text(level: float) -> str:
    """Format the level of an interval: "97.5 %"."""
    return f"{100 * level:.4g} %"


def difference_text(found: Estimate) -> str:
    """Format a mean difference of CLIP scores with its interval: "CLIP −0.12 (−0.50 to +0.26)"."""
    if found.value is None:
        return "not scored"
    if not found.interval:
        return f"CLIP {signed(found.value)}"
    ends = (found.interval.low, found.interval.high)
    digits = decimals(ends, 0, 2)  # the side of 0 on which the interval lies is what is claimed
    spread = " to ".join(signed(end, digits) for end in ends)
    return f"CLIP {signed(found.value, digits)} ({'the same in every pair' if found.constant else spread})"
