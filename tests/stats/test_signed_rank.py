"""The middle of some values: the median of the means of every two, with the interval of the signed-rank test."""

import numpy as np
import pytest

from comparer.stats.signed_rank import middle, needed


def test_the_middle_and_the_interval_are_those_of_the_sorted_means():
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0]
    means = sorted((a + b) / 2 for i, a in enumerate(values) for b in values[i:])
    found = middle(values)
    assert found.value == means[10] and (found.interval.low, found.interval.high) == (means[0], means[-1])
    assert (found.n, found.interval.level) == (6, 0.95)


@pytest.mark.parametrize("level", [0.9, 0.95, 0.99])
def test_the_interval_holds_the_middle_as_often_as_it_says_even_with_wild_values(level):
    """900 runs; the share may be off by three standard errors downwards."""
    rng = np.random.default_rng(0)
    wild = [rng.normal(0, 1, 20) + 30 * rng.choice([-1, 0, 1], 20, p=[0.05, 0.9, 0.05]) for _ in range(900)]
    held = [middle(values.tolist(), level).interval for values in wild]
    assert sum(each.holds(0) for each in held) / 900 >= level - 3 * (level * (1 - level) / 900) ** 0.5
    assert np.median([each.high - each.low for each in held]) < 0.6 * np.median([4 * v.std() / 20**0.5 for v in wild])


def test_too_few_values_have_no_interval():
    for level in (0.9, 0.95, 0.975):
        least = needed(level)
        assert middle([*range(least)], level).interval and not middle([*range(least - 1)], level).interval
    assert middle([1.0, 2.0, 3.0]).why_not == "3 values are too few: 6 are needed"
    assert middle([]).value is None
