"""The Inspect button: show the contents of the chosen checkpoint's files before anything runs."""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from comparer.checkpoints.find import locate
from comparer.checkpoints.inspection import card as cards
from comparer.checkpoints.inspection.fingerprint import Hashes
from comparer.config import Config
from comparer.engine import queue
from comparer.errors import ComparerError, Stopped
from comparer.reporting.markup import markup
from comparer.ui.gradio_options import PLAIN
from comparer.ui.results import checkpoint_card as drawing
from comparer.ui.results import status

BUSY = "A comparison is running, and reading files would disturb its times: press Inspect when it is finished."


class Inspect:
    """The card of the chosen checkpoint and the handler that renders it."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config = config

    def build(self) -> None:
        """Create the placeholder of the card."""
        self.shown = gr.HTML(elem_id="card", **PLAIN)

    def wire(self, button: gr.Button, checkpoint: gr.Dropdown) -> None:
        """Show the card when the button is clicked."""
        button.click(
            self.inspect, checkpoint, self.shown, concurrency_limit=None, show_progress="hidden",
            trigger_mode="once", api_visibility="private",
        )  # fmt: skip

    def inspect(self, name: Any) -> Iterator[str]:
        """Read the files and render their contents."""
        yield markup('<div class="status" role="status"><p>Reading {}</p></div>', str(name))
        try:
            yield drawing.draw(self.card(str(name)), str(name))
        except Stopped:
            yield status.told(BUSY)
        except ComparerError as error:
            yield status.failed(self.config.redact(error))

    def card(self, name: str) -> cards.CheckpointCard:
        """Return the card of the checkpoint with this name.

        Raises:
            ComparerError: there is no such checkpoint, or it cannot be read.
            Stopped: a measurement is in progress.
        """
        path, within = locate(name, self.config)
        with queue.background_slot() as free:
            if not free:
                raise Stopped
            return cards.make(path, Hashes(self.config.runs / "cache" / "hashes.json"), within, queue.busy)
