"""Texts of the grid: settings, arms and images. Positions are in ``layout``."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from comparer.reporting.chip import Bar, chip, seconds_text
from comparer.reporting.grid.text import Style
from comparer.results import void
from comparer.results.analysis import ArmAnalysis
from comparer.results.comparison import Comparison
from comparer.results.marks import marks
from comparer.results.notes import fewer_steps
from comparer.results.records import Shot
from comparer.stats.intervals import Estimate
from comparer.stats.verdict import level_text
from comparer.text import counted, digits

# The colours of the page in light.
PAPER, CARD, INK, GREY, RULE, EMPTY = "#fcfcfb", "#ffffff", "#1a1d21", "#646a72", "#e3e5e8", "#f2f4f5"
BAR, ACCENT, RED, OPEN = "#c3c8ce", "#0f766e", "#b4450f", "#75651c"
LOOKS = {"good": ACCENT, "bad": RED, "open": OPEN, "same": GREY, "base": GREY}
SMALL, FIRM = Style(13, GREY), Style(13, INK)


@dataclass(frozen=True)
class Line:
    """A text, its style (the size at scale 1), and the gap above it in pixels at scale 1."""

    text: str
    style: Style
    gap: int = 0


def title(comparison: Comparison) -> Line:
    """Return the title: the checkpoint's name."""
    text = comparison.checkpoint.get("title", comparison.request.settings.checkpoint)
    return Line(text, Style(23, INK, bold=True))


def facts(comparison: Comparison, shown: str) -> list[str]:
    """List the settings, the device, and the display size of the images if it is not 1:1."""
    settings, environment = comparison.request.settings, comparison.environment
    said = [
        settings.sampler,
        counted(settings.steps, "step"),
        f"guidance {settings.guidance:g}",
        f"{settings.width} × {settings.height}",
    ]
    if settings.batch_size > 1:
        said.append(f"batches of {settings.batch_size}")
    if device := environment.get("device_name") or environment.get("device"):
        said.append(device)
    return [*said, shown] if shown else said


def below_title(comparison: Comparison, page: int, pages: int) -> list[Line]:
    """Return the negative prompt, the progress of an unfinished run, and the page number if there are several pages."""
    lines, settings = [], comparison.request.settings
    if settings.negative_prompt:
        lines.append(Line(f"Negative prompt: {settings.negative_prompt}", Style(13, GREY), 2))
    if comparison.state != "finished":
        total = len(comparison.request.items()) * len(comparison.request.arms)
        said = f"{comparison.state.capitalize()}: {len(comparison.shots)} of {total} pictures"
        lines.append(Line(said, Style(15, ACCENT, bold=True), 10))
    if pages > 1:
        lines.append(Line(f"Page {page} of {pages}", Style(15, INK, bold=True), 10))
    return lines


@dataclass(frozen=True)
class Head:
    """The chip of an arm as lines and bars, from top to bottom, and the colour of its edge."""

    name: tuple[Line, ...]
    figure: Line
    bars: tuple[Bar, ...]
    facts: tuple[Line, ...]
    words: tuple[Line, ...]
    small: tuple[Line, ...]
    colour: str

    @property
    def lines(self) -> list[Line]:
        """All texts but those of the bars."""
        return [*self.name, self.figure, *self.facts, *self.words, *self.small]


def head(each: ArmAnalysis) -> Head:
    """Return what the chip of an arm says, and in small type what its figures rest on."""
    told = chip(each)
    colour = LOOKS[told.look]
    wrong = marks(each.whole.comparison, each.number)
    unit = ["seconds per image"] if told.look == "base" and each.calls else []
    return Head(
        name=(Line(told.name, Style(15, INK, bold=True)), *(Line(text, Style(13, RED, bold=True)) for text in wrong)),
        figure=Line(told.figure, Style(34, INK, bold=True)),
        bars=told.bars,
        facts=tuple(Line(fact, SMALL) for fact in (*unit, " · ".join(told.facts)) if fact),
        words=(Line(told.words, Style(15, colour, bold=True), 5),) if told.words not in ("", told.name) else (),
        small=tuple(_small(each)),
        colour=colour,
    )


def _small(each: ArmAnalysis) -> list[Line]:
    """List what an arm's figures rest on: levels, turns, images, what its accelerators did; or why it has none."""
    if each.not_comparable:
        shown = void.head(each.whole.comparison, each.number)  # stands at the name
        return [Line(each.not_comparable.removeprefix(shown).lstrip(". "), replace(SMALL, colour=RED))]
    if not each.number or each.whole.comparison.skip_reason(each.number):
        return []
    if not each.whole.comparison.call_pairs(each.number):
        return [Line("not measured", SMALL)]
    lines, quality = [], each.verdict.quality
    if each.verdict.speed:
        found = each.verdict.speed.estimate
        turns = counted(found.n, "turn")
        lines.append(f"Speed: the same in {turns}" if found.constant else f"Speed: {_level(found)}, {turns}")
    if quality and quality.loss.value is not None:
        worse = f"{quality.tail.worse} of {counted(quality.tail.pairs, 'image')} clearly worse"
        lines.append(f"{each.whole.comparison.scorer.short}: {_level(quality.loss)}, {worse}")
    fewer = fewer_steps(each, "headline")
    lines.append(f"In equal time {fewer}" if fewer else "")
    why = " ".join(each.no_effect_reasons)
    lines.append("" if why else each.work)
    return [*(Line(line, SMALL) for line in lines if line), *([Line(f"No effect: {why}", FIRM)] if why else [])]


def _level(found: Estimate) -> str:
    return f"{level_text(found.interval.level)} interval" if found.interval else "no interval"


def score_text(score: float) -> str:
    """Format a score with three significant digits, and at least one decimal.

    >>> score_text(27.314), score_text(0.2714), score_text(-1.0449)
    ('27.3', '0.271', '−1.04')
    """
    return f"{score:.{digits(score, 1) if score else 1}f}".replace("-", "−")


def caption(comparison: Comparison, shot: Shot) -> str:
    """Format an image's seconds and score, or say that it is void."""
    if told := void.caption(shot):
        return told
    call = comparison.calls[shot.call]
    said = seconds_text(call.seconds / call.pictures)
    return said if shot.clip_score is None else f"{said} · {comparison.scorer.short} {score_text(shot.clip_score)}"


def footer(comparison: Comparison, arms: Sequence[int]) -> Line:
    """Return the explanation of the figures of the arms that are shown."""
    said = ["Seconds: the whole pipeline call, divided by its pictures."]
    if any(arms):
        baseline = comparison.request.arms[0].name
        scorer = comparison.scorer
        what = f"{scorer.difference}s" if comparison.request.variants() else f"Speed-up and {scorer.loss}"
        whose = baseline if 0 in arms else f"{baseline}, which is not shown"
        said.append(f"{what} are against {whose}, over what both have made.")
    if comparison.scorer.name:
        said.append(f"{comparison.scorer.title} by {comparison.scorer.name}.")
    said.append("Made with Comparer" + (f" on {day}." if (day := comparison.created[:10]) else "."))
    return Line(" ".join(said), Style(13, GREY))
