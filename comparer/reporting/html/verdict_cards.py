"""Verdict cards and names of arms as HTML. All visitor input is escaped."""

import re

from comparer.reporting.markup import Markup, join, markup
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.comparison import Comparison
from comparer.results.equal_time import Rival, rivalry
from comparer.results.marks import marks
from comparer.results.notes import likeness, ratio
from comparer.stats.verdict import Verdict
from comparer.text import counted, signed


def name(arm: str) -> str:
    """Render an arm's name so that lines break between its parts, and never inside T-GATE."""
    return Markup(re.sub(r"\([^()]*\)", r"<bdi>\g<0></bdi>", str(unbroken(arm))))


def unbroken(text: str) -> str:
    """Prevent a line break at the hyphen of T-GATE, and nowhere else."""
    return Markup.escape(text).replace("T-GATE", Markup("<bdi>T-GATE</bdi>"))


def headline(analysis: Analysis) -> str:
    """Render a card per arm: its main figure in large type and, after the run has ended, the verdict with figures."""
    cards = []
    for each in analysis.arms[1:]:
        if each.arm.matches_time_of is not None:
            continue
        if each.not_comparable:
            cards.append(_card(each, "–", each.verdict, "", False))
        elif analysis.comparison.call_pairs(each.number):
            cards.append(_scores(each) if each.arm.weights else _speed(each))
    return markup('<div class="cards">{}</div>', join(cards)) if cards else ""


def _speed(each: ArmAnalysis) -> str:
    """Draw the card of an accelerated arm: its speed-up and its verdict."""
    comparison, figures = each.whole.comparison, each.figures
    assert figures.speed_up is not None  # it has pairs
    calls = len({c.batch for c, _ in comparison.call_pairs(each.number)})
    slower = Markup("<em>slower</em>") if round(figures.speed_up, 2) < 1 else ""
    work = markup("<small>MAC ratio {:.2f}×</small>", figures.mac_ratio) if figures.mac_ratio else ""
    rival = rivalry(comparison, each.number) if comparison.state != "running" else None
    fewer = markup('<p class="fewer">{}{}</p>', *_leading(rival)) if rival else ""
    facts = markup("<small>{:.2f}× the denoising</small>{}", figures.denoising_speed_up, work)
    verdict = each.verdict if comparison.state != "running" else None
    seen = f"after {counted(calls, 'call')}"
    large = ratio(figures.speed_up, each.whole.thresholds.speed_up) + slower
    return _card(each, large, verdict, seen, calls == 1, facts, fewer)


def _leading(rival: Rival) -> tuple[str, str]:
    """Split the sentence on fewer steps; the conclusion is set off where it speaks against the arm."""
    rest = _whole(rival.sentence.removeprefix(rival.headline))
    return markup("<b>{}</b>", _whole(rival.headline)) if rival.headline else "", rest


def _scores(each: ArmAnalysis) -> str:
    """Draw the card of an arm with other weights: its score beside the baseline's, and which is higher."""
    found = each.clip_difference
    large = (
        "not scored"
        if found.value is None
        else markup("{}<em>{}</em>", signed(found.value), each.whole.comparison.scorer.short)
    )
    verdict = each.verdict if each.whole.comparison.state != "running" else None
    return _card(each, large, verdict, f"after {counted(found.n, 'pair')}", found.n < 2)


def _card(
    each: ArmAnalysis, large: str, verdict: Verdict | None, seen: str, few: bool, facts: str = "", more: str = ""
) -> str:  # fmt: skip
    head = verdict.headline if verdict else ""
    said = verdict.sentence.removeprefix(head).lstrip(": ") if verdict else seen
    early = " early" if few and not verdict else ""
    alike = markup("<small>{}</small>", _whole(text)) if (text := likeness(each)) else ""
    why = each.no_effect_reasons
    badge = markup('<span class="badge">had no effect</span><small>{}</small>', " ".join(why)) if why else ""
    return markup(
        '<div class="card {}{}"><h2>{}'
        "</h2><strong>{}</strong>{}<span>{}</span>"
        '<div class="facts">{}{}{}{}</div>{}</div>',
        verdict.look if verdict else "",
        early,
        name(each.arm.name),
        large,
        markup("<b>{}</b>", head) if head else "",
        _whole(said),
        facts,
        alike,
        badge,
        badges(each.whole.comparison, each.number),
        more,
    )


def badges(comparison: Comparison, arm: int) -> str:
    """Render a badge for each mark of an arm (``marks``); "" for none."""
    return join(markup('<span class="badge random">{}</span>', text) for text in marks(comparison, arm))


def _whole(text: str) -> str:
    """Keep "n = 2 calls" and a figure with its unit in one piece."""
    return Markup(re.sub(r"(?<=[=\d]) (?=[\d%]|calls?\b|pairs?\b)|(?<=\bn) (?==)", "\u00a0", str(Markup.escape(text))))
