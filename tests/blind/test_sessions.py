"""Blind tests in the run folder: the shuffle, the votes, and pictures that only their pixels tell apart."""

import io
import json
import os
import subprocess
import sys
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from scipy.stats import binomtest, chisquare

from comparer.blind import sessions as blind_sessions
from comparer.blind.anonymise import sealed
from comparer.blind.trials import trials
from comparer.errors import ComparerError
from comparer.request.png_write import save_png
from comparer.runs import store
from comparer.runs.store import RunFolder
from helpers.runs import ROOT
from helpers.viewer_runs import comparison_in

ITEMS = [(prompt, seed) for prompt in range(4) for seed in (1, 2, 3)]
JUDGE = "0123456789abcdef"


def run_in(path, arms=3):
    """Write a run folder with four pairs an arm."""
    seen = comparison_in(path, arms)
    RunFolder(path).save(seen)
    return seen


def vote_all(folder, session, choices):
    for number, choice in enumerate(choices):
        session = blind_sessions.cast(folder, session.id, number, choice)
    return session


def for_the_arm(session):
    return ["a" if trial.a else "b" for trial in session.trials]


def test_the_same_seed_gives_the_same_order_and_sides_on_every_machine():
    assert [(t.prompt, t.seed, t.a) for t in trials(ITEMS[:5], 2, 7)] == [
        (0, 3, 2), (0, 1, 2), (1, 2, 2), (1, 1, 0), (0, 2, 0),
    ]  # fmt: skip
    assert trials(ITEMS, 2, 7) != blind_sessions.trials(ITEMS, 2, 8)


def test_every_pair_comes_once_and_the_sides_are_balanced():
    for seed in range(50):
        for count in (1, 2, 5, 12):
            found = trials(ITEMS[:count], 1, seed)
            assert sorted((t.prompt, t.seed) for t in found) == ITEMS[:count]
            assert abs(2 * sum(t.a for t in found) - count) <= count % 2


@pytest.mark.parametrize("count", [5, 12])
def test_the_shuffle_is_fair(count):
    """By pair and by place the arm is A half of the time, and each pair comes at each place as often."""
    drawn = [trials(ITEMS[:count], 1, seed) for seed in range(2000)]
    for place in range(count):
        assert binomtest(sum(found[place].a for found in drawn), len(drawn)).pvalue > 1e-5
        assert chisquare(list(Counter((f[place].prompt, f[place].seed) for f in drawn).values())).pvalue > 1e-5
    for item in ITEMS[:count]:
        on_a = sum(t.a for found in drawn for t in found if (t.prompt, t.seed) == item)
        assert binomtest(on_a, len(drawn)).pvalue > 1e-5


@pytest.mark.parametrize("seed", [-1, 2**32, 1.5, True, "7", None])
def test_a_seed_that_is_none_is_refused(seed):
    with pytest.raises(ComparerError, match="not a whole number from 0 to 4294967295"):
        trials(ITEMS, 1, seed)


def test_votes_are_kept_and_read_back_by_what_they_are_for(tmp_path):
    seen = run_in(tmp_path)
    session = blind_sessions.begin(tmp_path, seen, 2, 7, JUDGE)
    assert blind_sessions.load(tmp_path) == [session] and session.seed == 7 and len(session.trials) == 4
    choices = for_the_arm(session)
    choices[2], choices[3] = "tie", "bad"
    vote_all(tmp_path, session, choices)
    (found,) = blind_sessions.result(tmp_path)
    assert (found.arm, found.names) == (2, ("Baseline", "One pixel"))
    assert (found.wins, found.losses, found.ties, found.bad, found.judges) == (2, 0, 1, 1, 1)
    against = blind_sessions.begin(tmp_path, seen, 1, 8, JUDGE)
    vote_all(tmp_path, against, ["b" if side == "a" else "a" for side in for_the_arm(against)])
    one, two = blind_sessions.result(tmp_path)
    assert (one.arm, one.wins, one.losses) == (1, 0, 4) and two == found
    assert one.clip.n == 4 and one.clip.value == pytest.approx(-2.25) and one.higher == (3, 3)
    assert json.loads((tmp_path / "blind.json").read_text())["schema"] == 2


def test_of_one_persons_votes_on_one_pair_the_first_counts(tmp_path):
    seen = run_in(tmp_path)
    first, again = (blind_sessions.begin(tmp_path, seen, 1, seed, JUDGE) for seed in (1, 2))
    other = blind_sessions.begin(tmp_path, seen, 1, 3, "f" * 16)
    vote_all(tmp_path, first, for_the_arm(first)[:3])
    vote_all(tmp_path, again, ["bad"] * 4)
    vote_all(tmp_path, other, ["tie"] * 4)
    (found,) = blind_sessions.result(tmp_path)
    assert (found.wins, found.ties, found.bad, found.repeated, found.judges) == (3, 4, 1, 3, 2)


def test_who_comes_back_goes_on_with_the_latest_session_on_the_arm(tmp_path):
    seen = run_in(tmp_path)
    first, latest = (blind_sessions.begin(tmp_path, seen, 1, seed, JUDGE) for seed in (1, 2))
    blind_sessions.begin(tmp_path, seen, 1, 3, "f" * 16), blind_sessions.begin(tmp_path, seen, 2, 4, JUDGE)
    latest = vote_all(tmp_path, latest, ["a", "b"])
    assert blind_sessions.unfinished(blind_sessions.load(tmp_path), JUDGE, 1) == latest
    assert blind_sessions.unfinished(blind_sessions.load(tmp_path), "0" * 16, 1) is None
    blind_sessions.end(tmp_path, latest.id)
    assert blind_sessions.unfinished(blind_sessions.load(tmp_path), JUDGE, 1) is None, (
        "and not an earlier one that was given up"
    )
    assert not blind_sessions.load(tmp_path)[0].over and blind_sessions.load(tmp_path)[0] == first


def test_a_vote_on_another_than_the_next_pair_is_not_counted(tmp_path):
    session = blind_sessions.begin(tmp_path, run_in(tmp_path), 1, 1, JUDGE)
    assert blind_sessions.cast(tmp_path, session.id, 1, "a").votes == ()
    assert blind_sessions.cast(tmp_path, session.id, 0, "a").votes == ("a",)
    assert blind_sessions.cast(tmp_path, session.id, 0, "b").votes == ("a",)
    assert blind_sessions.unfinished(blind_sessions.load(tmp_path), JUDGE, 1).votes == ("a",)
    assert blind_sessions.unfinished(blind_sessions.load(tmp_path), JUDGE, 2) is None
    assert blind_sessions.unfinished(blind_sessions.load(tmp_path), "f" * 16, 1) is None
    assert blind_sessions.end(tmp_path, session.id).over
    assert blind_sessions.cast(tmp_path, session.id, 1, "a").votes == ("a",)
    assert blind_sessions.unfinished(blind_sessions.load(tmp_path), JUDGE, 1) is None
    for wrong in ("left", "", None, "A"):
        with pytest.raises(ComparerError, match="choose one of a, b, tie, bad"):
            blind_sessions.cast(tmp_path, session.id, 1, wrong)
    with pytest.raises(ComparerError, match="start a new one"):
        blind_sessions.cast(tmp_path, "x", 0, "a")


def test_two_people_at_once_lose_no_vote(tmp_path):
    run_in(tmp_path)
    code = (
        "import sys; from pathlib import Path; from comparer.blind import sessions; from comparer.runs import store\n"
        "folder = Path(sys.argv[1]); seen = store.load(folder)\n"
        "for seed in range(8):\n"
        "    s = sessions.begin(folder, seen, 1, seed, f'{seed:016}')\n"
        "    for n in range(4): sessions.cast(folder, s.id, n, 'a')\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    others = [subprocess.Popen(command, cwd=ROOT, env=os.environ, stderr=subprocess.PIPE) for _ in range(2)]
    seen = store.load(tmp_path)

    def judge(number):
        return vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, number, f"{number + 100:016}"), ["b"] * 4)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(judge, range(8)))
    for other in others:
        assert not other.communicate()[1] and other.returncode == 0
    sessions = blind_sessions.load(tmp_path)
    assert len(sessions) == 24 and all(len(session.votes) == 4 for session in sessions)


def looks(folder):
    return [session.looks for session in blind_sessions.load(folder)]


def test_a_result_that_was_seen_before_more_votes_is_one_more_look(tmp_path):
    seen = run_in(tmp_path)
    first = vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, 5, JUDGE), ["a", "b"])
    (found,) = blind_sessions.result(tmp_path)
    assert (found.look, found.level) == (1, 0.975) and looks(tmp_path) == [(2,)]
    before = (tmp_path / "blind.json").read_bytes()
    for _ in range(3):  # read again without new votes: no new look, nothing is written
        assert blind_sessions.result(tmp_path) == [found]
    assert (tmp_path / "blind.json").read_bytes() == before
    blind_sessions.cast(tmp_path, first.id, 2, "a")
    (found,) = blind_sessions.result(tmp_path)
    assert (found.look, found.level, found.votes) == (2, 0.9875, 3)
    assert found.share.interval.level == 0.9875 and "98.75 % interval" in found.note and "look 2" in found.note
    blind_sessions.cast(tmp_path, first.id, 3, "tie")
    blind_sessions.end(tmp_path, first.id)
    assert looks(tmp_path) == [(2, 3)], "a vote and an end are no look: nothing is shown"
    assert blind_sessions.result(tmp_path)[0].look == 3


def test_looks_are_counted_over_all_people_and_each_arm_has_its_own(tmp_path):
    seen = run_in(tmp_path)
    one = vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, 5, JUDGE), ["a"] * 4)
    blind_sessions.look(tmp_path, [1])
    vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 2, 6, JUDGE), ["a"] * 4)
    other = vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, 7, "f" * 16), ["b"] * 4)
    sessions = blind_sessions.look(tmp_path, [1, 2])
    assert [blind_sessions.look_number(sessions, arm) for arm in (1, 2)] == [2, 1]
    assert sessions == blind_sessions.load(tmp_path) and looks(tmp_path) == [(4,), (4,), (8,)]
    # A person's votes on pairs that they have judged before are not counted: the result stays, and is no new look.
    vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, 8, JUDGE), ["b"] * 4)
    assert blind_sessions.look_number(blind_sessions.look(tmp_path, [1]), 1) == 2
    assert [each.id for each in blind_sessions.load(tmp_path)][::2] == [one.id, other.id]


def test_a_record_of_an_earlier_version_opens_and_its_next_result_is_the_first_look(tmp_path):
    seen = run_in(tmp_path)
    session = vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, 5, JUDGE), ["a", "tie"])
    file = tmp_path / "blind.json"
    data = json.loads(file.read_text())
    old = {"schema": 1, "sessions": [{k: v for k, v in each.items() if k != "looks"} for each in data["sessions"]]}
    file.write_text(json.dumps(old))
    assert blind_sessions.load(tmp_path) == [session] and session.looks == ()
    assert blind_sessions.cast(tmp_path, session.id, 2, "b").votes == ("a", "tie", "b")
    assert blind_sessions.result(tmp_path)[0].look == 1
    assert json.loads(file.read_text())["schema"] == 2 and looks(tmp_path) == [(3,)]


def test_a_result_in_a_folder_that_cannot_be_written_is_shown_without_a_record(tmp_path, monkeypatch):
    seen = run_in(tmp_path)
    vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, 5, JUDGE), ["a"])
    monkeypatch.setattr(blind_sessions.os, "access", lambda *_: False)
    assert blind_sessions.result(tmp_path)[0].look == 1 and looks(tmp_path) == [()]


DAMAGED = {
    "half of it": lambda text: text[: len(text) // 2],
    "another thing": lambda _: "[]",
    "no vote": lambda text: text.replace('"tie"', '"left"'),
    "a side of another arm": lambda text: text.replace('"a": 1', '"a": 2'),
    "too many votes": lambda text: text.replace('["tie"]', '["tie", "a", "a", "a", "a"]'),
    "no number": lambda text: text.replace('"seed": 5', '"seed": "5"'),
    "no look": lambda text: text.replace('"looks": []', '"looks": ["1"]'),
    "no text at all": lambda _: "\0",
}


@pytest.mark.parametrize("how", DAMAGED)
def test_a_damaged_file_is_named_and_not_overwritten(tmp_path, how):
    seen = run_in(tmp_path)
    session = vote_all(tmp_path, blind_sessions.begin(tmp_path, seen, 1, 5, JUDGE), ["tie"])
    file = tmp_path / "blind.json"
    whole, spoiled = file.read_text(), DAMAGED[how](file.read_text())
    assert whole != spoiled
    file.write_text(spoiled)
    for does in (
        lambda: blind_sessions.begin(tmp_path, seen, 1, 5, JUDGE),
        lambda: blind_sessions.cast(tmp_path, session.id, 1, "a"),
        lambda: blind_sessions.end(tmp_path, session.id),
        lambda: blind_sessions.result(tmp_path),
    ):
        with pytest.raises(ComparerError, match=r"/blind\.json' is damaged .*it was not changed"):
            does()
    assert file.read_text() == spoiled


def test_a_file_of_a_later_version_is_left_alone(tmp_path):
    run_in(tmp_path)
    (tmp_path / "blind.json").write_text('{"schema": 3, "sessions": "of another kind"}')
    with pytest.raises(ComparerError, match="later version"):
        blind_sessions.result(tmp_path)


def test_a_run_that_nobody_judged_has_no_result_and_one_without_pairs_cannot_be_judged(tmp_path):
    seen = run_in(tmp_path)
    assert blind_sessions.result(tmp_path) == []
    seen.shots = []
    with pytest.raises(ComparerError, match="no pair to judge"):
        blind_sessions.begin(tmp_path, seen, 1, 1, JUDGE)
    assert not (tmp_path / "blind.json").exists()


def test_pictures_are_sealed_to_the_same_length_with_their_pixels_and_nothing_else(tmp_path):
    size = (96, 64)
    noise = np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8)
    pictures = {"flat": Image.new("RGB", size, (3, 4, 5)), "noise": Image.fromarray(noise)}
    for name, picture in pictures.items():
        save_png(picture, tmp_path / name, {"parameters": f"the arm is {name} " * 40, "comparer": "{}"})
    flat, busy = sealed(tmp_path / "flat", tmp_path / "noise")
    assert len(flat) == len(busy) and b"the arm is" not in flat + busy
    assert (tmp_path / "noise").stat().st_size > 5 * (tmp_path / "flat").stat().st_size
    for data, picture in ((flat, pictures["flat"]), (busy, pictures["noise"])):
        with Image.open(io.BytesIO(data)) as read:
            assert not read.info and read.tobytes() == picture.tobytes()
        # Compressed once more on its way it stays as large.
        assert len(zlib.compress(data, 9)) > 0.95 * len(data)
    swapped = sealed(tmp_path / "noise", tmp_path / "flat")
    assert {len(each) for each in swapped} == {len(flat)}
    assert swapped[1] != flat  # another filler each time: nothing to recognise
    with pytest.raises(ComparerError, match="cannot be read"):
        sealed(tmp_path / "flat", tmp_path / "gone")
