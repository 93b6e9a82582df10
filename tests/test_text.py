"""A number beside a threshold keeps the digits that tell it apart. Random pairs, with fixed seeds."""

import math
import random
from dataclasses import replace

import pytest

from comparer.evaluation import assertions
from comparer.results.notes import loss, ratio
from comparer.sanity.image_measures import RULES
from comparer.stats.evidence import Evidence, TimedCall
from comparer.stats.verdict import judge
from comparer.text import decimals, signed
from helpers.viewer_runs import comparison_in

LIMITS = (1.05, 1, 2, 0.02, 0, -0.5, 1.2, 25.3125, 90)


def side(value, limit):
    return (value > limit) - (value < limit)


def near(limit, seed):
    """Return a number at any distance from a limit, down to a billionth of it."""
    draw = random.Random(f"{limit} {seed}")
    return limit + draw.choice((-1, 1)) * 10 ** draw.uniform(-8, 2) * (abs(limit) or 1)


@pytest.mark.parametrize("limit", LIMITS)
@pytest.mark.parametrize("fewest", [0, 1, 2, 3])
def test_what_is_printed_lies_on_the_side_of_the_limit_on_which_the_number_lies(limit, fewest):
    for seed in range(300):
        value = near(limit, seed)
        digits = decimals([value], limit, fewest)
        printed = float(f"{value:.{digits}f}")
        assert side(printed, float(f"{limit:.{digits}f}")) == side(value, limit), value
        assert side(printed, limit) == side(value, limit), value
        assert digits >= fewest and (digits == fewest or round(value, digits - 1) == round(limit, digits - 1))


@pytest.mark.parametrize("limit", LIMITS)
def test_a_number_equal_to_the_limit_is_printed_as_the_limit_is(limit):
    for value in (limit, limit * (1 + 1e-15), limit + 1e-17):
        assert float(f"{value:.{decimals([value], limit, 0)}f}") == limit


def test_several_numbers_share_their_decimals():
    assert decimals([1.0496, 3.0, 1.04996], 1.05, 2) == 5 and decimals([], 1.05, 2) == 2
    assert decimals([math.inf, math.nan], 1.05, 2) == 2


@pytest.mark.parametrize(
    ("write", "value", "limit", "text"),
    [
        (loss, 0.0196, 0.02, "1.96 %"),
        (loss, 0.01996, 0.02, "1.996 %"),
        (loss, 0.0204, 0.02, "2.04 %"),
        (loss, 0.02, 0.02, "2.0 %"),
        (loss, 0.0196, 0.1, "2.0 %"),
        (loss, -0.0204, 0.02, "−2.0 %"),
        (ratio, 1.004, 1, "1.004×"),
        (ratio, 1.0496, 1.05, "1.0496×"),
        (ratio, 1.05, 1.05, "1.05×"),
        (ratio, 2.1, 1.05, "2.10×"),
    ],
)
def test_losses_and_speed_ups(write, value, limit, text):
    assert write(value, limit) == text


def test_a_difference_keeps_its_sign_at_any_number_of_decimals():
    assert [signed(x) for x in (0.004, -0.004, 0.006, -0.006, 0)] == ["0.00", "0.00", "+0.01", "−0.01", "0.00"]
    assert [signed(x, 3) for x in (0.004, -0.004, 0.0004)] == ["+0.004", "−0.004", "0.000"]


@pytest.mark.parametrize("speed", [1.0496, 1.0504, 1.04999, 1.05001])
def test_a_verdict_tells_the_speed_up_apart_from_its_threshold(speed):
    """Times without spread: the interval is the value, and the sentence holds one figure."""
    verdict = judge(Evidence([TimedCall([1.0], [1 / speed])] * 8))
    printed = float(verdict.sentence.split(": ")[1].split("×")[0])
    assert side(printed, 1.05) == side(speed, 1.05)
    assert verdict.sentence.startswith("Not faster" if speed < 1.05 else "Faster")


def test_an_assertion_tells_the_figure_apart_from_its_bound(tmp_path, monkeypatch):
    scores = [(prompt, 25.0, 24.4999) for prompt in range(8)]
    found = Evidence([TimedCall([1.0], [1 / 1.49999])] * 8, scores)
    monkeypatch.setattr(assertions, "evidence", lambda *_: found)
    seen = comparison_in(tmp_path, arms=2)
    assert assertions.parse("speedup>=1.5").miss(seen, 1) == "speedup>=1.5 missed: 1.49999 (1.49999 to 1.49999)"
    assert assertions.parse("clip_loss<=0.02").miss(seen, 1).startswith("clip_loss<=0.02 missed: 0.020004, and")


def test_a_sanity_rule_tells_the_value_apart_from_its_limit():
    assert RULES["spread"].told(3.98) == "3.98 (at least 4.0 is right)"
    assert RULES["clipped"].told(0.50004) == "0.50004 (at most 0.500 is right)"
    assert replace(RULES["latents"], low=None).told(3.001) == "3.001 (at most 3.00 is right)"
    assert RULES["not finite"].told(0.0)[:6] == "0.0000"
