"""Every figure against a value that was computed elsewhere, and every case in which it is undefined."""

import math
from itertools import permutations

import numpy as np
import pytest

from comparer.stats import power
from comparer.stats.intervals import (
    clustered_error,
    constant,
    difference,
    drift,
    log_ratios,
    mean,
    ratio,
    t_quantile,
    wilson,
)  # fmt: skip

SLEEP = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0], [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]


def test_students_own_data():
    """W. S. Gosset's sleep data; R's t.test(paired=TRUE) prints 0.7001 to 2.4599, mean 1.58."""
    found = difference(*SLEEP, range(10))
    assert found.value == pytest.approx(1.58)
    assert (round(found.interval.low, 4), round(found.interval.high, 4)) == (0.7001, 2.4599)
    assert (found.n, found.clusters) == (10, 10)
    assert found.median == pytest.approx(1.3) and found.worst == 0.0
    assert found.why_not == found.remark == "" and not found.constant


@pytest.mark.parametrize(("share", "freedom", "printed"), [(0.975, 1, 12.706), (0.975, 9, 2.262), (0.995, 30, 2.750)])
def test_quantiles_are_those_of_the_printed_table(share, freedom, printed):
    assert round(t_quantile(share, freedom), 3) == printed


def test_equal_clusters_are_the_t_interval_of_their_means():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(5, 4)) + rng.normal(size=(5, 1))
    found = mean(list(values.ravel()), list(np.repeat(range(5), 4)))
    means = mean(list(values.mean(axis=1)))
    assert found.interval.low == pytest.approx(means.interval.low)
    assert found.interval.high == pytest.approx(means.interval.high)
    assert (found.n, found.clusters) == (20, 5)


def by_matrices(values, labels):
    """CR2 and its degrees of freedom as Bell and McCaffrey write them, for a regression on a constant."""
    n = len(values)
    x = np.ones((n, 1))
    hat = x @ np.linalg.inv(x.T @ x) @ x.T
    residuals = np.eye(n) - hat
    variance, columns = 0.0, []
    for which in set(labels):
        rows = [i for i, label in enumerate(labels) if label == which]
        eigen, vectors = np.linalg.eigh(np.eye(len(rows)) - hat[np.ix_(rows, rows)])
        adjust = vectors @ np.diag(eigen**-0.5) @ vectors.T
        weight = (x.T @ x)[0, 0] ** -1 * adjust @ x[rows]
        variance += ((residuals @ values)[rows] @ weight[:, 0]) ** 2
        columns.append(residuals[rows].T @ weight[:, 0])
    gram = np.array(columns) @ np.array(columns).T
    return variance**0.5, np.trace(gram) ** 2 / np.sum(gram**2)


def test_unequal_clusters_are_bell_and_mccaffreys_estimator():
    rng = np.random.default_rng(2)
    labels = [0] * 7 + [1] * 2 + [2] * 4 + [3]
    values = rng.normal(size=len(labels))
    assert clustered_error(values, labels) == pytest.approx(by_matrices(values, labels))
    found, (error, freedom) = mean(list(values), labels), by_matrices(values, labels)
    assert found.interval.high - found.value == pytest.approx(t_quantile(0.975, freedom) * error)
    assert freedom < 3  # fewer than four equal clusters would have


def test_a_log_ratio_averages_the_repeats_of_its_call():
    calls = [([4.0, 1.0], [1.0, 1.0]), ([2.0], [1.0]), ([3.0, 3.0, 3.0], [1.5, 1.5, 1.5]), ([8.0] * 20, [1.0] * 20)]
    assert log_ratios(calls) == pytest.approx([math.log(x) for x in (2, 2, 2, 8)])  # twenty repeats are one value


def of(*ratios):
    """Estimate the mean of independent ratios of times."""
    return ratio(log_ratios([([each], [1.0]) for each in ratios]), range(len(ratios)))


def test_a_ratio_is_the_geometric_mean_with_students_interval_of_the_logarithms():
    found, logs = of(2.0, 2.3, 1.9), mean([math.log(x) for x in (2.0, 2.3, 1.9)])
    assert found.value == pytest.approx((2.0 * 2.3 * 1.9) ** (1 / 3))
    assert found.interval.low == pytest.approx(math.exp(logs.interval.low))
    assert (found.median, found.worst, found.n) == (pytest.approx(2.0), pytest.approx(1.9), 3)
    clustered = ratio([0.1, 0.2, 0.3, 0.5], "aabb"), mean([0.1, 0.2, 0.3, 0.5], "aabb")
    assert clustered[0].interval.high == pytest.approx(math.exp(clustered[1].interval.high))
    assert clustered[0].clusters == 2


def test_the_ratio_of_the_swapped_arms_is_the_reciprocal():
    one, other = of(2.0, 2.1, 1.5), of(1 / 2.0, 1 / 2.1, 1 / 1.5)
    assert one.value == pytest.approx(1 / other.value)
    assert one.interval.low == pytest.approx(1 / other.interval.high)


def test_one_value_has_no_interval_and_none_no_figure():
    assert of(2.0).interval is None and of(2.0).why_not == "one turn has no spread"
    assert difference([20.0], [21.0], [0]).why_not == "one pair has no spread"
    assert of().value is None and of().why_not == "there are no calls of both arms"
    assert difference([], [], []).value is None


def test_no_spread_is_a_point_and_says_so():
    found = ratio(log_ratios([([2.0], [1.0]), ([0.2], [0.1]), ([3.4], [1.7])]), range(3))
    assert found.constant and found.interval.low == found.interval.high == found.value == pytest.approx(2)
    same = difference([20.0, 25.0], [20.0, 25.0], [0, 1])
    assert same.constant and same.interval.low == same.value == same.interval.high == 0


def test_rounding_is_no_spread_and_the_least_real_one_is():
    tenths, scores_ = [0.1 + 0.2, 0.3, 0.3], [28.5, 28.5 + 1e-9, 28.5 - 1e-9]
    assert tenths[0] != tenths[1] and constant(tenths) and constant([1e6 * each for each in tenths])
    assert mean(tenths).constant and mean(tenths).interval.low == mean(tenths).interval.high
    found = mean(scores_)
    assert not constant(scores_) and not found.constant and found.interval.low < 28.5 < found.interval.high
    assert not constant([1e-9, 0.0]), "differences of scores near 0 are not measured against themselves"
    assert constant([1e-13, 0.0])


def test_one_prompt_speaks_of_its_seeds_only_and_says_so():
    found = difference([20.0, 22.0, 21.0], [20.5, 21.0, 22.0], [3, 3, 3])
    assert found.interval == mean([0.5, -1.0, 1.0]).interval
    assert found.clusters == 1 and "not about other prompts" in found.remark


def test_prompts_that_agree_by_chance_are_not_certainty():
    found = mean([-1.0, 1.0, -1.0, 1.0], [0, 0, 1, 1])
    assert found.interval is None and not found.constant and found.why_not


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(wrong):
    with pytest.raises(ValueError, match="not a finite number"):
        mean([1.0, wrong])
    with pytest.raises(ValueError, match="not a finite number"):
        log_ratios([([1.0], [wrong])])
    with pytest.raises(ValueError, match="not a finite number"):
        drift([1.0] * 9 + [wrong])


@pytest.mark.parametrize(
    ("call", "told"),
    [
        (lambda: log_ratios([([0.0], [1.0])]), "above 0"),
        (lambda: log_ratios([([], [1.0])]), "one or more"),
        (lambda: mean([1.0, 2.0], level=1.0), "level of 1.0"),
        (lambda: mean([1.0, 2.0], [0]), "1 labels"),
        (lambda: power.level_at(0), "the first is 1"),
        (lambda: wilson(3, 2), "choose 0..2"),
    ],
)
def test_what_is_out_of_range_is_refused(call, told):
    with pytest.raises(ValueError, match=told):
        call()


def scores(prompts, seeds, loss, seed=0):
    rng = np.random.default_rng(seed)
    base = rng.normal(25, 3, prompts * seeds)
    labels = np.repeat(range(prompts), seeds)
    arm = base * (1 - loss) + rng.normal(0, 0.5, prompts)[labels] + rng.normal(0, 0.5, prompts * seeds)
    return list(base), list(arm), list(labels)


def test_looks_together_keep_the_level():
    spent = [1 - power.level_at(look) for look in range(1, 60)]
    assert sum(spent) == pytest.approx(0.05) and spent == sorted(spent, reverse=True)
    assert power.level_at(2, 0.9) == pytest.approx(0.975)


@pytest.mark.parametrize(("d", "n"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_how_many_is_what_the_power_tables_have(d, n):
    """Pairs for 80 % at 5 %, two-sided, as G*Power has them for its small, medium and large effect."""
    assert power.calls_for(d, 1) == n


def test_how_many_more_is_what_is_missing():
    values = [0.3, 1.1, -0.4, 0.9, 0.1]
    spread = math.dist(values, [0.4] * 5) / 2
    assert power.more_values(values, 0) == power.calls_for(0.4, spread) - 5
    assert power.more_values(values, 0, 0.99) > power.more_values(values, 0)
    assert power.more_values(values, 0.4 - 1e-9) is None  # too near
    assert power.more_values(values, 0.5) is None  # on the wrong side
    assert power.more_values([1.0], 0) is power.more_values([1.0, 1.0], 0) is None  # no spread known


def test_more_seeds_do_not_help_where_prompts_differ():
    apart = [v + d for v in (-1.0, 0.2, 1.1, 1.3) for d in (-0.01, 0.0, 0.01)]
    labels = [p for p in range(4) for _ in range(3)]
    assert power.more_inside(apart, labels, 0) is None
    assert power.more_clusters(apart, labels, 0) > 1
    alike = [v + d for v in (0.39, 0.4, 0.4, 0.41) for d in (-1.6, 0.0, 1.6)]
    assert 1 < power.more_inside(alike, labels, 0) < 100
    assert power.more_inside([], [], 0) is None


def test_drift_is_welchs_test_and_silent_for_few():
    early, late = [1.00, 1.02, 0.99, 1.01], [1.21, 1.18, 1.20, 1.22]
    found = drift(early + late)
    logs = np.log(early), np.log(late)
    parts = [part.var(ddof=1) / 4 for part in logs]
    freedom = sum(parts) ** 2 / sum(part**2 / 3 for part in parts)
    half = t_quantile(0.995, freedom) * sum(parts) ** 0.5
    assert found.value == pytest.approx(math.exp(logs[1].mean() - logs[0].mean()))
    assert found.interval.low == pytest.approx(found.value / math.exp(half))
    assert not found.interval.holds(1)
    assert drift((early + late)[:7]).interval is None and drift([]).value is None
    assert drift([1.0, 1.2] * 5).interval.holds(1)
    assert drift([1.0] * 4 + [9.0] + [1.0] * 4).interval.holds(1)  # the middle one belongs to neither half
    assert drift([1.0] * 4 + [1.1] * 4).constant and not drift([1.0] * 4 + [1.1] * 4).interval.holds(1)


def test_the_order_of_pairs_is_nothing():
    base, arm, labels = scores(3, 1, 0.04)
    found = {
        round(difference(*map(list, zip(*some, strict=True))).interval.low, 9)
        for some in permutations(zip(base, arm, labels, strict=True))
    }
    assert len(found) == 1
