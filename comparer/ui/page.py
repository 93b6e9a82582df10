"""The page: controls on the left, what was seen on the right, and one handler between them."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import gradio as gr

from comparer import history, turns
from comparer.compare import compare
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.events import Finished, Seen, Waiting
from comparer.html import tables
from comparer.request import Request
from comparer.results import Comparison
from comparer.resume import extended, more_seeds
from comparer.ui import api, results
from comparer.ui.arms import PRIVATE
from comparer.ui.controls import Controls
from comparer.ui.details import details
from comparer.ui.drop import Drop
from comparer.ui.inspect import Inspect
from comparer.ui.jobs import REDRAW, checking, fetching
from comparer.ui.pictures import PLAIN, Pictures
from comparer.verdict import DEFAULT, Thresholds

ASSETS = Path(__file__).parent


@dataclass
class Session:
    """What the server keeps of one browser tab."""

    stop: threading.Event = field(default_factory=threading.Event)


class Page:
    """The page's components and handlers."""

    def __init__(self, config: Config) -> None:
        """Build nothing yet; ``build`` does."""
        self.config = config
        self.sessions: dict[str, Session] = {}
        self.controls, self.pictures, self.inspect = Controls(config), Pictures(), Inspect(config)

    def build(self) -> gr.Blocks:
        """Lay the page out and wire it."""
        with gr.Blocks(title="Comparer", fill_width=True, analytics_enabled=False) as demo:
            gr.HTML(
                "<h1>Comparer</h1><p>Diffusion accelerators and checkpoints, side by side and honestly measured.</p>",
                elem_id="head",
            )
            with gr.Row(equal_height=False, elem_id="main"):
                with gr.Column(scale=4, min_width=320, elem_id="controls"):
                    self.drop = Drop(self.config, self.controls)
                    self.controls.build()
                    with gr.Column(elem_id="go"):
                        self.plan = gr.HTML(elem_id="plan", **PLAIN)
                        self.going = gr.HTML(elem_id="going", **PLAIN)
                        with gr.Row():
                            self.generate = gr.Button(
                                "Generate", variant="primary", scale=3, min_width=140, elem_id="generate"
                            )
                            self.stop_button = gr.Button(
                                "Stop", variant="secondary", scale=1, min_width=80, interactive=False
                            )
                with gr.Column(scale=7, min_width=320, elem_id="seen"):
                    self.inspect.build()
                    with gr.Row(equal_height=False, elem_id="state"):
                        self.status = gr.HTML(results.EMPTY, elem_id="status", **PLAIN)
                        self.again = gr.Button(
                            "Use these settings", visible=False, size="sm", scale=0, min_width=160, elem_id="settings"
                        )
                    self.previous = gr.HTML(elem_id="previous", **PLAIN)
                    self.headline = gr.HTML(elem_id="headline", **PLAIN)
                    with gr.Row(visible=False, elem_id="judge") as self.judge:
                        self.more = gr.Button("", visible=False, scale=0, min_width=220, elem_id="more")
                        with gr.Accordion("What is worthwhile", open=False) as self.worthwhile:
                            self.thresholds = [
                                gr.Slider(1.01, 5, DEFAULT.speed_up, step=0.01, label="A speed-up from"),
                                gr.Slider(0.1, 20, 100 * DEFAULT.clip_loss, step=0.1, label="A CLIP loss below (%)"),
                            ]
                    self.pictures.build()
                    self.figures = gr.HTML(elem_id="figures", **PLAIN)
                    self.pictures.build_table()
                    self.notes = gr.HTML(elem_id="notes", **PLAIN)
                    with gr.Row(elem_id="downloads"):
                        self.grid = gr.DownloadButton("Download the grid (PNG)", visible=False, elem_id="grid")
                        self.record = gr.DownloadButton("Download the record (JSON)", visible=False, elem_id="record")
            self.comparison, self.folder = gr.State(None), gr.State(None)
            # Kept by the browser: a tab that lost its connection finds its run again.
            self.last = gr.BrowserState("", storage_key="comparer-last-run", secret="comparer")
            self._wire(demo)
        return demo

    def _wire(self, demo: gr.Blocks) -> None:
        inputs = self.controls.inputs()
        seen = [self.headline, self.judge, self.worthwhile, self.more, self.figures, self.notes, self.grid, self.record]
        kept = [self.comparison, self.folder, self.last]
        outputs = [*self.told(), self.again, *seen, *kept, *self.pictures.outputs()]
        running = self.generate.click(
            self.run, inputs, outputs, concurrency_limit=None, show_progress="hidden", trigger_mode="once",
            api_visibility="private",
        )  # fmt: skip
        gr.on(
            [slider.change for slider in self.thresholds], self.judged, [self.comparison, *self.thresholds],
            [self.headline, self.more], trigger_mode="always_last", **PRIVATE,
        )  # fmt: skip
        self.more.click(
            self.run_more, [self.comparison, self.folder, *self.thresholds], outputs, concurrency_limit=None,
            show_progress="hidden", trigger_mode="once", api_visibility="private",
        )  # fmt: skip
        self.stop_button.click(self.stop, None, None, **PRIVATE)
        self.controls.reuse.click(
            lambda seen: ",".join(map(str, seen.request.settings.seeds)) if seen else gr.skip(),
            self.comparison, self.controls.parts["seeds"], **PRIVATE,
        )  # fmt: skip
        self.again.click(
            lambda seen, away: self.controls.fill(seen.request, away) if seen else gr.skip(),
            [self.comparison, self.controls.arms.away], self.controls.fillable(), **PRIVATE,
        )  # fmt: skip
        self.controls.parts["checkpoint"].input(
            lambda told, seen: ("" if seen else results.EMPTY) if 'role="alert"' in (told or "") else gr.skip(),
            [self.status, self.comparison], self.status, **PRIVATE,
        )  # fmt: skip
        demo.load(None, None, None, js=(ASSETS / "keys.js").read_text(encoding="utf-8"), **PRIVATE)
        changed = [component.change for component in inputs]
        gr.on([*changed, demo.load], self.controls.plan, inputs, self.plan, trigger_mode="always_last", **PRIVATE)
        gr.on([*changed, demo.load], self.controls.expected, inputs, self.controls.arms.expected,
              trigger_mode="always_last", **PRIVATE)  # fmt: skip
        running.then(self.controls.plan, inputs, self.plan, **PRIVATE)  # now its time is known
        running.then(self.controls.expected, inputs, self.controls.arms.expected, **PRIVATE)
        checkpoint = self.controls.parts["checkpoint"]
        self.drop.wire()
        self.inspect.wire(self.controls.inspect, checkpoint)
        self.controls.check.click(
            self.check, inputs, [*self.told(), self.inspect.shown], concurrency_limit=None, show_progress="hidden",
            trigger_mode="once", api_visibility="private",
        )  # fmt: skip
        fetching = self.controls.fetch.click(
            self.fetch_model, checkpoint, [*self.told(), *inputs, self.controls.fetch],
            concurrency_limit=None, show_progress="hidden", trigger_mode="once", api_visibility="private",
        )  # fmt: skip
        fetching.then(self.controls.plan, inputs, self.plan, **PRIVATE)
        demo.load(self.restore, self.last, outputs, **PRIVATE)
        demo.unload(self.leave)
        api.Api(self.config).add(demo)

    def run(self, request: gr.Request, *values: Any) -> Iterator[dict]:
        """Handle Generate: read the controls, run, and redraw as things happen."""
        yield from self._run(request, lambda: (self.controls.asked(values), None), results.PREVIOUS)

    def run_more(self, request: gr.Request, seen: Comparison, folder: str, *thresholds: Any) -> Iterator[dict]:
        """Handle "Run k more seeds": go on with the comparison that is shown."""

        def more() -> tuple[Request, Path]:
            asked = extended(seen.request, more_seeds(seen, _thresholds(*thresholds)))
            return replace(asked, limits=self.config.limits), Path(folder)

        yield from self._run(request, more)

    def _run(
        self, request: gr.Request, asking: Callable[[], tuple[Request, Path | None]], previous: str = ""
    ) -> Iterator[dict]:
        session = self._begin(request)
        yield self._tell(results.told("Starting"), results.STARTING) | {self.previous: previous}
        try:
            asked, into = asking()
            planned, drawn, number = results.announce(asked), 0.0, 0
            for event in compare(asked, self.config, session.stop, into):
                if isinstance(event, Seen | Finished) and not event.comparison.shots:
                    if isinstance(event, Finished):  # nothing to see: what was seen before stays
                        yield self._tell(results.ended(event.comparison))
                elif isinstance(event, Seen | Finished):
                    # A tab that redraws pictures for every new score would flicker.
                    new = isinstance(event, Finished) or len(event.comparison.shots) != number
                    first, number = number == 0, len(event.comparison.shots)
                    yield self._seen(event, new, first) | {self.previous: ""}
                elif isinstance(event, Waiting) or monotonic() - drawn > REDRAW or event.phase == "loading":
                    drawn = monotonic()
                    yield self._tell(results.status(event, planned), results.going(event))
            if not number and session.stop.is_set():
                yield self._tell(results.told("Stopped before the first picture."))
        except ComparerError as error:
            yield self._tell(results.failed(self.config.tell(error)))
        except Exception as error:
            told = f"Something broke: {type(error).__name__}. The log of the server says more."
            yield self._tell(results.failed(told))
            raise

    def told(self) -> list[Any]:
        """List what ``_tell`` changes."""
        return [self.status, self.going, self.stop_button, self.previous]

    def _tell(self, status: str, going: str = "") -> dict:
        """Show the status, and beside the button how far it is; nothing there says that it is over."""
        over = {} if going else {self.previous: ""}
        return {self.status: status, self.going: going, self.stop_button: gr.update(interactive=bool(going))} | over

    def fetch_model(self, name: str, request: gr.Request) -> Iterator[dict]:
        """Handle Fetch: bring a model from the hub, and say how far it is."""
        for status, going, ended in fetching(name, self.config, self._begin(request).stop):
            update = self._tell(status, going)
            yield update | (self.controls.fetched(name) if ended else {})

    def check(self, request: gr.Request, *values: Any) -> Iterator[dict]:
        """Handle Check: judge the chosen checkpoint by its files and a few pictures."""
        session = self._begin(request)
        try:
            line = self.controls.baseline(values)
        except ComparerError as error:
            yield self._tell(results.failed(self.config.tell(error)))
            return
        for status, going, report in checking(line, self.config, session.stop):
            yield self._tell(status, going) | ({} if report is None else {self.inspect.shown: report})

    def _begin(self, request: gr.Request) -> Session:
        """Return this tab's session; what still goes on in it makes way."""
        session = self.sessions.setdefault(request.session_hash or "", Session())
        session.stop.set()
        session.stop = threading.Event()
        return session

    def _seen(self, event: Seen | Finished, show: bool, first: bool = False) -> dict:
        comparison, folder = event.comparison, event.folder
        update: dict = {
            **self.judged(comparison, DEFAULT.speed_up, 100 * DEFAULT.clip_loss),
            self.judge: gr.update(visible=comparison.state != "running" and len(comparison.request.arms) > 1),
            # Whoever compares checkpoints asks which is better, not what a speed-up is worth.
            self.worthwhile: gr.update(visible=not comparison.request.variants()),
            self.figures: tables.arms_table(comparison) + details(comparison),
            self.notes: tables.notes_list(comparison),
            self.comparison: comparison,
            self.folder: str(folder),
            self.last: folder.name,
            self.again: gr.update(visible=isinstance(event, Finished)),
        }
        if isinstance(event, Finished):
            update |= self._tell(results.ended(comparison))
            if event.grid:
                update |= {
                    self.grid: gr.update(value=str(event.grid), visible=True),
                    self.record: gr.update(value=str(folder / "run.json"), visible=True),
                }
        return update | (self.pictures.show(comparison, folder, first=first) if comparison.shots and show else {})

    def judged(self, seen: Comparison | None, speed_up: float, clip_loss: float) -> Any:
        """Draw the headline, and offer more seeds where they would probably settle what cannot be told."""
        if seen is None:
            return gr.skip()
        thresholds = _thresholds(speed_up, clip_loss)
        more = more_seeds(seen, thresholds) if seen.state != "running" else 0
        return {
            self.headline: results.headline(seen, thresholds),
            self.more: gr.update(visible=more > 0, value=f"Run {more} more seed{'s' if more > 1 else ''}"),
        }

    def restore(self, name: str) -> Any:
        """Show the run that this browser saw last, as it is now; nothing where it is gone."""
        try:
            folder = history.find(self.config.runs, name or "")
            comparison = history.load(folder)
        except ComparerError:
            return gr.skip()
        grid = folder / "grid.png"
        update = self._seen(Finished(comparison, folder, grid if grid.is_file() else None), show=True, first=True)
        elsewhere = comparison.state == "running" and turns.busy()
        return update | {self.status: results.ended(comparison, again=True, elsewhere=elsewhere)}

    def stop(self, request: gr.Request) -> None:
        """Stop this tab's run within one denoising step."""
        if session := self.sessions.get(request.session_hash or ""):
            session.stop.set()

    def leave(self, request: gr.Request) -> None:
        """Stop the run of a tab that was closed."""
        if session := self.sessions.pop(request.session_hash or "", None):
            session.stop.set()


def _thresholds(speed_up: float, clip_loss: float) -> Thresholds:
    return Thresholds(speed_up, clip_loss / 100)


def page(config: Config) -> gr.Blocks:
    """Build the page for this installation."""
    return Page(config).build()
