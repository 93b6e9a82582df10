"""Fewer steps in an accelerated arm's time: how they are chosen, and what is said of the two."""

from dataclasses import replace

import pytest

from comparer.errors import ComparerError
from comparer.request.request import Request, Settings
from comparer.results.equal_time import BETTER, MIXED, OPEN, SLOW, WORSE, fewer_steps, rivalry
from helpers.equal_time_runs import ARMS, pairs, seen


@pytest.mark.parametrize(
    ("sampler", "arm", "least", "steps"),
    [
        ("DDIM", [2.1], 1, 10),  # 0.1 outside, 0.2 a step
        ("DDIM", [2.19], 1, 10),
        ("DDIM", [2.21], 1, 11),
        ("DDIM", [2.1, 9.0], 1, 10),  # what others do on the machine only ever makes a call slower
        ("DDIM", [7.0], 1, 20),  # no faster than the baseline
        ("DDIM", [0.01], 1, 2),
        ("DDIM", [0.01], 4, 4),
        ("Heun", [2.1], 1, 10),  # 39 evaluations for 20 steps, 19 for 10
        ("PNDM", [2.0], 1, 9),  # 21 for 20, 10 for 9
    ],
)
def test_the_steps_nearest_in_time_are_chosen(sampler, arm, least, steps):
    base = [(4.1, 4.0), (6.1, 6.0)]
    assert fewer_steps(base, arm, Settings(("x",), steps=20, sampler=sampler), least) == steps


def test_one_step_cannot_become_fewer():
    assert fewer_steps([(1.1, 1.0)], [0.2], Settings(("x",), steps=1)) == 1


@pytest.mark.parametrize(
    ("clip", "ssim", "kind"),
    [
        (pairs(25, 24), pairs(0.9, 0.8), BETTER),
        (pairs(25, 24), [(0.9, 0.9)] * 8, BETTER),
        (pairs(24, 25), pairs(0.8, 0.9), OPEN),  # the rival took longer
        (pairs(25, 24), pairs(0.8, 0.9), MIXED),
        ([(25 + (-1) ** s, 25) for s in range(8)], [(0.9 + (-1) ** s / 50, 0.9) for s in range(8)], OPEN),
    ],
)
def test_which_does_better_is_told_by_intervals(clip, ssim, kind):
    found = rivalry(seen(clip, ssim), 1)
    assert found.kind == kind and found.sentence.startswith(kind)
    assert (found.arm, found.other, found.steps, found.of) == (1, 2, 10, 20)
    assert found.time.value == pytest.approx(1.1, abs=0.01) and found.time.interval.holds(1.1)
    assert "the baseline with 10 of its 20 steps takes 1.10× (1.1" in found.sentence.replace("1.09–", "1.10–")
    assert found.arm_ssim == pytest.approx(sum(one for one, _ in ssim) / 8)


def test_who_lost_with_less_time_has_not_lost():
    times = (0.9, 1.0, 1.1)
    assert [rivalry(seen(pairs(25, 24), pairs(0.9, 0.8), rival=t), 1).kind for t in times] == [OPEN, BETTER, BETTER]
    assert [rivalry(seen(pairs(24, 25), pairs(0.8, 0.9), rival=t), 1).kind for t in times] == [WORSE, WORSE, OPEN]


def test_the_sentence_says_whose_is_whose():
    said = rivalry(seen(pairs(25, 24), pairs(0.8, 0.9)), 1).sentence
    assert "The higher CLIP score is this arm's (+1.00, +0.99 to +1.01)" in said
    assert "the one nearer to the full baseline is that of fewer steps (SSIM 0.809 against 0.905)" in said
    later = rivalry(seen(pairs(25, 24), pairs(0.8, 0.9), interim_looks=4), 1)
    first = rivalry(seen(pairs(25, 24), pairs(0.8, 0.9)), 1)
    assert later.clip.interval.low < first.clip.interval.low  # a later look needs a wider interval


def test_an_arm_that_saves_no_time_is_told_so():
    same = seen(pairs(25, 24), pairs(0.9, 1.0))
    arms = (*same.request.arms[:2], replace(same.request.arms[2], steps=20))
    said = rivalry(replace(same, request=replace(same.request, arms=arms)), 1)
    assert said.kind == SLOW and said.sentence.endswith("the full baseline takes 1.10× (1.10–1.10) of its time.")


def test_one_pair_settles_nothing_and_no_rival_is_none():
    said = rivalry(seen([(25, 20)], [(0.9, 0.1)], seeds=1), 1).sentence
    assert said.startswith(f"{OPEN} from one pair: the baseline with 10 of its 20 steps takes 1.10×")
    assert rivalry(seen(pairs(25, 24), pairs(0.8, 0.9)), 2) is None


def test_a_time_that_is_not_known_has_no_bounds():
    comparison = seen(pairs(25, 24), pairs(0.9, 0.8), seeds=2)
    calls = [replace(c, seconds=5 * c.seconds) if (c.arm, c.batch) == (2, 1) else c for c in comparison.calls]
    assert "× (its interval is too wide to be of use) of" in rivalry(replace(comparison, calls=calls), 1).sentence


def test_an_arm_takes_the_time_of_an_accelerated_one_alone():
    settings = Settings(("x",), steps=20)
    for like in (0, 2, 7, "1"):
        with pytest.raises(ComparerError, match="is not matched to an accelerated arm"):
            Request(settings, (*ARMS[:2], replace(ARMS[2], matches_time_of=like)))
    with pytest.raises(ComparerError, match="Steps 21 is out of range: 1 to 20"):
        Request(settings, (*ARMS[:2], replace(ARMS[2], steps=21)))
    request = Request(settings, ARMS)
    assert Request.from_json(request.to_json()) == request
    assert [request.settings_of(arm).steps for arm in range(3)] == [20, 20, 10]
    assert request.fewer_steps(1) == 2 and request.fewer_steps(2) is None and request.wanted() == ("equal-time",)
