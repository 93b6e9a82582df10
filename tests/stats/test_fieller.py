"""The CLIP loss: its interval is Fieller's, and never contradicts the difference's interval or the verdict."""

import math
from itertools import product
from statistics import fmean

import numpy as np
import pytest

from comparer.stats.evidence import Evidence
from comparer.stats.fieller import clip_loss
from comparer.stats.intervals import difference, mean, t_quantile
from comparer.stats.quality import BETTER, FEW, KEPT, LOSES, UNDECIDED, error_at, judge_quality


def scores(prompts, seeds, loss, seed=0, left_out=0):
    rng = np.random.default_rng(seed)
    labels = np.repeat(range(prompts), seeds)[: prompts * seeds - left_out]
    base = rng.normal(25, 3, prompts)[labels] + rng.normal(0, 1, len(labels))
    arm = base * (1 - loss) + rng.normal(0, 0.5, prompts)[labels] + rng.normal(0, 0.5, len(labels))
    return list(base), list(arm), list(labels)


def left(base, arm, loss):
    """Return arm − (1 − loss)·baseline, whose mean is 0 if the loss is the true one."""
    return [a - (1 - loss) * b for b, a in zip(base, arm, strict=True)]


SHAPES = [(1, 6, 0), (3, 1, 0), (4, 2, 3), (5, 4, 0), (8, 4, 6), (24, 2, 1)]
TRUTHS = [-0.03, -0.01, 0.0, 0.01, 0.02, 0.03]


def drawn():
    """Yield 900 random comparisons of several shapes, true losses and levels."""
    for seed, (shape, loss) in product(range(25), product(SHAPES, TRUTHS)):
        prompts, seeds, left_out = shape
        yield scores(prompts, seeds, loss, seed, left_out), (0.8, 0.95, 0.975)[seed % 3]


def test_it_contains_0_exactly_if_the_differences_interval_does():
    answers = []
    for found, level in drawn():
        loss, points = clip_loss(*found, level), difference(*found, level)
        if loss.interval:
            answers.append(loss.interval.holds(0))
            assert answers[-1] == points.interval.holds(0) and (loss.value > 0) == (points.value < 0)
    assert len(answers) > 800 and 200 < sum(answers) < len(answers) - 200


def test_its_ends_are_where_the_clustered_interval_of_the_contrast_begins_to_contain_0():
    for (base, arm, labels), level in drawn():
        found = clip_loss(base, arm, labels, level).interval
        if found:
            low, high = (mean(left(base, arm, end), labels, level).interval for end in (found.low, found.high))
            assert low.high == pytest.approx(0, abs=1e-9) and high.low == pytest.approx(0, abs=1e-9)
            assert found.level == level


def test_the_quality_is_kept_only_if_the_upper_end_is_below_the_threshold_and_lost_if_the_lower_end_is_above():
    """The clearly worse prompts, of which there are none, decide besides: they can only prevent that it is kept."""
    words = []
    for number, (found, _) in enumerate(drawn()):
        base, arm, labels = found
        evidence = Evidence([], list(zip(labels, base, arm, strict=True)), interim_looks=1 + number % 3)
        interval = evidence.clip_loss(1 - 2 * error_at(evidence.interim_looks)).interval
        for share in (0.005, 0.01, 0.02, 0.04, 0.2):
            quality = judge_quality(evidence, share)
            if interval and quality.word != FEW:
                words.append(quality.word)
                assert (quality.word == LOSES) == (interval.low > share)
                assert quality.word not in (KEPT, BETTER) or interval.high < share
    assert words.count(LOSES) > 50 and words.count(UNDECIDED) > 50


def test_the_referees_contradiction_is_gone():
    """A difference of −3.98 to +0.28 was shown beside a loss of 0.1 % to 5.5 %."""
    base, labels = [55.0, 70.0, 80.0, 62.0, 75.0, 85.0], range(6)
    arm = [b + change for b, change in zip(base, [-5.0, 0.6, -2.4, -1.1, 0.2, -3.4], strict=True)]
    points, loss = difference(base, arm, labels).interval, clip_loss(base, arm, labels).interval
    assert points.low < 0 < points.high and loss.low < 0 < loss.high


def test_it_is_of_the_means_and_clustered_by_prompt():
    base, arm, labels = scores(12, 3, 0.04)
    found = clip_loss(base, arm, labels)
    assert found.value == (fmean(base) - fmean(arm)) / fmean(base)
    assert found.interval.low < found.value < found.interval.high
    assert found.median is None and found.worst is None and (found.n, found.clusters) == (36, 12)
    base, arm, labels = scores(12, 1, 0.04)
    once, often = clip_loss(base, arm, labels), clip_loss(base * 9, arm * 9, labels * 9)
    assert often.interval.low == pytest.approx(once.interval.low) and often.n == 9 * once.n


def test_a_baseline_of_equal_scores_makes_it_students_interval():
    base, arm = [25.0] * 6, [24.0, 24.5, 23.0, 25.5, 24.2, 23.9]
    found, theirs = clip_loss(base, arm, range(6)).interval, mean([(25 - a) / 25 for a in arm]).interval
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high))


def test_fiellers_formula_for_independent_pairs():
    """The textbook's form: with variances and covariance of the two means, and g = t²·var(b)/mean(b)²."""
    base, arm, _ = scores(10, 1, 0.05, seed=4)
    (vb, cov), (_, va) = np.cov(base, arm) / 10
    x, y, t = np.mean(base), np.mean(arm), t_quantile(0.975, 9)
    g, ratio = t**2 * vb / x**2, y / x
    half = t / x * math.sqrt(va - 2 * ratio * cov + ratio**2 * vb - g * (va - cov**2 / vb))
    ends = [(ratio - g * cov / vb + sign * half) / (1 - g) for sign in (1, -1)]
    found = clip_loss(base, arm, range(10)).interval
    assert (found.low, found.high) == pytest.approx(tuple(1 - end for end in ends))


def test_where_it_is_undefined():
    low = clip_loss([0.5] * 8, [0.4] * 8, range(8))
    assert low.value is None and low.why_not == "the baseline's mean is below 1"
    assert clip_loss([], [], []).why_not == "there are no values"
    some = clip_loss([0.0] * 7 + [40.0], [0.0] * 7 + [39.0], range(8))
    assert some.value == pytest.approx(1 / 40) and some.interval is None
    assert some.why_not == "8 prompts do not show that the baseline's mean is above 0"
    alone = clip_loss([0.0, 0.0, 40.0], [1.0, 0.0, 39.0], [0, 0, 0])
    assert alone.why_not == "3 pairs do not show that the baseline's mean is above 0"
    assert clip_loss([20.0], [19.0], [0]).why_not == "one pair has no spread"
    assert clip_loss([20.0, 21.0] * 2, [21.0, 20.0] * 2, [0, 0, 1, 1]).interval is None  # as the difference has none


def test_one_prompt_speaks_of_its_seeds_only():
    base, arm, labels = scores(1, 8, 0.04)
    found = clip_loss(base, arm, labels)
    assert "not about other prompts" in found.remark and found.interval == clip_loss(base, arm, range(8)).interval


def test_no_spread_is_a_point():
    same = clip_loss([20.0, 90.0], [20.0, 90.0], [0, 1])  # although two such prompts do not show a mean above 0
    assert same.constant and (same.value, same.interval.low, same.interval.high) == (0, 0, 0) and not same.why_not
    share = clip_loss([20.0, 30.0, 25.0], [19.0, 28.5, 23.75], range(3))
    assert share.constant and share.interval.low == share.interval.high == share.value == pytest.approx(0.05)
    points = clip_loss([20.0, 30.0, 25.0], [19.0, 29.0, 24.0], range(3))  # the difference is the point here
    assert not points.constant and 0 < points.interval.low < 0.04 < points.interval.high


@pytest.mark.parametrize("wrong", [math.nan, math.inf])
def test_what_is_not_finite_is_refused(wrong):
    with pytest.raises(ValueError, match="not a finite number"):
        clip_loss([20.0, wrong], [20.0, 20.0], [0, 1])
