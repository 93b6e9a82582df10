"""The tab "Judge blind": a person votes on pairs without knowing which image is which arm's."""

import secrets
from pathlib import Path
from typing import Any

import gradio as gr

from comparer.blind import sessions as blind_sessions
from comparer.blind.trials import Session
from comparer.engine import queue
from comparer.errors import ComparerError
from comparer.reporting.viewer import viewer
from comparer.results.comparison import Comparison
from comparer.text import quote
from comparer.ui.gradio_options import PRIVATE
from comparer.ui.results import blind_html

HERE = Path(__file__).parents[1] / "static"
PLAIN: dict[str, Any] = {"apply_default_css": False, "padding": False}
NOTHING = '<div class="blind"><p>There is nothing to judge: it takes a baseline and another arm.</p></div>'


class Blind:
    """The component and its content. Which side is which arm's stays in the run folder."""

    def build(self) -> None:
        """Create the component."""
        script = (HERE / "blind.js").read_text(encoding="utf-8")
        self.arm = gr.Dropdown([], label="Arm to judge beside the baseline", visible=False, elem_id="blind-arm")
        self.panel = gr.HTML(NOTHING, elem_id="blind", js_on_load=f"{viewer.script()}\n{script}", **PLAIN)
        self.session = gr.State(None)  # its id, while somebody judges
        # Stored by the browser: a returning judge resumes and is not counted twice.
        self.judge = gr.BrowserState("", storage_key="comparer-judge", secret="comparer")

    def arms(self, seen: Comparison) -> Any:
        """Return the update of the arms that can be judged; the first one is selected."""
        choices = [(arm.name, number) for number, arm in enumerate(seen.request.arms) if number]
        return gr.update(choices=choices, value=1 if choices else None, visible=len(choices) > 1)

    def wire(self, tab: gr.Tab, comparison: gr.State, folder: gr.State) -> None:
        """Connect the handlers that judge the selected arm."""

        def opened(arm: int | None, seen: Comparison | None, where: str, judge: str) -> Any:
            return {self.panel: self._entrance(seen, where, arm or 1, judge), self.session: None}

        def act(
            arm: int | None, seen: Comparison | None, where: str, judge: str, session: str | None,
            event: gr.EventData,
        ) -> Any:  # fmt: skip
            data = event._data or {}
            if seen is None or "act" not in data:
                return gr.skip()
            arm, judge = arm or 1, blind_sessions.judge_id(judge)
            try:
                panel, session = self._act(data, seen, Path(where), arm, judge, session)
            except ComparerError as error:
                panel, session = self._entrance(seen, where, arm, judge, str(error)), None
            return {self.panel: panel, self.session: session, self.judge: judge}

        given = [self.arm, comparison, folder, self.judge]
        gr.on([tab.select, self.arm.input, folder.change], opened, given, [self.panel, self.session], **PRIVATE)
        self.panel.click(act, [*given, self.session], [self.panel, self.session, self.judge], **PRIVATE)

    def _act(
        self, data: dict, seen: Comparison, folder: Path, arm: int, judge: str, session: str | None
    ) -> tuple[str, str | None]:
        """Do what was pressed; return what is shown then, and the session that goes on."""
        what = data["act"]
        if what == "begin":
            if seen.state == "running" and queue.busy():
                raise ComparerError(
                    "The run is still in progress, and encoding pictures would disturb its times: wait until it is "
                    "finished."
                )
            return self._pair(seen, folder, blind_sessions.begin(folder, seen, arm, _seed(data.get("seed")), judge))
        if what == "resume" and (open_ := blind_sessions.unfinished(blind_sessions.load(folder), judge, arm)):
            return self._pair(seen, folder, open_)
        if what == "vote" and session:
            return self._pair(seen, folder, blind_sessions.cast(folder, session, data.get("number"), data.get("vote")))
        if what == "finish" and session:
            return self._pair(seen, folder, blind_sessions.end(folder, session))
        if what == "show":
            return self._outcome(seen, folder, arm), None
        return self._entrance(seen, str(folder), arm, judge, again=True), None

    def _pair(self, seen: Comparison, folder: Path, session: Session) -> tuple[str, str | None]:
        if session.over:
            return self._outcome(seen, folder, session.arm), None
        return blind_html.pair(seen, folder, session), session.id

    def _outcome(self, seen: Comparison, folder: Path, arm: int) -> str:
        """Write the result, which is a look at it."""
        sessions = blind_sessions.look(folder, [arm])
        return blind_html.outcome(
            seen, folder, blind_sessions.judged(seen, sessions, arm), blind_sessions.counted(sessions, arm)[0]
        )

    def _entrance(
        self, seen: Comparison | None, where: str, arm: int, judge: str, error: str = "", again: bool = False
    ) -> str:
        """Write the way in; for who has judged all, unless they would ``again``, what came of it."""
        if seen is None or arm >= len(seen.request.arms):
            return NOTHING
        try:
            sessions = blind_sessions.load(Path(where))
            mine = [each for each in sessions if each.judge == judge and each.arm == arm]
            if mine and mine[-1].over and not error and not again:
                return self._outcome(seen, Path(where), arm)
        except ComparerError as damaged:
            return blind_html.entrance(seen, arm, _new_seed(), None, 0, error or str(damaged))
        votes = len(blind_sessions.counted(sessions, arm)[0])
        return blind_html.entrance(
            seen, arm, _new_seed(), blind_sessions.unfinished(sessions, judge, arm), votes, error
        )


def _new_seed() -> int:
    return secrets.randbelow(1_000_000)


def _seed(text: Any) -> int:
    try:
        return int(text)
    except (TypeError, ValueError):
        raise ComparerError(f"The seed '{quote(text)}' is not a whole number.") from None
