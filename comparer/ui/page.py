"""The page: controls on the left, what was seen on the right, and one handler between them."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import gradio as gr

from comparer.compare import Finished, Seen, Waiting, compare
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.results import Comparison
from comparer.ui import api, controls, results

ASSETS = Path(__file__).parent
REDRAW = 0.2  # seconds between two redrawings of the progress bar


@dataclass
class Session:
    """What the server keeps of one browser tab."""

    stop: threading.Event = field(default_factory=threading.Event)
    pinned: bool = False  # the visitor chose a pair: do not jump to the newest


class Page:
    """The page's components and handlers."""

    def __init__(self, config: Config) -> None:
        """Build nothing yet; ``build`` does."""
        self.config = config
        self.sessions: dict[str, Session] = {}

    def build(self) -> gr.Blocks:
        """Lay the page out and wire it."""
        with gr.Blocks(title="Comparer", fill_width=True, analytics_enabled=False) as demo:
            gr.HTML(
                "<h1>Comparer</h1><p>Diffusion accelerators, side by side and honestly measured.</p>", elem_id="head"
            )
            with gr.Row(equal_height=False, elem_id="main"):
                with gr.Column(scale=4, min_width=320, elem_id="controls"):
                    reuse, self.controls = controls.build(self.config)
                    with gr.Row(elem_id="go"):
                        generate = gr.Button("Generate", variant="primary", scale=3, min_width=140)
                        stop = gr.Button("Stop", variant="stop", scale=1, min_width=80)
                with gr.Column(scale=7, min_width=320, elem_id="seen"):
                    self._results()
            self._wire(demo, generate, stop, reuse)
        return demo

    def _results(self) -> None:
        plain: dict[str, Any] = {"apply_default_css": False, "padding": False}
        self.status = gr.HTML(results.EMPTY, elem_id="status", **plain)
        self.headline = gr.HTML(**plain)
        with gr.Column(visible=False, elem_id="pictures") as self.pictures:
            with gr.Row():
                self.pair = gr.Dropdown(
                    [], label="Pair", visible=False, scale=5, min_width=200, allow_custom_value=False
                )
                self.arm = gr.Dropdown([], label="Compared with the baseline", visible=False, scale=3, min_width=160)
            with gr.Tabs():
                with gr.Tab("Side by side"), gr.Row():
                    with gr.Column(min_width=280):
                        self.base_caption = gr.HTML(**plain)
                        self.base = self._picture("Baseline")
                    with gr.Column(min_width=280):
                        self.other_caption = gr.HTML(**plain)
                        self.other = self._picture("Accelerated")
                with gr.Tab("Slider"):
                    self.slider = gr.ImageSlider(
                        type="filepath", show_label=False, interactive=False, buttons=["fullscreen"], elem_id="slider",
                        max_height=640,
                    )  # fmt: skip
        self.figures = gr.HTML(**plain)
        with gr.Row(elem_id="downloads"):
            self.grid = gr.DownloadButton("Download the grid (PNG)", visible=False, elem_id="grid")
            self.record = gr.DownloadButton("Download the record (JSON)", visible=False, elem_id="record")
        self.comparison, self.folder = gr.State(None), gr.State(None)

    @staticmethod
    def _picture(label: str) -> gr.Image:
        return gr.Image(
            type="filepath", label=label, show_label=False, interactive=False, buttons=["download", "fullscreen"],
            elem_classes="shot",
        )  # fmt: skip

    def _wire(self, demo: gr.Blocks, generate: gr.Button, stop: gr.Button, reuse: gr.Button) -> None:
        private: dict[str, Any] = {"api_visibility": "private"}
        viewer = [self.base_caption, self.base, self.other_caption, self.other, self.slider]
        choosers = [self.pictures, self.pair, self.arm]
        figures = [self.headline, self.figures, self.grid, self.record, self.comparison, self.folder]
        self.outputs = [self.status, *figures, *choosers, *viewer]
        generate.click(
            self.run, self.controls.inputs(), self.outputs, concurrency_limit=None, show_progress="hidden",
            trigger_mode="once", **private,
        )  # fmt: skip
        stop.click(self.stop, None, None, queue=False, show_progress="hidden", **private)
        for chooser in (self.pair, self.arm):
            chooser.input(
                self.choose, [self.pair, self.arm, self.comparison, self.folder], viewer, queue=False,
                show_progress="hidden", **private,
            )  # fmt: skip
        reuse.click(
            lambda seen: ",".join(map(str, seen.request.settings.seeds)) if seen else gr.skip(),
            self.comparison, self.controls.seeds, queue=False, **private,
        )  # fmt: skip
        demo.unload(self.leave)
        api.Api(self.config).add(demo)

    def run(self, request: gr.Request, *values: Any) -> Iterator[dict]:
        """Handle Generate: read the controls, run, and redraw as things happen."""
        session = self.sessions.setdefault(request.session_hash or "", Session())
        session.stop.set()  # a run of this tab that still goes on makes way
        session.stop, session.pinned = threading.Event(), False
        try:
            asked = controls.read(self.config, values)
            planned, drawn, number = results.announce(asked), 0.0, 0
            for event in compare(asked, self.config, session.stop):
                if isinstance(event, Seen):
                    # A tab that redraws pictures for every new score would flicker.
                    new = len(event.comparison.shots) != number
                    number = len(event.comparison.shots)
                    yield self._seen(event.comparison, event.folder, new and not session.pinned)
                elif isinstance(event, Finished):
                    yield {self.status: results.ended(event.comparison)} | self._finished(event, session.pinned)
                elif isinstance(event, Waiting) or monotonic() - drawn > REDRAW or event.phase == "loading":
                    drawn = monotonic()
                    yield {self.status: results.status(event, planned)}
        except ComparerError as error:
            yield {self.status: results.failed(str(error))}
        except Exception as error:
            yield {
                self.status: results.failed(
                    f"Something broke: {type(error).__name__}. The log of the server says more."
                )
            }
            raise

    def _seen(self, comparison: Comparison, folder: Path, show: bool) -> dict:
        pairs, arms = comparison.request.items(), comparison.request.arms
        made = [item for item in pairs if any(comparison.shot(arm, *item) for arm in range(len(arms)))]
        update: dict = {
            self.headline: results.headline(comparison),
            self.figures: results.arms_table(comparison)
            + results.pairs_table(comparison)
            + results.notes_list(comparison),
            self.comparison: comparison,
            self.folder: str(folder),
            self.pictures: gr.update(visible=True),
        }
        if show:
            prompts = comparison.request.settings.prompts
            choices = [(f"{prompts[p][:90]} — seed {seed}", f"{p}:{seed}") for p, seed in made]
            last = comparison.shots[-1]
            arm = last.arm or 1
            options = [(other.name, i) for i, other in enumerate(arms) if i]
            update |= {
                self.pair: gr.update(choices=choices, value=f"{last.prompt}:{last.seed}", visible=len(pairs) > 1),
                self.arm: gr.update(choices=options, value=arm, visible=len(arms) > 2),
            }
            update |= self._viewer(comparison, folder, arm, last.prompt, last.seed)
        return update

    def _finished(self, event: Finished, pinned: bool) -> dict:
        if not event.comparison.shots:
            return {}
        update = self._seen(event.comparison, event.folder, show=False)
        if not pinned:  # end on the first pair, where people begin to look
            prompt, seed = event.comparison.request.items()[0]
            update |= {self.pair: f"{prompt}:{seed}"}
            arms = len(event.comparison.request.arms)
            update |= self._viewer(event.comparison, event.folder, min(1, arms - 1), prompt, seed)
        return update | {
            self.grid: gr.update(value=str(event.grid), visible=True),
            self.record: gr.update(value=str(event.folder / "run.json"), visible=True),
        }

    def _viewer(self, comparison: Comparison, folder: Path, arm: int, prompt: int, seed: int) -> dict:
        small = "small" if comparison.request.settings.width < 256 else "large"
        text, files, update = comparison.request.settings.prompts[prompt], [], {}
        arm = min(arm, len(comparison.request.arms) - 1)
        shown = ((0, self.base_caption, self.base), (arm, self.other_caption, self.other))
        for number, line, picture in shown[: 1 if arm == 0 else 2]:
            shot = comparison.shot(number, prompt, seed)
            path = str(folder / shot.file) if shot else None
            files.append(path)
            name = comparison.request.arms[number].name
            update[line] = results.caption(comparison, number, prompt, seed)
            update[picture] = gr.update(
                value=path, alt_text=f"{name}: {text}, seed {seed}", elem_classes=["shot", small]
            )
        if arm == 0:
            update |= {self.other_caption: "", self.other: None}
        update[self.slider] = gr.update(
            value=tuple(files) if len(files) == 2 and all(files) else None, elem_classes=[small]
        )
        return update

    def choose(
        self, pair: str, arm: int | None, comparison: Comparison | None, folder: str, request: gr.Request
    ) -> Any:
        """Show another pair."""
        if comparison is None or not pair:
            return gr.skip()
        if session := self.sessions.get(request.session_hash or ""):
            session.pinned = True
        prompt, seed = map(int, pair.split(":"))
        return self._viewer(comparison, Path(folder), arm or 1, prompt, seed)

    def stop(self, request: gr.Request) -> None:
        """Stop this tab's run within one denoising step."""
        if session := self.sessions.get(request.session_hash or ""):
            session.stop.set()

    def leave(self, request: gr.Request) -> None:
        """Stop the run of a tab that was closed."""
        if session := self.sessions.pop(request.session_hash or "", None):
            session.stop.set()


def page(config: Config) -> gr.Blocks:
    """Build the page for this installation."""
    return Page(config).build()
