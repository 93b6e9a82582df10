"""Images of the right column: all of them by prompt and arm, and the compare viewer for a closer look."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from comparer.reporting.html import chips, tables
from comparer.reporting.markup import Markup, join, markup
from comparer.reporting.viewer import viewer
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import Shot
from comparer.results.sorting import ordered
from comparer.runs import store
from comparer.ui import permalink
from comparer.ui.gradio_options import PLAIN, PRIVATE
from comparer.ui.results.blind_test import Blind

ALL, CLOSE = "all", "compare"
ADDRESS = Path(__file__).parents[1] / "static" / "address.js"
# Where there is no room for every view's name, Gradio moves the last ones into a menu, whose entries have no id.
PRESSED = """element.addEventListener('click', event => {
  if (event.target.closest('[data-evidence]')) {
    const entries = [...document.querySelectorAll('#views .overflow-dropdown button')]
    const named = entries.find(entry => entry.textContent.trim() === 'Evidence')
    const view = document.querySelector('#views button[data-tab-id=evidence]') ?? named
    view?.click()
  }
  const pressed = event.target.closest('button[data-pair]')
  if (!pressed) return
  const {pair, arm} = pressed.dataset
  location.hash = Number(arm) ? `#pair=${pair}&arm=${arm}` : `#pair=${pair}`
  document.querySelector('#views button[data-tab-id=compare]')?.click()
  document.querySelector('#views').scrollIntoView({block: 'nearest'})
})"""


class Pictures:
    """The components that show a comparison's images."""

    def __init__(self) -> None:
        """Store the blind test; components are created in ``build``."""
        self.blind = Blind()

    def build(self, evidence: Callable[[], None], extend: Callable[[], None], export: Callable[[], None]) -> None:
        """Create the views of a result, hidden until there is an image.

        Args:
            evidence: creates the components of the view with figures, plots and prose.
            extend: creates those that resume or extend the run.
            export: creates those that export it.
        """
        with (
            gr.Column(visible=False, elem_id="pictures") as self.column,
            gr.Tabs(elem_id="views") as self.tabs,
        ):
            with gr.Tab("Images", id=ALL):
                self.all = gr.HTML(elem_id="all", js_on_load=PRESSED, **PLAIN)
            with gr.Tab("Viewer", id=CLOSE):
                self.compare = gr.HTML(elem_id="compare", js_on_load=viewer.script(), **PLAIN)
            with gr.Tab("Blind test", id="blind") as self.blind_tab:
                self.blind.build()
            with gr.Tab("Evidence", id="evidence"):
                evidence()
            with gr.Tab("Extend this run", id="extend"):
                extend()
            with gr.Tab("Export", id="export"):
                export()

    def build_table(self) -> None:
        """Create the table of all images, and an invisible component with the page's address."""
        self.address = gr.HTML(elem_id="address", **PLAIN)
        self.address.change(None, self.address, None, js=ADDRESS.read_text(encoding="utf-8"), **PRIVATE)
        self.table = gr.HTML(elem_id="every", **PLAIN)

    def outputs(self) -> list[Any]:
        """List the components that ``show`` updates."""
        return [self.column, self.tabs, self.compare, self.all, self.table, self.address, self.blind.arm]

    def wire(self, comparison: gr.State, folder: gr.State) -> None:
        """Connect the blind test to the displayed comparison."""
        self.blind.wire(self.blind_tab, comparison, folder)

    def show(
        self,
        analysis: Analysis,
        folder: Path,
        item: tuple[int, int] | None = None,
        arm: int | None = None,
        first: bool = False,
    ) -> dict:
        """Show a comparison's images.

        Args:
            analysis: of a comparison with at least one image.
            folder: folder of its images.
            item: the (prompt number, seed) to show first; during a run the newest one with both images, afterwards the
                first of the viewer's order. A visitor's own choice is kept.
            arm: the arm compared with the baseline; likewise.
            first: open the view that suits it: all images for many arms, a closer look for one.
        """
        comparison = analysis.comparison
        views = gr.Tabs(selected=ALL if len(comparison.request.arms) > 2 and item is None else CLOSE)
        asked = item is not None
        if comparison.state == "running":
            newest = _newest(comparison)
            item, arm = item or (newest.prompt, newest.seed), arm or newest.arm
        # Relative: the page may be served below a path of its own.
        shown = viewer.data(comparison, f"gradio_api/file={quote(str(folder.resolve()))}", item, arm or 1, asked)
        return {
            self.column: gr.update(visible=True),
            self.compare: viewer.fragment(shown),
            self.all: all_pictures(analysis, folder),
            self.table: tables.pairs_table(comparison),
            self.address: permalink.query(store.name(folder)),
            self.blind.arm: self.blind.arms(comparison),
            **({self.tabs: views} if first else {}),
        }


def _newest(comparison: Comparison) -> Shot:
    """Return the newest shot whose pair is whole; the newest of all where none is."""
    base = {(shot.prompt, shot.seed) for shot in comparison.shots if not shot.arm}
    whole = (shot for shot in reversed(comparison.shots) if shot.arm and (shot.prompt, shot.seed) in base)
    return next(whole, comparison.shots[-1])


def all_pictures(analysis: Analysis, folder: Path) -> str:
    """Render all images below the chips of their arms, a row per prompt and seed; a press on an image opens it."""
    comparison = analysis.comparison
    arms, settings = comparison.request.arms, comparison.request.settings
    made = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    rows, last = [], -1
    for prompt, seed in ordered(comparison, 0):
        cells = (_cell(comparison, folder, made.get((n, prompt, seed)), n, prompt, seed) for n in range(len(arms)))
        title = markup("<bdi>{}</bdi> ", settings.prompts[prompt]) if prompt != last else Markup()
        rows.append(
            markup(
                '<tr class="prompt"><th scope="rowgroup" colspan="{}">{}<small>seed {}</small></th></tr><tr>{}</tr>',
                len(arms),
                title,
                seed,
                join(markup("<td>{}</td>", cell) for cell in cells),
            )
        )
        last = prompt
    head = join(markup('<th scope="col">{}</th>', chips.drawn(each, pressed=True)) for each in analysis.arms)
    kind = "all small" if settings.width < 256 else "all"
    return markup(
        '{}<div class="scroll" tabindex="0" role="region" aria-label="All images">'
        '<table class="{}" style="--arms:{}"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        chips.answer_line(analysis),
        kind,
        len(arms),
        head,
        join(rows),
    )


def _cell(comparison: Comparison, folder: Path, shot: Shot | None, arm: int, prompt: int, seed: int) -> str:
    settings = comparison.request.settings
    if shot is None:
        said = "" if comparison.state == "running" else "not made"
        return markup('<span class="none" style="aspect-ratio:{}/{}">{}</span>', settings.width, settings.height, said)
    title = comparison.request.arms[arm].name
    # Relative: the page may be served below a path of its own.
    image = markup(
        '<img src="gradio_api/file={}" loading="lazy" width="{}" height="{}" alt="{}, seed {}">',
        quote(str(folder.resolve() / shot.file)),
        settings.width,
        settings.height,
        title,
        seed,
    )
    button = markup('<button type="button" data-pair="{}:{}" data-arm="{}">{}</button>', prompt, seed, arm, image)
    return markup("{}<p>{}</p>", button, tables.seen(comparison, shot, [comparison.calls[shot.call]]))
