"""The order of the calls within a run: balanced over the turns, and kept where a batch lacks arms."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise, permutations, product

import pytest

from comparer.engine.schedule import TIMED, RemainingWork, plan, williams_design
from helpers.runs import ask

ARMS = range(1, 9)


@pytest.mark.parametrize("count", ARMS)
def test_each_arm_is_at_each_position_equally_often(count):
    turns = williams_design(count)
    assert all(sorted(turn) == list(range(count)) for turn in turns)
    times = 1 if count % 2 == 0 else 2
    seen = Counter((place, arm) for turn in turns for place, arm in enumerate(turn))
    assert seen == dict.fromkeys(product(range(count), repeat=2), times)


@pytest.mark.parametrize("count", ARMS)
def test_each_arm_follows_every_other_one_equally_often(count):
    seen = Counter(pair for turn in williams_design(count) for pair in pairwise(turn))
    assert seen == dict.fromkeys(permutations(range(count), 2), 1 if count % 2 == 0 else 2)


@pytest.mark.parametrize("count", ARMS)
def test_the_first_turn_has_the_order_of_the_request_and_every_second_one_is_the_mirror(count):
    turns = williams_design(count)
    assert turns[0] == list(range(count))
    assert all(late == early[::-1] for early, late in zip(turns[::2], turns[1::2], strict=True))


def timed(request, left=None, blocks=()):
    """Return the arms of every turn."""
    calls = [call for call in plan(request, left, blocks) if call.kind == TIMED]
    turns = dict.fromkeys((call.batch, call.repeat) for call in calls)
    return ["".join("ABCDE"[call.arm] for call in calls if (call.batch, call.repeat) == turn) for turn in turns]


def asked(arms, seeds=1, repeats=1):
    texts = [f"DeepCache(interval={2 + number})" for number in range(arms - 1)]
    return replace(ask(*texts, seeds=tuple(range(seeds))), repeats=repeats)


@pytest.mark.parametrize(
    ("arms", "turns"),
    [
        (1, "A A A"),
        (2, "AB BA AB BA AB"),
        (3, "ABC CBA BCA ACB CAB BAC ABC CBA"),
        (4, "ABCD DCBA BDAC CADB ABCD"),
    ],
)
def test_the_turns_of_a_run_follow_the_design_and_begin_again(arms, turns):
    count = len(turns.split())
    assert timed(asked(arms, seeds=count)) == timed(asked(arms, repeats=count)) == turns.split()


def test_a_batch_that_lacks_arms_keeps_the_order_of_the_others():
    request = asked(3, seeds=4)
    whole = RemainingWork.of(request)
    lacking = {number: ((0, 2) if number else arms, items) for number, (arms, items) in whole.batches.items()}
    assert timed(request, replace(whole, batches=lacking)) == ["ABC", "CA", "CA", "AC"]


def test_an_arm_that_is_added_takes_turns_with_the_baseline_alone():
    request = asked(4, seeds=3)
    whole = RemainingWork.of(request)
    added = {number: ((0, 3), items) for number, (_, items) in whole.batches.items()}
    assert timed(request, replace(whole, batches=added)) == ["AD", "DA", "AD"]


def test_blocks_take_turns_among_themselves():
    calls = [call for call in plan(asked(5, seeds=3), blocks=[[0, 2, 4], [1, 3]]) if call.kind == TIMED]
    assert "".join("ABCDE"[call.arm] for call in calls) == "ACEECACEABDDBBD"
