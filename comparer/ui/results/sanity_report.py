"""Result of a check as HTML: the judgement, the images, every measure with its limit. All texts are escaped."""

from html import escape
from pathlib import Path
from urllib.parse import quote

from comparer.reporting.html.tables import table
from comparer.sanity.report import CALLED, MEASURES, Made, SanityReport, measures, scores
from comparer.ui.results import checkpoint_card as cards

SAID = {
    "healthy": "Nothing that is looked at is wrong.",
    "suspicious": "Look at this before you trust it.",
    "broken": "This cannot be right.",
}


def draw(report: SanityReport) -> str:
    """Render a report."""
    judged = report.judgement
    why = "".join(f"<li>{escape(reason)}</li>" for reason in judged.reasons)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in (*scores(report), *judged.notes))
    title = f"Check of <b>{escape(report.name)}</b>: {judged.kind}"
    head = (
        f'<div class="card {judged.kind}"><b>{judged.kind.capitalize()}</b>'
        f"<span>{escape(SAID[judged.kind])}</span>{f'<ul>{why}</ul>' if why else ''}</div>"
    )
    halves = "".join(_pictures(report, half.half) for half in report.halves)
    rows = [
        table(_title("Measures", half.half), MEASURES, [list(map(escape, row)) for row in measures(half)])
        for half in report.halves
    ]
    figures = f"<details><summary>Every measure and its limit</summary>{''.join(rows)}</details>" if rows else ""
    card = cards.draw(report.card, report.name, unfolded=False) if report.card else ""
    inside = f"{head}{halves}{notes}{figures}{card}"
    return f'<details class="checked" open><summary>{title}</summary>{inside}</details>'


def _title(text: str, half: str) -> str:
    return f"{text}, {CALLED[half]}" if half else text


def _pictures(report: SanityReport, half: str) -> str:
    cells = "".join(_picture(report, made) for made in report.pictures if made.half == half)
    return f'<h3>{_title("Pictures", half)}</h3><div class="made">{cells}</div>'


def _picture(report: SanityReport, made: Made) -> str:
    assert report.settings and report.folder  # there are none without
    prompt = report.settings.prompts[made.prompt]
    score = f" · CLIP {made.clip[made.prompt]:.1f}" if made.clip else ""
    path = quote(str(Path(report.folder).resolve() / made.file))
    alt = escape(f"{_title('Check', made.half)}: {prompt}, seed {made.seed}")
    # Relative: the page may be served below a path of its own.
    return (
        f'<figure><img src="gradio_api/file={path}" loading="lazy" alt="{alt}">'
        f"<figcaption>{escape(prompt)}<small>seed {made.seed}{score}</small></figcaption></figure>"
    )
