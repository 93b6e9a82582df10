"""Repeats, and runs that are continued: after a Stop, after a kill, with more seeds."""

import threading
from dataclasses import replace

import pytest

from comparer.accelerators.registry import parse
from comparer.checkpoints.spec import Weights
from comparer.cli.main import main
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Updated
from comparer.engine.resume import continued, unmade, untraced
from comparer.errors import ComparerError
from comparer.request import build
from comparer.request.extend import extended
from comparer.request.request import Arm
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.equal_time import rivalry
from comparer.results.notes import measured
from comparer.results.records import NotRun
from comparer.runs import store
from comparer.runs.lock import being_made
from helpers.killed import run_killed
from helpers.runs import PROMPT, THREADS, finish, pixels
from helpers.small import NAME, SIZE, ask, installed, kept

ARM = "DeepCache(interval=2)"


def scores(done):
    return {(s.arm, s.prompt, s.seed): s.clip_score for s in done.comparison.shots}


def same(one, other):
    a, b = pixels(one), pixels(other)
    return a.keys() == b.keys() and all((a[key] == b[key]).all() for key in a)


@pytest.fixture(scope="module")
def repeated(checkpoints, tmp_path_factory):
    """Return a run of three repeats, to be read."""
    return finish(replace(ask(ARM, seeds=(1, 2)), repeats=3), installed(checkpoints, tmp_path_factory.mktemp("runs")))


def test_repeats_are_all_timed_and_pictures_kept_once(repeated):
    done = repeated
    calls = done.comparison.calls
    assert len(calls) == 2 * 2 * 3 and len(done.comparison.shots) == 4
    assert sorted((c.arm, c.batch, c.repeat) for c in calls) == [
        (a, b, r) for a in (0, 1) for b in (0, 1) for r in range(3)
    ]
    assert len({c.seconds for c in calls}) == 12
    for arm, batch in ((0, 0), (0, 1), (1, 0), (1, 1)):  # a CPU makes the same picture again
        assert len({c.pixels for c in calls if (c.arm, c.batch) == (arm, batch)}) == 1
    assert {c.pixels[0] for c in calls} == {shot.pixels for shot in done.comparison.shots}
    assert Analysis(done.comparison).arms[1].figures.pictures == 2
    assert len(done.comparison.call_pairs(1)) == 6
    assert "n = 2 calls of 3 repeats per arm" in measured(Analysis(done.comparison))[0]
    assert store.load(done.folder) == done.comparison


@pytest.mark.parametrize("after", [1, 3, 4])
def test_a_stopped_run_continued_is_as_if_it_had_not_been_stopped(config, after, shared):
    whole, stop = shared(1, 2, 3), threading.Event()
    request = whole.comparison.request
    for event in compare(request, config, stop):
        if isinstance(event, Updated) and len(event.comparison.calls) == after:
            stop.set()
    assert event.comparison.state == "stopped" and len(event.comparison.calls) == after
    pairs = event.comparison.calls[: after // 2 * 2]
    (*_, last) = compare(request, config, into=event.folder)
    assert isinstance(last, Finished) and last.folder == event.folder and last.comparison.state == "finished"
    assert same(whole, last) and scores(whole) == scores(last)
    assert {(s.arm, s.prompt, s.seed) for s in last.comparison.shots} == set(scores(whole))
    assert [c.seconds for c in last.comparison.calls[: len(pairs)]] == [c.seconds for c in pairs]
    assert {c.process for c in last.comparison.calls[len(pairs) :]} == {1}, "a half-made pair is timed again"
    assert all(base.process == other.process for base, other in last.comparison.call_pairs(1))
    said = " ".join(measured(Analysis(last.comparison)))
    assert ("Made in 2 parts" in said) == bool(pairs)  # else all of it in the second
    assert last.comparison.interim_looks == (2 if pairs else 1)  # the stop showed a verdict
    assert store.load(last.folder) == last.comparison


def test_more_seeds_and_prompts_continue_a_finished_run(config):
    request = ask(ARM, seeds=(1, 2, 3), batch_size=2)
    first = finish(request, config)
    prompts = (*request.settings.prompts, "a small green ring on a white background")
    more = replace(request, settings=replace(request.settings, seeds=(1, 2, 3, 4), prompts=prompts))
    (*_, last) = compare(more, config, into=first.folder)
    assert last.comparison.batches == [[(0, 1), (0, 2)], [(0, 3)], [(0, 4), (1, 1)], [(1, 2), (1, 3)], [(1, 4)]]
    assert last.comparison.calls[:4] == first.comparison.calls and len(last.comparison.shots) == 16
    assert last.comparison.interim_looks == 2 and last.comparison.process == 1
    assert all(shot.clip_score is not None for shot in last.comparison.shots)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"steps": 5}, "steps was 4 and is now 5."),
        ({"guidance": 1.0}, "guidance was 4.0 and is now 1.0."),
        ({"negative_prompt": "x"}, "negative prompt was '' and is now 'x'."),
        ({"seeds": (2,)}, "seeds can be added, but '1' was removed."),
        ({"prompts": ("another",)}, f"prompts can be added, but '{PROMPT}' was removed."),
    ],
)
def test_another_question_is_refused_with_what_differs_and_both_values(config, change, told, shared):
    first = kept(shared(1, 2), config)
    request = first.comparison.request
    with pytest.raises(ComparerError) as refused:
        finish_into(replace(request, settings=replace(request.settings, **change)), config, first.folder)
    assert str(refused.value) == f"The run cannot be resumed: {told}"
    assert store.load(first.folder) == first.comparison


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"repeats": 2}, "repeats was 1 and is now 2"),
        ({"extras": ("noise-floor", "divergence")}, "extras was none and is now noise-floor, divergence"),
        ({"scorer": "demo"}, "scorer was '' and is now 'demo'"),
        ({"arms": (Arm("Baseline"),)}, f"arm 1 was '{ARM}' and is now missing"),
        (
            {"arms": (Arm("Baseline"), Arm(ARM, (parse("ToMe"),)))},
            f"arm 1 was '{ARM}' and is now '{ARM}' (ToMe(ratio=0.5))",
        ),
        (
            {"arms": (Arm("Baseline"), Arm("raw", weights=Weights("demo", half="raw")))},
            f"arm 1 was '{ARM}' and is now 'raw' (demo; weights=raw)",
        ),
    ],
)
def test_other_measuring_and_other_arms_are_refused_with_what_differs(change, told):
    before = Comparison(ask(ARM), state="finished")
    with pytest.raises(ComparerError) as refused:
        continued(before, replace(before.request, **change))
    assert str(refused.value) == f"The run cannot be resumed: {told}."
    more = replace(before.request.settings, prompts=("first", *before.request.settings.prompts))
    with pytest.raises(ComparerError, match="prompts can be added at the end, but their order was changed"):
        continued(before, replace(before.request, settings=more))


def finish_into(request, config, folder):
    (*_, last) = compare(request, config, into=folder)
    return last


def test_a_batch_with_a_missing_repeat_is_made_again(repeated):
    half = replace(repeated.comparison, calls=repeated.comparison.calls[:-1])
    again = continued(half, half.request)
    assert unmade(again) == {1: ([0, 1], [(0, 2)])}
    assert len(again.calls) == 6 and [s.seed for s in again.shots] == [1, 1]


def blanked(comparison, folder, arm):
    """Write a record as a process leaves it that is killed before an arm's last shot is scored."""
    shots = [replace(s, clip_score=None, similarity=None) if s.arm == arm else s for s in comparison.shots]
    store.RunFolder(folder).save(replace(comparison, shots=shots, state="running"))


def test_what_was_made_and_not_scored_before_a_kill_is_scored(config, shared):
    done = kept(shared(0), config)
    blanked(done.comparison, done.folder, 1)
    last = finish_into(done.comparison.request, config, done.folder)
    assert last.comparison.shots == done.comparison.shots and last.comparison.shots[1].similarity


def test_latents_missing_after_a_kill_are_laid_beside_the_baselines(config):
    done = finish(replace(ask(ARM, "DeepCache(interval=3)"), extras=("divergence",)), config)
    half = {1: done.comparison.divergence[1]}
    store.RunFolder(done.folder).save(replace(done.comparison, divergence=half, state="running"))
    last = finish_into(done.comparison.request, config, done.folder)
    assert last.comparison.divergence == done.comparison.divergence and last.comparison.divergence[2]
    failed = replace(done.comparison, divergence=half, not_run=[NotRun(2, "out of memory")])
    assert untraced(failed)[0] == []  # an arm that is not run has none


def test_a_killed_process_loses_nothing_finished(config, checkpoints, shared):
    """SIGKILL in the middle of the command line's fourth call; the run is continued in this process."""
    whole = shared(1, 2, 3)
    asked = [
        "compare",
        PROMPT,
        "--checkpoint",
        NAME,
        "--size",
        SIZE,
        "--steps",
        4,
        "--guidance",
        4,
        "--sampler",
        "DDIM",
    ]
    asked += ["--accelerator", ARM, "--seeds", "1-3", "--warmups", 0, "--quiet"]
    run_killed(4, *asked, "--runs", config.runs, "--checkpoints", checkpoints, output=config.runs.parent / "said")
    (path,) = config.runs.glob("*/run.json")
    before = store.load(path.parent)
    assert before.state == "running" and len(before.calls) == 3
    last = finish_into(before.request, config, path.parent)
    assert last.comparison.state == "finished" and len(last.comparison.shots) == 6
    assert scores(whole) == scores(last) and same(whole, last)
    assert last.comparison.calls[:2] == before.calls[:2]


def test_one_more_arm_is_timed_beside_a_baseline_that_is_made_again(config):
    request = replace(ask(ARM, seeds=(1, 2), batch_size=1), repeats=2, extras=("divergence",))
    first = finish(request, config)
    asked = build.with_arm(config, first.comparison.request, "ToMe(ratio=0.5)")
    last = finish_into(asked, config, first.folder).comparison
    assert [arm.name for arm in last.request.arms] == ["Baseline", ARM, "ToMe(ratio=0.5)"]
    before = first.comparison.calls
    assert last.calls[: len(before)] == before
    added = [(call.arm, call.batch, call.repeat) for call in last.calls[len(before) :]]
    assert sorted(added) == [(a, b, r) for a in (0, 2) for b in (0, 1) for r in (0, 1)], "and no call of the first arm"
    assert last.shots[:4] == first.comparison.shots and [(s.arm, s.seed) for s in last.shots[4:]] == [(2, 1), (2, 2)]
    assert all(shot.similarity and shot.clip_score is not None for shot in last.shots[4:])
    for arm, process in ((1, 0), (2, 1)):
        pairs = last.call_pairs(arm)
        assert len(pairs) == 4 and {call.process for pair in pairs for call in pair} == {process}
        assert Analysis(last).arms[arm].evidence.speed_up().n == 4  # turns
    before, now = (Analysis(one).arms[1].figures for one in (first.comparison, last))
    assert now == replace(before, mac_ratio=now.mac_ratio)
    assert last.divergence[1] == first.comparison.divergence[1] and last.divergence[2]
    assert last.interim_looks == 1 and Analysis(last).arms[0].figures.pictures == 2
    said = " ".join(measured(Analysis(last)))
    assert "ToMe(ratio=0.5) was added later" in said and "DeepCache(interval=2) was added later" not in said
    assert "ratios are pooled" not in said
    assert store.load(first.folder) == last


def test_a_later_arm_and_more_seeds_go_on_after_a_stop(config, shared):
    first = kept(shared(1, 2), config)
    asked, stop = build.with_arm(config, first.comparison.request, "DeepCache+T-GATE(gate_step=2)"), threading.Event()
    for event in compare(asked, config, stop, first.folder):
        if isinstance(event, Updated) and len(event.comparison.calls) == 4 + 3:
            stop.set()
    assert event.comparison.state == "stopped"
    more = replace(asked, settings=replace(asked.settings, seeds=(1, 2, 3)))
    last = finish_into(more, config, first.folder).comparison
    assert last.state == "finished" and len(last.shots) == 9 and last.shots[:4] == first.comparison.shots
    assert [len(last.call_pairs(arm)) for arm in (1, 2)] == [3, 3]
    assert all(base.process == other.process for arm in (1, 2) for base, other in last.call_pairs(arm))
    whole = finish(replace(more, arms=last.request.arms), config).comparison
    assert {(s.arm, s.seed, s.pixels) for s in last.shots} == {(s.arm, s.seed, s.pixels) for s in whole.shots}


def test_a_later_arm_of_an_equal_time_run_brings_its_own_fewer_steps(config):
    asked = build.build_request(config, PROMPT, NAME, [ARM], size=SIZE, steps=8, also=["equal-time"], warmups=0)
    first = finish(asked, config)
    last = finish_into(build.with_arm(config, first.comparison.request, "DeepCache(interval=4)"), config, first.folder)
    arms = last.comparison.request.arms
    assert [arm.matches_time_of for arm in arms] == [None, None, 1, 1, None, 4, 4]
    left_out = {each.arm for each in last.comparison.not_run}
    assert all(arms[n].steps for n in (2, 3, 5, 6) if n not in left_out) and arms[:4] == first.comparison.request.arms
    assert {c.arm for c in last.comparison.calls if c.process == 1} == {0, 4, 5, 6} - left_out
    assert rivalry(last.comparison, 1) == rivalry(first.comparison, 1) and rivalry(last.comparison, 4).time.value


def test_what_differs_in_the_installation_is_named(config, shared):
    first = kept(shared(0), config)
    more = extended(first.comparison.request, 1)
    with pytest.raises(ComparerError, match=r"are now [0-9a-f]{16} \(dtype bfloat16 instead of float32\)"):
        finish_into(more, replace(config, dtype="bfloat16"), first.folder)
    last = finish_into(more, replace(config, vae="tiling"), first.folder)
    assert "Resumed under other conditions than before: vae tiling instead of whole." in last.comparison.remarks


def test_a_later_arm_is_refused_where_the_baseline_is_not_what_it_was(config, shared):
    first = kept(shared(0), config)
    shots = [replace(shot, pixels="0" * 32) if shot.arm == 0 else shot for shot in first.comparison.shots]
    elsewhere = first.comparison.environment | {"threads": 99}
    store.RunFolder(first.folder).save(replace(first.comparison, shots=shots, environment=elsewhere))
    record = (first.folder / "run.json").read_bytes()
    told = rf"no longer identical to the kept ones \(threads {THREADS} instead of 99\), so"
    with pytest.raises(ComparerError, match=told):
        finish_into(build.with_arm(config, first.comparison.request, "ToMe"), config, first.folder)
    assert (first.folder / "run.json").read_bytes() == record and len(list(first.folder.glob("*.png"))) == 3
    with pytest.raises(ComparerError, match="Two arms have the same name"):
        build.with_arm(config, first.comparison.request, ARM)
    with pytest.raises(ComparerError, match="The arm is empty"):
        build.with_arm(config, first.comparison.request, " ")


def test_the_command_line_goes_on_with_more_seeds_and_one_more_arm(config, checkpoints, shared, capsys):
    first = kept(shared(0), config)
    runs = ["--runs", str(config.runs), "--checkpoints", str(checkpoints), "--quiet"]
    assert main(["continue", first.folder.name, "--more-seeds", "1", "--arm", "ToMe(ratio=0.5)", *runs]) == 0
    last = store.load(first.folder)
    assert {(s.arm, s.seed) for s in last.shots} == {(arm, seed) for arm in (0, 1, 2) for seed in (0, 1)}
    assert "ToMe(ratio=0.5) was added later" in capsys.readouterr().out
    assert main(["continue", str(first.folder), "--arm", "ToMe(ratio=0.5)", *runs]) == 2
    assert main(["continue", "../elsewhere", *runs]) == 2
    assert main(["continue", str(first.folder), "--more-seeds", "-1", *runs]) == 2
    assert "There is no run '../elsewhere'" in capsys.readouterr().err


def test_a_run_that_goes_on_and_is_stopped_before_its_first_new_call_keeps_its_record(config, shared):
    first = kept(shared(1, 2), config)
    seen = first.comparison
    half = replace(seen, calls=seen.calls[:-1], shots=seen.shots[:-1], state="stopped")
    store.RunFolder(first.folder).save(half)
    record, stop = (first.folder / "run.json").read_bytes(), threading.Event()
    seen = []
    for event in compare(half.request, config, stop, first.folder):
        seen.append(event)
        stop.set()
    assert not isinstance(seen[-1], Finished) and (first.folder / "run.json").read_bytes() == record
    last = finish_into(half.request, config, first.folder)
    assert last.comparison.state == "finished" and len(last.comparison.shots) == 4


def test_nobody_else_goes_on_with_a_run_that_is_being_made(config, shared):
    first = kept(shared(0), config)
    run = compare(first.comparison.request, config, into=first.folder)
    next(run)
    assert being_made(first.folder)
    with pytest.raises(ComparerError, match="is already in progress"):
        finish_into(first.comparison.request, config, first.folder)
    run.close()
    assert not being_made(first.folder) and finish_into(first.comparison.request, config, first.folder)
    assert not (first.folder / "going").exists()


def test_what_is_added_after_a_verdict_was_shown_is_another_look(shared):
    first = shared(1, 2).comparison
    more = replace(first.request, settings=replace(first.request.settings, seeds=(1, 2, 3)))
    assert continued(first, more).interim_looks == 2
    assert continued(replace(first, state="stopped"), more).interim_looks == 2
    assert continued(replace(first, state="running"), more).interim_looks == 1  # cut off: nobody was told anything
    assert continued(replace(first, state="running", process=1), more).interim_looks == 2
    assert continued(replace(first, interim_looks=2), more).interim_looks == 3


def test_a_stopped_run_that_goes_on_is_another_look_and_one_with_a_new_arm_alone_is_not(shared):
    whole = shared(1, 2).comparison
    calls = [call for call in whole.calls if call.batch == 0]
    shots = [shot for shot in whole.shots if whole.calls[shot.call] in calls]
    shots = [replace(shot, call=calls.index(whole.calls[shot.call])) for shot in shots]
    half = replace(whole, state="stopped", calls=calls, shots=shots)
    assert half.call_pairs(1) and continued(half, half.request).interim_looks == 2
    assert continued(replace(half, state="running"), half.request).interim_looks == 1
    none = replace(half, calls=calls[:1], shots=[shot for shot in shots if shot.call == 0])
    assert not none.call_pairs(1) and continued(none, half.request).interim_looks == 1  # no figure was shown
    arms = (*whole.request.arms, Arm("ToMe", (parse("ToMe(ratio=0.5)"),)))
    assert continued(whole, replace(whole.request, arms=arms)).interim_looks == 1
    assert continued(whole, whole.request).interim_looks == 1  # nothing is left
