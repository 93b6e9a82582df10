"""The sign-flip test by prompt, against every flip counted one by one and against scipy's sign test."""

import itertools
import random
from statistics import fmean

import pytest
from scipy.stats import binomtest

from comparer.stats.sign_flip import clopper_pearson, fewest, mean_share, more_prompts, p_value, refuses


def every_flip(shares):
    """Return the part of all flips whose mean is as far from one half, by the definition."""
    beyond = [share - 0.5 for share in shares]
    seen = abs(sum(beyond))
    flips = list(itertools.product((1, -1), repeat=len(beyond)))
    as_far = [abs(sum(s * each for s, each in zip(flip, beyond, strict=True))) >= seen - 1e-9 for flip in flips]
    return sum(as_far) / len(flips)


def drawn_shares(count, thirds=True):
    drawn = random.Random(count)
    return [drawn.randint(0, 3) / 3 if thirds else drawn.random() for _ in range(count)]


@pytest.mark.parametrize("thirds", [True, False])
@pytest.mark.parametrize("count", range(1, 13))
def test_up_to_twelve_prompts_the_test_is_exact(count, thirds):
    shares = drawn_shares(count, thirds)
    assert p_value(shares) == every_flip(shares)
    assert p_value([1 - share for share in shares]) == p_value(shares[::-1]) == p_value(shares)


@pytest.mark.parametrize("count", [13, 16])
def test_of_more_prompts_drawn_flips_come_near_to_all(count):
    for shares in (drawn_shares(count), [1.0] * (count - 3) + [0.0, 1 / 3, 2 / 3]):
        exact, found = every_flip(shares), p_value(shares)
        assert abs(found - exact) <= 4 * (exact * (1 - exact) / 20_000) ** 0.5 + 1 / 20_001
        assert found == p_value(shares), "the same votes give the same p"
    assert p_value([1.0] * 100) == 1 / 20_001, "never 0"
    assert p_value([1.0] * count) >= 2 ** (1 - count), "and never below that of all flips"


@pytest.mark.parametrize(("wins", "losses"), [(0, 1), (7, 0), (9, 3), (4, 4), (2, 10)])
def test_with_one_vote_a_prompt_it_is_the_sign_test(wins, losses):
    theirs, n = binomtest(wins, wins + losses), wins + losses
    shares = [1.0] * wins + [0.0] * losses
    assert p_value(shares) == pytest.approx(theirs.pvalue)
    for level in (0.95, 0.975):
        exact, mine = theirs.proportion_ci(level, "exact"), clopper_pearson(wins / n, n, level)
        assert (mine.low, mine.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
        found = mean_share(shares, level).interval
        assert (found.low, found.high) == pytest.approx((exact.low, exact.high), abs=1e-9)


@pytest.mark.parametrize("level", [0.95, 0.975, 0.9875])
def test_the_interval_leaves_out_one_half_exactly_where_the_test_refuses_it(level):
    refused = 0
    for number in range(200):
        drawn = random.Random(number)
        top = drawn.choice((2, 3, 7))
        shares = [max(drawn.randint(0, top), drawn.randint(0, top)) / top for _ in range(drawn.randint(1, 14))]
        found, p = mean_share(shares, level), p_value(shares)
        assert refuses(p, level) == (p <= 1 - level) == (not found.interval.holds(0.5))
        assert found.interval.holds(found.value) and 0 <= found.interval.low <= found.interval.high <= 1
        refused += refuses(p, level)
    assert 15 < refused < 185


def test_the_interval_narrows_where_prompts_agree_but_for_prompts_that_are_all_equal():
    spread, close = mean_share([1.0, 0.5] * 6), mean_share([0.8, 0.7] * 6)
    equal, whole = mean_share([0.75] * 12), mean_share([1.0] * 9 + [0.0] * 3)
    widths = [each.interval.high - each.interval.low for each in (close, spread, equal)]
    assert widths[0] < widths[1] < widths[2] and {round(each.value, 9) for each in (spread, close, equal)} == {0.75}
    assert equal.interval.high == pytest.approx(whole.interval.high)  # as if each prompt had one vote
    assert 0.5 < equal.interval.low < 0.5 + 1e-12 and whole.interval.low < 0.5


@pytest.mark.parametrize("level", [0.95, 0.975, 0.99])
def test_fewer_prompts_cannot_refuse_one_half_however_the_votes_fall(level):
    least = fewest(level)
    assert refuses(p_value([1.0] * least), level) and not refuses(p_value([1.0] * (least - 1)), level)


def test_more_prompts_are_predicted():
    assert more_prompts([1.0] * 4, 0.975) == 3  # no spread yet: as many as the test needs
    assert more_prompts([1.0, 0.0]) is more_prompts([]) is more_prompts([1.0] * 4, 1 - 1e-6) is None
    assert more_prompts([0.51, 0.49, 0.5, 0.52, 0.48, 0.501] * 3) is None
    few, many = more_prompts([1.0] * 9 + [0.0] * 3), more_prompts([1.0] * 8 + [0.0] * 4)
    assert 0 < few < many and more_prompts([0.0] * 9 + [1.0] * 3) == few


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan")])
def test_what_is_no_share_is_refused(share):
    with pytest.raises(ValueError, match="choose one from 0 to 1"):
        p_value([0.5, share])
    with pytest.raises(ValueError, match="there is no mean"):
        mean_share([])
    assert p_value([]) == 1 and fmean([1, 0]) == mean_share([1, 0]).value
