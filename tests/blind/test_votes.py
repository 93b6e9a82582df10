"""What votes tell: the prompt is the unit, looks spend the error, and the sentence agrees with the interval."""

import random

import pytest

from comparer.blind.votes import OPEN, OPPOSITE, SAME, Vote, preference, prompt_shares

NAMES = ("Baseline", "DeepCache")


def judged(wins, losses, ties=0, bad=0, prompts=1000, score=None, **given):
    """Return the preference of votes on pairs of their own; ``score`` gives each pair's difference by its number."""
    choices = ["arm"] * wins + ["baseline"] * losses + ["tie"] * ties + ["bad"] * bad
    votes = [Vote(number % prompts, number, choice) for number, choice in enumerate(choices)]
    scores = {(v.prompt, v.seed): (20.0, 20.0 + score(v.seed)) for v in votes} if score else {}
    return preference(1, NAMES, votes, scores, **{"judges": 1} | given)


def clustered(prompts, seeds, people=1, **given):
    """Return the preference where all votes on a prompt are for one side: ``prompts`` is text such as "++-"."""
    choices = {"+": "arm", "-": "baseline"}
    votes = [
        Vote(prompt, seed, choices[side])
        for prompt, side in enumerate(prompts)
        for seed in range(seeds)
        for _ in range(people)
    ]
    return preference(1, NAMES, votes, {}, people, **given)


@pytest.mark.parametrize(("wins", "losses", "settled"), [(6, 0, False), (7, 0, True), (9, 2, False), (11, 1, True)])
def test_votes_are_settled_at_the_error_of_the_first_look_and_not_before(wins, losses, settled):
    """One vote a prompt: the p of the sign test is 0.0313, 0.0156, 0.0654 and 0.0063; the first look has 0.025."""
    for found, name in ((judged(wins, losses), NAMES[1]), (judged(losses, wins), NAMES[0])):
        assert found.settled == settled == (not found.share.interval.holds(0.5)) == (found.p <= 0.025)
        assert found.kind == (f"{name} is preferred" if settled else "Undecided")
        assert (found.more_prompts is None) == settled


def test_more_votes_on_the_same_prompts_are_no_more_certain():
    """6 prompts to 2, asked with 1 seed or with 30, of one person or of ten: one and the same p."""
    few, many, people = clustered("++++++--", 1), clustered("++++++--", 30), clustered("++++++--", 3, people=10)
    assert few.p == many.p == people.p == pytest.approx(0.2890625) and not many.settled and not people.settled
    assert many.wins == 180 and many.losses == 60
    assert few.share == many.share == people.share and few.share.clusters == 8


def test_people_who_judge_one_pair_are_one_vote_on_it():
    crowd = [Vote(0, 1, "baseline")] * 50 + [Vote(0, 2, "arm"), Vote(0, 3, "arm"), Vote(0, 4, "tie")]
    assert prompt_shares(crowd) == {0: pytest.approx(2 / 3)}
    found = preference(1, NAMES, [*crowd, *(Vote(prompt, 1, "arm") for prompt in range(1, 8))], {}, judges=50)
    assert found.losses > found.wins and found.kind == "DeepCache is preferred" and found.ahead == 1
    assert found.sentence == (
        "DeepCache is preferred, in 96 % of the decided votes, averaged over 8 prompts "
        "(p = 0.008; at most 0.025 is needed)."
    )


def test_every_look_halves_the_error_and_asks_for_one_more_prompt():
    for look in range(1, 7):
        level = 1 - 0.05 / 2**look
        enough, fewer = (judged(prompts, 0, look=look) for prompts in (6 + look, 5 + look))
        assert enough.level == pytest.approx(level) == enough.share.interval.level
        assert enough.kind == "DeepCache is preferred" and fewer.kind == "Undecided"
    for prompts in range(12, 18):  # where flips are drawn, luck does not settle what all flips would not
        for look in range(6, 11):
            found = judged(prompts, 0, look=look)
            assert found.settled == ("is preferred" in found.sentence) and (not found.settled or prompts >= 6 + look)
    assert judged(30, 0, look=9).settled and not judged(30, 0, look=10).settled
    assert judged(30, 0, look=10).sentence == (
        "Undecided: the result was looked at 10 times, too often to be settled by further votes in this run. "
        "So far: 30 votes for DeepCache, 0 for Baseline."
    )


def test_too_few_prompts_are_told_with_the_number_that_is_needed():
    assert clustered("+++++", 3).sentence == (
        "Undecided: votes on 5 prompts are too few, however they fall. At the next look, votes on at least 8 prompts "
        "are needed. So far: 15 votes for DeepCache, 0 for Baseline."
    )
    assert "votes on 1 prompt are too few" in clustered("+", 100).sentence
    assert "too few" not in clustered("++++++-", 1).sentence


def test_the_sentence_never_contradicts_the_interval():
    """Votes of one to three people on some of the seeds of up to 14 prompts, at one of three looks."""
    drawn, settled = random.Random(0), 0
    for _ in range(300):
        lean = [drawn.choice((0.1, 0.5, 0.8, 0.95, 1)) for _ in range(drawn.randint(1, 14))]
        votes = [
            Vote(prompt, seed, drawn.choices(("arm", "baseline", "tie"), (p, 1 - p, 0.1))[0])
            for prompt, p in enumerate(lean)
            for seed in range(drawn.randint(1, 4))
            for _ in range(drawn.randint(1, 3))
        ]
        found = preference(1, NAMES, votes, {}, judges=3, look=drawn.randint(1, 3))
        if found.p is None:
            continue
        interval = found.share.interval
        assert found.settled == (found.p <= 1 - found.level) == (not interval.low <= 0.5 <= interval.high)
        assert interval.low <= found.share.value <= interval.high
        assert ("is preferred, in" in found.sentence) == found.settled != ("Undecided" in found.sentence)
        settled += found.settled
    assert 10 < settled < 290


def test_even_prompts_and_nearly_even_ones_are_not_settled_by_more():
    even, near = judged(6, 6), judged(101, 99)
    assert even.more_prompts is near.more_prompts is None
    assert "each side has 50 % of the decided votes, averaged over 12 prompts; more prompts settle" in even.sentence
    assert "preferred in 50.5 % of" in near.sentence and "near to each other for 1000 more prompts" in near.sentence


def test_the_sentence_says_who_how_sure_and_how_many_more():
    open_ = judged(9, 3)
    assert open_.sentence == (
        "Undecided: DeepCache was preferred in 75 % of the decided votes, averaged over 12 prompts "
        f"(p = 0.146; at most 0.025 is needed); about {open_.more_prompts} more prompts would probably settle it."
    )
    assert 10 < open_.more_prompts < 40
    assert judged(1, 11).sentence == (
        "Baseline is preferred, in 92 % of the decided votes, averaged over 12 prompts "
        "(p = 0.006; at most 0.025 is needed)."
    )
    assert "p = below" not in judged(30, 0).sentence and "(p below 0.001; " in judged(30, 0).sentence


def test_the_note_labels_the_level_and_says_what_the_look_costs():
    first, second = judged(9, 3), judged(9, 3, look=2)
    assert "is 75 % (97.5 % interval 39 to 96 %); by prompts 9 to 3." in first.note
    assert first.note.endswith("The intervals are 97.5 % intervals: half of the 5 % of error is kept for continuing.")
    assert "(98.75 % interval" in second.note and "this is look 2" in second.note
    found = clustered("++++++++", 3)
    votes = [Vote(prompt, seed, "arm" if seed else "baseline") for prompt in range(8) for seed in range(3)]
    assert "(97.5 % interval 58 to 100 %); by prompts 8 to 0" in found.note
    assert "interval above 50 to " in preference(1, NAMES, votes, {}, 1).note  # one half itself is left out


def test_ties_are_left_out_of_the_test():
    plain, tied = judged(9, 3), judged(9, 3, ties=9, bad=3)
    assert plain.p == tied.p and plain.share == tied.share
    assert (tied.votes, tied.decided, tied.ties, tied.bad) == (24, 12, 9, 3)
    assert tied.more_prompts == plain.more_prompts


@pytest.mark.parametrize(("ties", "bad", "why"), [(0, 0, "there is no vote yet"), (3, 1, "none of 4 votes is for")])
def test_what_is_undefined_says_why(ties, bad, why):
    found = judged(0, 0, ties, bad)
    assert found.p is None and found.share.value is None and found.more_prompts is None and found.agreement == OPEN
    assert found.sentence.startswith("Undecided: ") and why in found.sentence
    assert "there are no scores" in found.clip_sentence
    assert "the file is missing" in judged(9, 3, not_scored="the file is missing").clip_sentence


def test_votes_that_are_not_counted_are_told():
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
