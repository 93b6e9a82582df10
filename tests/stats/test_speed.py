"""Is an arm faster? What counts as a replicate, the words, and the looks."""

import math
from dataclasses import replace

import pytest

from comparer.stats.evidence import Evidence, TimedCall
from comparer.stats.intervals import mean
from comparer.stats.power import level_at
from comparer.stats.speed import FASTER, NOT_FASTER, NOT_TIMED, UNDECIDED, judge_speed, offer_speed
from helpers.planted import evidence, times


@pytest.mark.parametrize(
    ("speed", "noise", "word"),
    [(2.0, 0.01, FASTER), (0.9, 0.01, NOT_FASTER), (1.0, 0.01, NOT_FASTER), (1.05, 0.01, UNDECIDED),
     (1.5, 0.6, UNDECIDED), (2.0, 0.0, FASTER), (1.0, 0.0, NOT_FASTER)],
)  # fmt: skip
def test_the_whole_interval_must_lie_on_one_side(speed, noise, word):
    found = judge_speed(evidence(speed, noise=noise), 1.05)
    low, high = found.estimate.interval.low, found.estimate.interval.high
    assert found.word == word
    assert {FASTER: low > 1.05, NOT_FASTER: high < 1.05, UNDECIDED: low <= 1.05 <= high}[word]
    assert found.estimate.value == pytest.approx(speed)


def test_the_interval_is_students_on_the_log_scale():
    calls = times(1.3, 0.1)
    logs = [math.log(call.baseline[0] / call.arm[0]) for call in calls]
    found, theirs = judge_speed(Evidence(calls), 1.05).estimate.interval, mean(logs, None, 0.975).interval
    assert (found.low, found.high) == pytest.approx((math.exp(theirs.low), math.exp(theirs.high)))


def test_every_turn_of_a_fixed_schedule_is_a_replicate():
    """The time depends on neither prompt nor seed, so it does not matter which call a turn is of."""
    turns = [(2.0, 1.0), (2.2, 1.0), (2.1, 1.0), (1.9, 1.0)]
    together = Evidence([TimedCall([base for base, _ in turns], [arm for _, arm in turns])])
    apart = Evidence([TimedCall([base], [arm], prompt=number) for number, (base, arm) in enumerate(turns)])
    for found in (together, apart):
        assert found.speed_up().n == found.speed_up().clusters == 4
        assert judge_speed(found, 1.05).word == FASTER
    assert together.speed_up() == apart.speed_up()


def test_an_adaptive_arm_has_one_value_per_call_and_its_prompts_are_the_clusters():
    """Two prompts differ, their 16 calls hardly do: a fixed schedule would be sure of what two prompts do not show."""
    calls = [
        TimedCall([1.0, 1.0], [1 / (speed + seed / 1000)] * 2, prompt=prompt)
        for prompt, speed in ((0, 1.2), (1, 1.6))
        for seed in range(8)
    ]
    fixed, adaptive = Evidence(calls), Evidence(calls, adaptive=True)
    assert (fixed.speed_up().n, fixed.speed_up().clusters) == (32, 32)
    assert (adaptive.speed_up().n, adaptive.speed_up().clusters) == (16, 2)
    assert (judge_speed(fixed, 1.05).word, judge_speed(adaptive, 1.05).word) == (FASTER, UNDECIDED)
    several = [replace(call, prompt=number) for number, call in enumerate(calls)]
    assert judge_speed(Evidence(several, adaptive=True), 1.05).word == FASTER


def test_calls_of_another_shape_are_left_out():
    full, short = [TimedCall([4.0 + i / 100], [2.0], images=4) for i in range(3)], TimedCall([1.5], [1.5], images=2)
    assert Evidence([*full, short]).speed_up() == Evidence(full).speed_up()
    ones = [TimedCall([1.0], [1.0])] * 2
    assert Evidence([*ones, *full[:2]]).speed_up() == Evidence(full[:2]).speed_up()  # the larger of two as frequent
    assert Evidence([*ones, full[0]]).speed_up().value == 1  # the more frequent one, though smaller


@pytest.mark.parametrize("threshold", [1.01, 1.05, 1.1, 1.38, 1.5, 2.0, 3.3])
@pytest.mark.parametrize("seconds", [1.0, 1.3, 0.7])
def test_exactly_the_threshold_is_neither_faster_nor_not(threshold, seconds):
    """Rounding of logarithms claims nothing."""
    calls = [TimedCall([seconds * threshold], [seconds])] * 4
    assert judge_speed(Evidence(calls), threshold).word == UNDECIDED


def test_two_quiet_calls_decide_a_large_speed_up_and_one_decides_nothing():
    two = [TimedCall([1.90], [1.0]), TimedCall([1.92], [1.0])]
    assert judge_speed(Evidence(two), 1.05).word == FASTER
    one = judge_speed(Evidence(two[:1]), 1.05)
    assert (one.word, one.estimate.interval) == (UNDECIDED, None) and one.estimate.why_not == "one turn has no spread"


def test_without_a_common_call_nothing_was_timed():
    found = judge_speed(Evidence([]), 1.05)
    assert (found.word, found.estimate.value) == (NOT_TIMED, None)
    assert found.estimate.why_not == "there are no calls of both arms"


def test_the_threshold_is_the_users():
    assert [judge_speed(evidence(1.5), limit).word for limit in (1.4, 1.5, 1.6)] == [FASTER, UNDECIDED, NOT_FASTER]


def test_each_look_has_half_the_error_of_the_one_before():
    found = evidence(1.0618)
    looks = [judge_speed(replace(found, interim_looks=look), 1.05) for look in (1, 2, 3, 4)]
    assert [each.estimate.interval.level for each in looks] == [level_at(look) for look in (1, 2, 3, 4)]
    assert looks[0].word == FASTER and looks[-1].word == UNDECIDED
    assert judge_speed(replace(found, arms=9), 1.05) == looks[0]  # arms share the error of quality alone


def test_further_turns_are_predicted_at_the_look_to_come():
    found = evidence(1.2, noise=0.14)
    wanted = [offer_speed(replace(found, interim_looks=look), 1.05).more for look in (1, 2, 3)]
    assert wanted == sorted(wanted) and wanted[0] < wanted[-1]


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_a_time_that_is_none_is_refused(wrong):
    with pytest.raises(ValueError, match=r"above 0|not a finite number"):
        judge_speed(Evidence([TimedCall([1.0], [wrong])]), 1.05)
