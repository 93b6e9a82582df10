"""The page: controls on the left, results on the right, history on a tab, and the event handlers between them."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import gradio as gr

from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Updated, Waiting
from comparer.engine.resume import continued, more_seeds
from comparer.errors import ComparerError
from comparer.request.extend import extended
from comparer.request.request import Request
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.runs import index, store
from comparer.runs.lock import being_made
from comparer.ui import api, permalink
from comparer.ui.gradio_options import PLAIN, PRIVATE
from comparer.ui.history.panel import History
from comparer.ui.jobs import REDRAW, checking, fetching
from comparer.ui.request.import_file import Drop
from comparer.ui.request.panel import Controls
from comparer.ui.results import status as status_html
from comparer.ui.results.panel import Outcome, thresholds
from comparer.ui.session import Session, Sessions

STATIC = Path(__file__).parent / "static"
PHONE = (STATIC / "phone.js").read_text(encoding="utf-8")
REPLAN = (STATIC / "replan.js").read_text(encoding="utf-8")
RUN, PAST = "run", "past"
LONG: dict[str, Any] = {
    "concurrency_limit": None, "show_progress": "hidden", "trigger_mode": "once", "api_visibility": "private",
}  # fmt: skip


class Page:
    """The page's components and handlers."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config, self.sessions = config, Sessions()
        self.controls, self.out, self.history = Controls(config), Outcome(config), History(config)

    def build(self) -> gr.Blocks:
        """Create the layout and connect the event handlers."""
        with gr.Blocks(title="Comparer", fill_width=True, analytics_enabled=False) as demo:
            gr.HTML(status_html.HEAD, elem_id="head")
            with gr.Tabs(elem_id="rooms") as self.rooms:
                with gr.Tab("Compare", id=RUN):
                    gr.HTML(status_html.COLUMNS, elem_id="columns", js_on_load=PHONE, **PLAIN)
                    with gr.Row(equal_height=False, elem_id="main"):
                        with gr.Column(scale=4, min_width=320, elem_id="controls"):
                            self.drop = Drop(self.config, self.controls)
                            self.controls.build()
                            self._build_go()
                        with gr.Column(scale=7, min_width=320, elem_id="seen"):
                            self.out.build()
                with gr.Tab("History", id=PAST) as self.tab:
                    self.history.build()
            self.out.keep()
            # On a public page: a secret that identifies a browser's own runs.
            self.owner = gr.BrowserState("", storage_key="comparer-owner", secret="comparer")
            self._wire(demo)
            self._wire_history(demo)
        # The progress is shown by the page itself. On every output Gradio would keep a timer, some of them for ever.
        for handler in demo.fns.values():
            handler.show_progress_on = [self.replan]
        return demo

    def _build_go(self) -> None:
        with gr.Column(elem_id="go"):
            self.plan = gr.HTML(elem_id="plan", **PLAIN)
            self.replan = gr.Button(visible="hidden", elem_id="replan")  # pressed by replan.js
            self.going = gr.HTML(elem_id="going", **PLAIN)
            with gr.Row():
                self.generate = gr.Button("Generate", variant="primary", scale=3, min_width=140, elem_id="generate")
                self.stop_button = gr.Button("Stop", variant="secondary", scale=1, min_width=80, interactive=False)

    def _wire(self, demo: gr.Blocks) -> None:
        inputs, out, outputs = self.controls.inputs(), self.out, [*self.told(), *self.out.outputs()[2:]]
        running = self.generate.click(self.run, [self.owner, *out.thresholds, *inputs], outputs, **LONG)
        gr.on(
            [slider.change for slider in out.thresholds], out.judged, [out.comparison, *out.thresholds],
            [out.headline, out.more], trigger_mode="always_last", **PRIVATE,
        )  # fmt: skip
        kept = [self.owner, out.comparison, out.folder]
        out.more.click(self.run_more, [*kept, *out.thresholds], outputs, **LONG)
        for button, what, value in out.goon.buttons():
            button.click(self.go_on(what), [*kept, value], outputs, **LONG)
        self.stop_button.click(self.sessions.stop, None, None, **PRIVATE)
        self.controls.reuse.click(
            lambda seen: ",".join(map(str, seen.request.settings.seeds)) if seen else gr.skip(),
            out.comparison, self.controls.parts["seeds"], **PRIVATE,
        )  # fmt: skip
        out.again.click(
            lambda seen, away: self.controls.fill(seen.request, away) if seen else gr.skip(),
            [out.comparison, self.controls.arms.away], self.controls.fillable(), **PRIVATE,
        )  # fmt: skip
        self.controls.parts["checkpoint"].input(
            lambda told, seen: ("" if seen else status_html.EMPTY) if 'role="alert"' in (told or "") else gr.skip(),
            [out.status, out.comparison], out.status, **PRIVATE,
        )  # fmt: skip
        demo.load(None, None, None, js=(STATIC / "keys.js").read_text(encoding="utf-8"), **PRIVATE)
        # One press for all that changed together: a handler for each change would ask the server dozens of times.
        gr.on([*(component.change for component in inputs), demo.load], None, js=REPLAN, **PRIVATE)
        running.then(None, js=REPLAN, **PRIVATE)  # now its time is known
        arms, last = self.controls.arms, PRIVATE | {"trigger_mode": "always_last"}
        shown = [self.plan, self.controls.fair_test, *arms.watched()]
        planned = self.replan.click(self.planned, [arms.away, *inputs], shown, **last)
        planned.then(self.controls.expected, inputs, arms.expected, **last)
        checkpoint = self.controls.parts["checkpoint"]
        self.drop.wire()
        out.pictures.wire(out.comparison, out.folder)
        out.take.wire(out.comparison, out.folder)
        out.inspect.wire(self.controls.inspect, checkpoint)
        self.controls.check.click(self.check, inputs, [*self.told(), out.inspect.shown], **LONG)
        self.controls.fetch.click(
            self.fetch_model, checkpoint, [*self.told(), *inputs, self.controls.fetch], **LONG
        ).then(None, js=REPLAN, **PRIVATE)
        demo.unload(self.sessions.leave)
        api.Api(self.config).add(demo)

    def _wire_history(self, demo: gr.Blocks) -> None:
        out, tab = self.out, self.history
        demo.load(self.arrive, [out.last, self.owner], [*out.outputs(), self.owner], **PRIVATE)
        tab.wire(self.tab, self.owner, self.sessions.making)
        tab.list.click(
            self.pressed,
            [self.owner, out.folder, *tab.asked()],
            [*out.outputs(), self.rooms, *tab.outputs()],
            **PRIVATE,
        )

    def run(self, request: gr.Request, owner: str, speed_up: float, clip_loss: float, *values: Any) -> Iterator[dict]:
        """Handle Generate: read the controls, run the comparison, and update the page as events arrive."""

        def asked() -> tuple[Request, None]:
            return replace(self.controls.asked(values), thresholds=thresholds(speed_up, clip_loss)), None

        yield from self._run(request, owner, asked, status_html.PREVIOUS)

    def run_more(self, request: gr.Request, owner: str, seen: Comparison, folder: str, *limits: Any) -> Iterator[dict]:
        """Handle "Run k more seeds": extend the displayed comparison."""

        def more() -> tuple[Request, Path]:
            asked = extended(seen.request, more_seeds(Analysis(seen, thresholds(*limits))))
            return replace(asked, limits=self.config.limits), self._own(owner, folder)

        yield from self._run(request, owner, more)

    def go_on(self, what: str) -> Callable[..., Iterator[dict]]:
        """Return the handler of a button that resumes or extends the displayed comparison."""

        def more(request: gr.Request, owner: str, seen: Comparison, folder: str, value: Any) -> Iterator[dict]:
            yield from self._run(
                request, owner, lambda: (self.out.goon.asked(what, seen, value), self._own(owner, folder))
            )

        return more

    def _own(self, owner: str, folder: str) -> Path:
        """Return the folder that this visitor goes on with; on a public page nobody changes another's run."""
        if not self._mine(Path(folder), owner):
            raise ComparerError(
                "This run belongs to another visitor: you can look at it, or press Use these settings for your own."
            )
        if being_made(Path(folder)):
            raise ComparerError("This run is already in progress: wait until it is finished.")
        return Path(folder)

    def _mine(self, folder: Path, owner: str) -> bool:
        return not self.config.public or index.owns(folder, owner)

    def _run(
        self, request: gr.Request, owner: str, asking: Callable[[], tuple[Request, Path | None]], previous: str = ""
    ) -> Iterator[dict]:
        session = self.sessions.begin(request)
        session.running = True
        yield self._tell(status_html.told("Starting"), status_html.STARTING) | {self.out.previous: previous}
        try:
            asked, into = asking()
            session.making = store.name(into) if into else ""
            yield from self._watched(session, self.sessions.owner(request, owner), asked, into)
        except ComparerError as error:
            yield self._tell(status_html.failed(self.config.redact(error)))
        except Exception as error:
            told = f"Something went wrong: {type(error).__name__}. See the log of the server."
            yield self._tell(status_html.failed(told))
            raise
        finally:
            session.running = False

    def _watched(self, session: Session, owner: str, asked: Request, into: Path | None) -> Iterator[dict]:
        """Run, and show what happens."""
        kept = continued(store.load(into), asked) if into else None
        planned, drawn, number = status_html.announce(asked, kept), 0.0, 0
        for event in compare(asked, self.config, session.stop, into):
            if isinstance(event, Updated | Finished):
                if self.config.public and not session.making:
                    index.claim(event.folder, owner)
                session.making = store.name(event.folder)
            if isinstance(event, Updated | Finished) and not event.comparison.shots:
                if isinstance(event, Finished):  # nothing to see: what was seen before stays
                    yield self._tell(status_html.ended(event.comparison))
            elif isinstance(event, Updated | Finished):
                # A tab that redraws pictures for every new score would flicker.
                new = isinstance(event, Finished) or len(event.comparison.shots) != number
                first, number = number == 0, len(event.comparison.shots)
                shown = self.out.seen(event, new, first)
                over = self._tell(shown[self.out.status]) if isinstance(event, Finished) else {}
                yield shown | over | {self.out.previous: ""}
            elif isinstance(event, Waiting) or monotonic() - drawn > REDRAW or event.phase == "loading":
                drawn = monotonic()
                yield self._tell(status_html.status(event, planned), status_html.going(event))
        if not number and session.stop.is_set():
            yield self._tell(status_html.told("Stopped before the first picture."))

    def planned(self, away: dict, *values: Any) -> dict:
        """Show what Generate would make, and grey out the accelerators that cannot serve it."""
        found = {self.plan: self.controls.plan(*values), self.controls.fair_test: self.controls.fair(*values)}
        return found | self.controls.available(away, values)

    def told(self) -> list[Any]:
        """List the components that ``_tell`` updates."""
        return [self.out.status, self.out.previous, self.going, self.stop_button]

    def _tell(self, status: str, going: str = "") -> dict:
        """Show the status, and beside the button how far it is; nothing there says that it is over."""
        over = {} if going else {self.out.previous: ""}
        return {self.out.status: status, self.going: going, self.stop_button: gr.update(interactive=bool(going))} | over

    def fetch_model(self, name: str, request: gr.Request) -> Iterator[dict]:
        """Handle Fetch: download a model from the Hub and show the progress."""
        for status, going, ended in fetching(name, self.config, self.sessions.begin(request).stop):
            update = self._tell(status, going)
            yield update | (self.controls.fetched(name) if ended else {})

    def check(self, request: gr.Request, *values: Any) -> Iterator[dict]:
        """Handle Check: judge the chosen checkpoint by its files and a few images."""
        session = self.sessions.begin(request)
        try:
            line = self.controls.baseline(values)
        except ComparerError as error:
            yield self._tell(status_html.failed(self.config.redact(error)))
            return
        for status, going, report in checking(line, self.config, session.stop):
            yield self._tell(status, going) | ({} if report is None else {self.out.inspect.shown: report})

    def arrive(self, request: gr.Request, last: str, owner: str) -> dict:
        """Show the run named in the page's address, or else the last run of this browser."""
        said, update = dict(request.query_params or {}), {}
        if self.config.public and not owner:
            owner = update[self.owner] = self.sessions.owner(request, owner)
        if said.get("run") and said["run"] != last:
            try:
                return update | self.opened(said["run"], owner, said)
            except ComparerError as error:
                return update | {self.out.status: status_html.failed(self.config.redact(error))}
        found = self.restore(last, owner, said)
        return found | update if found != gr.skip() else update or found

    def restore(self, name: str, owner: str = "", said: dict | None = None) -> Any:
        """Show the last run of this browser in its current state; change nothing if it is gone."""
        try:
            return self.opened(name or "", owner, said or {}, "Your last run")
        except ComparerError:
            return gr.skip()

    def opened(self, name: str, owner: str, said: dict, called: str = "Earlier run") -> dict:
        """Show an earlier run in its current state.

        Args:
            name: as ``store.find`` takes it, untrusted.
            owner: owner of the runs of this browser.
            said: the ``pair`` and ``arm`` to show, as in an address; {} for the first.
            called: label of the run beside its date.

        Raises:
            ComparerError: there is no such run, or it is damaged.
        """
        folder = store.find(self.config.runs, name)
        seen = store.load(folder)
        going = being_made(folder)
        pair, arm = permalink.pair_of(seen, said)
        event, offered = Finished(seen, folder, None), not going and self._mine(folder, owner)
        update = self.out.seen(event, True, True, pair, arm, offered)
        return update | {self.out.status: status_html.ended(seen, called, going)}

    def pressed(
        self, request: gr.Request, event: gr.EventData, owner: str, folder: str, words: str, number: int, chosen: list
    ) -> Any:
        """Handle a click on an entry of the history: open it, compare it with another, or delete it."""
        data, tab, busy = event._data or {}, self.history, self.sessions.making()
        name, session = data.get("name"), self.sessions.of(request)
        try:
            if data.get("do") == "open":
                if session and session.running:
                    raise ComparerError(
                        "A comparison is running in this tab: stop it first, or open the link in another tab."
                    )
                return self.opened(name, owner, data) | {self.rooms: gr.Tabs(selected=RUN), tab.told: ""}
            if data.get("do") == "choose":
                return tab.chose(data.get("names"))
            if data.get("do") == "delete":
                said = tab.delete(owner, name, busy)
                left = [each for each in chosen if each != name]
                shown = folder and store.name(Path(folder)) == name
                gone = self.out.cleared(status_html.told("The run that was shown here was deleted.")) if shown else {}
                return gone | tab.listed(owner, words, number, left, busy) | tab.chose(left) | {tab.told: said}
        except ComparerError as error:
            return {tab.told: status_html.failed(self.config.redact(error))}
        return gr.skip()


def page(config: Config) -> gr.Blocks:
    """Build the page for this installation's config."""
    return Page(config).build()
