"""Extra turns of real runs: they are made, timed, stopped, resumed and recorded. How many are planned is counted."""

import json
import threading
from dataclasses import replace

import pytest

from comparer.engine import repeats
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Progress, Updated
from comparer.engine.resume import unmade
from comparer.request.build import with_arm
from comparer.request.extend import extended
from comparer.results import run_json
from comparer.results.analysis import Analysis
from comparer.results.notes import measured
from comparer.runs import store
from helpers.runs import finish
from helpers.small import ask, kept

ARM, OTHER = "DeepCache(interval=2)", "DeepCache(interval=3)"
PLENTY = 300.0


@pytest.fixture(autouse=True)
def seven(monkeypatch):
    """Have the second plan say seven turns, however steady this machine is."""
    monkeypatch.setattr(repeats, "turns_needed", lambda logs, level: 7)


@pytest.fixture(scope="module")
def made(checkpoints, tmp_path_factory):
    """Return a finished run with extra turns, its events as they were, and its configuration."""
    from helpers.small import installed

    config, events = installed(checkpoints, tmp_path_factory.mktemp("extra")), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(repeats, "turns_needed", lambda logs, level: 7)
        for event in compare(asked(extras=("noise-floor",)), config):
            calls = len(event.comparison.calls) if isinstance(event, Updated) else None
            scored = isinstance(event, Updated) and [shot.clip_score is not None for shot in event.comparison.shots]
            events.append((event, calls, scored))
    return events[-1][0], events, config


def asked(*arms, seconds=PLENTY, seeds=(1,), extras=(), **more):
    return replace(ask(*(arms or (ARM,)), seeds=seeds, steps=2), repeat_seconds=seconds, extras=extras, **more)


def turns(comparison, process=0):
    """Return the arms of each repeat of the first batch, in order."""
    found = {}
    for call in comparison.calls:
        if call.process == process and call.batch == 0:
            found.setdefault(call.repeat, []).append(call.arm)
    return list(found.values())


def test_a_short_call_is_repeated_five_times_and_once_more_as_planned(made):
    done, _, _ = made
    comparison = done.comparison
    assert turns(comparison) == [[0, 1], [1, 0], [0, 1], [1, 0], [0, 1], [1, 0], [0, 1]]
    assert len(comparison.call_pairs(1)) == 7 and len(comparison.shots) == 2
    assert len({call.pixels for call in comparison.calls if call.arm == 1}) == 1, "the same image each time"
    (entry,) = comparison.extra_turns
    assert entry.turns == 6 and entry.why in ("reached", "planned") and entry.half_width > 0
    assert entry.seconds >= sum(call.seconds for call in comparison.calls[2:])
    assert any(said.startswith("6 extra turns of one call in ") for said in measured(Analysis(comparison)))


def test_images_and_scores_are_there_before_the_first_extra_turn(made):
    _, events, _ = made
    first = next(scored for _, calls, scored in events if calls and calls > 2)
    assert first == [True, True]


def test_progress_names_the_turn_and_never_exceeds_its_total(made):
    _, events, _ = made
    seen = [event for event, _, _ in events if isinstance(event, Progress)]
    told = list(dict.fromkeys(event.text for event in seen if event.phase == "repeating" and "step" not in event.text))
    assert told[:2] == [
        f"Repeating for the timing: {ARM}, turn 2 of 5", "Repeating for the timing: Baseline, turn 2 of 5",
    ]  # fmt: skip
    assert told[-1] == f"Repeating for the timing: {ARM}, turn 7 of 7" and len(told) == 12
    assert all(event.done <= event.total for event in seen) and seen[-1].done == seen[-1].total


def test_further_images_are_a_noise_floor_only_where_that_was_asked_for(made, config):
    done, _, _ = made
    assert len(done.comparison.shots[0].again) == 6 + 1  # and the untimed one
    plain = finish(asked(), config)
    assert len(turns(plain.comparison)) == 7 and plain.comparison.shots[0].again == ()
    assert Analysis(plain.comparison).noise_floor is None


def test_the_record_keeps_them(made):
    done, _, _ = made
    assert store.load(done.folder) == done.comparison
    data = json.loads((done.folder / "run.json").read_text(encoding="utf-8"))
    assert data["request"]["repeat_seconds"] == PLENTY and data["extra_turns"][0]["turns"] == 6
    del data["request"]["repeat_seconds"], data["extra_turns"]  # as before they came
    older = run_json.from_json(data)
    assert older.request.repeat_seconds == 0 and older.extra_turns == []


@pytest.mark.parametrize(("seconds", "why"), [(0.0, "off"), (1e-6, "long")])
def test_none_are_made_where_none_are_allowed(config, seconds, why):
    comparison = finish(asked(seconds=seconds), config).comparison
    assert turns(comparison) == [[0, 1]]
    assert [(each.turns, each.why) for each in comparison.extra_turns] == [(0, why)]


def test_repeats_that_were_asked_for_are_turns(config):
    assert len(turns(finish(asked(repeats=6), config).comparison)) == 7


@pytest.mark.parametrize("after", [4, 5])
def test_stop_keeps_images_calls_and_scores_and_resuming_keeps_them_too(config, after):
    stop, request = threading.Event(), asked()
    for event in compare(request, config, stop):
        if isinstance(event, Updated) and len(event.comparison.calls) == after:
            stop.set()
    stopped = event.comparison
    assert isinstance(event, Finished) and stopped.state == "stopped" and event.grid
    assert len(stopped.calls) == after and [shot.clip_score is not None for shot in stopped.shots] == [True, True]
    assert [(each.turns, each.why) for each in stopped.extra_turns] == [(1, "stopped")]
    assert not unmade(store.load(event.folder))
    *_, last = compare(request, config, into=event.folder)
    assert last.comparison.state == "finished" and last.comparison.calls == stopped.calls
    assert last.comparison.shots == stopped.shots and last.comparison.extra_turns == stopped.extra_turns


def test_more_seeds_reuse_all_turns_and_count_them(made, tmp_path, config):
    done, _, _ = made
    before = kept(done, config)
    *_, last = compare(extended(before.comparison.request, 1), config, into=before.folder)
    comparison = last.comparison
    assert comparison.calls[:14] == before.comparison.calls and len(comparison.calls) == 16
    assert [each.process for each in comparison.extra_turns] == [0, 1] and comparison.extra_turns[1].turns == 0


def test_a_later_arm_gets_turns_of_its_own_beside_the_baseline(made, config):
    done, _, _ = made
    before = kept(done, config)
    *_, last = compare(with_arm(config, before.comparison.request, OTHER), config, into=before.folder)
    comparison = last.comparison
    assert turns(comparison, 1) == [[0, 2], [2, 0], [0, 2], [2, 0], [0, 2], [2, 0], [0, 2]]
    assert turns(comparison) == turns(before.comparison) and len(comparison.call_pairs(2)) == 7
    assert [(each.process, each.turns) for each in comparison.extra_turns] == [(0, 6), (1, 6)]
