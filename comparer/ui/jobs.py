"""Jobs of a tab besides comparisons: a check of a checkpoint, a download from the Hub. Progress as HTML."""

import threading
from collections.abc import Iterator
from time import monotonic

from comparer.config import Config
from comparer.engine.events import Progress
from comparer.engine.fetch import fetch
from comparer.errors import ComparerError
from comparer.models import hub
from comparer.models.catalog import CATALOG
from comparer.sanity.check import check
from comparer.sanity.report import SanityReport
from comparer.ui.results import sanity_report, status

REDRAW = 0.5  # seconds between two redrawings of the progress bar
KEPT = "Stop keeps what has come; Fetch goes on from there."
ABOUT = "Four fixed prompts and two seeds at the native size, EMA and raw where both are there"


def checking(line: str, config: Config, stop: threading.Event) -> Iterator[tuple[str, str, str | None]]:
    """Check a checkpoint; yield the status, the progress beside the button, and the report once it is available."""
    yield status.told("Starting"), status.STARTING, ""
    drawn = 0.0
    try:
        for event in check(line, config, stop):
            if isinstance(event, SanityReport):
                yield status.told(f"Checked in {event.seconds:.0f} s."), "", sanity_report.draw(event)
                return
            if not isinstance(event, Progress) or monotonic() - drawn > REDRAW:
                drawn = monotonic()
                yield status.status(event, ABOUT), status.going(event), None
        yield status.told("Stopped before the check was finished."), "", None
    except ComparerError as error:
        yield status.failed(config.redact(error)), "", None


def fetching(name: str, config: Config, stop: threading.Event) -> Iterator[tuple[str, str, bool]]:
    """Download a model from the Hub; yield the status, the progress beside the button, and whether it has ended."""
    yield status.told("Asking the hub"), status.STARTING, False
    drawn = 0.0
    try:
        for event in fetch(name, config, stop):
            if monotonic() - drawn > REDRAW:
                drawn = monotonic()
                yield status.status(event, KEPT), status.going(event), False
        model = CATALOG[name]
        said = f"{model.title} is here." if hub.here(model) else "Stopped. What was downloaded is kept."
        yield status.told(said), "", True
    except ComparerError as error:
        yield status.failed(config.redact(error)), "", False
