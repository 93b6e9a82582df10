"""The right column's pictures: all of them by prompt and arm, and the compare viewer for a closer look."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from comparer import viewer
from comparer.results import Comparison
from comparer.ui import tables

PLAIN: dict[str, Any] = {"apply_default_css": False, "padding": False}
ALL, CLOSE = "all", "compare"
PRESSED = """element.addEventListener('click', event => {
  const pressed = event.target.closest('button[data-pair]')
  if (!pressed) return
  const {pair, arm} = pressed.dataset
  location.hash = Number(arm) ? `#pair=${pair}&arm=${arm}` : `#pair=${pair}`
  const tabs = [...document.querySelectorAll('#views button[role=tab]')]
  tabs.find(tab => tab.textContent.trim() === 'Compare')?.click()
  document.querySelector('#views').scrollIntoView({block: 'nearest'})
})"""


class Pictures:
    """The components, and what they show of a comparison."""

    def build(self) -> None:
        """Lay the components out, hidden until there is a picture."""
        with (
            gr.Column(visible=False, elem_id="pictures") as self.column,
            gr.Tabs(elem_id="views") as self.tabs,
        ):
            with gr.Tab("All", id=ALL):
                self.all = gr.HTML(elem_id="all", js_on_load=PRESSED, **PLAIN)
            with gr.Tab("Compare", id=CLOSE):
                self.compare = gr.HTML(elem_id="compare", js_on_load=viewer.script(), **PLAIN)

    def build_table(self) -> None:
        """Lay the table of every picture out."""
        self.table = gr.HTML(elem_id="every", **PLAIN)

    def outputs(self) -> list[Any]:
        """List every component that ``show`` changes."""
        return [self.column, self.tabs, self.compare, self.all, self.table]

    def show(
        self,
        comparison: Comparison,
        folder: Path,
        item: tuple[int, int] | None = None,
        arm: int | None = None,
        first: bool = False,
    ) -> dict:
        """Show a comparison's pictures.

        Args:
            comparison: with a picture at least.
            folder: where its pictures are.
            item: the (prompt number, seed) that is looked at to begin with; the newest while the run goes on, and
                then the first of the viewer's order. Whoever chose another keeps it.
            arm: the arm beside the baseline; the newest while the run goes on, and then the first.
            first: open the view that suits it: all pictures for many arms, a closer look for one.
        """
        views = gr.Tabs(selected=ALL if len(comparison.request.arms) > 2 and item is None else CLOSE)
        last = comparison.shots[-1]
        if comparison.state == "running":
            item, arm = item or (last.prompt, last.seed), arm or last.arm
        # Relative: the page may be served below a path of its own.
        shown = viewer.data(comparison, f"gradio_api/file={quote(str(folder.resolve()))}", item, arm or 1)
        return {
            self.column: gr.update(visible=True),
            self.compare: viewer.fragment(shown),
            self.all: tables.all_pictures(comparison, folder),
            self.table: tables.pairs_table(comparison),
            **({self.tabs: views} if first else {}),
        }
