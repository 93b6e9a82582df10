"""Noise floor, seed distance and the place between them: from known pictures, and on the demo checkpoint."""

import json
from dataclasses import asdict
from statistics import fmean

import pytest
from PIL import Image

from comparer.metrics.reference_scale import noise_floor, seed_distance
from comparer.metrics.similarity import similarity
from comparer.metrics.similarity_data import mean, relative_distance
from helpers.runs import ask, finish
from helpers.similar import SAME, alike

PAIR = {"ssim": 0.88, "max_difference": 40, "mean_difference": 4.0, "lpips": 0.1, "clip_cosine": 0.9}


def pair(**values):
    return alike(**PAIR | values)


def flat(value, side=64):
    return Image.new("RGB", (side, side), (value, value, value))


def test_means_of_pairs():
    same = alike(1.0, True, 0, 0.0, None, lpips=0.0, clip_cosine=1.0)
    found = mean([pair(), same, pair(max_difference=60, psnr=20.0, lpips=0.5)])
    assert (found.pairs, found.identical, found.max_difference) == (3, 1, 60)
    assert found.mean_difference == pytest.approx(8 / 3) and found.psnr == pytest.approx(24.3573, abs=1e-4)
    assert found.ssim == pytest.approx((1 + 2 * 0.88) / 3) and found.lpips == pytest.approx(0.2)
    assert found.ms_ssim is None and mean([pair(), pair(lpips=None)]).lpips is None
    assert mean([same]).psnr is None and mean([]) is None
    assert json.loads(json.dumps(asdict(found), allow_nan=False)) == asdict(found)


def test_the_noise_floor_is_each_repeat_against_the_first():
    found = noise_floor([[flat(100), flat(100), flat(103)], [flat(7)], [flat(50), flat(52)]])
    assert (found.pairs, found.identical, found.max_difference) == (3, 1, 3)
    assert found.mean_difference == pytest.approx(5 / 3)
    assert noise_floor([[flat(1)], [flat(2)]]) is None


def test_the_seed_distance_is_over_pairs_of_one_prompt():
    found = seed_distance([[flat(0), flat(10), flat(30)], [flat(200), flat(204)]])
    assert (found.pairs, found.max_difference) == (4, 30)
    assert found.mean_difference == pytest.approx((10 + 30 + 20 + 4) / 4)
    assert found.ssim == pytest.approx(
        fmean(similarity(flat(a), flat(b)).ssim for a, b in ((0, 10), (0, 30), (10, 30), (200, 204)))
    )
    assert seed_distance([[flat(0)], [flat(1)]]) is None


def test_of_many_pairs_evenly_spread_ones_are_taken():
    pictures = [flat(value) for value in (0, 10, 30, 70)]  # apart: 10, 30, 70, 20, 60, 40
    found = seed_distance([pictures], most=3)
    assert found.pairs == 3 and found.mean_difference == pytest.approx((10 + 70 + 60) / 3)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (pair(), "12 % of the way from identical to another seed"),
        (pair(ssim=0.9999), "less than 1 % of the way from identical to another seed"),
        (pair(ssim=-0.2), "further than another seed (120 % of the way there)"),
        (pair(max_difference=2), "no further from the baseline than the baseline is from itself"),
        (SAME, "identical"),
    ],
)
def test_the_place_in_words(found, text):
    seeds = mean([pair(ssim=0.0, mean_difference=50.0, lpips=0.4)])
    noise = mean([pair(max_difference=2, mean_difference=0.1)])
    place = relative_distance(found, seeds, noise)
    assert place.text == text and place.within_noise is (found.max_difference <= 2)
    assert place.ssim == pytest.approx(1 - found.ssim)
    assert place.mean_difference == pytest.approx(found.mean_difference / 50)
    assert place.lpips == (None if found.lpips is None else pytest.approx(found.lpips / 0.4))
    assert json.loads(json.dumps(asdict(place), allow_nan=False)) == asdict(place)


def test_without_another_seed_there_is_no_place():
    assert relative_distance(pair(), None).text == "not available: it needs two seeds of the baseline that differ"
    assert relative_distance(pair(), None) == relative_distance(pair(), mean([SAME]))
    assert relative_distance(pair(), None).within_noise is None


@pytest.mark.full
def test_on_the_demo_a_mild_accelerator_is_nearer_than_another_seed(config):
    """A CPU repeats itself, another seed is another picture, and a stronger accelerator moves further."""
    arms = ("DeepCache(interval=2)", "DeepCache(interval=6)")
    done, again = (finish(ask(*some, seeds=(1, 2, 3), steps=12), config) for some in (arms, ()))

    def files(run, arm):
        return [run.folder / s.file for s in sorted(run.comparison.shots, key=lambda s: s.seed) if s.arm == arm]

    base = files(done, 0)
    noise = noise_floor([list(pair) for pair in zip(base, files(again, 0), strict=True)])
    assert (noise.pairs, noise.identical, noise.max_difference) == (3, 3, 0)
    seeds = seed_distance([base])
    assert seeds.pairs == 3 and seeds.identical == 0 and seeds.ssim < 0.99
    mild, strong = (
        relative_distance(mean([similarity(*pair) for pair in zip(base, files(done, arm), strict=True)]), seeds, noise)
        for arm in (1, 2)
    )
    assert 0 < mild.ssim < strong.ssim and 0 < mild.mean_difference < strong.mean_difference
    assert mild.ssim < 0.5 and mild.text.endswith("to another seed") and mild.within_noise is False
