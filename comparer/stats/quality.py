"""Judge whether an arm keeps the quality: one word, from the scores of its pairs with the baseline."""

from dataclasses import dataclass
from statistics import fmean

from comparer.stats.evidence import Evidence
from comparer.stats.intervals import ROUNDING, Estimate, mean
from comparer.stats.offers import Offer, offer_prompts
from comparer.stats.power import error_at
from comparer.stats.tail import Tail, tail
from comparer.text import counted

IDENTICAL, KEPT, BETTER, LOSES = "identical", "kept", "better", "loses"
UNDECIDED, FEW, NOT_SCORED = "undecided", "few prompts", "not scored"
SEEN = {True: "loss seen", False: "no loss seen"}
LEAST_PROMPTS = 8  # below, nothing is said about other prompts
FAIR_TEST = 80  # prompts × 1 seed


@dataclass(frozen=True)
class Quality:
    """Whether an arm keeps the quality.

    Attributes:
        word: "identical", "kept", "better", "loses", "undecided", "few prompts" (nothing is said about other prompts)
            or "not scored".
        loss: share of the baseline's mean score that is lost, with the interval that decides.
        difference: mean of the arm's score − the baseline's, at the same level.
        tail: pairs that differ clearly.
        why_not: why nothing is decided; "" if something is.
        seen_loss: with few prompts, whether these images lose more than the threshold, or any of them clearly.
    """

    word: str
    loss: Estimate
    difference: Estimate
    tail: Tail
    why_not: str = ""
    seen_loss: bool = False


def judge_quality(evidence: Evidence, threshold: float) -> Quality:
    """Judge the quality by two claims over pairs, with the prompt as the unit.

    | word, the first that fits | when |
    | --- | --- |
    | identical | all pairs are equal bit for bit |
    | few prompts | there are fewer than eight |
    | loses | the mean loss is shown to be above the threshold, or the share of clearly worse prompts above 10 % |
    | better | the mean score is shown to be higher, and the share of clearly worse prompts to be below 10 % |
    | kept | the mean loss is shown to be below the threshold, and the share of clearly worse prompts below 10 % |
    | undecided | otherwise |

    The claims on the mean are t tests, clustered by prompt; a loss below a share s is the claim that the mean of
    arm − (1 − s)·baseline is above 0. The claims on the share are those of ``tail``.

    Args:
        evidence: scores; none at all gives "not scored", unless all pairs are identical.
        threshold: the loss from which quality is not kept, a share of 1.
    """
    error, level = error_at(evidence.interim_looks, evidence.arms), evidence.quality_level
    base, arm, prompts = evidence.scored()
    loss, difference, found = evidence.clip_loss(), evidence.clip_difference(), tail(base, arm, prompts)
    seen = loss, difference, found
    if evidence.identical:
        return Quality(IDENTICAL, *seen)
    if not base:
        return Quality(NOT_SCORED, *seen, evidence.not_scored)
    if fmean(base) < 1:
        return Quality(NOT_SCORED, *seen, "the loss is undefined where the baseline's mean score is below 1")
    limit = threshold * fmean(base)
    if found.prompts < LEAST_PROMPTS:
        lost = fmean(base) - fmean(arm) > limit or found.worse > 0
        return Quality(FEW, *seen, f"{counted(found.prompts, 'prompt')} say little about others", seen_loss=lost)

    def shown(base_share: float, arm_share: float) -> bool:
        values = [arm_share * a + base_share * b for b, a in zip(base, arm, strict=True)]
        interval = mean(values, prompts, level).interval
        return interval is not None and interval.low > ROUNDING * fmean(base)  # a constant loss can be the threshold

    if shown(1 - threshold, -1) or found.above(error):
        return Quality(LOSES, *seen)
    if found.below(error):
        if shown(-1, 1):
            return Quality(BETTER, *seen)
        if shown(threshold - 1, 1):
            return Quality(KEPT, *seen)
    return Quality(UNDECIDED, *seen)


def offer_quality(evidence: Evidence, threshold: float) -> Offer | None:
    """Predict how many further prompts would decide an undecided quality, at the next look; None if too many."""
    error = error_at(evidence.interim_looks + 1, evidence.arms)
    return offer_prompts(*evidence.scored(), threshold, error)
