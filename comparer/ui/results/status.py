"""Texts of the right column: progress, verdicts and captions as HTML. All visitor input is escaped."""

from collections import Counter

from comparer.engine.events import Progress, Waiting
from comparer.engine.repeats import ExtraTurnPlanner
from comparer.engine.resume import left
from comparer.engine.schedule import TIMED, WARM_UP, RemainingWork, plan
from comparer.reporting.html.verdict_cards import name
from comparer.reporting.markup import Markup, join, markup
from comparer.request.request import Request
from comparer.results.comparison import Comparison
from comparer.text import counted, duration, percent

HEAD = Markup("<h1>Comparer</h1><p>Diffusion accelerators and checkpoints, side by side</p>")
COLUMNS = Markup(
    '<div class="columns" role="group" aria-label="What is shown"><button type="button" data-column="controls">Settings'
    '</button><button type="button" data-column="seen">Results</button></div>'
)
EMPTY = Markup(
    '<div class="empty"><p class="lead">See what an accelerator gives, and what it costs.</p>'
    "<p>Press <b>Generate</b>: the same noise becomes one picture without the accelerator and one with it, each "
    "timed after a warm-up and scored. The demo model needs no download and no GPU. To lay checkpoints beside each "
    "other, or EMA beside raw weights, choose <b>Compare: Checkpoints</b>.</p></div>"
)


def announce(request: Request, kept: Comparison | None = None) -> str:
    """Describe what will be made; ``kept`` is the part of a resumed run that is reused."""
    work = left(kept) if kept else RemainingWork.of(request)
    kinds = Counter(call.kind for call in plan(request, work))
    calls, warm = kinds[TIMED], kinds[WARM_UP]
    more = kinds.total() - calls - warm
    pictures = len(request.arms) * len(request.items()) - (len(kept.shots) if kept else 0)
    planned = f"{counted(pictures, 'picture')} in {counted(calls, 'timed call')}"
    planned += f" after {counted(warm, 'warm-up call')}" if warm else ""
    planned += f", and {counted(more, 'untimed call')} besides" if more else ""
    repeated = request.repeat_seconds and len(ExtraTurnPlanner(kept or Comparison(request), work).arms) > 1
    return f"{planned}; one call is repeated for up to {request.repeat_seconds:g} s" if repeated else planned


def expected(request: Request, macs: tuple[int, ...]) -> str:
    """Render every arm's share of the baseline's multiply-accumulates as a bar, with the ratio."""
    rows = join(
        markup(
            '<li><span>{}</span><b>{}</b><i style="width:{:.1f}%"></i></li>',
            name(arm.name),
            _work(done, macs[0], number == 0),
            100 * done / macs[0],
        )
        for number, (arm, done) in enumerate(zip(request.arms, macs, strict=True))
        if arm.matches_time_of is None or arm.steps is not None  # else its steps are not chosen yet
    )
    title = Markup(
        "<b>The denoiser's work</b> in multiply-accumulates (MAC). Press Generate to measure the time saved."
    )
    return markup('<div class="expected"><p>{}</p><ul>{}</ul></div>', title, rows) if len(macs) > 1 else ""


def _work(done: int, whole: int, baseline: bool) -> str:
    return "100 % of the compute" if baseline else f"{percent(done / whole)} of the compute ({whole / done:.2f}× less)"


def told(message: str) -> str:
    """Render a status message."""
    return markup('<div class="status" role="status"><p>{}</p></div>', message)


def status(event: Progress | Waiting, planned: str) -> str:
    """Render the progress bar, or the position in the queue."""
    if isinstance(event, Waiting):
        others = "another comparison" if event.ahead == 1 else f"{event.ahead} other comparisons"
        return markup(
            '<div class="status" role="status"><p>Waiting for {}: two at once would spoil each other\'s timings. '
            "Now: {}.</p></div>",
            others,
            event.now,
        )
    share = 100 * event.done / max(event.total, 1)
    left = "" if event.seconds_left is None else f"about {duration(event.seconds_left)} left"
    return markup(
        '<div class="status"><p><b>{}</b><span>{}</span></p>'
        '<div class="bar" role="progressbar" aria-label="Progress of the run" aria-valuemin="0" aria-valuemax="100" '
        'aria-valuenow="{:.0f}"><i style="width:{:.1f}%"></i></div>'
        '<p class="plan">{}</p></div>',
        event.text,
        left,
        share,
        share,
        planned,
    )


def going(event: Progress | Waiting) -> str:
    """Render a short status beside the button; hidden from screen readers, which read the status itself."""
    if isinstance(event, Waiting):
        return markup('<p class="going" aria-hidden="true">{} ahead; now: {}</p>', event.ahead, event.now)
    share = 100 * event.done / max(event.total, 1)
    left = "" if event.seconds_left is None else f"{duration(event.seconds_left)} left"
    return markup(
        '<div class="going" aria-hidden="true"><p><b>{}</b><span>{}</span></p>'
        '<div class="bar"><i style="width:{:.1f}%"></i></div></div>',
        event.text,
        left,
        share,
    )


STARTING = Markup('<p class="going" aria-hidden="true">Starting</p>')
PREVIOUS = Markup('<p class="previous">Previous run</p>')


def ended(comparison: Comparison, again: str = "", elsewhere: bool = False) -> str:
    """Describe how the run ended; ``again`` is the label of a reopened run, ``elsewhere``: it is in progress."""
    made, asked = len(comparison.shots), len(comparison.request.items()) * len(comparison.request.arms)
    before = f"{again}, {str(comparison.created)[:16].replace('T', ' ')} UTC. " if again else ""
    if elsewhere:
        before += "Running in another tab; reload to see more. "
    said = {
        "finished": markup("<b>Finished.</b> {} made.", counted(made, "picture")),
        "stopped": markup("<b>Stopped.</b> {} of {} pictures were made.", made, asked),
        "running": markup("<b>Not finished.</b> {} of {} pictures were made so far.", made, asked),
    }
    failed = markup("<b>Failed.</b> {} of {} pictures were made. {}", made, asked, comparison.message)
    broken = " error" if comparison.state == "failed" or not all(f.unneeded for f in comparison.not_run) else ""
    told = join(
        markup("<p>{} was not run: {}.</p>", comparison.request.arms[f.arm].name, f.reason) for f in comparison.not_run
    )
    return markup(
        '<div class="status{}" role="status"><p>{}{}</p>{}</div>',
        broken,
        before,
        said.get(comparison.state, failed),
        told,
    )


def failed(message: str) -> str:
    """Render a refusal or an error."""
    return markup('<div class="status error" role="alert"><p>{}</p></div>', message)
