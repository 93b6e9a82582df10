"""The right column: results of a run, from its status to its downloads."""

from typing import Any

import gradio as gr

from comparer.config import Config
from comparer.engine.events import Finished, Updated
from comparer.engine.resume import more_seeds
from comparer.reporting.html import tables
from comparer.reporting.html.verdict_cards import headline
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.runs import store
from comparer.stats.verdict import DEFAULT, Thresholds
from comparer.text import counted
from comparer.ui.gradio_options import PLAIN
from comparer.ui.results import status
from comparer.ui.results.details import details
from comparer.ui.results.exports import Take
from comparer.ui.results.gallery import Pictures
from comparer.ui.results.inspect import Inspect
from comparer.ui.results.resume import GoOn


class Outcome:
    """The components that show a run."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.pictures, self.inspect, self.goon, self.take = Pictures(), Inspect(config), GoOn(config), Take(config)

    def build(self) -> None:
        """Create the layout of the column."""
        self.inspect.build()
        with gr.Row(equal_height=False, elem_id="state"):
            self.status = gr.HTML(status.EMPTY, elem_id="status", **PLAIN)
            self.again = gr.Button(
                "Use these settings", visible=False, size="sm", scale=0, min_width=160, elem_id="settings"
            )
        self.previous = gr.HTML(elem_id="previous", **PLAIN)
        self.pictures.build(self._build_evidence, self.goon.build, self.take.build)

    def _build_evidence(self) -> None:
        self.headline = gr.HTML(elem_id="headline", **PLAIN)
        with gr.Row(visible=False, elem_id="judge") as self.judge:
            self.more = gr.Button("", visible=False, scale=0, min_width=220, elem_id="more")
            with gr.Accordion("Verdict thresholds", open=False) as self.worthwhile:
                self.thresholds = [
                    gr.Slider(1.01, 5, DEFAULT.speed_up, step=0.01, label="Faster from a speed-up of"),
                    gr.Slider(0.1, 20, 100 * DEFAULT.clip_loss, step=0.1, label="Quality kept below a loss of (%)"),
                ]
        self.figures = gr.HTML(elem_id="figures", **PLAIN)
        self.pictures.build_table()
        self.notes = gr.HTML(elem_id="notes", **PLAIN)

    def keep(self) -> None:
        """Add the stored state: the comparison and its folder in this tab, its name in the browser."""
        self.comparison, self.folder = gr.State(None), gr.State(None)
        # Stored by the browser: a tab that lost its connection finds its run again.
        self.last = gr.BrowserState("", storage_key="comparer-last-run", secret="comparer")

    def outputs(self) -> list[Any]:
        """List the components that ``seen`` and ``cleared`` update."""
        shown = [self.status, self.previous, self.again, self.headline, self.judge, self.worthwhile, self.more]
        shown += [*self.thresholds, self.figures, self.notes, self.comparison, self.folder, self.last]
        return [*shown, *self.goon.outputs(), *self.take.outputs(), *self.pictures.outputs()]

    def seen(
        self, event: Updated | Finished, show: bool, first: bool = False, pair: tuple[int, int] | None = None,
        arm: int | None = None, offered: bool = True,
    ) -> dict:  # fmt: skip
        """Show a run.

        Args:
            event: event of the run.
            show: whether to update the images, too.
            first: whether this is another run than the one shown before.
            pair: prompt number and seed to show; None for the newest, or the first of a run that has ended.
            arm: the arm compared with the baseline, with a pair.
            offered: whether the run can be resumed, once it has ended.
        """
        comparison, folder = event.comparison, event.folder
        ended, analysis = isinstance(event, Finished), Analysis(comparison)
        update: dict = {
            **self._headline(analysis),
            **self._limits(comparison.request.thresholds, first),
            self.judge: gr.update(visible=comparison.state != "running" and len(comparison.request.arms) > 1),
            # A comparison of checkpoints asks which is better, not what a speed-up is worth.
            self.worthwhile: gr.update(visible=not comparison.request.variants()),
            self.figures: tables.arms_table(analysis) + details(analysis),
            self.notes: tables.notes_list(analysis),
            self.comparison: comparison,
            self.folder: str(folder),
            self.last: store.name(folder),
            self.again: gr.update(visible=ended),
            **self.goon.shown(comparison, offered and ended),
            **self.take.shown(comparison, offered and ended and bool(comparison.shots)),
        }
        if isinstance(event, Finished):
            update[self.status] = status.ended(comparison)
        if not comparison.shots or not show:
            return update
        return update | self.pictures.show(analysis, folder, pair, arm if pair else None, first)

    def judged(self, seen: Comparison | None, speed_up: float, clip_loss: float) -> Any:
        """Render the headline, and offer more seeds if they would probably settle an undecided verdict."""
        return gr.skip() if seen is None else self._headline(Analysis(seen, thresholds(speed_up, clip_loss)))

    def _limits(self, by: Thresholds, first: bool) -> dict:
        """Set the sliders to a run's thresholds when it is first shown; afterwards they are the visitor's."""
        return dict(zip(self.thresholds, (by.speed_up, 100 * by.clip_loss), strict=True)) if first else {}

    def _headline(self, analysis: Analysis) -> dict:
        more = more_seeds(analysis) if analysis.comparison.state != "running" else 0
        return {
            self.headline: headline(analysis),
            self.more: gr.update(visible=more > 0, value=f"Run {counted(more, 'more seed')}"),
        }

    def cleared(self, said: str) -> dict:
        """Clear the displayed run, and show why."""
        hidden = [self.again, self.judge, self.more, self.take.column, self.goon.fold, self.pictures.column]
        empty = [self.previous, self.headline, self.figures, self.notes, self.pictures.table, self.pictures.address]
        return {
            self.status: said,
            **dict.fromkeys(empty, ""),
            **{component: gr.update(visible=False) for component in hidden},
            self.comparison: None,
            self.folder: None,
            self.last: "",
        }


def thresholds(speed_up: float, clip_loss: float) -> Thresholds:
    """Return the verdict thresholds from the sliders' values: a speed-up, and a loss of score in percent."""
    return Thresholds(speed_up, clip_loss / 100)
