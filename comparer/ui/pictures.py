"""The right column's pictures: all of a prompt, a pair side by side with its captions, and the compare viewer."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import gradio as gr

from comparer import viewer
from comparer.order import AS_ASKED, ORDERS, ordered
from comparer.results import Comparison
from comparer.ui import results, tables
from comparer.ui.arms import PRIVATE
from comparer.ui.blind import Blind

PLAIN: dict[str, Any] = {"apply_default_css": False, "padding": False}
ALL, PAIR = "all", "pair"
PRESSED = """element.addEventListener('click', event => {
  const pressed = event.target.closest('button[data-pair]')
  if (pressed) trigger('click', {pair: pressed.dataset.pair, arm: Number(pressed.dataset.arm)})
})"""


class Pictures:
    """The components, and what they show of a comparison."""

    def __init__(self) -> None:
        """Build nothing yet; ``build`` does."""
        self.blind = Blind()

    def build(self) -> None:
        """Lay the components out, hidden until there is a picture."""
        with gr.Column(visible=False, elem_id="pictures") as self.column:
            with gr.Row():
                self.pair = gr.Dropdown([], label="Pair", visible=False, scale=5, min_width=200)
                self.arm = gr.Dropdown([], label="Compared with the baseline", visible=False, scale=3, min_width=160)
                self.order = gr.Dropdown(
                    list(ORDERS), value=AS_ASKED, label="Order", visible=False, scale=2, min_width=160, elem_id="order"
                )
            with gr.Tabs(elem_id="views") as self.tabs:
                with gr.Tab("All", id=ALL):
                    self.all = gr.HTML(elem_id="all", js_on_load=PRESSED, **PLAIN)
                with gr.Tab("Side by side", id=PAIR), gr.Row():
                    with gr.Column(min_width=280):
                        self.base_caption = gr.HTML(**PLAIN)
                        self.base = _picture("Baseline")
                    with gr.Column(min_width=280):
                        self.other_caption = gr.HTML(**PLAIN)
                        self.other = _picture("Accelerated")
                with gr.Tab("Compare", id="compare"):
                    gr.HTML(f"<style>{viewer.style()}</style>", **PLAIN)
                    self.compare = gr.HTML(elem_id="compare", js_on_load=viewer.script(), **PLAIN)
                with gr.Tab("Judge blind", id="blind") as self.blind_tab:
                    self.blind.build()

    def build_table(self) -> None:
        """Lay the table of every picture out."""
        self.table = gr.HTML(elem_id="every", **PLAIN)

    def viewer(self) -> list[Any]:
        """List what changes with the chosen pair."""
        captions = [self.base_caption, self.base, self.other_caption, self.other]
        return [*captions, self.compare, self.all, self.table]

    def outputs(self) -> list[Any]:
        """List every component that ``show`` changes."""
        return [self.column, self.tabs, self.pair, self.arm, self.order, *self.viewer()]

    def wire(self, comparison: gr.State, folder: gr.State, pinned: Any) -> None:
        """Let people choose a pair; ``pinned`` is told of the session that did."""

        def choose(
            pair: str, arm: int | None, order: str, seen: Comparison | None, where: str, request: gr.Request
        ) -> Any:
            if seen is None or not pair:
                return gr.skip()
            pinned(request)
            prompt, seed = map(int, pair.split(":"))
            shown = {self.pair: gr.update(choices=_choices(seen, arm or 1, order))}
            return shown | self.pair_of(seen, Path(where), arm or 1, prompt, seed, order)

        def sort(arm: int | None, order: str, seen: Comparison | None, where: str, request: gr.Request) -> Any:
            if seen is None or not (choices := _choices(seen, arm or 1, order)):
                return gr.skip()
            pinned(request)
            prompt, seed = map(int, choices[0][1].split(":"))
            shown = {self.pair: gr.update(choices=choices, value=choices[0][1])}
            return shown | self.pair_of(seen, Path(where), arm or 1, prompt, seed, order)

        def press(
            arm: int | None, order: str, seen: Comparison | None, where: str, request: gr.Request, event: gr.EventData
        ) -> Any:
            data = event._data or {}
            if seen is None or "pair" not in data:
                return gr.skip()
            pinned(request)
            arm, pair = data["arm"] or arm or 1, data["pair"]
            prompt, seed = map(int, pair.split(":"))
            shown = {self.pair: pair, self.tabs: gr.Tabs(selected=PAIR)}
            shown |= {self.arm: arm} if len(seen.request.arms) > 1 else {}
            return shown | self.pair_of(seen, Path(where), arm, prompt, seed, order)

        self.blind.wire(self.blind_tab, self.arm, comparison, folder, pinned)
        self.all.click(
            press,
            [self.arm, self.order, comparison, folder],
            [self.pair, self.arm, self.tabs, *self.viewer()],
            **PRIVATE,
        )
        for chooser in (self.pair, self.arm):
            chooser.input(
                choose, [self.pair, self.arm, self.order, comparison, folder], [self.pair, *self.viewer()], **PRIVATE
            )
        self.order.input(
            sort, [self.arm, self.order, comparison, folder], [self.pair, *self.viewer()], **PRIVATE
        )  # fmt: skip

    def show(
        self, comparison: Comparison, folder: Path, item: tuple[int, int] | None = None, first: bool = False
    ) -> dict:
        """Show a comparison's newest shot, or the pair of ``item`` (prompt number, seed).

        ``first`` opens the view that suits it: all pictures for many arms, the pair for one.
        """
        request, last = comparison.request, comparison.shots[-1]
        arms = request.arms
        prompt, seed = item or (last.prompt, last.seed)
        arm = last.arm if last.arm and item is None else min(1, len(arms) - 1)
        view = {self.tabs: gr.Tabs(selected=ALL if len(arms) > 2 else PAIR)} if first else {}
        return view | {
            self.column: gr.update(visible=True),
            self.pair: gr.update(
                choices=_choices(comparison, arm or 1),
                value=f"{prompt}:{seed}",
                visible=len(request.items()) > 1,
            ),
            self.arm: gr.update(
                choices=[(other.name, i) for i, other in enumerate(arms) if i], value=arm or None,
                visible=len(arms) > 2,
            ),
            self.order: gr.update(
                value=AS_ASKED, visible=len(request.items()) > 1 and comparison.state != "running"
            ),
            **self.pair_of(comparison, folder, arm, prompt, seed),
        }  # fmt: skip

    def pair_of(
        self, comparison: Comparison, folder: Path, arm: int, prompt: int, seed: int, order: str = AS_ASKED
    ) -> dict:
        """Show the baseline's and one arm's picture of a (prompt number, seed)."""
        small = "small" if comparison.request.settings.width < 256 else "large"
        text, update = comparison.request.settings.prompts[prompt], {}
        arm = min(arm, len(comparison.request.arms) - 1)
        shown = ((0, self.base_caption, self.base), (arm, self.other_caption, self.other))
        for number, line, picture in shown[: 1 if arm == 0 else 2]:
            shot = comparison.shot(number, prompt, seed)
            path = str(folder / shot.file) if shot else None
            name = comparison.request.arms[number].name
            update[line] = results.caption(comparison, number, prompt, seed)
            update[picture] = gr.update(
                value=path, alt_text=f"{name}: {text}, seed {seed}", elem_classes=["shot", small]
            )
        if arm == 0:
            update |= {self.other_caption: "", self.other: None}
        update[self.all] = tables.all_pictures(comparison, folder, prompt, arm or 1, order)
        update[self.table] = tables.pairs_table(comparison, arm or 1, order)
        # Relative: the page may be served below a path of its own.
        url = f"gradio_api/file={quote(str(folder.resolve()))}"
        return update | {self.compare: viewer.fragment(viewer.data(comparison, url, (prompt, seed), arm))}


def _choices(comparison: Comparison, arm: int, order: str = AS_ASKED) -> list[tuple[str, str]]:
    """List (what is shown, value) of every pair that has a picture, in this order."""
    prompts = comparison.request.settings.prompts
    return [(f"seed {s} · {prompts[p][:90]}", f"{p}:{s}") for p, s in ordered(comparison, arm, order)]


def _picture(label: str) -> gr.Image:
    return gr.Image(
        type="filepath", label=label, show_label=False, interactive=False, buttons=["download", "fullscreen"],
        elem_classes="shot",
    )  # fmt: skip
