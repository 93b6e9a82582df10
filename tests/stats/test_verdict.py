"""Both answers joined: headline and colour of every combination, sentences, offers and thresholds."""

import math
from dataclasses import replace

import pytest

from comparer.errors import ComparerError
from comparer.stats import quality as q
from comparer.stats import speed as s
from comparer.stats.evidence import Evidence, TimedCall
from comparer.stats.intervals import Estimate, Interval
from comparer.stats.offers import Offer
from comparer.stats.tail import Tail
from comparer.stats.verdict import (
    NOT_COMPARABLE,
    Thresholds,
    Verdict,
    about_levels,
    difference_text,
    headline,
    judge,
    quality_text,
    seen_text,
    speed_text,
)  # fmt: skip
from helpers.planted import evidence, scores, times, with_clear_losses

SPEEDS = (s.FASTER, s.NOT_FASTER, s.UNDECIDED, s.NOT_TIMED, None)  # None: an arm with other weights
TABLE = {
    q.IDENTICAL: (
        ("Faster, identical images", "good"),
        ("Not faster, identical images", "same"),
        ("Speed undecided, identical images", "open"),
        ("Identical images", "open"),
        ("Identical images", "same"),
    ),
    q.KEPT: (
        ("Faster, quality kept", "good"),
        ("Not faster", "bad"),
        ("Speed undecided, quality kept", "open"),
        ("Quality kept", "open"),
        ("Quality kept", "good"),
    ),
    q.BETTER: (
        ("Faster, quality better", "good"),
        ("Not faster", "bad"),
        ("Speed undecided, quality better", "open"),
        ("Quality better", "open"),
        ("Quality better", "good"),
    ),
    q.LOSES: (
        ("Faster, quality lost", "bad"),
        ("Not faster, quality lost", "bad"),
        ("Speed undecided, quality lost", "bad"),
        ("Quality lost", "bad"),
        ("Quality lost", "bad"),
    ),
    q.UNDECIDED: (
        ("Faster, quality undecided", "open"),
        ("Not faster", "bad"),
        ("Speed undecided, quality undecided", "open"),
        ("Quality undecided", "open"),
        ("Quality undecided", "open"),
    ),
    q.FEW: (
        ("Faster; no loss seen in these 7 images", "open"),
        ("Not faster", "bad"),
        ("Speed undecided; no loss seen in these 7 images", "open"),
        ("No loss seen in these 7 images", "open"),
        ("No loss seen in these 7 images", "open"),
    ),
    q.NOT_SCORED: (
        ("Faster, quality not scored", "open"),
        ("Not faster", "bad"),
        ("Speed undecided, quality not scored", "open"),
        ("Quality not scored", "open"),
        ("Quality not scored", "open"),
    ),
}
ROWS = [(each, word, *row) for word, rows in TABLE.items() for each, row in zip(SPEEDS, rows, strict=True)]


def quality(word, pairs=7, **more):
    return q.Quality(word, Estimate(), Estimate(), Tail(0, 0, pairs, 0.0, 0.0, pairs), **more)


@pytest.mark.parametrize(("speed", "word", "head", "look"), ROWS)
def test_every_combination_has_a_headline_and_a_colour(speed, word, head, look):
    both = speed and s.Speed(speed, Estimate()), quality(word)
    verdict = Verdict(headline(*both), "", *both)
    assert (verdict.headline, verdict.look) == (head, look)
    assert verdict.settled == (speed != s.UNDECIDED and word not in (q.UNDECIDED, q.FEW))


def test_the_table_has_every_word():
    words = {word for word in vars(q).values() if isinstance(word, str) and word in q.Quality.__doc__}
    assert set(TABLE) >= words - {""} and len(TABLE) == 7


def test_what_is_not_comparable_is_no_answer():
    verdict = Verdict(NOT_COMPARABLE, "Images are not numbers.")
    assert (verdict.look, verdict.settled, verdict.headline) == ("bad", True, "Not comparable")
    assert verdict.speed is verdict.quality is verdict.more_turns is verdict.more_prompts is None


def test_few_prompts_say_what_was_seen_in_their_images():
    assert seen_text(quality(q.FEW)) == "no loss seen in these 7 images"
    assert seen_text(quality(q.FEW, seen_loss=True)) == "loss seen in these 7 images"
    assert seen_text(quality(q.FEW, 1)) == "no loss seen in this image"


FAST, KEPT = "2.00× (1.98× to 2.02×, 97.5 % interval, 8 turns)", "CLIP loss 0.0 % (−0.4 % to 0.4 %, 99 % interval)"
NONE_WORSE, FAIR = "0 of 80 images clearly worse", "80 prompts make a fair test of the quality."
NO_SCORES = [(prompt, None, None) for prompt in range(80)]
SENTENCES = {
    "fast and kept": (evidence(), f"Faster, quality kept: {FAST}; {KEPT}, {NONE_WORSE}."),
    "fast and lost": (
        evidence(loss=0.05),
        f"Faster, quality lost: {FAST}; CLIP loss 5.0 % (4.6 % to 5.4 %, 99 % interval), {NONE_WORSE}.",
    ),
    "fast, some clearly worse": (
        replace(evidence(), pairs=with_clear_losses(scores(-0.05, 0.1), 30)),
        f"Faster, quality lost: {FAST}; CLIP loss 2.9 % (−0.2 % to 5.9 %, 99 % interval), 30 of 80 images clearly "
        "worse.",
    ),
    "slow": (
        evidence(speed=0.9),
        f"Not faster: 0.900× (0.893× to 0.907×, 97.5 % interval, 8 turns); {KEPT}, {NONE_WORSE}.",
    ),
    "identical": (
        evidence(identical=True),
        f"Faster, identical images: {FAST}; every image equals the baseline's, bit for bit.",
    ),
    "not scored": (
        replace(evidence(), pairs=NO_SCORES, not_scored="no scorer is there"),
        f"Faster, quality not scored: {FAST}; not scored: no scorer is there.",
    ),
    "not timed": (
        evidence(turns=0),
        f"Quality kept: not timed: there are no calls of both arms; {KEPT}, {NONE_WORSE}.",
    ),
    "7 prompts": (
        evidence(prompts=7),
        f"Faster; no loss seen in these 7 images: {FAST}; CLIP loss 0.0 %, 0 of 7 images clearly worse. {FAIR}",
    ),
    "7 prompts, a loss": (
        evidence(loss=0.05, prompts=7),
        f"Faster; loss seen in these 7 images: {FAST}; CLIP loss 5.0 %, 0 of 7 images clearly worse. {FAIR}",
    ),
    "one image, one call": (
        evidence(turns=1, prompts=1),
        "Speed undecided; no loss seen in this image: 2.00×, 1 turn; CLIP loss 0.0 %, 0 of 1 image clearly worse. "
        f"Run once more to be sure of the speed. {FAIR}",
    ),
    "no spread": (
        evidence(noise=0, spread=0, loss=0.01),
        f"Faster, quality kept: 2.00×, the same in 8 turns; CLIP loss 1.0 %, {NONE_WORSE}.",
    ),
    "two turns that differ much": (
        replace(evidence(), calls=[TimedCall([2.5], [1.0]), TimedCall([4.2], [1.0])]),
        "Speed undecided, quality kept: 3.24×, its interval is too wide to be of use, 2 turns; "
        f"{KEPT}, {NONE_WORSE}. 16 more turns would decide the speed with a chance of 82 %.",
    ),
    "speed near the threshold": (
        evidence(speed=1.05, noise=0.1),
        f"Speed undecided, quality kept: 1.05× (0.97× to 1.14×, 97.5 % interval, 8 turns); {KEPT}, {NONE_WORSE}. "
        "The speed-up is too near to 1.05× for 100 more turns to decide.",
    ),
    "loss at the threshold": (
        evidence(loss=0.02),
        f"Faster, quality undecided: {FAST}; CLIP loss 2.0 % (1.6 % to 2.4 %, 99 % interval), {NONE_WORSE}. "
        "The quality needs far more prompts.",
    ),
}


@pytest.mark.parametrize("row", SENTENCES)
def test_sentence(row):
    found, sentence = SENTENCES[row]
    verdict = judge(found)
    assert verdict.sentence == sentence
    assert sentence.startswith(f"{verdict.headline}: ")


def test_what_is_open_names_what_would_decide_it():
    verdict = judge(evidence(speed=1.13, noise=0.1, prompts=20))
    turns, prompts = verdict.more_turns, verdict.more_prompts
    assert verdict.headline == "Speed undecided, quality undecided" and not verdict.settled
    assert verdict.sentence.endswith(
        f" {turns.more} more turns would decide the speed with a chance of {100 * turns.chance:.0f} %."
        f" {prompts.more} more prompts would decide the quality with a chance of {100 * prompts.chance:.0f} %."
    )
    more = evidence(speed=1.13, noise=0.1, turns=8 + turns.more, prompts=20 + prompts.more, interim_looks=2)
    assert judge(more).headline == "Faster, quality kept"


def test_what_is_settled_gets_no_offer_and_one_turn_an_uncertain_one():
    settled = judge(evidence())
    assert settled.settled and settled.more_turns is settled.more_prompts is None
    assert judge(evidence(turns=1)).more_turns == Offer("turn", 4, None)
    assert judge(evidence(prompts=7)).more_prompts is None  # a fair test is named instead


def test_other_weights_are_judged_by_their_scores_alone():
    """Twice as fast is no argument: both do the same work."""
    fast, slow = (judge(evidence(speed), weights=True) for speed in (100.0, 0.5))
    assert fast == slow and fast.speed is fast.more_turns is None
    assert fast.sentence == f"Quality kept: {KEPT}, {NONE_WORSE}."
    assert judge(evidence(loss=-0.03), weights=True).headline == "Quality better"
    assert judge(evidence(loss=0.05), weights=True).headline == "Quality lost"
    assert judge(evidence(prompts=4), weights=True).headline == "No loss seen in these 4 images"
    assert "prompts would decide the quality" in judge(evidence(prompts=20), weights=True).sentence


def test_the_score_that_decides_is_named():
    assert "; HPSv2.1 loss 0.0 %" in judge(evidence(), score="HPSv2.1").sentence
    assert quality_text(judge(evidence(prompts=4)).quality, "DINOv2").startswith("DINOv2 loss ")


def test_the_thresholds_are_the_users():
    assert judge(evidence(1.5), Thresholds(speed_up=2)).headline == "Not faster"
    assert judge(evidence(1.04)).headline == "Not faster"
    assert judge(evidence(1.04), Thresholds(speed_up=1.01)).headline == "Faster, quality kept"
    assert judge(evidence(loss=0.04), Thresholds(clip_loss=0.06)).headline == "Faster, quality kept"
    near = judge(evidence(1.5, noise=0.2), Thresholds(speed_up=1.5)).sentence
    assert near.endswith("The speed-up is too near to 1.5× for 100 more turns to decide.")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"speed_up": 1}, "above 1, up to 100"),
        ({"speed_up": math.nan}, "above 1, up to 100"),
        ({"speed_up": "2"}, "'2' is not a number"),
        ({"clip_loss": 0}, "above 0 %, below 100 %"),
        ({"clip_loss": 2}, "CLIP loss of 200 %"),
        ({"clip_loss": True}, "'True' is not a number"),
    ],
)
def test_thresholds_out_of_range_are_refused(wrong, told):
    with pytest.raises(ComparerError, match=told):
        Thresholds(**wrong)


def test_bounds_are_told_from_the_threshold():
    assert speed_text(judge(Evidence(times(1.04, 0.0083))).speed).startswith("1.040× (1.033× to 1.047×, ")


@pytest.mark.parametrize(
    ("look", "arms", "said"),
    [
        (1, 1, "97.5 % for speed, 99 % for quality. This is the first look: each look spends half of the error"),
        (2, 3, "98.75 % for speed, 99.83 % for quality, shared by 3 arms. This is look 2: each look"),
    ],
)
def test_the_levels_are_explained(look, arms, said):
    assert about_levels(look, arms).startswith(f"Intervals that decide: {said}")
    verdict = judge(replace(evidence(spread=0.1, prompts=300), interim_looks=look, arms=arms))
    levels = verdict.speed.estimate.interval.level, verdict.quality.loss.interval.level
    assert all(f"{100 * level:.4g} % for" in about_levels(look, arms) for level in levels)


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Estimate(), "not scored"),
        (Estimate(-0.3), "CLIP −0.30"),
        (Estimate(0.0031, Interval(0.0028, 0.0033, 0.95)), "CLIP +0.003 (+0.003 to +0.003)"),
        (Estimate(-0.12, Interval(-0.5, 0.26, 0.95)), "CLIP −0.12 (−0.50 to +0.26)"),
        (Estimate(0.0, Interval(0.0, 0.0, 0.95), constant=True), "CLIP 0.00 (the same in every pair)"),
    ],
)
def test_a_difference_says_on_which_side_of_0_its_interval_lies(found, text):
    assert difference_text(found) == text


def test_more_prompts_than_are_allowed_are_not_offered():
    base, arm = [31.0 + 0.01 * n for n in range(20)], [31.0 + 0.01 * n + (-1) ** n for n in range(20)]
    found = Evidence([], list(zip(range(20), base, arm, strict=True)))
    offered = judge(found)
    more = offered.more_prompts.more
    assert f"{more} more prompts would decide the quality" in offered.sentence
    assert judge(found, most_prompts=20 + more).more_prompts == offered.more_prompts
    limited = judge(found, most_prompts=19 + more)
    assert limited.more_prompts is None
    assert f"needs {more} more prompts: here a run may have at most {19 + more}." in limited.sentence
