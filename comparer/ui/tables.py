"""All pictures of a prompt, as HTML. Everything from a visitor is escaped."""

from html import escape
from pathlib import Path
from urllib.parse import quote

from comparer.html.cards import name
from comparer.html.tables import arms_table as arms_table
from comparer.html.tables import notes_list as notes_list
from comparer.html.tables import pairs_table as pairs_table
from comparer.html.tables import seen
from comparer.html.tables import table as table
from comparer.order import AS_ASKED, ordered
from comparer.results import Comparison


def all_pictures(comparison: Comparison, folder: Path, prompt: int, arm: int = 1, order: str = AS_ASKED) -> str:
    """Draw a prompt's pictures: a column an arm, a row a seed; a press on one opens its pair."""
    arms, settings = comparison.request.arms, comparison.request.settings
    rows = []
    for which, seed in ordered(comparison, arm, order):
        if which == prompt:
            cells = "".join(f"<td>{_cell(comparison, folder, n, prompt, seed)}</td>" for n in range(len(arms)))
            rows.append(f'<tr><th scope="row">Seed {seed}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{name(each.name)}</th>' for each in arms)
    kind = "all small" if settings.width < 256 else "all"
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="All pictures of a prompt">'
        f'<table class="{kind}" style="--arms:{len(arms)}"><caption>{escape(settings.prompts[prompt])}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(comparison: Comparison, folder: Path, arm: int, prompt: int, seed: int) -> str:
    shot = comparison.shot(arm, prompt, seed)
    if shot is None:
        return '<span class="none">not made</span>'
    title, settings = escape(comparison.request.arms[arm].name), comparison.request.settings
    # Relative: the page may be served below a path of its own.
    image = (
        f'<img src="gradio_api/file={quote(str(folder.resolve() / shot.file))}" loading="lazy" '
        f'width="{settings.width}" height="{settings.height}" alt="{title}, seed {seed}">'
    )
    button = f'<button type="button" data-pair="{prompt}:{seed}" data-arm="{arm}">{image}</button>'
    return f"{button}<p>{seen(shot, [comparison.calls[shot.call]])}</p>"
