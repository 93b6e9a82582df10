"""Content of a chip, the head of an arm's column: the same on the page, in the report and in the grid."""

import math
from dataclasses import dataclass

from comparer.accelerators.stack import label
from comparer.request.request import Arm
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.stats.intervals import Estimate
from comparer.stats.verdict import DEFAULT, level_text
from comparer.text import decimals, optional

SLOWEST, FASTEST = 0.5, 4.0  # ends of the axis of speed, unless an arm is faster
MOST_LOSS = 0.1  # ends of the axis of quality: 10 % lost and gained


@dataclass(frozen=True)
class Bar:
    """A bar with its interval. Places are shares of the axis, 0 to 1; what lies outside has left it.

    Attributes:
        label: before the bar.
        text: after the bar: the interval, or the value where there is none.
        zero: the place where nothing changes: 1× of speed, 0 of quality.
        value: where the bar ends.
        low, high: the interval that decides; None where there is none.
        level: of the interval, as text; "" where there is none.
    """

    label: str
    text: str
    zero: float
    value: float
    low: float | None = None
    high: float | None = None
    level: str = ""


@dataclass(frozen=True)
class Chip:
    """What the head of an arm's column says, from top to bottom.

    Attributes:
        name: short name of the arm.
        figure: the main figure: seconds per image of the baseline, the speed-up of an arm.
        words: the headline of the verdict; "" while the run goes on.
        look: class of the words' colour: "good", "bad", "open", "same", or "base" for the baseline.
        bars: speed and quality, as far as they are known.
        facts: further figures, in small type.
    """

    name: str
    figure: str
    words: str
    look: str
    bars: tuple[Bar, ...] = ()
    facts: tuple[str, ...] = ()


def short_name(arm: Arm) -> str:
    """Return an arm's name for the head of a column: "DeepCache ×3 + T-GATE 10"; names of one's own stay."""
    if not arm.accelerators or arm.name != label(arm.accelerators):
        return arm.name
    alone = len(arm.accelerators) == 1
    ordered = sorted(arm.accelerators, key=lambda each: each.order)
    return " + ".join(each.short({} if alone else each.stacked) for each in ordered)


def times_text(ratio: float, limit: float = DEFAULT.speed_up) -> str:
    """Format a speed-up with three significant digits, and more where it is near the limit.

    >>> times_text(1.9438), times_text(12.34), times_text(0.914), times_text(1.0496)
    ('1.94×', '12.3×', '0.914×', '1.0496×')
    """
    digits = 1 if ratio >= 10 else 2 if ratio >= 1 else 3
    return f"{ratio:.{decimals([ratio], limit, digits)}f}×"


def seconds_text(seconds: float) -> str:
    """Format seconds with three significant digits.

    >>> seconds_text(0.5791), seconds_text(12.34), seconds_text(123.4)
    ('0.579 s', '12.3 s', '123 s')
    """
    digits = max(0, 2 - math.floor(math.log10(seconds))) if seconds > 0 else 2
    return f"{seconds:.{digits}f} s"


def chip(each: ArmAnalysis) -> Chip:
    """Return the chip of an arm."""
    comparison, figures, name = each.whole.comparison, each.figures, short_name(each.arm)
    seconds = "" if figures.seconds is None else seconds_text(figures.seconds)
    score = "" if figures.clip_score is None else f"{comparison.scorer.short} {figures.clip_score:.1f}"
    if why := comparison.skip_reason(each.number):
        return Chip(name, "–", f"Not run: {why}", "bad")
    if not each.number and not each.not_comparable:
        rate = optional(figures.steps_per_second, "{:.1f} it/s")
        return Chip(name, seconds or "–", "reference", "base", facts=tuple(filter(None, (rate, score))))
    running = comparison.state == "running"
    if not each.not_comparable and not comparison.call_pairs(each.number):
        return Chip(name, seconds or "–", "", "base")
    words, look = ("", "base") if running else (each.verdict.headline, each.verdict.look)
    if each.not_comparable:
        return Chip(name, "–", words, look)
    bars = [] if each.arm.weights else _speed(each.speed_up, each.whole)
    bars += _quality(each.clip_loss, comparison.scorer.short)
    times = times_text(each.speed_up.value or 1, each.whole.thresholds.speed_up)
    main, facts = (seconds, (score,)) if each.arm.weights else (times, (seconds, score))
    return Chip(name, main, words, look, tuple(bars), tuple(filter(None, facts)))


def answer(analysis: Analysis) -> str:
    """Answer the question of a run of several arms in one line; "" while it goes on, or with nothing to compare."""
    judged = [
        each
        for each in analysis.arms[1:]
        if each.arm.matches_time_of is None and not each.not_comparable and analysis.comparison.call_pairs(each.number)
    ]
    if analysis.comparison.state == "running" or not judged:
        return ""
    if analysis.comparison.request.variants():
        return f"{short_name(judged[0].arm)}: {judged[0].verdict.headline}" if len(judged) == 1 else ""
    good = [each for each in judged if each.verdict.look == "good"]
    if good:
        best = max(good, key=lambda each: each.speed_up.value or 0)
        return f"Fastest with quality kept: {short_name(best.arm)}, {times_text(best.speed_up.value or 1)}"
    faster = [each for each in judged if each.verdict.speed and each.verdict.speed.word == "faster"]
    open_ = [each for each in faster if each.verdict.look == "open"]
    if open_:
        best = max(open_, key=lambda each: each.speed_up.value or 0)
        found = f"{short_name(best.arm)}, {times_text(best.speed_up.value or 1)}"
        return f"Fastest so far: {found}. Whether quality is kept needs a fair test of 80 prompts."
    if any(each.verdict.speed and each.verdict.speed.word == "undecided" for each in judged):
        return "No arm is shown to be faster yet."
    return "No arm is faster with quality kept."


def _speed(found: Estimate, whole: Analysis) -> list[Bar]:
    if found.value is None:
        return []
    top = max([FASTEST, *(1.1 * (each.figures.speed_up or 1) for each in whole.arms)])

    def place(ratio: float) -> float:
        return (math.log(max(ratio, 1e-9)) - math.log(SLOWEST)) / (math.log(top) - math.log(SLOWEST))

    ends = found.interval
    text = times_text(found.value) if ends is None else f"{_plain(ends.low)}–{_plain(ends.high)}"
    low, high = (None, None) if ends is None else (place(ends.low), place(ends.high))
    return [Bar("Speed", text, place(1), place(found.value), low, high, level_text(ends.level) if ends else "")]


def _quality(found: Estimate, score: str) -> list[Bar]:
    """Draw the change of the score: what is lost lies left of the middle."""
    if found.value is None:
        return []

    def place(loss: float) -> float:
        return 0.5 - loss / MOST_LOSS / 2

    ends = found.interval
    low, high = (None, None) if ends is None else (place(ends.high), place(ends.low))
    level = level_text(ends.level) if ends else ""
    return [Bar(score, _change(-found.value), 0.5, place(found.value), low, high, level)]


def _plain(ratio: float) -> str:
    return f"{ratio:.2f}" if ratio < 100 else "…"


def _change(share: float) -> str:
    """Format a change as percent with its sign: "+0.1 %"."""
    said = f"{100 * share:+.1f} %".replace("-", "−")
    return "0.0 %" if float(f"{100 * share:.1f}") == 0 else said
