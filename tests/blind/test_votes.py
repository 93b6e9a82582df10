"""What votes tell, against scipy's tests and by brute force."""

import itertools

import pytest
from scipy.stats import binom, binomtest

from comparer.blind.votes import OPEN, OPPOSITE, SAME, Vote, clopper_pearson, more_decided, preference, sign_test

NAMES = ("Baseline", "DeepCache")


def judged(wins, losses, ties=0, bad=0, prompts=1000, score=None, **given):
    """Return the preference of votes on pairs of their own; ``score`` gives each pair's difference by its number."""
    choices = ["arm"] * wins + ["baseline"] * losses + ["tie"] * ties + ["bad"] * bad
    votes = [Vote(number % prompts, number, choice) for number, choice in enumerate(choices)]
    scores = {(v.prompt, v.seed): (20.0, 20.0 + score(v.seed)) for v in votes} if score else {}
    return preference(1, NAMES, votes, scores, **{"judges": 1} | given)


@pytest.mark.parametrize(("wins", "losses"), [*itertools.product(range(9), range(9)), (9, 3), (40, 61), (900, 1100)])
def test_the_sign_test_and_the_interval_are_scipys(wins, losses):
    n = wins + losses
    if not n:
        assert sign_test(0, 0) == 1
        return
    theirs = binomtest(wins, n)
    assert sign_test(wins, losses) == pytest.approx(theirs.pvalue, rel=1e-9)
    for level in (0.95, 0.99):
        mine, exact = clopper_pearson(wins, n, level), theirs.proportion_ci(level, "exact")
        assert (mine.low, mine.high) == pytest.approx((exact.low, exact.high), abs=1e-9)
        assert mine.holds(0.5) == (sign_test(wins, losses) > 1 - level)


def test_three_thousand_votes_are_no_overflow():
    assert sign_test(1500, 1500) == 1 and 0 < sign_test(1600, 1400) < 0.001


@pytest.mark.parametrize(("wins", "losses"), [(9, 3), (3, 0), (1, 0), (12, 8)])
def test_so_many_more_votes_would_settle_it_four_times_in_five_and_one_fewer_not(wins, losses):
    more, share = more_decided(wins, losses), wins / (wins + losses)

    def chance(m):
        """Add up every outcome of m further votes that the test would call."""
        ways = ((wins + k, losses + m - k, binom.pmf(k, m, share)) for k in range(m + 1))
        return sum(p for won, lost, p in ways if won > lost and sign_test(won, lost) <= 0.05)

    assert chance(more) >= 0.8 and all(chance(m) < 0.8 for m in range(1, more))


@pytest.mark.parametrize(("wins", "losses", "settled"), [(5, 0, False), (6, 0, True), (9, 2, False), (10, 2, True)])
def test_votes_are_settled_at_five_per_cent_and_not_before(wins, losses, settled):
    """The printed p of the sign test: 0.0625, 0.0313, 0.0654 and 0.0386."""
    for found, name in ((judged(wins, losses), NAMES[1]), (judged(losses, wins), NAMES[0])):
        assert found.settled == settled == (not found.share.interval.holds(0.5))
        assert found.kind == (f"{name} is preferred" if settled else "Cannot tell")
        assert (found.more is None) == settled and ("would probably settle it" in found.sentence) == (not settled)


def test_an_even_vote_and_a_nearly_even_one_are_not_settled_by_more():
    assert more_decided(6, 6) is None and more_decided(51, 49) is None
    assert "more votes settle nothing while they stay even" in judged(6, 6).sentence
    assert "too near to each other for 1000 more votes" in judged(51, 49).sentence


def test_the_sentence_says_who_how_sure_and_how_many_more():
    open_ = judged(9, 3)
    assert open_.sentence == (
        "Cannot tell: DeepCache was preferred in 9 of 12 decided votes (p = 0.146); "
        "about 16 more votes would probably settle it."
    )
    assert judged(1, 11).sentence == "Baseline is preferred, in 11 of 12 decided votes (p = 0.006)."
    assert judged(2, 12).kind == "Baseline is preferred" and judged(12, 2).kind == "DeepCache is preferred"
    assert "p = below" not in judged(30, 0).sentence and "(p below 0.001)" in judged(30, 0).sentence


def test_ties_are_left_out_of_the_test_and_counted_in_what_is_to_come():
    plain, tied = judged(9, 3), judged(9, 3, ties=9, bad=3)
    assert plain.p == tied.p and plain.share == tied.share
    assert (tied.votes, tied.decided, tied.ties, tied.bad) == (24, 12, 9, 3)
    assert tied.more == 2 * plain.more == 32


@pytest.mark.parametrize(("ties", "bad", "why"), [(0, 0, "there is no vote yet"), (3, 1, "none of 4 votes is for")])
def test_what_is_undefined_says_why(ties, bad, why):
    found = judged(0, 0, ties, bad)
    assert found.p is None and found.share.value is None and found.more is None and found.agreement == OPEN
    assert found.sentence.startswith("Cannot tell: ") and why in found.sentence
    assert "there are no CLIP scores" in found.clip_sentence
    assert "the file is missing" in judged(9, 3, not_scored="the file is missing").clip_sentence


def test_votes_of_one_prompt_are_counted_by_prompt_beside():
    found = judged(9, 3, prompts=4, score=lambda n: n)
    assert (
        found.prompts == (4, 0, 0) and "With the majority of each prompt counted once: 4 to 0 (p = 0.125)" in found.note
    )
    assert found.clip.clusters == 4
    assert "other prompts may differ" in judged(5, 1, prompts=1).note
    assert "By prompts" not in judged(9, 3).note
    assert "2 votes on pairs that the same person had judged before: not counted" in judged(3, 3, repeated=2).note


def test_votes_and_scores_agree_oppose_or_cannot_be_told():
    up, down, flat = (lambda n, s=s: s + n % 3 / 10 for s in (1, -2, -0.1))
    for score, wins, losses, agreement, words in (
        (up, 12, 1, SAME, "points the same way: CLIP +1.09"),
        (down, 1, 12, SAME, "points the same way: CLIP −1.91"),
        (down, 12, 1, OPPOSITE, "says the opposite: CLIP −1.91"),
        (up, 1, 12, OPPOSITE, "says the opposite"),
        (flat, 12, 1, OPEN, "because the CLIP difference is undecided"),
        (up, 7, 6, OPEN, "because the votes are undecided"),
        (flat, 7, 6, OPEN, "because both are undecided"),
    ):
        found = judged(wins, losses, score=score)
        assert found.agreement == agreement and words in found.clip_sentence, found.clip_sentence
    assert (
        judged(12, 1, score=up).higher == (12, 13)
        and "12 of 13 decided votes went to the higher" in judged(12, 1, score=up).clip_sentence
    )
    assert judged(3, 0, score=lambda _: 0.0).higher == (0, 0)  # equal scores prefer nothing


def test_a_pair_that_two_people_judged_has_one_clip_difference():
    votes = [Vote(0, 1, "arm"), Vote(0, 1, "baseline"), Vote(0, 2, "arm")]
    found = preference(1, NAMES, votes, {(0, 1): (20, 21), (0, 2): (20, 24)}, judges=2)
    assert found.clip.value == 2.5 and found.clip.n == 2 and found.higher == (2, 3)
    assert found.note.startswith("3 votes by 2 people")
