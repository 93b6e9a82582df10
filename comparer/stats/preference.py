"""Decide which of two checkpoints has the higher CLIP score, for an arm whose weights differ from the baseline's.

Time is not compared: both do the same work. The claims are that the mean of arm − baseline lies above 0, or below 0,
over pairs clustered by prompt; a claim is shown when the whole interval is on its side, at the level of the current
look (``power.level_at``).
"""

import math

from comparer.stats import power
from comparer.stats.evidence import Evidence
from comparer.stats.intervals import Estimate
from comparer.stats.power import HOPELESS, level_at
from comparer.stats.verdict import NO_DIFFERENCE, PILOT, Verdict, about_intervals, difference_text
from comparer.text import counted

HIGHER, LOWER, OPEN = "Higher CLIP score", "Lower CLIP score", "Cannot tell which is better"


def prefer(evidence: Evidence) -> Verdict:
    """Return which checkpoint scores higher, or how many more seeds or prompts would probably decide.

    Args:
        evidence: its scores; no pair at all gives "Cannot tell", too.

    Raises:
        ValueError: a time is not above 0, or a figure is not finite.
    """
    level = level_at(evidence.interim_looks)
    clip, speed = evidence.clip_difference(level), evidence.speed_up(level)
    seen = about_intervals(evidence), speed, clip
    if evidence.same_pictures:
        return Verdict(
            NO_DIFFERENCE, f"{NO_DIFFERENCE}: the same pictures in {counted(len(evidence.pairs), 'pair')}", *seen
        )
    if clip.interval and (clip.interval.low > 0 or clip.interval.high < 0):
        kind = HIGHER if clip.interval.low > 0 else LOWER
        return Verdict(kind, f"{kind}: {difference_text(clip)}, {_pairs(clip, evidence)}", *seen)
    seeds, prompts = _more(evidence, clip)
    head = f"{OPEN} from {counted(clip.n, 'pair')}: {_offer(evidence, clip, seeds, prompts)}"
    so_far = f" So far {difference_text(clip)}." if clip.value is not None else ""
    return Verdict(OPEN, head + so_far, *seen, seeds, prompts)


def _more(evidence: Evidence, clip: Estimate) -> tuple[int | None, int | None]:
    """Return how many more seeds, and how many more prompts, would probably show one of the claims."""
    if clip.n < 2:
        return (math.ceil((PILOT - 1) / evidence.prompt_count), None) if clip.n else (None, None)
    base, arm, prompts = evidence.scored()
    level, found = level_at(evidence.interim_looks + 1), []
    for how in (power.more_inside, power.more_clusters):
        ways = (how([s * (a - b) for b, a in zip(base, arm, strict=True)], prompts, 0, level) for s in (1, -1))
        found.append(min((way for way in ways if way is not None), default=None))
    return found[0], found[1]


def _offer(evidence: Evidence, clip: Estimate, seeds: int | None, prompts: int | None) -> str:
    if not clip.n:
        return f"the CLIP score is not known: {evidence.not_scored}."
    if clip.n == 1 and seeds:
        return f"one pair is not enough to judge; run {counted(seeds, 'more seed')}."
    if seeds is not None:
        return f"{counted(seeds, 'more seed')} would probably settle it."
    if prompts is not None:
        return f"more seeds alone would hardly settle it, {counted(prompts, 'more prompt')} probably would."
    return f"they are too near to each other for {HOPELESS} more seeds or prompts to settle it."


def _pairs(clip: Estimate, evidence: Evidence) -> str:
    return f"n = {counted(clip.n, 'pair')}" + (" of one prompt" if evidence.prompt_count == 1 else "")
