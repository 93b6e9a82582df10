"""Texts of the right column: progress, verdicts and captions as HTML. All visitor input is escaped."""

from collections import Counter
from html import escape

from comparer.engine.events import Progress, Waiting
from comparer.engine.resume import left
from comparer.engine.schedule import TIMED, WARM_UP, plan
from comparer.reporting.html.verdict_cards import name
from comparer.request.request import Request
from comparer.results.comparison import Comparison
from comparer.text import counted, duration, percent

HEAD = "<h1>Comparer</h1><p>Diffusion accelerators and checkpoints, side by side and honestly measured.</p>"
EMPTY = (
    '<div class="empty"><p class="lead">See what an accelerator gives, and what it costs.</p>'
    "<p>Press <b>Generate</b>: the same noise becomes one picture without the accelerator and one with it, each "
    "timed after a warm-up and scored. The demo model needs no download and no GPU. To lay checkpoints beside each "
    "other, or EMA beside raw weights, choose <b>Compare: Checkpoints</b>.</p></div>"
)


def announce(request: Request, kept: Comparison | None = None) -> str:
    """Describe what will be made; ``kept`` is the part of a resumed run that is reused."""
    kinds = Counter(call.kind for call in plan(request, left(kept) if kept else None))
    calls, warm = kinds[TIMED], kinds[WARM_UP]
    more = kinds.total() - calls - warm
    pictures = len(request.arms) * len(request.items()) - (len(kept.shots) if kept else 0)
    planned = f"{counted(pictures, 'picture')} in {counted(calls, 'timed call')}"
    planned += f" after {counted(warm, 'warm-up call')}" if warm else ""
    return f"{planned}, and {counted(more, 'untimed call')} besides" if more else planned


def expected(request: Request, macs: tuple[int, ...]) -> str:
    """Render every arm's share of the baseline's multiply-accumulates as a bar, with the ratio."""
    rows = "".join(
        f"<li><span>{name(arm.name)}</span><b>{_work(done, macs[0], number == 0)}</b>"
        f'<i style="width:{100 * done / macs[0]:.1f}%"></i></li>'
        for number, (arm, done) in enumerate(zip(request.arms, macs, strict=True))
        if arm.matches_time_of is None or arm.steps is not None  # else its steps are not chosen yet
    )
    title = (
        "<b>The denoiser's work</b> in multiply-accumulates (MAC). What less of it saves in time, Generate measures."
    )
    return f'<div class="expected"><p>{title}</p><ul>{rows}</ul></div>' if len(macs) > 1 else ""


def _work(done: int, whole: int, baseline: bool) -> str:
    return "100 % of the work" if baseline else f"{percent(done / whole)} of the work ({whole / done:.2f}× less)"


def told(message: str) -> str:
    """Render a status message."""
    return f'<div class="status" role="status"><p>{escape(message)}</p></div>'


def status(event: Progress | Waiting, planned: str) -> str:
    """Render the progress bar, or the position in the queue."""
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
    """Render a short status beside the button; hidden from screen readers, which read the status itself."""
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
    """Describe how the run ended; ``again`` is the label of a reopened run, ``elsewhere``: it is in progress."""
    made, asked = len(comparison.shots), len(comparison.request.items()) * len(comparison.request.arms)
    before = f"{again}, {escape(str(comparison.created)[:16].replace('T', ' '))} UTC. " if again else ""
    if elsewhere:
        before += "Running in another tab; reload to see more. "
    said = {
        "finished": f"<b>Finished.</b> {counted(made, 'picture')} made.",
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
    """Render a refusal or an error."""
    return f'<div class="status error" role="alert"><p>{escape(message)}</p></div>'
