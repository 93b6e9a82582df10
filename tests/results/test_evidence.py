"""What a comparison gathers from its calls and shots: times of one process, work of one size, a loss of something."""

from dataclasses import replace
from itertools import count

import pytest

from comparer.accelerators.deepcache import DeepCache
from comparer.reporting.html.tables import notes_list
from comparer.reporting.tables import body, line
from comparer.request.request import Arm, Request, Settings
from comparer.results import run_json
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.notes import measured, notes
from comparer.results.records import Call, NotRun, Scorer, Shot
from comparer.stats.verdict import Thresholds
from helpers.runs import PROMPT, ask


def call(arm, batch, seconds, pictures=1, process=0, repeat=0):
    return Call(arm, batch, pictures, seconds, {"denoising": seconds}, (), repeat=repeat, process=process)


def seconds(found):
    """Return (the baseline's times, the arm's) of every call of an arm's evidence."""
    return [(each.baseline, each.arm) for each in found.calls]


def test_times_of_another_process_are_no_evidence_about_a_pair():
    """The arm that came later was timed beside a baseline that was made once more, on a machine twice as slow."""
    request = ask("DeepCache(interval=2)", "ToMe(ratio=0.5)", seeds=(1, 2))
    first = [call(arm, batch, seconds) for batch in (0, 1) for arm, seconds in ((0, 2.0), (1, 1.0))]
    later = [call(arm, batch, seconds, process=1) for batch in (0, 1) for arm, seconds in ((0, 4.0), (2, 1.0))]
    seen = Comparison(request, calls=first + later, process=1)
    assert seconds(Analysis(seen).arms[1].evidence) == [([2.0], [1.0])] * 2
    assert seconds(Analysis(seen).arms[2].evidence) == [([4.0], [1.0])] * 2
    assert [Analysis(seen).arms[arm].figures.speed_up for arm in (1, 2)] == pytest.approx([2.0, 4.0])
    assert [Analysis(seen).arms[arm].time_share for arm in (1, 2)] == pytest.approx([0.5, 0.25])


def test_a_call_that_was_made_in_two_processes_is_two_calls():
    request = ask("DeepCache(interval=2)", seeds=(1,))
    times = ((0, 0, 2.0), (1, 0, 1.0), (0, 1, 9.0), (1, 1, 3.0))
    seen = Comparison(request, calls=[call(arm, 0, seconds, process=process) for arm, process, seconds in times])
    assert seconds(Analysis(seen).arms[1].evidence) == [([2.0], [1.0]), ([9.0], [3.0])]
    assert Analysis(seen).arms[1].evidence.speed_up().n == len(seen.call_pairs(1)) == 2


@pytest.mark.parametrize("order", [1, -1])
def test_drift_is_of_calls_of_one_size(order):
    """Fewer pictures take less time in all and more each: in neither way may they be laid beside full batches."""
    number = count()
    full = [call(0, next(number), 4.0 + k % 2 / 50, pictures=4) for k in range(8)]
    short = [call(0, next(number), 1.5 + k % 2 / 50, pictures=1) for k in range(8)]
    request = ask(seeds=tuple(range(40)), batch_size=4)
    seen = Comparison(request, calls=(full + short)[::order], batches=[[(0, n)] for n in range(16)])
    found = Analysis(seen).drift
    assert found.n == 8 and found.interval.holds(1) and found.value == pytest.approx(1, rel=0.01)
    slower = [replace(one, seconds=one.seconds * (1.3 if k >= 4 else 1)) for k, one in enumerate(seen.calls[:8])]
    found = Analysis(replace(seen, calls=slower + seen.calls[8:])).drift
    assert found.value == pytest.approx(1.3, rel=0.01) and not found.interval.holds(1)


@pytest.mark.parametrize(("slower", "said"), [(1.0, ""), (1.3, "the baseline's calls is 1.30× (1.26× to 1.34×).")])
def test_a_machine_that_changed_is_noted(slower, said):
    times = [(1 + k % 2 / 50) * (slower if k >= 4 else 1) for k in range(8)]
    seen = Comparison(ask(seeds=tuple(range(8))), calls=[call(0, k, seconds) for k, seconds in enumerate(times)])
    told = [note for note in notes(Analysis(seen)) if "machine changed" in note]
    assert len(told) == bool(said) and all(said in note for note in told)


def test_a_record_whose_later_half_took_twice_as_long_says_so_wherever_notes_are_shown():
    """Both arms slowed down: the seconds changed, the speed-up did not."""
    request = ask("DeepCache(interval=2)", seeds=tuple(range(10)))
    seen = Comparison(request, state="finished")
    for batch in range(10):
        for arm in (0, 1) if batch % 2 == 0 else (1, 0):
            seconds = (2 - arm) * (1 + batch % 3 / 50) * (2 if batch >= 5 else 1)
            seen.shots.append(Shot(arm, 0, batch, "", len(seen.calls)))
            seen.calls.append(call(arm, batch, seconds))
    analysis = Analysis(run_json.from_json(run_json.to_json(seen)))
    (told,) = (note for note in notes(analysis) if "machine changed" in note)
    assert told.startswith("The machine changed during the run: late / early time of the baseline's calls is 2.0")
    assert f"- {line(told)}" in body(analysis, "")  # summary.md
    assert "<li>The machine changed during the run: " in notes_list(analysis)  # page and report
    assert analysis.arms[1].speed_up.value == pytest.approx(2)


def scored(base, arm):
    """Build a comparison of two seeds whose scores these are."""
    request = ask("DeepCache(interval=2)", seeds=(1, 2))
    shots = [
        Shot(which, 0, seed, "", 0, score)
        for which, scores in enumerate((base, arm))
        for seed, score in zip((1, 2), scores, strict=True)
    ]
    return Comparison(request, calls=[call(0, 0, 2.0), call(1, 0, 1.0)], shots=shots)


@pytest.mark.parametrize(
    ("base", "arm", "loss"),
    [
        ((1.0, 0.9), (0.5, 0.4), None),
        ((0.0, 0.0), (0.0, 0.0), None),
        ((1.2, 0.8), (0.9, 0.9), 0.1),
        ((24.0, 26.0), (24.0, 25.0), 0.02),
    ],
)
def test_a_loss_of_next_to_nothing_is_no_figure(base, arm, loss):
    figures = Analysis(scored(base, arm)).arms[1].figures
    assert figures.clip_score == pytest.approx(sum(arm) / 2)
    assert figures.clip_loss is None if loss is None else figures.clip_loss == pytest.approx(loss)


def test_seconds_are_a_pictures_and_a_ratio_is_of_whole_calls():
    request = ask("DeepCache(interval=2)", seeds=(1, 2, 3), batch_size=2)
    calls = [call(0, 0, 4.0, pictures=2), call(1, 0, 2.0, pictures=2), call(0, 1, 3.0), call(1, 1, 3.0)]
    seen = Comparison(request, calls=calls)  # the second call has one picture: its time is no replicate of the first's
    base, arm = Analysis(seen).arms[0].figures, Analysis(seen).arms[1].figures
    assert (base.seconds, base.fastest, base.median_seconds, base.slowest) == (2.5, 2.0, 2.5, 3.0)
    assert (arm.seconds, arm.fastest, arm.slowest, arm.calls) == (2.0, 1.0, 3.0, 2)
    assert arm.speed_up == pytest.approx(2) and Analysis(seen).arms[1].time_share == pytest.approx(1 / 2)
    assert arm.denoising_speed_up == pytest.approx(2**0.5)  # of all calls
    assert Analysis(seen).times == [("Baseline", [2.0, 3.0]), ("DeepCache(interval=2)", [1.0, 3.0])]


def test_steps_per_second_are_of_the_mean_time():
    """A mean of the rates would be 6.7 steps of 10 a second beside a mean of 2 seconds."""
    request = replace(ask(seeds=(1, 2)), settings=replace(ask(seeds=(1, 2)).settings, steps=10))
    figures = Analysis(Comparison(request, calls=[call(0, 0, 1.0), call(0, 1, 3.0)])).arms[0].figures
    assert (figures.seconds, figures.steps_per_second) == (2.0, 5.0)


@pytest.mark.parametrize(("pixels", "same"), [("aabb", True), ("aabc", False), ("abcd", False)])
def test_pictures_are_the_same_when_all_of_them_are(pixels, same):
    request = ask("DeepCache(interval=2)", seeds=(1, 2))
    shots = [Shot(n % 2, 0, 1 + n // 2, "", 0, None, each) for n, each in enumerate(pixels)]
    assert Analysis(Comparison(request, shots=shots)).arms[1].evidence.identical == same


def comparison(times, scores, pixels=("a", "b"), batch_size=1, **more):
    """Build a comparison: ``times`` maps (arm, batch) to its repeats' seconds, ``scores`` (arm, seed) to a score."""
    calls = [
        call(arm, batch, seconds, batch_size, repeat=repeat)
        for (arm, batch), repeats in times.items()
        for repeat, seconds in enumerate(repeats)
    ]
    shots = [Shot(arm, 0, seed, "", 0, score, pixels[arm]) for (arm, seed), score in scores.items()]
    seeds = tuple(sorted({seed for _, seed in scores}))
    arms = (Arm("Baseline"), Arm("DeepCache", (DeepCache(),)))
    return Comparison(
        Request(Settings((PROMPT,), seeds=seeds, batch_size=batch_size), arms), calls=calls, shots=shots, **more
    )


def test_a_comparison_gathers_its_evidence():
    times = {(0, 0): [2.0, 8.0], (1, 0): [1.0, 4.0], (0, 1): [3.0], (1, 1): [1.0], (0, 2): [9.0]}
    scores = {(0, 0): 20.0, (1, 0): 21.0, (0, 1): 20.0, (1, 1): 24.0, (0, 2): 30.0}
    found = Analysis(comparison(times, scores, interim_looks=2)).arms[1].evidence
    assert seconds(found) == [([2.0, 8.0], [1.0, 4.0]), ([3.0], [1.0])]
    assert found.speed_up().value == pytest.approx(12 ** (1 / 3)) and found.speed_up().n == 3  # turns, not calls
    assert found.clip_difference().value == pytest.approx(2.5) and found.clip_difference().n == 2
    assert found.clip_loss().value == pytest.approx(-0.125)
    assert (found.arms, found.interim_looks, found.adaptive) == (1, 2, False)
    assert not found.identical and Analysis(comparison(times, scores, pixels="aa")).arms[1].evidence.identical
    assert not Analysis(comparison(times, scores, pixels=("", ""))).arms[1].evidence.identical


def test_a_call_has_its_number_of_images_and_its_first_prompt():
    times = {(arm, batch): [1.0] for arm in (0, 1) for batch in range(2)}
    made = comparison(times, {(0, 0): 25.0})
    made.batches = [[(0, 1), (0, 2)], [(3, 1)]]
    assert [(each.images, each.prompt) for each in Analysis(made).arms[1].evidence.calls] == [(2, 0), (1, 3)]


def test_an_accelerator_whose_work_depends_on_the_image_is_adaptive(monkeypatch):
    made = comparison({(0, 0): [1.0], (1, 0): [1.0]}, {(0, 0): 25.0})
    assert not Analysis(made).arms[1].evidence.adaptive
    monkeypatch.setattr(DeepCache, "adaptive", True)
    assert Analysis(made).arms[1].evidence.adaptive


def test_the_error_is_shared_by_the_arms_that_are_judged():
    """Not by the baseline, the equal-time control, or an arm that was not run."""
    made = comparison({(0, 0): [1.0], (1, 0): [1.0]}, {(0, 0): 25.0})
    arms = (*made.request.arms, Arm("ToMe", (DeepCache(4),)), Arm("Fewer", steps=10, matches_time_of=1))
    made.request = replace(made.request, arms=arms)
    assert [each.evidence.arms for each in Analysis(made).arms[1:]] == [2, 2, 2]
    made.not_run.append(NotRun(2, "out of memory"))
    assert Analysis(made).arms[1].evidence.arms == 1


def test_a_comparison_judges_and_keeps_its_looks():
    times = {(arm, seed): [(1 + seed / 1000) / (1 + arm)] for arm in (0, 1) for seed in range(8)}
    scores = {(arm, seed): 25 + seed / 10 + arm * (seed % 3) / 100 for arm in (0, 1) for seed in range(8)}
    done = comparison(times, scores, interim_looks=3, state="finished")
    verdict = Analysis(done).arms[1].verdict
    assert verdict.sentence.startswith("Faster; no loss seen in these 8 images: 2.00×")
    assert any("This is look 3" in text for text in measured(Analysis(done)))
    assert Analysis(done, Thresholds(speed_up=3)).arms[1].verdict.headline == "Not faster"
    again = run_json.from_json(run_json.to_json(done))
    assert again.interim_looks == 3 and Analysis(again).arms[1].verdict == verdict
    old = {key: value for key, value in run_json.to_json(done).items() if key != "looks"}
    assert run_json.from_json(old).interim_looks == 1


def test_a_comparison_that_was_not_scored_says_why():
    times = {(arm, seed): [(1 + seed / 1000) / (1 + arm)] for arm in (0, 1) for seed in range(8)}
    done = comparison(times, dict.fromkeys(times), scorer=Scorer(why_not="no scorer is there"))
    assert Analysis(done).arms[1].verdict.sentence.endswith("; not scored: no scorer is there.")


def test_drift_is_the_baselines():
    times = {(arm, n): [1.0 + n % 2 / 100 + 0.3 * (arm == 0 and n > 4)] for arm in (0, 1) for n in range(10)}
    found = Analysis(comparison(times, {(0, 0): None})).drift
    assert found.value == pytest.approx(1.3, rel=0.01) and not found.interval.holds(1)
    assert Analysis(Comparison(ask())).drift.interval is None
    done = comparison({(0, n): [1.0 + n % 2 / 100] for n in range(8)}, {(0, 0): None})
    done.calls[7:] = [replace(done.calls[7], pictures=2, seconds=9.0), done.calls[7]]
    found = Analysis(done).drift
    assert found.n == 8 and found.interval.holds(1)  # a batch of another size is other work
