"""Result of a check as HTML: the judgement, the images, every measure with its limit. All texts are escaped."""

from pathlib import Path
from urllib.parse import quote

from comparer.reporting.html.tables import table
from comparer.reporting.markup import join, markup
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
    why = join(markup("<li>{}</li>", reason) for reason in judged.reasons)
    notes = join(markup('<p class="note">{}</p>', note) for note in (*scores(report), *judged.notes))
    title = markup("Check of <b>{}</b>: {}", report.name, judged.kind)
    head = markup(
        '<div class="card {}"><b>{}</b><span>{}</span>{}</div>',
        judged.kind,
        judged.kind.capitalize(),
        SAID[judged.kind],
        markup("<ul>{}</ul>", why) if why else "",
    )
    halves = join(_pictures(report, half.half) for half in report.halves)
    rows = [
        table(_title("Measures", half.half), MEASURES, [list(row) for row in measures(half)]) for half in report.halves
    ]
    figures = markup("<details><summary>Every measure and its limit</summary>{}</details>", join(rows)) if rows else ""
    card = cards.draw(report.card, report.name, unfolded=False) if report.card else ""
    inside = join((head, halves, notes, figures, card))
    return markup('<details class="checked" open><summary>{}</summary>{}</details>', title, inside)


def _title(text: str, half: str) -> str:
    return f"{text}, {CALLED[half]}" if half else text


def _pictures(report: SanityReport, half: str) -> str:
    cells = join(_picture(report, made) for made in report.pictures if made.half == half)
    return markup('<h3>{}</h3><div class="made">{}</div>', _title("Pictures", half), cells)


def _picture(report: SanityReport, made: Made) -> str:
    assert report.settings and report.folder  # there are none without
    prompt = report.settings.prompts[made.prompt]
    score = f" · CLIP {made.clip[made.prompt]:.1f}" if made.clip else ""
    path = quote(str(Path(report.folder).resolve() / made.file))
    alt = f"{_title('Check', made.half)}: {prompt}, seed {made.seed}"
    # Relative: the page may be served below a path of its own.
    return markup(
        '<figure><img src="gradio_api/file={}" loading="lazy" alt="{}">'
        "<figcaption>{}<small>seed {}{}</small></figcaption></figure>",
        path,
        alt,
        prompt,
        made.seed,
        score,
    )
