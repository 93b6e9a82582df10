"""Does an arm keep the quality? Every word for planted scores, what a prompt is, looks, arms and thresholds."""

from dataclasses import replace

import pytest

from comparer.stats.evidence import Evidence
from comparer.stats.quality import (
    BETTER,
    FEW,
    IDENTICAL,
    KEPT,
    LOSES,
    NOT_SCORED,
    UNDECIDED,
    error_at,
    judge_quality,
    offer_quality,
)  # fmt: skip
from helpers.planted import evidence, scores, with_clear_losses


def word(found, threshold=0.02):
    return judge_quality(found, threshold).word


def of(pairs, **more):
    return Evidence([], pairs, **more)


TABLE = {
    "80 prompts without a loss": (evidence(loss=0.0), KEPT),
    "a small loss": (evidence(loss=0.01), KEPT),
    "a loss of 5 %": (evidence(loss=0.05), LOSES),
    "a loss of 5 %, of 8 prompts": (evidence(loss=0.05, prompts=8), LOSES),
    "a gain": (evidence(loss=-0.03), BETTER),
    "a gain of 20 prompts": (evidence(loss=-0.03, prompts=20), UNDECIDED),  # there may be clear losses among others
    "a loss near the threshold": (evidence(loss=0.018), UNDECIDED),
    "20 prompts": (evidence(prompts=20), UNDECIDED),
    "50 prompts": (evidence(prompts=50, spread=0.1), UNDECIDED),
    "51 prompts": (evidence(prompts=51, spread=0.1), KEPT),
    "7 prompts": (evidence(prompts=7), FEW),
    "7 prompts, a loss": (evidence(loss=0.05, prompts=7), FEW),
    "no spread": (evidence(spread=0.0), KEPT),
    "identical images": (evidence(identical=True), IDENTICAL),
    "identical images, few": (evidence(identical=True, prompts=1), IDENTICAL),
    "identical images, not scored": (of([(0, None, None)], identical=True), IDENTICAL),
    "not scored": (of([(prompt, None, None) for prompt in range(80)]), NOT_SCORED),
    "no pairs": (of([]), NOT_SCORED),
}


@pytest.mark.parametrize("row", TABLE)
def test_word(row):
    found, expected = TABLE[row]
    quality = judge_quality(found, 0.02)
    assert quality.word == expected
    assert bool(quality.why_not) == (expected in (FEW, NOT_SCORED))


def test_clearly_worse_prompts_are_a_loss_although_the_mean_is_kept():
    """30 of 100 images are ruined, and the others are so much better that the mean gains."""
    pairs = with_clear_losses(scores(-0.09, 0.1, 100), 30)
    found = judge_quality(of(pairs), 0.02)
    assert found.word == LOSES and found.loss.value < 0 and found.tail.worse == 30
    assert word(of(with_clear_losses(scores(0.0, 0.1, 100), 5))) == UNDECIDED  # a twentieth is not shown to be below
    lost, balanced = (of(with_clear_losses(scores(0.0, 0.1, 300), 20, better)) for better in (0, 20))
    assert judge_quality(lost, 0.02).loss.interval.high < 0.02  # the mean is kept
    assert word(lost) == UNDECIDED and word(balanced) == KEPT  # unless others gain as clearly


def test_few_prompts_are_no_statement_but_what_was_seen():
    whole = judge_quality(evidence(prompts=7), 0.02)
    assert not whole.seen_loss and whole.why_not == "7 prompts say little about others"
    assert judge_quality(evidence(loss=0.05, prompts=7), 0.02).seen_loss
    assert not judge_quality(evidence(loss=0.05, prompts=7), 0.06).seen_loss  # of the threshold's size
    one = of(with_clear_losses(scores(-0.03, 0.1, 7), 1))
    assert judge_quality(one, 0.02).loss.value < 0.02 and judge_quality(one, 0.02).seen_loss  # one clear loss is seen
    assert word(evidence(prompts=8)) == UNDECIDED


def test_several_seeds_do_not_count_as_prompts():
    seven = [(prompt, 25.0, 24.0 + seed / 100) for prompt in range(7) for seed in range(20)]
    assert word(of(seven)) == FEW and word(of([(n, b, a) for n, (_, b, a) in enumerate(seven)])) == LOSES
    prompts = [(prompt, base, arm + seed / 1000) for prompt, base, arm in scores(0.0, 0.3, 20) for seed in range(4)]
    assert word(of(prompts)) == UNDECIDED and word(of([(n, b, a) for n, (_, b, a) in enumerate(prompts)])) == KEPT
    apart = judge_quality(of(prompts), 0.02)
    assert (apart.loss.n, apart.loss.clusters, apart.tail.pairs, apart.tail.prompts) == (80, 20, 80, 20)


def test_a_pair_without_both_scores_does_not_count():
    pairs = [*scores(0.0, 0.5, 80), (80, 25.0, None), (81, None, 25.0)]
    assert judge_quality(of(pairs), 0.02) == judge_quality(of(pairs[:80]), 0.02)


def test_the_threshold_is_the_users():
    found = evidence(loss=0.04)
    assert [word(found, share) for share in (0.02, 0.04, 0.06)] == [LOSES, UNDECIDED, KEPT]
    assert word(evidence(loss=-0.03), 0.3) == BETTER  # a gain needs no threshold


@pytest.mark.parametrize("share", [0.01, 0.02, 0.03, 0.06, 0.07])
def test_exactly_the_threshold_is_neither_kept_nor_lost(share):
    """Rounding claims nothing."""
    for base in (25.0, 31.3, 70.1):
        pairs = [(prompt, base, base * (1 - share)) for prompt in range(80)]
        assert word(of(pairs), share) == UNDECIDED


def test_each_look_and_each_further_arm_shrinks_the_error():
    assert (error_at(1), error_at(2), error_at(3)) == (0.005, 0.0025, 0.00125)
    assert sum(error_at(look) for look in range(1, 40)) == pytest.approx(0.01)
    assert error_at(1, 5) == pytest.approx(0.001) and error_at(1, 0) == error_at(1)
    found = evidence(loss=0.0, prompts=51, spread=0.1)
    assert (word(found), word(replace(found, interim_looks=2)), word(replace(found, arms=2))) == (
        KEPT, UNDECIDED, UNDECIDED,
    )  # fmt: skip
    for more in ({"interim_looks": 2}, {"arms": 3}):
        quality = judge_quality(replace(found, **more), 0.02)
        level = 1 - 2 * error_at(more.get("interim_looks", 1), more.get("arms", 1))
        assert quality.loss.interval.level == quality.difference.interval.level == pytest.approx(level)


def test_a_mean_of_next_to_nothing_has_no_loss():
    found = judge_quality(of([(n, 0.5, 0.4) for n in range(80)]), 0.02)
    assert found.word == NOT_SCORED and "the baseline's mean score is below 1" in found.why_not
    told = judge_quality(of([(0, None, None)], not_scored="no scorer is there"), 0.02)
    assert told.why_not == "no scorer is there"


def test_the_loss_is_kept_or_lost_on_the_side_on_which_its_interval_lies():
    """The t tests of the claims and Fieller's interval, which is printed, are the same statement."""
    words = []
    for loss in (0.0, 0.005, 0.012, 0.016, 0.02, 0.024, 0.03, 0.05):
        for spread in (0.3, 1.0):
            quality = judge_quality(evidence(loss=loss, spread=spread), 0.02)
            interval = quality.loss.interval
            words.append(quality.word)
            assert (quality.word == LOSES) == (interval.low > 0.02)
            assert (quality.word in (KEPT, BETTER)) == (interval.high < 0.02)
    assert min(words.count(each) for each in (KEPT, LOSES, UNDECIDED)) >= 3


def test_twenty_prompts_get_an_offer_at_the_look_to_come():
    found = evidence(prompts=20)
    offer = offer_quality(found, 0.02)
    assert offer.unit == "prompt" and 20 + offer.more > 50 and 0.8 <= offer.chance <= 1
    later = offer_quality(replace(found, interim_looks=4, arms=4), 0.02)
    assert later.more > offer.more
