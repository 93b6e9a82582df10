"""Verdict on an arm: a headline that joins the answers on speed (``speed``) and quality (``quality``), with figures.

The words are the same everywhere: page, grid, report, tables, history, API and record take them from here.
"""

from dataclasses import dataclass

from comparer.errors import ComparerError
from comparer.stats import quality as q
from comparer.stats import speed as s
from comparer.stats.evidence import Evidence
from comparer.stats.intervals import Estimate
from comparer.stats.offers import Offer
from comparer.stats.power import HOPELESS, error_at, level_at
from comparer.stats.quality import FAIR_TEST, Quality, judge_quality, offer_quality
from comparer.stats.speed import Speed, judge_speed, offer_speed
from comparer.text import counted, decimals, digits, signed

NOT_COMPARABLE = "Not comparable"  # of images that are not numbers; nothing is judged
WIDE = 10  # an upper bound above this multiple of the speed-up makes the interval useless


@dataclass(frozen=True)
class Thresholds:
    """What counts as faster, and as a loss of quality.

    Attributes:
        speed_up: an arm is faster from this value on, above 1 and at most 100.
        clip_loss: quality is kept below this share, above 0 and below 1; 0.02 is 2 %.
    """

    speed_up: float = 1.05
    clip_loss: float = 0.02

    def __post_init__(self) -> None:
        """Raise ``ComparerError`` for values out of range."""
        for value in (self.speed_up, self.clip_loss):
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise ComparerError(f"The threshold '{value}' is not a number.")
        if not 1 < self.speed_up <= 100:
            raise ComparerError(f"Faster from {self.speed_up:g}× is out of range: above 1, up to 100 is allowed.")
        if not 0 < self.clip_loss < 1:
            raise ComparerError(
                f"A CLIP loss of {100 * self.clip_loss:g} % is out of range: above 0 %, below 100 % is allowed."
            )


DEFAULT = Thresholds()


@dataclass(frozen=True)
class Verdict:
    """The answers on an arm.

    Attributes:
        headline: both answers in words: "Faster, quality kept"; "Not comparable" if images of the arm or of the
            baseline are not numbers, which nothing is concluded from.
        sentence: the headline with its figures, and what would settle what is undecided.
        speed: whether the arm is faster; None of an arm with other weights, whose time is not judged, and of one that
            is not comparable.
        quality: whether the arm keeps the quality; None if it is not comparable.
        more_turns, more_prompts: what would settle an undecided speed, and an undecided quality; None if it is settled,
            or if nothing within reach would.
    """

    headline: str
    sentence: str
    speed: Speed | None = None
    quality: Quality | None = None
    more_turns: Offer | None = None
    more_prompts: Offer | None = None

    @property
    def settled(self) -> bool:
        """Whether neither answer is open."""
        speed, quality = self.speed, self.quality
        undecided = (speed and speed.word == s.UNDECIDED) or (quality and quality.word in (q.UNDECIDED, q.FEW))
        return not undecided

    @property
    def look(self) -> str:
        """The class of its colour: "good", "bad", "open" or "same"."""
        speed, quality = self.speed.word if self.speed else "", self.quality.word if self.quality else ""
        if quality == q.IDENTICAL and speed in ("", s.NOT_FASTER):
            return "same"
        if not quality or quality == q.LOSES or speed == s.NOT_FASTER:
            return "bad"
        kept = quality in (q.KEPT, q.BETTER, q.IDENTICAL)
        return "good" if kept and speed in ("", s.FASTER) else "open"


def judge(
    evidence: Evidence,
    thresholds: Thresholds = DEFAULT,
    weights: bool = False,
    score: str = "CLIP",
    most_prompts: int = HOPELESS,
) -> Verdict:
    """Judge an arm.

    Args:
        evidence: times in seconds and scores.
        thresholds: of the verdict.
        weights: whether the arm has other weights than the baseline: both do the same work, so time is not judged.
        score: name of the score in "CLIP loss".
        most_prompts: prompts that a run may have here; more are not offered.

    Raises:
        ValueError: a time is not above 0, or a figure is not finite.
    """
    speed = None if weights else judge_speed(evidence, thresholds.speed_up)
    quality = judge_quality(evidence, thresholds.clip_loss)
    head = headline(speed, quality)
    figures = quality_text(quality, score)
    if speed:
        figures = f"{speed_text(speed, thresholds)}; {figures}"
    turns = prompts = None
    told = []
    if speed and speed.word == s.UNDECIDED:
        turns = offer_speed(evidence, thresholds.speed_up)
        near = f"The speed-up is too near to {thresholds.speed_up:g}× for 100 more turns to decide."
        told.append(_offered(turns, "speed", "Run once more to be sure of the speed.") if turns else near)
    if quality.word == q.FEW:
        told.append(f"{FAIR_TEST} prompts make a fair test of the quality.")
    elif quality.word == q.UNDECIDED:
        prompts = offer_quality(evidence, thresholds.clip_loss)
        if prompts and quality.tail.prompts + prompts.more > most_prompts:
            told.append(
                f"The quality needs {prompts.more:,} more prompts: here a run may have at most {most_prompts:,}."
            )
            prompts = None
        else:
            told.append(_offered(prompts, "quality") if prompts else "The quality needs far more prompts.")
    sentence = " ".join((f"{head}: {figures}.", *told))
    return Verdict(head, sentence, speed, quality, turns, prompts)


def headline(speed: Speed | None, quality: Quality) -> str:
    """Join both answers to a headline."""
    words = {
        q.IDENTICAL: ", identical images",
        q.KEPT: ", quality kept",
        q.BETTER: ", quality better",
        q.LOSES: ", quality lost",
        q.UNDECIDED: ", quality undecided",
        q.NOT_SCORED: ", quality not scored",
        q.FEW: f"; {seen_text(quality)}",
    }
    told = words[quality.word]
    if speed is None or speed.word == s.NOT_TIMED:
        return told.lstrip(",; ")[:1].upper() + told.lstrip(",; ")[1:]
    if speed.word == s.NOT_FASTER and quality.word not in (q.IDENTICAL, q.LOSES):
        return "Not faster"
    return {s.FASTER: "Faster", s.NOT_FASTER: "Not faster", s.UNDECIDED: "Speed undecided"}[speed.word] + told


def seen_text(quality: Quality) -> str:
    """Say of few prompts what their images show: "no loss seen in these 4 images"."""
    images = "this image" if quality.tail.pairs == 1 else f"these {quality.tail.pairs} images"
    return f"{q.SEEN[quality.seen_loss]} in {images}"


def speed_text(speed: Speed, thresholds: Thresholds = DEFAULT) -> str:
    """Format the speed-up with its interval: "1.94× (1.88× to 2.01×, 97.5 % interval, 7 turns)"."""
    found = speed.estimate
    if found.value is None:
        return f"not timed: {found.why_not}"
    ends = [found.interval.low, found.interval.high] if found.interval else []
    places = decimals(ends or [found.value], thresholds.speed_up, digits(found.value))
    turns = counted(found.n, "turn")
    if not found.interval:
        return f"{found.value:.{places}f}×, {turns}"
    if found.constant:
        return f"{found.value:.{places}f}×, the same in {turns}"
    if found.interval.high > WIDE * found.value:
        return f"{found.value:.{places}f}×, its interval is too wide to be of use, {turns}"
    low, high = (f"{end:.{places}f}×" for end in ends)
    return f"{found.value:.{places}f}× ({low} to {high}, {level_text(found.interval.level)} interval, {turns})"


def quality_text(quality: Quality, score: str = "CLIP") -> str:
    """Format the loss with its interval: "CLIP loss 0.3 % (−0.9 % to 1.4 %, 99 % interval), 1 of 80 clearly worse"."""
    if quality.word == q.IDENTICAL:
        return "every image equals the baseline's, bit for bit"
    if quality.word == q.NOT_SCORED:
        return f"not scored: {quality.why_not}"
    found, worse = quality.loss, quality.tail
    said = "loss undefined" if found.value is None else f"{score} loss {share_text(found.value)}"
    if found.interval and not found.constant and quality.word != q.FEW:
        low, high = share_text(found.interval.low), share_text(found.interval.high)
        said += f" ({low} to {high}, {level_text(found.interval.level)} interval)"
    return f"{said}, {worse.worse} of {counted(worse.pairs, 'image')} clearly worse"


def _offered(offer: Offer, what: str, unknown: str = "") -> str:
    if offer.chance is None:
        return unknown
    more = counted(offer.more, f"more {offer.unit}")
    return f"{more} would decide the {what} with a chance of {100 * offer.chance:.0f} %."


def about_level(look: int) -> str:
    """Describe the level of an interval of 95 % over all looks, from 1, and its reason."""
    why = "half of the 5 % of error is kept for continuing."
    if look > 1:
        why = f"this is look {look}, and each has half of the error of the one before; together they keep 95 %."
    return f"The intervals are {level_text(level_at(look))} intervals: {why}"


def about_levels(look: int, arms: int) -> str:
    """Describe the levels of the intervals that decide, and their reason."""
    speed, quality = level_text(level_at(look)), level_text(1 - 2 * error_at(look, arms))
    shared = f", shared by {arms} arms" if arms > 1 else ""
    seen = "the first look" if look == 1 else f"look {look}"
    return (
        f"Intervals that decide: {speed} for speed, {quality} for quality{shared}. This is {seen}: each look spends "
        "half of the error that is left."
    )


def level_text(level: float) -> str:
    """Format the level of an interval: "97.5 %"."""
    return f"{100 * level:.4g} %"


def share_text(share: float) -> str:
    """Format a share as percent with one decimal and a true minus: "−0.9 %"."""
    return f"{round(100 * share, 1) + 0.0:.1f} %".replace("-", "−")


def difference_text(found: Estimate, score: str = "CLIP") -> str:
    """Format a mean difference of scores with its interval: "CLIP −0.12 (−0.50 to +0.26)"."""
    if found.value is None:
        return "not scored"
    if not found.interval:
        return f"{score} {signed(found.value)}"
    ends = (found.interval.low, found.interval.high)
    places = decimals(ends, 0, 2)  # the side of 0 on which the interval lies is what is claimed
    spread = " to ".join(signed(end, places) for end in ends)
    return f"{score} {signed(found.value, places)} ({'the same in every pair' if found.constant else spread})"
