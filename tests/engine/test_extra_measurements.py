"""What a run measures besides, on request, with the demo checkpoint: each is a figure of a real run."""

import json
import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import pytest
from PIL import Image

from comparer.config import Config
from comparer.engine import clock, generate
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Updated
from comparer.engine.schedule import AGAIN, CHOICE, TIMED, TRACE, WARM_UP, plan
from comparer.errors import ComparerError
from comparer.metrics.similarity import similarity
from comparer.request.build import build_request
from comparer.request.png_write import read_request
from comparer.results import run_json
from comparer.results.analysis import Analysis
from comparer.results.equal_time import NO_TIME, rivalry
from comparer.results.notes import judged, likeness, measured
from comparer.results.sorting import AS_ASKED, LIKENESS, SCORE, ordered
from comparer.runs import store
from helpers.runs import PROMPT, finish
from helpers.small import NAME, SIZE

EVERYTHING = ("equal-time", "noise-floor", "divergence")


def asked(config, **changes):
    given = {"seeds": "1,2", "steps": 8, "warmups": 0, "also": EVERYTHING, "accelerators": ["DeepCache(interval=2)"]}
    return build_request(config, PROMPT, **given | changes)


def quickly(config, **changes):
    """Ask for the same of a checkpoint whose pictures are not looked at."""
    return asked(config, **{"checkpoint": NAME, "size": SIZE} | changes)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Timed by the thread's own seconds: on a busy machine no fewer steps might take the arm's time."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(clock, "time", SimpleNamespace(perf_counter=time.thread_time))
        config = Config(runs=tmp_path_factory.mktemp("runs"))
        return finish(asked(config), config)


def test_the_steps_on_both_sides_are_chosen_measured_and_written_into_their_pictures(done):
    seen = done.comparison
    below, above = seen.request.arms[2:]
    assert 2 <= below.steps == above.steps - 1 < above.steps < 8
    assert [arm.name for arm in (below, above)] == [f"{arm.steps} steps" for arm in (below, above)]
    assert {len(call.steps) for call in seen.calls if call.arm < 2} == {8}
    for number, fewer in ((2, below), (3, above)):
        calls = [call for call in seen.calls if call.arm == number]
        assert len(calls) == 2 and all(len(call.steps) == fewer.steps for call in calls)
        assert Analysis(seen).arms[number].work == f"{fewer.steps} of 8 steps"
        assert seen.macs[number] * 8 == seen.macs[0] * fewer.steps
        with Image.open(done.folder / seen.shot(number, 0, 1).file) as picture:
            assert f"Steps: {fewer.steps}, Sampler: DDIM" in picture.text["parameters"]
        assert read_request(done.grid).arms[number] == fewer
        # Fewer steps are fewer time steps by intent, and everything else is as the baseline's.
        assert len(seen.conditions[number].timesteps) == fewer.steps and len(seen.conditions[0].timesteps) == 8
    assert f"{below.steps} to {above.steps} steps" in " ".join(judged(Analysis(seen).arms[1]))
    assert not seen.not_run and not seen.incomplete


@pytest.mark.parametrize(("slower", "chosen"), [(5.0, [7, 8]), (1e-6, [None, 2])])
def test_what_has_no_neighbour_is_not_run_and_nothing_is_missing(config, monkeypatch, slower, chosen):
    """An arm that is no faster has the baseline itself above it; none can be below an arm of two steps' time."""
    real = generate.generate

    def generated(*arguments, **more):
        output = real(*arguments, **more)
        return replace(output, seconds=output.seconds * slower) if arguments[3] else output

    monkeypatch.setattr(generate, "generate", generated)
    seen = finish(quickly(config, also=["equal-time"], seeds="1"), config).comparison
    assert [arm.steps for arm in seen.request.arms[2:]] == chosen
    (left_out,) = seen.not_run
    assert left_out.unneeded and left_out.arm == (3 if chosen[0] else 2) and not seen.incomplete
    assert {call.arm for call in seen.calls} == {0, 1, 2, 3} - {left_out.arm}
    found = rivalry(seen, 1)
    assert found.controls == ((2, 0) if chosen[0] else (3,)) and found.kind == NO_TIME


def test_what_was_found_survives_the_record(done):
    assert store.load(done.folder) == done.comparison
    assert run_json.from_json(run_json.to_json(done.comparison)) == done.comparison  # as the API hands it over, too
    old = json.loads((done.folder / "run.json").read_text())
    for name in ("conditions", "divergence", "resident", "reserved", "not_available", "seed_distance"):
        old.pop(name)
    assert run_json.from_json(old).divergence == {}  # a run of an earlier version


def test_every_pair_is_measured_from_its_files(done):
    seen = done.comparison
    for arm in (1, 2, 3):
        for base, other in seen.pairs(arm):
            assert base.similarity is None
            fresh = similarity(done.folder / base.file, done.folder / other.file)
            assert {**other.similarity.values, "clip_cosine": None} == fresh.values
            assert other.similarity.clip_cosine == 1.0 if fresh.identical else 0 < other.similarity.clip_cosine < 1
    two = [done.folder / seen.shot(0, 0, seed).file for seed in (1, 2)]
    assert seen.seed_distance.ssim == pytest.approx(similarity(*two).ssim) and seen.seed_distance.pairs == 1
    arm = Analysis(seen).arms[1]
    assert likeness(arm) == f"SSIM {arm.similarity.ssim:.3f}: {arm.relative_distance.text}"
    assert "of the way from identical to another seed" in arm.relative_distance.text


def test_the_baseline_made_again_is_the_noise_floor(done):
    noise = Analysis(done.comparison).noise_floor  # on a CPU there is none
    assert (noise.pairs, noise.identical, noise.max_difference) == (2, 2, 0)
    assert "Noise floor: two runs of the baseline are identical (2 pictures repeated)." in measured(
        Analysis(done.comparison)
    )
    assert sum(call.arm == 0 for call in done.comparison.calls) == 2  # and its times count for nothing


def test_repeats_are_a_noise_floor_without_a_further_run(config):
    request = quickly(config, also=["noise-floor"], repeats=2, steps=2, seeds="1")
    assert not [call for call in plan(request) if call.kind == AGAIN]
    noise = Analysis(finish(request, config).comparison).noise_floor
    assert (noise.pairs, noise.identical) == (1, 1)


def test_noise_that_is_there_is_told(config, monkeypatch):
    real, runs = generate.generate, []

    def trembling(*arguments, **more):
        output = real(*arguments, **more)
        runs.append(arguments[3])
        if runs.count(()) == 2:  # the baseline's second run
            pixel = output.pictures[0].getpixel((3, 3))
            output.pictures[0].putpixel((3, 3), tuple(max(c - 9, 0) if c > 9 else c + 9 for c in pixel))
        return output

    monkeypatch.setattr(generate, "generate", trembling)
    seen = finish(quickly(config, also=["noise-floor"], steps=2, seeds="1"), config).comparison
    noise = Analysis(seen).noise_floor
    assert (noise.pairs, noise.identical, noise.max_difference) == (1, 0, 9)
    assert any("colour values differ by" in note and "by 9 at most" in note for note in measured(Analysis(seen)))


def test_latents_part_where_work_is_skipped(done):
    assert set(done.comparison.divergence) == {1}  # fewer steps cannot be laid beside more
    found = done.comparison.divergence[1]
    assert [(each.prompt, each.seed, len(each.steps)) for each in found] == [(0, 1, 8)]  # the first call
    first, second = found[0].steps[:2]
    assert first.distance == 0 and first.skipped == ()
    assert second.distance > 0 and second.skipped == ("DeepCache",)


def test_what_a_gpu_had_reserved_is_told(done):
    seen = replace(done.comparison, reserved={0: 3 * 2**30, 1: 2**29})
    told = " ".join(measured(Analysis(seen)))
    assert "in each arm's first warm-up it reserved Baseline 3.00 GiB; DeepCache(interval=2) 0.50 GiB." in told
    assert run_json.from_json(run_json.to_json(seen)).reserved == seen.reserved and "reserved" not in " ".join(
        measured(Analysis(done.comparison))
    )


def test_untimed_calls_are_counted_in_the_plan(config):
    kinds = [call.kind for call in plan(quickly(config, warmups=1))]
    assert [kinds.count(kind) for kind in (WARM_UP, CHOICE, TIMED, AGAIN, TRACE)] == [
        4, 4, 8, 2, 2,
    ]  # fmt: skip
    assert kinds.index(CHOICE) == 2  # the fewer steps are chosen before their own warm-up


def test_a_run_stopped_on_the_way_goes_on_with_the_steps_it_chose(config):
    request, stop = quickly(config), threading.Event()
    for event in compare(request, config, stop):
        if isinstance(event, Updated) and len(event.comparison.shots) == 3:
            stop.set()
    chosen = event.comparison.request.arms[2:]
    assert event.comparison.state == "stopped" and chosen[1].steps
    (*_, last) = compare(request, config, into=event.folder)
    seen = last.comparison
    assert isinstance(last, Finished) and seen.state == "finished" and seen.request.arms[2:] == chosen
    assert len(seen.shots) == 2 * (4 - len(seen.not_run)) and all(each.unneeded for each in seen.not_run)
    assert Analysis(seen).noise_floor.pairs == 2 and set(seen.divergence) == {1}
    (*_, again) = compare(request, config, into=event.folder)  # nothing is left to be made
    assert len(again.comparison.calls) == len(seen.calls) and Analysis(again.comparison).noise_floor.pairs == 2


def test_an_arm_made_under_other_conditions_is_not_run(config, monkeypatch):
    real = generate.generate

    def shifted(*arguments, **more):
        output = real(*arguments, **more)
        times = output.conditions.timesteps
        return output if not arguments[3] else replace(
            output, conditions=replace(output.conditions, timesteps=(*times[:-1], times[-1] + 1))
        )  # fmt: skip

    monkeypatch.setattr(generate, "generate", shifted)
    seen = finish(quickly(config, also=[], steps=2), config).comparison
    assert "differs from the baseline in how it was made: The time steps differ from the 2nd on" in seen.skip_reason(1)
    assert not [shot for shot in seen.shots if shot.arm == 1] and len(seen.shots) == 2


def test_the_scorer_and_its_preprocessing_stand_beside_the_number(done):
    scorer = done.comparison.scorer
    assert scorer.about["preprocessing"]["size"] in (128, [128, 128])
    assert any(
        "CLIP score by comparer-demo-clip (128 px, bicubic" in note for note in measured(Analysis(done.comparison))
    )
    assert any(note.startswith("MS-SSIM is not available") for note in measured(Analysis(done.comparison)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"scorer": "ViT-B-32"}, "never seen the demo's coloured shapes"),
        ({"scorer": "blip"}, "There is no scorer 'blip'"),
        ({"scorer": 7}, "Scorer is not text"),
        ({"scorer": "ViT-B-32=/etc/passwd"}, "Only the command line may read a scorer"),
        ({"also": ["everything"]}, "'everything' cannot be measured: choose among equal-time, noise-floor"),
        ({"also": 7}, "The extra measurements are not a list"),
        ({"also": [7]}, "The extra measurements are not a list"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_the_door(config, changes, words):
    with pytest.raises(ComparerError, match=words):
        asked(config, **changes)


def test_pairs_can_be_looked_at_worst_first(done):
    seen = done.comparison
    items = seen.request.items()
    assert ordered(seen, 1) == ordered(seen, 1, AS_ASKED) == items
    lost = {(o.prompt, o.seed): o.clip_score - b.clip_score for b, o in seen.pairs(1)}
    far = {(o.prompt, o.seed): o.similarity.ssim for _, o in seen.pairs(1)}
    assert ordered(seen, 1, SCORE) == sorted(items, key=lost.get)
    assert ordered(seen, 1, LIKENESS) == sorted(items, key=far.get)
    part = replace(seen, shots=[shot for shot in seen.shots if (shot.arm, shot.seed) != (1, 1)])
    assert ordered(part, 1, SCORE) == [(0, 2), (0, 1)]  # what cannot be told comes last
