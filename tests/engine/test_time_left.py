"""The time left of a run that is under way, call by call and step by step."""

import pytest

from comparer.engine import eta
from comparer.engine.eta import Pace
from comparer.engine.schedule import plan
from comparer.results.comparison import Comparison
from comparer.results.records import Call
from helpers.runs import ask

STEPS = 4


@pytest.fixture
def request_():
    return ask("DeepCache(interval=2)", seeds=(1, 2))


@pytest.fixture
def known(request_, config):
    """Keep that the baseline's call takes 8 s and the arm's 4 s."""
    calls = [Call(arm, 0, 1, seconds, {"denoising": seconds - 1}, ()) for arm, seconds in ((0, 8.0), (1, 4.0))]
    eta.remember(Comparison(request_, calls=calls), config)
    return config


def pace_of(request, config):
    return Pace(request, config, STEPS, plan(request))


def test_the_time_left_falls_with_every_step_of_a_call(request_, known):
    left = pace_of(request_, known)
    assert [left.left(step, 2.0 * step) for step in range(STEPS + 1)] == pytest.approx([24, 22, 20, 18, 16])
    left.ended(0, 8.0)
    left.begin(1, set())
    assert [left.left(step, step) for step in range(STEPS + 1)] == pytest.approx([16, 15, 14, 13, 12])


def test_an_unknown_call_is_told_from_its_own_steps(request_, config):
    left = pace_of(request_, config)
    assert left.left(0, 1.0) is None
    # Four calls as long as this one seems to be: 3 s a step.
    assert [left.left(step, 3.0 * step) for step in range(1, STEPS + 1)] == pytest.approx([45, 42, 39, 36])


def test_what_was_seen_goes_before_what_was_known_and_arms_that_are_not_run_take_no_time(request_, known):
    left = pace_of(request_, known)
    left.ended(0, 10.0)
    left.begin(1, set())
    assert left.left(0, 0.0) == pytest.approx(4 + 4 + 10)
    left.begin(3, {1})
    assert left.left(0, 0.0) == pytest.approx(10) and left.left(2, 5.0) == pytest.approx(5)
    left.begin(4, set())
    assert left.left(0, 0.0) == 0
