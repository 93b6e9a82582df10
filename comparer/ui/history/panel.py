"""The History tab: search, open, compare, link and delete earlier runs."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.reporting.markup import Markup, join, markup
from comparer.results import side_by_side as two_runs
from comparer.runs import index, store
from comparer.runs.index import Entry
from comparer.text import counted
from comparer.ui.gradio_options import PLAIN, PRIVATE
from comparer.ui.history import entry
from comparer.ui.results import status

SCRIPT = Path(__file__).parents[1] / "static" / "history.js"
STEP = 50  # runs that are shown at first, and with every "Show more"
NONE = Markup(
    '<div class="empty"><p class="lead">No runs yet.</p><p>Every comparison is kept here until it is deleted: press '
    "<b>Generate</b> on the first tab to make one.</p></div>"
)
ONE = Markup('<p class="note" role="status">One run is chosen: press <b>Side by side</b> on another.</p>')


class History:
    """The tab's components and the handlers that use nothing else."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config = config

    def build(self) -> None:
        """Create the layout of the tab."""
        with gr.Row(elem_id="history-search", equal_height=True):
            self.words = gr.Textbox(
                label="Search the runs", placeholder="Words of a prompt, a model, an accelerator", max_lines=1,
                max_length=500, scale=3,
            )  # fmt: skip
            self.counted = gr.HTML(elem_id="history-counted", **PLAIN)
        self.told = gr.HTML(elem_id="history-told", **PLAIN)
        self.two = gr.HTML(elem_id="two", js_on_load=_CLOSE, **PLAIN)
        self.list = gr.HTML(elem_id="history", js_on_load=SCRIPT.read_text(encoding="utf-8"), **PLAIN)
        self.more = gr.Button("Show more", visible=False, elem_id="history-more")
        self.number, self.chosen = gr.State(STEP), gr.State([])

    def asked(self) -> list[Any]:
        """List the inputs of ``listed`` that follow the owner."""
        return [self.words, self.number, self.chosen]

    def outputs(self) -> list[Any]:
        """List the components that the handlers update."""
        return [self.list, self.counted, self.more, self.number, self.told, self.two, self.chosen]

    def wire(self, tab: gr.Tab, owner: gr.BrowserState, busy: Any) -> None:
        """List the runs when the tab is opened or words are typed; ``busy`` returns the names of runs in progress."""

        def listed(mine: str, words: str, number: int, chosen: list) -> dict:
            return self.listed(mine, words, number, chosen, busy()) | {self.told: ""}

        def afresh(mine: str, words: str, number: int, chosen: list) -> dict:
            return listed(mine, words, STEP, chosen)

        asked = [owner, *self.asked()]
        tab.select(listed, asked, self.outputs(), **PRIVATE)
        self.words.change(afresh, asked, self.outputs(), trigger_mode="always_last", **PRIVATE)
        self.more.click(
            lambda mine, words, number, chosen: listed(mine, words, number + STEP, chosen), asked, self.outputs(),
            **PRIVATE,
        )  # fmt: skip
        self.two.click(
            lambda mine, words, number, chosen: listed(mine, words, number, []) | {self.two: "", self.chosen: []},
            asked, self.outputs(), **PRIVATE,
        )  # fmt: skip

    def listed(self, mine: str, words: str, number: int, chosen: Sequence[str], busy: set[str]) -> dict:
        """Render the list of runs that contain all words; on a public page only this visitor's runs."""
        every = index.entries(self.config.runs, mine if self.config.public else None)
        found = index.search(every, words or "")
        return {
            self.list: entry.draw(found[:number], self.config.runs, chosen, busy) if found else "" if every else NONE,
            self.counted: _counted(len(found), len(every)),
            self.more: gr.update(visible=len(found) > number),
            self.number: number,
        }

    def chose(self, names: Any) -> dict:
        """Compare the two selected runs; if only one is selected, describe what is missing."""
        chosen = [name for name in names if isinstance(name, str)][-2:] if isinstance(names, list) else []
        shown = ONE if chosen else ""
        if len(chosen) == 2:
            try:
                shown = side_by_side([index.entry(self.config.runs, name) for name in chosen], self.config.runs)
            except ComparerError as error:
                shown = status.failed(self.config.redact(error))
        return {self.two: shown, self.chosen: chosen, self.told: ""}

    def delete(self, mine: str, name: Any, busy: set[str]) -> str:
        """Delete a run and report it.

        Raises:
            ComparerError: the run is not deleted; the message gives the reason.
        """
        index.delete(self.config.runs, name, busy, mine if self.config.public else None)
        return status.told("The run is deleted.")


def side_by_side(chosen: Sequence[Entry], runs: Path) -> str:
    """Render two runs' figures in one table, equal rows dimmed, with remarks on what may be concluded."""
    one, other = (store.load(store.find(runs, each.name)) for each in chosen)
    head = join(
        markup('<th scope="col">{}<small>{}</small></th>', each.title, entry.when(each.card.created)) for each in chosen
    )
    body = join(
        markup('<tbody><tr><th scope="rowgroup" colspan="3">{}</th></tr>', status.name(part.title))
        + join(
            markup(
                '<tr{}><th scope="row">{}</th><td>{}</td><td>{}</td></tr>',
                " class=same" if row.same else "",
                row.title,
                _cell(row.one),
                _cell(row.other),
            )
            for row in part.rows
        )
        + Markup("</tbody>")
        for part in two_runs.parts(one, other)
    )
    said = join(markup("<li>{}</li>", text) for text in two_runs.remarks(one, other))
    return markup(
        '<section class="two" aria-label="Two runs side by side"><div><h2>Two runs side by side</h2>'
        '<button type="button" data-do="close">Close</button></div><ul class="notes">{}</ul>'
        '<div class="scroll" tabindex="0" role="region" aria-label="Figures of two runs"><table>'
        "<thead><tr><td></td>{}</tr></thead>{}</table></div></section>",
        said,
        head,
        body,
    )


def _cell(text: str) -> str:
    return Markup.escape(text).replace("\n", Markup("<br>")) or "–"


def _counted(found: int, every: int) -> str:
    runs = counted(every, "run")
    said = runs if found == every else f"{found:,} of {runs}" if found else f"None of {runs} has all these words."
    return markup('<p class="note" role="status">{}</p>', said if every else "")


_CLOSE = """element.addEventListener('click', event => {
  if (event.target.closest('[data-do=close]')) trigger('click', {})
})
new MutationObserver(() => {
  if (element.querySelector('.two')) element.scrollIntoView({block: 'start'})
}).observe(element, {childList: true, subtree: true})"""
