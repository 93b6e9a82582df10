"""The right column's texts: progress, verdicts and captions as HTML. Everything from a visitor is escaped."""

import re
from collections import Counter
from html import escape

from comparer.events import Progress, Waiting
from comparer.held import incomplete
from comparer.notes import likeness
from comparer.request import Request
from comparer.results import Comparison
from comparer.rival import rivalry
from comparer.timing import pace
from comparer.verdict import DEFAULT, Thresholds, Verdict, signed

EMPTY = (
    '<div class="empty"><p class="lead">See what an accelerator gives, and what it costs.</p>'
    "<p>Press <b>Generate</b>: the same noise becomes one picture without the accelerator and one with it, each "
    "timed after a warm-up and scored. The demo model needs no download and no GPU. To lay checkpoints beside each "
    "other, or EMA beside raw weights, choose <b>Compare: Checkpoints</b>.</p></div>"
)


def announce(request: Request) -> str:
    """Say what will be made."""
    kinds = Counter(call.kind for call in pace.plan(request))
    calls, warm = kinds[pace.TIMED], kinds[pace.WARM_UP]
    more = kinds.total() - calls - warm
    planned = f"{_count(len(request.arms) * len(request.items()), 'picture')} in {_count(calls, 'timed call')}"
    planned += f" after {_count(warm, 'warm-up call')}" if warm else ""
    return f"{planned}, and {_count(more, 'untimed call')} besides" if more else planned


def expected(request: Request, macs: tuple[int, ...]) -> str:
    """Draw every arm's share of the baseline's multiply-accumulates as a bar, with the ratio."""
    rows = "".join(
        f"<li><span>{name(arm.name)}</span><b>{_work(done, macs[0], number == 0)}</b>"
        f'<i style="width:{100 * done / macs[0]:.1f}%"></i></li>'
        for number, (arm, done) in enumerate(zip(request.arms, macs, strict=True))
        if arm.like is None or arm.steps is not None  # else its steps are not chosen yet
    )
    title = (
        "<b>The denoiser's work</b> in multiply-accumulates (MAC). What less of it saves in time, Generate measures."
    )
    return f'<div class="expected"><p>{title}</p><ul>{rows}</ul></div>' if len(macs) > 1 else ""


def _work(done: int, whole: int, baseline: bool) -> str:
    return "100 % of the work" if baseline else f"{100 * done / whole:.0f} % of the work ({whole / done:.2f}× less)"


def name(arm: str) -> str:
    """Write an arm's name so that it breaks between its parts, and T-GATE stays in one piece."""
    return re.sub(r"\([^()]*\)", r"<bdi>\g<0></bdi>", unbroken(arm))


def unbroken(text: str) -> str:
    """Keep T-GATE, and nothing else, from being broken at its hyphen."""
    return escape(text).replace("T-GATE", "<bdi>T-GATE</bdi>")


def told(message: str) -> str:
    """Show how something ended."""
    return f'<div class="status" role="status"><p>{escape(message)}</p></div>'


def status(event: Progress | Waiting, planned: str) -> str:
    """Draw the progress bar, or the place in the queue."""
    if isinstance(event, Waiting):
        others = "another comparison" if event.ahead == 1 else f"{event.ahead} other comparisons"
        text = f"Waiting for {others}: two at once would spoil each other's timings. Now: {escape(event.now)}."
        return f'<div class="status" role="status"><p>{text}</p></div>'
    share = 100 * event.done / max(event.total, 1)
    left = "" if event.seconds_left is None else f"about {duration(event.seconds_left)} left"
    return (
        f'<div class="status"><p><b>{escape(event.text)}</b><span>{left}</span></p>'
        f'<div class="bar" role="progressbar" aria-label="Progress of the run" aria-valuemin="0" aria-valuemax="100" '
        f'aria-valuenow="{share:.0f}"><i style="width:{share:.1f}%"></i></div>'
        f'<p class="plan">{escape(planned)}</p></div>'
    )


def going(event: Progress | Waiting) -> str:
    """Say beside the button how far it is: the status again, short; hidden from those who are read the status."""
    if isinstance(event, Waiting):
        return f'<p class="going" aria-hidden="true">{event.ahead} ahead; now: {escape(event.now)}</p>'
    share = 100 * event.done / max(event.total, 1)
    left = "" if event.seconds_left is None else f"{duration(event.seconds_left)} left"
    return (
        f'<div class="going" aria-hidden="true"><p><b>{escape(event.text)}</b><span>{left}</span></p>'
        f'<div class="bar"><i style="width:{share:.1f}%"></i></div></div>'
    )


STARTING = '<p class="going" aria-hidden="true">Starting</p>'
PREVIOUS = '<p class="previous">Previous run</p>'


def ended(comparison: Comparison, again: str = "", elsewhere: bool = False) -> str:
    """Say how the run ended; ``again`` is what one is called that is shown anew, ``elsewhere`` if it still goes on."""
    made, asked = len(comparison.shots), len(comparison.request.items()) * len(comparison.request.arms)
    before = f"{again}, {comparison.created[:16].replace('T', ' ')} UTC. " if again else ""
    if elsewhere:
        before += "Running in another tab; reload to see more. "
    said = {
        "finished": f"<b>Finished.</b> {_count(made, 'picture')} made.",
        "stopped": f"<b>Stopped.</b> {made} of {asked} pictures were made.",
        "running": f"<b>Not finished.</b> {made} of {asked} pictures were made so far.",
    }
    failed = f"<b>Failed.</b> {made} of {asked} pictures were made. {escape(comparison.message)}"
    broken = " error" if comparison.state == "failed" or comparison.not_run else ""
    told = "".join(
        f"<p>{escape(comparison.request.arms[f.arm].name)} was not run: {escape(f.reason)}.</p>"
        for f in comparison.not_run
    )
    return f'<div class="status{broken}" role="status"><p>{before}{said.get(comparison.state, failed)}</p>{told}</div>'


def failed(message: str) -> str:
    """Show a refusal or an error."""
    return f'<div class="status error" role="alert"><p>{escape(message)}</p></div>'


def headline(comparison: Comparison, thresholds: Thresholds = DEFAULT) -> str:
    """Draw a card an arm: what was asked of it large, and when the run has ended the verdict with its figures."""
    cards = []
    for number, arm in enumerate(comparison.request.arms):
        if number and arm.like is None and comparison.call_pairs(number):
            cards.append(_scores(comparison, number) if arm.weights else _speed(comparison, number, thresholds))
    return f'<div class="cards">{"".join(cards)}</div>' if cards else ""


def _speed(comparison: Comparison, number: int, thresholds: Thresholds) -> str:
    """Draw the card of an accelerated arm: its speed-up, and whether that is worth its loss."""
    figures = comparison.figures(number)
    assert figures.speed_up is not None  # it has pairs
    calls = len({c.batch for c, _ in comparison.call_pairs(number)})
    slower = "<em>slower</em>" if round(figures.speed_up, 2) < 1 else ""
    ratio = f"<small>MAC ratio {figures.mac_ratio:.2f}×</small>" if figures.mac_ratio else ""
    rival = rivalry(comparison, number) if comparison.state != "running" else None
    fewer = f'<p class="fewer">{_whole(rival.sentence)}</p>' if rival else ""
    facts = f"<small>{figures.denoising_speed_up:.2f}× the denoising</small>{ratio}"
    verdict = comparison.verdict(number, thresholds) if comparison.state != "running" else None
    seen = f"after {_count(calls, 'call')}"
    return _card(comparison, number, f"{figures.speed_up:.2f}×{slower}", verdict, seen, calls == 1, facts, fewer)


def _scores(comparison: Comparison, number: int) -> str:
    """Draw the card of an arm with other weights: its CLIP score beside the baseline's, and which is higher."""
    found = comparison.evidence(number).clip_difference()
    large = "not scored" if found.value is None else f"{signed(found.value)}<em>CLIP</em>"
    verdict = comparison.verdict(number) if comparison.state != "running" else None
    return _card(comparison, number, large, verdict, f"after {_count(found.n, 'pair')}", found.n < 2)


def _card(
    comparison: Comparison, number: int, large: str, verdict: Verdict | None, seen: str, few: bool, facts: str = "",
    more: str = "",
) -> str:  # fmt: skip
    kind = verdict.kind if verdict else ""
    said = verdict.sentence.removeprefix(kind).lstrip(": ") if verdict else seen
    early = " early" if few and not verdict else ""
    alike = f"<small>{_whole(text)}</small>" if (text := likeness(comparison, number)) else ""
    why = comparison.no_effect(number)
    badge = f'<span class="badge">had no effect</span><small>{escape(" ".join(why))}</small>' if why else ""
    return (
        f'<div class="card {kind.lower().replace(" ", "-")}{early}"><h2>{name(comparison.request.arms[number].name)}'
        f"</h2><strong>{large}</strong>{f'<b>{kind}</b>' if kind else ''}<span>{_whole(said)}</span>"
        f'<div class="facts">{facts}{alike}{badge}{_incomplete(comparison, number)}</div>{more}</div>'
    )


def _incomplete(comparison: Comparison, arm: int) -> str:
    text = incomplete(comparison, arm)
    return f'<span class="badge random">{escape(text)}</span>' if text else ""


def _whole(text: str) -> str:
    """Keep "n = 2 calls" and a figure with its unit in one piece."""
    return re.sub(r"(?<=[=\d]) (?=[\d%]|calls?\b|pairs?\b)|(?<=\bn) (?==)", "\u00a0", escape(text))


def caption(comparison: Comparison, arm: int, prompt: int, seed: int) -> str:
    """Write the line above a picture: arm, seconds, CLIP score."""
    shot = comparison.shot(arm, prompt, seed)
    title = f"<b>{name(comparison.request.arms[arm].name)}</b>{_incomplete(comparison, arm)}"
    if shot is None:
        return f'<p class="caption">{title}<span>not made</span></p>'
    call = comparison.calls[shot.call]
    score = "" if shot.clip_score is None else f" · CLIP {shot.clip_score:.2f}"
    return f'<p class="caption">{title}<span>{call.seconds / call.pictures:.3f} s{score}</span></p>'


def duration(seconds: float) -> str:
    """Write seconds as people say them.

    >>> duration(7.2), duration(200)
    ('7 s', '3 min 20 s')
    """
    whole = max(round(seconds), 0)
    return f"{whole} s" if whole < 90 else f"{whole // 60} min {whole % 60} s"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
