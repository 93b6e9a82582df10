"""What more would decide: enough to be worth it, the same every time, and as probable as a simulation says."""

import math

import numpy as np
import pytest

from comparer.stats.intervals import t_quantile
from comparer.stats.offers import OFFERED_FROM, PROMPTS, TURNS, Offer, offer_prompts, offer_turns
from comparer.stats.tail import Tail
from helpers.planted import SCORE, scores, wave

LEVEL = 0.9875


def turns(distance, spread, n=8, level=LEVEL):
    return offer_turns([distance + spread * each for each in wave(n)], range(n), level)


def prompts(loss, spread=0.5, n=20, threshold=0.02, error=0.0025):
    labels, base, arm = zip(*scores(loss, spread, n), strict=True)
    return offer_prompts(base, arm, labels, threshold, error)


def test_an_offer_is_the_fewest_with_a_chance_of_80_percent():
    found = [turns(distance, 0.1) for distance in (0.06, 0.09, 0.11, -0.11)]
    assert all(OFFERED_FROM <= offer.chance <= 1 and offer.unit == "turn" for offer in found)
    assert found[0].more > found[1].more > found[2].more >= 1 and {offer.more for offer in found} <= set(TURNS)
    assert turns(0.09, 0.1, level=0.999).more > found[1].more
    offers = [prompts(loss) for loss in (0.0, 0.01)]
    assert all(OFFERED_FROM <= offer.chance <= 1 and offer.unit == "prompt" for offer in offers)
    assert offers[0].more <= offers[1].more and {20 + offer.more for offer in offers} <= set(PROMPTS)


def test_the_draws_are_the_same_in_every_call():
    assert turns(0.09, 0.1) == turns(0.09, 0.1) and prompts(0.01) == prompts(0.01)


def test_what_is_hopeless_is_not_offered():
    assert turns(0.0, 0.1) is None and turns(0.01, 0.2) is None
    assert prompts(0.02) is None and prompts(0.018, n=80) is None


def test_from_one_turn_nothing_is_predicted():
    assert offer_turns([0.3], [0], LEVEL) == Offer("turn", 4, None)
    assert offer_turns([0.3, 0.3], ["a", "a"], LEVEL) == Offer("turn", 4, None)  # one prompt of an adaptive arm
    assert offer_turns([], [], LEVEL) is None


def test_turns_of_a_cluster_count_once():
    values, labels = [], []
    for number, each in enumerate(wave(8)):
        values += [0.09 + 0.1 * each - 0.01, 0.09 + 0.1 * each + 0.01]
        labels += [number] * 2
    assert offer_turns(values, labels, LEVEL) == turns(0.09, 0.1)


def simulated(values, more, draws=20_000):
    """Draw the mean and the spread that the values leave open, and then every further value.

    Returns the mean / its standard error of all values together, of each draw.
    """
    rng, n = np.random.default_rng(7), len(values)
    variance = np.var(values, ddof=1) * (n - 1) / rng.chisquare(n - 1, draws)
    truth = rng.normal(np.mean(values), np.sqrt(variance / n))
    new = rng.normal(truth[:, None], np.sqrt(variance)[:, None], (draws, more))
    every = np.hstack([np.tile(values, (draws, 1)), new])
    return every.mean(axis=1) / (every.std(axis=1, ddof=1) / math.sqrt(n + more))


@pytest.mark.parametrize(("distance", "n"), [(0.06, 8), (0.09, 8), (0.11, 8), (0.1, 5), (-0.12, 4)])
def test_the_chance_of_turns_agrees_with_a_simulation(distance, n):
    values = [distance + 0.1 * each for each in wave(n)]
    offer = offer_turns(values, range(n), LEVEL)
    t = t_quantile((1 + LEVEL) / 2, n + offer.more - 1)
    assert offer.chance == pytest.approx(float((abs(simulated(values, offer.more)) > t).mean()), abs=0.04)


@pytest.mark.parametrize(("loss", "worse"), [(0.0, 0), (0.012, 0), (0.0, 1), (0.05, 0)])
def test_the_chance_of_prompts_agrees_with_a_simulation(loss, worse):
    """The mean and the clearly worse prompts are drawn apart from each other."""
    labels, base, arm = map(list, zip(*scores(loss, 0.9, 20), strict=True))
    arm[:worse] = [SCORE - 2.6] * worse
    offer, error = offer_prompts(base, arm, labels, 0.02, 0.0025), 0.0025
    assert offer is not None
    n, more = 20, offer.more
    ahead = simulated([a - b * 0.98 for b, a in zip(base, arm, strict=True)], more, 600)
    t = t_quantile(1 - error, n + more - 1)
    rng = np.random.default_rng(9)
    shares = rng.dirichlet([worse + 0.2, 0.2, n - worse + 0.6], 600)
    fallen = np.array([rng.multinomial(more, each) for each in shares])
    tails = {}
    for lost, gained, _ in fallen:
        key = lost + worse, gained
        tails[key] = Tail(*map(int, key), n + more, *map(float, key), n + more)
    keys = [(lost + worse, gained) for lost, gained, _ in fallen]
    settled = [  # kept, a loss of the mean, or a loss of many prompts
        (x > t and tails[key].below(error)) or x < -t or tails[key].above(error)
        for x, key in zip(ahead, keys, strict=True)
    ]
    assert offer.chance == pytest.approx(float(np.mean(settled)), abs=0.06)
