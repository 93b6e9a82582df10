"""Judge whether an arm is faster: one of three words, from the times of both arms."""

import math
from dataclasses import dataclass

from comparer.stats.evidence import Evidence
from comparer.stats.intervals import ROUNDING, Estimate
from comparer.stats.offers import Offer, offer_turns
from comparer.stats.power import level_at

FASTER, NOT_FASTER, UNDECIDED, NOT_TIMED = "faster", "not faster", "undecided", "not timed"


@dataclass(frozen=True)
class Speed:
    """Whether an arm is faster.

    Attributes:
        word: "faster" or "not faster" if the whole interval is above or below the threshold; "undecided"; "not timed".
        estimate: the speed-up, with the interval that decides.
    """

    word: str
    estimate: Estimate


def judge_speed(evidence: Evidence, threshold: float) -> Speed:
    """Judge the speed: an error of 2.5 % on each side, halved with each look.

    Args:
        evidence: times in seconds.
        threshold: the speed-up from which an arm counts as faster, above 1.

    Raises:
        ValueError: a time is not above 0.
    """
    found = evidence.speed_up()
    if found.value is None:
        return Speed(NOT_TIMED, found)
    near = threshold * ROUNDING  # times without spread can lie exactly on the threshold
    if found.interval and found.interval.low > threshold + near:
        return Speed(FASTER, found)
    if found.interval and found.interval.high < threshold - near:
        return Speed(NOT_FASTER, found)
    return Speed(UNDECIDED, found)


def offer_speed(evidence: Evidence, threshold: float) -> Offer | None:
    """Predict how many further turns would decide an undecided speed, at the next look; None if too many."""
    values, clusters = evidence.log_ratios()
    level = level_at(evidence.interim_looks + 1)
    return offer_turns([value - math.log(threshold) for value in values], clusters, level)
