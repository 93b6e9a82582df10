"""The progress bar that all commands share."""

import pytest

from comparer.cli.progress import BYTES, progress_bar
from comparer.engine.events import Progress, Waiting


def shown(capsys, *events, quiet=False, **given):
    """Show events on a bar and return what was written to the terminal."""
    with progress_bar(quiet, **given) as show:
        for event in events:
            show(event, "2 of 3: ")
    return capsys.readouterr().err


def test_it_shows_who_waits_and_how_far_it_is(capsys):
    told = shown(capsys, Waiting(2, "a check"), Progress("generating", "Image 3", 6, 8, 200.0))
    assert "2 of 3: Waiting: 2 ahead, now: a check" in told
    assert "2 of 3: Image 3" in told and "6/8" in told and "about 3 min 20 s left" in told


def test_bytes_are_shown_as_percent(capsys):
    assert "50%" in shown(capsys, Progress("fetching", "Weights", 5, 10), first="Looking", form=BYTES)


def test_what_it_does_not_know_and_what_nobody_wants_is_not_shown(capsys):
    assert "left" not in shown(capsys, Progress("loading", "Loading", 0, 0), object())
    assert shown(capsys, Progress("loading", "Loading", 0, 0), quiet=True) == ""


def test_it_is_closed_after_an_interrupt(capsys):
    with pytest.raises(KeyboardInterrupt), progress_bar(False):
        raise KeyboardInterrupt
    assert capsys.readouterr().err.endswith("\n")
