"""Exports of the displayed run: grid, report, tables, script and record, generated on request."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from secrets import token_hex
from typing import Any
from urllib.parse import quote

import gradio as gr

from comparer.config import Config
from comparer.engine import queue
from comparer.errors import ComparerError
from comparer.reporting.exporters import EXPORTERS
from comparer.reporting.grid.options import MAX_PIXELS
from comparer.reporting.markup import join, markup
from comparer.reporting.report.embed import FULL, REDUCED
from comparer.results.comparison import Comparison
from comparer.text import file_size
from comparer.ui import permalink
from comparer.ui.results import status

PLAIN: dict[str, Any] = {"apply_default_css": False, "padding": False}
PAGES = 20  # of a grid that the page draws; the command line has no limit
PRESSED = """element.addEventListener('click', event => {
  const pressed = event.target.closest('button[data-take]')
  if (!pressed) return
  const viewer = document.querySelector('#compare .viewer')?.viewer, seen = viewer?.data.pairs[viewer.state.pair]
  const [one, other] = viewer?.state.arms ?? [0, 1]
  trigger('click', {take: pressed.dataset.take, pair: seen && `${seen.prompt}:${seen.seed}`, arm: one || other})
})"""
SAVED = """let last
watch('value', () => requestAnimationFrame(() => {
  const made = element.querySelector('ul')?.dataset.made
  if (made && made !== last) for (const link of element.querySelectorAll('a[download]')) link.click()
  last = made ?? last
}))"""


class Take:
    """The export components, and the files they generate."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config = config

    def build(self) -> None:
        """Create the components, hidden until a run has ended."""
        with gr.Column(visible=False, elem_id="take") as self.column:
            self.bar = gr.HTML(_buttons(), elem_id="kinds", js_on_load=PRESSED, **PLAIN)
            self.taken = gr.HTML(elem_id="taken", js_on_load=SAVED, **PLAIN)
            self.allowed = gr.State(False)  # the server's: on a public page nobody writes into another's run
            with gr.Accordion("Export options", open=False):
                self.arms = gr.CheckboxGroup([], label="Arms of the grid")
                with gr.Row():
                    self.prompts = gr.Textbox(
                        label="Its prompts", placeholder="all, or 1,3", max_lines=1, min_width=120
                    )
                    self.seeds = gr.Textbox(label="Its seeds", placeholder="all, or 1-4", max_lines=1, min_width=120)
                    self.cell = gr.Number(
                        None, label="Cell width (px)", precision=0, placeholder="as it is", min_width=120
                    )
                self.look = gr.CheckboxGroup(
                    [("Labels", "labels"), ("Margins", "margins"), ("Arms as rows", "transpose")],
                    value=["labels", "margins"], label="Its look",
                    info=f"Beyond {MAX_PIXELS / 1e6:.0f} million pixels it goes on, on a further page",
                )  # fmt: skip
                self.pictures = gr.Radio(
                    [("Full PNG", FULL), ("Reduced", REDUCED)], value=FULL,
                    label="Pictures of the report", info="Reduced ones are smaller and have no difference map",
                )  # fmt: skip

    def wire(self, comparison: gr.State, folder: gr.State) -> None:
        """Generate the requested files and let the browser download them."""
        options = [self.arms, self.prompts, self.seeds, self.cell, self.look, self.pictures]
        self.bar.click(
            self.take, [self.allowed, comparison, folder, *options], self.taken, concurrency_limit=1,
            concurrency_id="take", show_progress="hidden", api_visibility="private",
        )  # fmt: skip

    def outputs(self) -> list[Any]:
        """List the components that ``shown`` updates."""
        return [self.column, self.taken, self.arms, self.allowed]

    def shown(self, seen: Comparison, offered: bool) -> dict:
        """Offer the exports of a run that has ended; the grid starts with all arms."""
        arms = [(arm.name, number) for number, arm in enumerate(seen.request.arms)]
        everything = gr.update(choices=arms, value=[number for _, number in arms], visible=len(arms) > 1)
        return {
            self.column: gr.update(visible=offered), self.taken: "", self.arms: everything, self.allowed: offered
        }  # fmt: skip

    def take(
        self, event: gr.EventData, allowed: bool, seen: Comparison | None, folder: str, *options: Any
    ) -> Iterator[str]:
        """Handle a click on a button: wait in the queue, generate the files, and show links to them."""
        data = event._data or {}
        if not allowed or seen is None or data.get("take") not in EXPORTERS:
            return
        yield status.told("Waiting for a comparison that is measured" if queue.busy() else "Writing")
        try:
            # Wait: an export would distort the times of a measured comparison.
            with queue.turn(lambda *_: None, lambda: False, self.config.limits.queue, lambda: "an export"):
                made = self.made(data, seen, Path(folder), *options)
            yield _links(made)
        except ComparerError as error:
            yield status.failed(self.config.redact(error))
        except OSError as error:
            yield status.failed(f"The file cannot be written: {error.strerror or error}.")

    def made(
        self, data: dict, seen: Comparison, folder: Path, arms: Sequence[int], prompts: str, seeds: str,
        cell: int | None, look: Sequence[str], pictures: str,
    ) -> list[Path]:  # fmt: skip
        """Generate the files that ``data`` requests and return their paths."""
        pair, arm = permalink.pair_of(seen, data)
        prompt, seed = pair or (seen.shots[0].prompt, seen.shots[0].seed)
        options = {
            "arms": tuple(arms), "prompts": prompts, "seeds": seeds, "cell": cell, "max_pages": PAGES,
            **{name: name in look for name in ("labels", "margins", "transpose")},
            "report": pictures, "script": (min(arm, len(seen.request.arms) - 1), prompt, seed),
        }  # fmt: skip
        return EXPORTERS[data["take"]].export(seen, folder, options)


def _buttons() -> str:
    buttons = join(
        markup(
            '<button type="button" data-take="{}" title="{}">{} <small>{}</small></button>',
            name,
            exporter.summary,
            exporter.title,
            exporter.formats,
        )
        for name, exporter in EXPORTERS.items()
    )
    return markup('<h2>Take it with you</h2><div class="kinds">{}</div>', buttons)


def _links(paths: Sequence[Path]) -> str:
    items = join(
        # Relative: the page may be served below a path of its own.
        markup(
            '<li><a href="gradio_api/file={}" download="{}">{}</a> {}</li>',
            quote(str(path.resolve())),
            path.name,
            path.name,
            file_size(path.stat().st_size),
        )
        for path in paths
    )
    return markup('<ul role="status" data-made="{}">{}</ul>', token_hex(4), items)
