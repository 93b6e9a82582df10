"""Verdict cards and names of arms as HTML. All visitor input is escaped."""

import re
from html import escape

from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.comparison import Comparison
from comparer.results.equal_time import rivalry
from comparer.results.loaded_weights import incomplete
from comparer.results.notes import likeness, ratio
from comparer.stats.verdict import Verdict
from comparer.text import counted, signed


def name(arm: str) -> str:
    """Render an arm's name so that lines break between its parts, and never inside T-GATE."""
    return re.sub(r"\([^()]*\)", r"<bdi>\g<0></bdi>", unbroken(arm))


def unbroken(text: str) -> str:
    """Prevent a line break at the hyphen of T-GATE, and nowhere else."""
    return escape(text).replace("T-GATE", "<bdi>T-GATE</bdi>")


def headline(analysis: Analysis) -> str:
    """Render a card per arm: its main figure in large type and, after the run has ended, the verdict with figures."""
    cards = []
    for each in analysis.arms[1:]:
        if each.arm.matches_time_of is None and analysis.comparison.call_pairs(each.number):
            cards.append(_scores(each) if each.arm.weights else _speed(each))
    return f'<div class="cards">{"".join(cards)}</div>' if cards else ""


def _speed(each: ArmAnalysis) -> str:
    """Draw the card of an accelerated arm: its speed-up, and whether that is worth its loss."""
    comparison, figures = each.whole.comparison, each.figures
    assert figures.speed_up is not None  # it has pairs
    calls = len({c.batch for c, _ in comparison.call_pairs(each.number)})
    slower = "<em>slower</em>" if round(figures.speed_up, 2) < 1 else ""
    work = f"<small>MAC ratio {figures.mac_ratio:.2f}×</small>" if figures.mac_ratio else ""
    rival = rivalry(comparison, each.number) if comparison.state != "running" else None
    fewer = f'<p class="fewer">{_whole(rival.sentence)}</p>' if rival else ""
    facts = f"<small>{figures.denoising_speed_up:.2f}× the denoising</small>{work}"
    verdict = each.verdict if comparison.state != "running" else None
    seen = f"after {counted(calls, 'call')}"
    large = ratio(figures.speed_up, each.whole.thresholds.speed_up) + slower
    return _card(each, large, verdict, seen, calls == 1, facts, fewer)


def _scores(each: ArmAnalysis) -> str:
    """Draw the card of an arm with other weights: its CLIP score beside the baseline's, and which is higher."""
    found = each.clip_difference
    large = "not scored" if found.value is None else f"{signed(found.value)}<em>CLIP</em>"
    verdict = each.verdict if each.whole.comparison.state != "running" else None
    return _card(each, large, verdict, f"after {counted(found.n, 'pair')}", found.n < 2)


def _card(
    each: ArmAnalysis, large: str, verdict: Verdict | None, seen: str, few: bool, facts: str = "", more: str = ""
) -> str:  # fmt: skip
    kind = verdict.kind if verdict else ""
    said = verdict.sentence.removeprefix(kind).lstrip(": ") if verdict else seen
    early = " early" if few and not verdict else ""
    alike = f"<small>{_whole(text)}</small>" if (text := likeness(each)) else ""
    why = each.no_effect_reasons
    badge = f'<span class="badge">had no effect</span><small>{escape(" ".join(why))}</small>' if why else ""
    return (
        f'<div class="card {kind.lower().replace(" ", "-")}{early}"><h2>{name(each.arm.name)}'
        f"</h2><strong>{large}</strong>{f'<b>{kind}</b>' if kind else ''}<span>{_whole(said)}</span>"
        f'<div class="facts">{facts}{alike}{badge}{random_badge(each.whole.comparison, each.number)}</div>{more}</div>'
    )


def random_badge(comparison: Comparison, arm: int) -> str:
    """Render a badge for an arm that has random tensors; "" if it has none."""
    text = incomplete(comparison, arm)
    return f'<span class="badge random">{escape(text)}</span>' if text else ""


def _whole(text: str) -> str:
    """Keep "n = 2 calls" and a figure with its unit in one piece."""
    return re.sub(r"(?<=[=\d]) (?=[\d%]|calls?\b|pairs?\b)|(?<=\bn) (?==)", "\u00a0", escape(text))
