"""Clearly worse prompts: the counts, and the exact test against full enumeration and the binomial."""

import math
from itertools import product

import numpy as np
import pytest

from comparer.stats.tail import Tail, tail


def counts(worse, better, prompts):
    return Tail(worse, better, prompts, float(worse), float(better), prompts)


def likeliest(worse, better, n, share):
    """Find by search the share of better prompts that makes the counts most probable, if the shares differ so."""
    q = np.linspace(0, (1 - share) / 2, 4001)[1:-1]
    for _ in range(3):
        with np.errstate(divide="ignore", invalid="ignore"):
            logs = worse * np.log(share + q) + better * np.log(q) + (n - worse - better) * np.log(1 - share - 2 * q)
        best, step = q[np.argmax(np.nan_to_num(logs, nan=-np.inf))], q[1] - q[0]
        q = np.linspace(max(1e-15, best - step), min((1 - share) / 2 - 1e-15, best + step), 4001)
    return best


def enumerated(worse, better, n, share):
    """Return P(excess ≤ the seen one) and P(excess ≥ it), over every way in which n prompts can fall."""
    q = likeliest(worse, better, n, share)
    of = {1: share + q, 0: 1 - share - 2 * q, -1: q}
    low = high = 0.0
    for fallen in product(of, repeat=n):
        chance = math.prod(of[each] for each in fallen)
        low += chance * (sum(fallen) <= worse - better)
        high += chance * (sum(fallen) >= worse - better)
    return low, high


@pytest.mark.parametrize("share", [0.1, 0.35])
@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_it_is_the_enumeration_of_all_outcomes(n, share):
    for worse in range(n + 1):
        for better in range(n + 1 - worse):
            low, high = enumerated(worse, better, n, share)
            found = counts(worse, better, n)
            assert found.below(low + 1e-5, share) and not found.below(low - 1e-5, share), (worse, better)
            assert found.above(high + 1e-5, share) and not found.above(high - 1e-5, share), (worse, better)


def binomial(n, share, outcomes):
    return math.fsum(math.comb(n, k) * share**k * (1 - share) ** (n - k) for k in outcomes)


@pytest.mark.parametrize("n", [20, 50, 80, 300])
def test_without_gains_and_few_losses_it_is_the_binomial(n):
    for worse in range(n // 10 + 1):  # up to there, no better prompts at all are the likeliest
        low, high = binomial(n, 0.1, range(worse + 1)), binomial(n, 0.1, range(worse, n + 1))
        found = counts(worse, 0, n)
        for shown, chance in ((found.below, low), (found.above, high)):
            near = 1e-6 * chance + 1e-12
            assert shown(chance + near) and not shown(chance - near)


def test_so_many_prompts_without_a_loss_are_needed():
    assert 0.9**51 < 0.005 < 0.9**50
    assert counts(0, 0, 51).below(0.005) and not counts(0, 0, 50).below(0.005)
    assert not counts(1, 0, 51).below(0.005)
    assert not any(found(0.5) for found in (counts(0, 0, 0).below, counts(0, 0, 0).above))


def test_losses_that_are_balanced_by_gains_are_no_excess():
    assert counts(30, 0, 80).above(0.005) and not counts(30, 30, 80).above(0.005)
    assert not counts(20, 0, 200).below(0.005) and counts(20, 20, 200).below(0.005)
    assert not counts(10, 10, 60).below(0.005)  # yet noise there must be room for


def test_both_claims_are_never_shown_at_once_and_more_losses_only_weaken_one():
    for better in (0, 2, 7):
        below = [counts(worse, better, 60).below(0.005) for worse in range(50)]
        above = [counts(worse, better, 60).above(0.005) for worse in range(50)]
        assert not any(map(all, zip(below, above, strict=True)))
        assert below == sorted(below, reverse=True) and above == sorted(above) and above[-1]


def test_a_pair_is_clear_from_a_tenth_of_the_baselines_mean():
    base, arm = [20.0, 30.0, 25.0, 25.0, 25.0], [17.4, 27.6, 22.6, 27.4, 27.6]  # limit 2.5
    found = tail(base, arm, range(5))
    assert found == Tail(worse=1, better=1, pairs=5, lost=1.0, gained=1.0, prompts=5)
    assert tail([], [], []) == Tail(0, 0, 0, 0.0, 0.0, 0)


def test_several_seeds_of_a_prompt_are_a_share_of_it_and_round_to_the_careful_side():
    base, arm = [25.0] * 5, [20.0, 25.0, 30.0, 25.0, 25.0]
    found = tail(base, arm, [0, 0, 1, 1, 1])
    assert (found.worse, found.better, found.pairs, found.prompts) == (1, 1, 5, 2)
    assert (found.lost, found.gained) == pytest.approx((1 / 2, 1 / 3))
    half = Tail(1, 0, 204, 0.25, 0.0, 51)  # a quarter of one prompt
    assert counts(0, 0, 51).below(0.005) and not half.below(0.005)
    assert counts(17, 0, 60).above(0.005) == Tail(69, 0, 240, 17.25, 0.0, 60).above(0.005)
