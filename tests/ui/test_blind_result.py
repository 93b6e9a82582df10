"""The result of a blind test on the page: the words of the record, and every showing is a look. No browser."""

from html import unescape

import pytest

from comparer.blind import sessions
from comparer.runs.store import RunFolder
from comparer.ui.results.blind_test import Blind
from helpers.viewer_runs import comparison_in

JUDGE = "0123456789abcdef"


@pytest.fixture
def judged(tmp_path):
    """Return a run, its folder, and a session with two of four votes."""
    seen = comparison_in(tmp_path, arms=2)
    RunFolder(tmp_path).save(seen)
    session = sessions.begin(tmp_path, seen, 1, 5, JUDGE)
    for number in range(2):
        sessions.cast(tmp_path, session.id, number, "a")
    return seen, tmp_path, session


def looks(folder):
    return [session.looks for session in sessions.load(folder)]


def test_what_shows_the_result_is_a_look_and_what_does_not_is_none(judged):
    seen, folder, session = judged
    panel = Blind()

    def act(what, **given):
        return panel._act({"act": what} | given, seen, folder, 1, JUDGE, session.id)[0]

    assert "Go on" in panel._entrance(seen, str(folder), 1, JUDGE) and looks(folder) == [()]
    assert "verdict" in act("show") and looks(folder) == [(2,)]
    assert "verdict" not in act("vote", number=2, vote="b") and looks(folder) == [(2,)]
    assert "verdict" in act("vote", number=3, vote="tie") and looks(folder) == [(2, 4)]
    assert "verdict" in panel._entrance(seen, str(folder), 1, JUDGE) and looks(folder) == [(2, 4)]
    assert sessions.result(folder)[0].look == 2 and looks(folder) == [(2, 4)]


def test_the_page_says_what_the_api_says(judged):
    seen, folder, session = judged
    shown = unescape(Blind()._act({"act": "finish"}, seen, folder, 1, JUDGE, session.id)[0])
    (found,) = sessions.result(folder)
    said = found.sentence.removeprefix(f"{found.kind}: ")
    assert f"<b>{found.kind}</b>" in shown and said[0].upper() + said[1:] in shown
    assert found.note in shown and found.clip_sentence in shown


def test_a_result_that_cannot_be_read_is_an_error_on_the_page(judged, monkeypatch):
    seen, folder, session = judged
    sessions.end(folder, session.id)
    (folder / "blind.json").write_text("{")
    assert "is damaged" in unescape(Blind()._entrance(seen, str(folder), 1, JUDGE))
