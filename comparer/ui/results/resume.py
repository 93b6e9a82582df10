"""Resume the displayed run: to its end, with more seeds, or with one more arm."""

from dataclasses import replace
from typing import Any

import gradio as gr

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.build import with_arm
from comparer.request.extend import extended
from comparer.request.request import Request
from comparer.results.comparison import Comparison

FINISH, SEEDS, ARM = "finish", "seeds", "arm"


class GoOn:
    """The components, and the request of each button."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config = config

    def build(self) -> None:
        """Create the row, hidden until a run has ended."""
        with gr.Column(visible=False, elem_id="goon") as self.fold:
            gr.HTML('<p class="note">Only what is missing is made; the pictures and times that are there stay.</p>')
            small: dict[str, Any] = {"size": "sm", "min_width": 130, "scale": 0}
            self.finish = gr.Button("Finish it", visible=False, variant="primary", elem_id="finish", **small)
            with gr.Row():
                self.seeds = gr.Number(1, label="How many", precision=0, minimum=1, min_width=90, scale=1)
                self.add_seeds = gr.Button("Run more seeds", elem_id="add-seeds", **small)
                self.arm = gr.Textbox(
                    label="One more arm", placeholder="ToMe(ratio=0.5)", max_lines=1, min_width=200, scale=3
                )
                self.add_arm = gr.Button("Add the arm", elem_id="add-arm", **small)

    def shown(self, seen: Comparison, offered: bool) -> dict:
        """Offer to resume a run, and to finish one that is not complete."""
        unfinished = seen.state != "finished"
        return {self.fold: gr.update(visible=offered), self.finish: gr.update(visible=unfinished)}

    def outputs(self) -> list[Any]:
        """List the components that ``shown`` updates."""
        return [self.fold, self.finish]

    def buttons(self) -> list[tuple[gr.Button, str, Any]]:
        """List every button, its action, and the component that holds the amount."""
        return [
            (self.finish, FINISH, self.seeds),
            (self.add_seeds, SEEDS, self.seeds),
            (self.add_arm, ARM, self.arm),
        ]

    def asked(self, what: str, seen: Comparison, value: Any) -> Request:
        """Return the request with which to resume.

        Args:
            what: ``FINISH``, ``SEEDS`` or ``ARM``.
            seen: the run.
            value: number of seeds, or the arm.

        Raises:
            ComparerError: the value is invalid, or the run does not allow it.
        """
        request = seen.request
        if what == ARM:
            return with_arm(self.config, request, value or "")
        if what == SEEDS:
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= self.config.limits.pictures:
                raise ComparerError("More seeds are a whole number, 1 or more.")
            request = extended(request, value)
        return replace(request, limits=self.config.limits)
