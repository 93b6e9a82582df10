"""How many more seeds a press is offered: what would settle an arm, as long as the installation allows as many."""

import math
from dataclasses import replace

import pytest

from comparer.config import Limits
from comparer.engine.resume import more_seeds
from comparer.request.extend import extended
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Shot
from helpers.runs import ask

SEEDS, WAVE = tuple(range(8)), (-1.2, -0.8, -0.3, 0.0, 0.0, 0.3, 0.8, 1.2)


def seen(*ratios, **more):
    """Build a comparison whose arms are so much faster than the baseline, with a spread, and as good."""
    arms = [f"DeepCache(interval={2 + number})" for number in range(len(ratios))]
    calls, shots = [], []
    for arm, ratio in enumerate((1.0, *ratios)):
        for seed, wave in zip(SEEDS, WAVE, strict=True):
            seconds = math.exp(-0.12 * wave * bool(arm)) / ratio
            calls.append(Call(arm, seed, 1, seconds, {"denoising": seconds}, ()))
            shots.append(Shot(arm, 0, seed, "", 0, 25.0 + wave / 100 * arm, str(arm)))
    return Comparison(ask(*arms, seeds=SEEDS, **more), calls=calls, shots=shots)


def test_the_arm_that_needs_fewest_is_asked_for():
    few, many = (Analysis(seen(ratio)).arms[1].verdict.more_turns.more for ratio in (1.15, 1.13))
    assert 1 < few < many
    assert more_seeds(Analysis(seen(1.13, 1.15))) == few and more_seeds(Analysis(seen(1.13))) == many
    assert more_seeds(Analysis(seen(2.0))) == 0, "what is settled needs none"


def test_a_seed_is_a_turn_of_every_prompt_and_a_batch_needs_several():
    found = seen(1.13)
    turns = Analysis(found).arms[1].verdict.more_turns.more
    for change, seeds in (
        ({"batch_size": 4}, 4 * turns),
        ({"prompts": ("a", "b", "c")}, math.ceil(turns / 3)),
        ({"prompts": ("a", "b", "c"), "batch_size": 2}, math.ceil(2 * turns / 3)),
    ):
        other = replace(found, request=replace(found.request, settings=replace(found.request.settings, **change)))
        other.batches = found.batches
        assert more_seeds(Analysis(other)) == seeds


@pytest.mark.parametrize("spare", [0, -1])
def test_seeds_are_offered_as_far_as_the_whole_run_may_have_pictures(spare):
    found = seen(1.13)
    needed = Analysis(found).arms[1].verdict.more_turns.more
    limits = Limits(pictures=2 * (len(SEEDS) + needed) + spare)
    limited = replace(found, request=replace(found.request, limits=limits))
    assert more_seeds(Analysis(limited)) == (needed if spare == 0 else 0)
    if spare == 0:
        assert len(extended(limited.request, needed).items()) * 2 == limits.pictures
