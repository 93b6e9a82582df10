"""Chips as HTML: the head of every arm's column. All visitor input is escaped."""

from comparer.reporting.chip import Bar, answer, chip
from comparer.reporting.html.verdict_cards import badges, unbroken
from comparer.reporting.markup import Markup, join, markup
from comparer.results.analysis import Analysis, ArmAnalysis


def drawn(each: ArmAnalysis, pressed: bool = False) -> str:
    """Render an arm's chip; ``pressed``: its name is a button that opens the evidence."""
    found = chip(each)
    name = unbroken(found.name)
    if pressed and each.number:
        name = markup('<button type="button" data-evidence title="Open the evidence">{}</button>', name)
    return markup(
        '<div class="chip {}"><h2>{}</h2><strong>{}</strong>{}<p class="facts">{}</p>{}{}</div>',
        found.look,
        name,
        found.figure,
        markup('<div class="bars">{}</div>', join(map(_bar, found.bars))) if found.bars else Markup(),
        " · ".join(found.facts),
        markup("<b>{}</b>", found.words) if found.words else Markup(),
        badges(each.whole.comparison, each.number),
    )


def answer_line(analysis: Analysis) -> str:
    """Render the one line that answers the question of the run; "" without one."""
    told = answer(analysis)
    return markup('<p class="answer">{}</p>', told) if told else ""


def _bar(bar: Bar) -> str:
    """Render a bar from where nothing changes to the value, its interval as a line; an end outside is an arrow."""
    inside = Markup()
    if bar.low is not None and bar.high is not None:
        low, high = min(max(bar.low, 0.0), 1.0), min(max(bar.high, 0.0), 1.0)
        ends = (" past-low" if bar.low < 0 else "") + (" past-high" if bar.high > 1 else "")
        inside = markup('<i class="range{}" style="left:{:.1%};width:{:.1%}"></i>', ends, low, max(high - low, 0.0))
    value = min(max(bar.value, 0.0), 1.0)
    start, end = min(bar.zero, value), max(bar.zero, value)
    told = f"{bar.label} {bar.text}" + (f", {bar.level} interval" if bar.level else "")
    return markup(
        '<span>{}</span><span class="axis" role="img" aria-label="{}" title="{}">'
        '<i class="zero" style="left:{:.1%}"></i><i class="value" style="left:{:.1%};width:{:.1%}"></i>{}</span>'
        "<span>{}</span>",
        bar.label, told, told, bar.zero, start, end - start, inside, bar.text,
    )  # fmt: skip
