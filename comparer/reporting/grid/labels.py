"""Texts of the grid: settings, arms and images. Positions are in ``layout``."""

from collections.abc import Sequence
from dataclasses import dataclass

from comparer.reporting.grid.text import Style
from comparer.results import void
from comparer.results.analysis import ArmAnalysis
from comparer.results.comparison import Comparison
from comparer.results.marks import marks
from comparer.results.notes import fewer_steps
from comparer.results.records import Shot
from comparer.stats.verdict import quality_text, speed_text
from comparer.text import counted

PAPER, INK, GREY, RULE, EMPTY, ACCENT = "#fcfbf9", "#1d1d1f", "#6f6e73", "#e3e1dc", "#f2f0ec", "#0b6e69"
RED = "#b42318"


@dataclass(frozen=True)
class Line:
    """A text, its style (the size at scale 1), and the gap above it in pixels at scale 1."""

    text: str
    style: Style
    gap: int = 0


def format_seconds(seconds: float) -> str:
    """Write a time with three digits or two decimals, whichever says more.

    >>> [format_seconds(s) for s in (0.01234, 0.4, 2.345, 83.2)]
    ['0.0123 s', '0.40 s', '2.35 s', '83.20 s']
    """
    return f"{seconds:.2f} s" if seconds >= 0.1 else f"{seconds:.3g} s"


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


def name(comparison: Comparison, arm: int) -> list[Line]:
    """Return an arm's name with its marks."""
    told = [Line(text, Style(14, RED, bold=True)) for text in marks(comparison, arm)]
    return [Line(comparison.request.arms[arm].name, Style(18, INK, bold=True)), *told]


def seen(each: ArmAnalysis) -> list[Line]:
    """Return an arm's measurements against the baseline; [] for the baseline itself; or why it is not comparable."""
    if each.not_comparable:
        head = void.head(each.whole.comparison, each.number)  # stands at the name
        said = each.not_comparable.removeprefix(head).lstrip(". ")
        return [Line(said, Style(12, RED))]
    if not each.number:
        return []
    figures, small = each.figures, Style(14, GREY)
    if figures.speed_up is None:
        return [Line("not measured", small)]
    if each.arm.weights:
        return _score(each)
    verdict = each.verdict
    colour = ACCENT if verdict.look == "good" else INK
    lines = [Line(verdict.headline, Style(18, colour, bold=True))]
    lines += [Line(speed_text(verdict.speed, each.whole.thresholds), small)] if verdict.speed else []
    lines += [Line(quality_text(verdict.quality, each.whole.comparison.scorer.short), small)] if verdict.quality else []
    if told := fewer_steps(each, "headline"):
        lines.append(Line(told, small))
    said = " ".join(each.no_effect_reasons)
    if did := f"No effect: {said}" if said else each.work:
        lines.append(Line(did, Style(12, INK if said else GREY), 4))
    return lines


def _score(each: ArmAnalysis) -> list[Line]:
    """Say of an arm with other weights how its score differs; its time is no question."""
    found = each.clip_difference
    if found.value is None:
        return [Line("not scored", Style(14, GREY))]
    assert each.verdict.quality
    said = quality_text(each.verdict.quality, each.whole.comparison.scorer.short)
    return [Line(each.verdict.headline, Style(18, INK, bold=True)), Line(said, Style(14, GREY))]


def beside(each: ArmAnalysis) -> list[Line]:
    """Return the name and measurements of an arm shown as a row, joined into long lines."""
    measured = seen(each)
    rest = [Line(" · ".join(line.text for line in measured[1:]), Style(14, GREY))] if measured[1:] else []
    return [*name(each.whole.comparison, each.number), *measured[:1], *rest]


def caption(comparison: Comparison, shot: Shot) -> str:
    """Format an image's seconds and score, or say that it is void."""
    if told := void.caption(shot):
        return told
    call = comparison.calls[shot.call]
    said = format_seconds(call.seconds / call.pictures)
    return said if shot.clip_score is None else f"{said} · {comparison.scorer.short} {shot.clip_score:.2f}"


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
    return Line(" ".join(said), Style(12, GREY))
