"""What a comparison gathers from its calls and shots: times of one process, work of one size, a loss of something."""

from dataclasses import replace
from itertools import count

import pytest

from comparer.reporting.html.tables import notes_list
from comparer.reporting.tables import body, line
from comparer.results import run_json
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.notes import notes
from comparer.results.records import Call, Shot
from helpers.runs import ask


def call(arm, batch, seconds, pictures=1, process=0, repeat=0):
    return Call(arm, batch, pictures, seconds, {"denoising": seconds}, (), repeat=repeat, process=process)


def test_times_of_another_process_are_no_evidence_about_a_pair():
    """The arm that came later was timed beside a baseline that was made once more, on a machine twice as slow."""
    request = ask("DeepCache(interval=2)", "ToMe(ratio=0.5)", seeds=(1, 2))
    first = [call(arm, batch, seconds) for batch in (0, 1) for arm, seconds in ((0, 2.0), (1, 1.0))]
    later = [call(arm, batch, seconds, process=1) for batch in (0, 1) for arm, seconds in ((0, 4.0), (2, 1.0))]
    seen = Comparison(request, calls=first + later, process=1)
    assert Analysis(seen).arms[1].evidence.calls == [([2.0], [1.0])] * 2
    assert Analysis(seen).arms[2].evidence.calls == [([4.0], [1.0])] * 2
    assert [Analysis(seen).arms[arm].figures.speed_up for arm in (1, 2)] == pytest.approx([2.0, 4.0])
    assert [Analysis(seen).arms[arm].time_share for arm in (1, 2)] == pytest.approx([0.5, 0.25])


def test_a_call_that_was_made_in_two_processes_is_two_calls():
    request = ask("DeepCache(interval=2)", seeds=(1,))
    times = ((0, 0, 2.0), (1, 0, 1.0), (0, 1, 9.0), (1, 1, 3.0))
    seen = Comparison(request, calls=[call(arm, 0, seconds, process=process) for arm, process, seconds in times])
    assert Analysis(seen).arms[1].evidence.calls == [([2.0], [1.0]), ([9.0], [3.0])]
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
    seen = Comparison(request, calls=calls)
    base, arm = Analysis(seen).arms[0].figures, Analysis(seen).arms[1].figures
    assert (base.seconds, base.fastest, base.median_seconds, base.slowest) == (2.5, 2.0, 2.5, 3.0)
    assert (arm.seconds, arm.fastest, arm.slowest, arm.calls) == (2.0, 1.0, 3.0, 2)
    assert arm.speed_up == pytest.approx(2**0.5) and Analysis(seen).arms[1].time_share == pytest.approx(2**-0.5)
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
    assert Analysis(Comparison(request, shots=shots)).arms[1].evidence.same_pictures == same
