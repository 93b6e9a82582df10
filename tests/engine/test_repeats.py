"""How many extra turns are planned, and in which order: arithmetic on a machine that is only counted."""

import math
import random
from dataclasses import replace

import pytest

from comparer.checkpoints.spec import Weights
from comparer.engine import eta
from comparer.engine.repeats import TURNS, WANTED, ExtraTurnPlanner, fitting, half_width, turns_needed
from comparer.engine.schedule import EXTRA, RemainingWork, plan
from comparer.request.request import Arm
from comparer.results import extra_turns
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.notes import measured
from comparer.results.records import Call, ExtraTurns, NotRun, Shot
from comparer.stats.intervals import t_quantile
from comparer.stats.power import level_at
from helpers.runs import ask

LEVEL = level_at(1)
ARMS = ("DeepCache(interval=2)", "ToMe(ratio=0.5)")


class Machine:
    """A run whose calls take the seconds that a function gives, and nothing between them."""

    def __init__(self, request, seconds, between=0.0, **more):
        self.comparison, self.seconds, self.between = Comparison(request, **more), seconds, between
        self.now, self.extra = 0.0, []
        work = RemainingWork.of(request)
        self.planner = ExtraTurnPlanner(self.comparison, work, lambda: self.now)
        for planned in plan(replace(request, warmups=0), work):
            self.call(planned)
        self.first = self.now

    def call(self, planned):
        seconds = self.seconds(planned.arm)
        self.now += seconds + self.between
        number = len(planned.items)
        made = (planned.arm, planned.batch, number, seconds, {"denoising": seconds}, (), None, {}, planned.repeat)
        self.comparison.calls.append(Call(*made, self.comparison.process))

    def finish(self):
        """Make all extra turns; return what the record says of them."""
        while turn := self.planner.next():
            assert {planned.kind for planned in turn} == {EXTRA}
            self.extra.append(turn)
            for planned in turn:
                self.call(planned)
        assert self.planner.next() == []
        return self.comparison.extra_turns[-1] if self.comparison.extra_turns else None


def noisy(spread, *means):
    rng = random.Random(7)
    return lambda arm: means[arm] * math.exp(rng.gauss(0, spread))


def asked(*arms, seconds=20.0, repeats=1, **settings):
    return replace(ask(*(arms or ARMS[:1]), **settings), repeat_seconds=seconds, repeats=repeats)


def test_the_turns_that_are_needed_are_the_fewest_whose_interval_is_narrow_enough():
    logs = [0.30, 0.36, 0.27, 0.33, 0.31]
    needed = turns_needed(logs, LEVEL)

    def width(turns):
        return half_width(logs, LEVEL) * math.sqrt(5 / turns) * quantile(turns) / quantile(5)

    def quantile(turns):
        return t_quantile((1 + LEVEL) / 2, turns - 1)

    assert needed > 5 and width(needed) <= WANTED < width(needed - 1)
    assert turns_needed(logs, LEVEL, wanted=1) == turns_needed([1.0] * 5, LEVEL) == 5
    assert turns_needed([0.0, 5.0], LEVEL) == 1000
    assert turns_needed(logs, level_at(3)) > needed  # a later look has a higher level
    assert half_width(logs[:1], LEVEL) is None


@pytest.mark.parametrize(("seconds", "turn", "turns"), [(20, 6, 3), (20, 20, 1), (20, 21, 0), (-3, 1, 0), (5, 0, 1000)])
def test_whole_turns_fit(seconds, turn, turns):
    assert fitting(seconds, turn) == turns


def test_a_quiet_machine_stops_at_five_turns():
    machine = Machine(asked(), noisy(0.001, 1.0, 0.5))
    made = machine.finish()
    assert len(machine.extra) == TURNS - 1 == made.turns and made.why == "reached" and made.half_width < WANTED
    assert made.seconds == pytest.approx(machine.now - machine.first) and made.process == 0
    assert [planned.repeat for turn in machine.extra for planned in turn if planned.arm] == [1, 2, 3, 4]
    (said,) = extra_turns.sentences(machine.comparison)
    assert said.startswith("4 extra turns of one call in ") and "its speed-ups are known to ±0." in said


def test_turns_continue_the_design_of_the_first_pass():
    machine = Machine(asked(*ARMS, repeats=2), noisy(0.001, 1, 1, 1))
    machine.finish()
    orders = [[planned.arm for planned in turn] for turn in machine.extra]
    assert orders == [[1, 2, 0], [0, 2, 1], [2, 0, 1]]  # the third to the fifth of six
    assert [turn[0].repeat for turn in machine.extra] == [2, 3, 4]


def test_more_turns_are_planned_once_from_the_spread_of_five():
    machine = Machine(asked(seconds=600), noisy(0.05, 0.1, 0.05))
    goals = []
    while turn := machine.planner.next():
        goals.append(machine.planner.place().split()[-1])
        for planned in turn:
            machine.call(planned)
    logs = [math.log(base.seconds / other.seconds) for base, other in machine.comparison.call_pairs(1)]
    needed = turns_needed(logs[:TURNS], LEVEL)
    assert machine.planner.plans == 2 and TURNS < needed == len(logs)
    assert goals == ["5"] * 4 + [str(needed)] * (needed - TURNS)
    assert machine.comparison.extra_turns[-1].why == ("reached" if half_width(logs, LEVEL) <= WANTED else "planned")


def test_the_arm_that_needs_the_most_turns_decides():
    rng = random.Random(3)
    spread = {0: 0.0, 1: 0.001, 2: 0.06}
    machine = Machine(asked(*ARMS, seconds=600), lambda arm: math.exp(rng.gauss(0, spread[arm])) / 10)
    made = machine.finish()
    logs = {arm: [math.log(b.seconds / o.seconds) for b, o in machine.comparison.call_pairs(arm)] for arm in (1, 2)}
    assert turns_needed(logs[1][:TURNS], LEVEL) == TURNS < turns_needed(logs[2][:TURNS], LEVEL) == made.turns + 1
    assert made.half_width == half_width(logs[2], LEVEL)


@pytest.mark.parametrize("spread", [0.0, 0.05, 0.3])
@pytest.mark.parametrize("between", [0.0, 0.4])
@pytest.mark.parametrize("seconds", [0.5, 2.0, 4.0, 20.0, 60.0])
def test_the_budget_is_kept(spread, between, seconds):
    machine = Machine(asked(seconds=seconds), noisy(spread, 1.0, 0.5), between)
    made, turn = machine.finish(), 1.5 * math.exp(4 * spread) + 2 * between
    assert machine.now - machine.first <= seconds + (turn - 1.5)  # a turn may be slower than those before it
    if spread == between == 0:
        assert made.turns == min(4, int(seconds / 1.5)), "as many whole turns as fit"
        assert made.why == ("long" if seconds < 1.5 else "reached")


def test_what_happens_between_the_calls_is_counted():
    made = Machine(asked(seconds=10.0), noisy(0.05, 1.0, 0.5), between=1.0).finish()
    assert made.turns == 2 and made.why == "budget" and made.seconds == pytest.approx(7, abs=0.5)


def test_one_turn_that_is_longer_than_the_budget_is_not_repeated():
    machine = Machine(asked(seconds=1.4), noisy(0, 1.0, 0.5))
    assert machine.finish() == ExtraTurns(0, 0, 0.0, "long", None) and not machine.extra
    assert extra_turns.sentences(machine.comparison) == [
        "No extra turns: one takes longer than the 1.4 s allowed for them."
    ]


def test_switched_off_there_are_none():
    machine = Machine(asked(seconds=0), noisy(0, 0.01, 0.01))
    assert machine.finish().why == "off" and not machine.extra
    assert extra_turns.sentences(machine.comparison) == [extra_turns.OFF]


@pytest.mark.parametrize(("repeats", "turns"), [(3, 2), (5, 0), (6, 0)])
def test_repeats_that_were_asked_for_count(repeats, turns):
    made = Machine(asked(repeats=repeats), noisy(0.001, 0.1, 0.05)).finish()
    assert made.turns == turns and made.why == "reached"


def test_other_batches_of_the_size_count_and_the_most_frequent_size_is_repeated():
    machine = Machine(asked(seeds=tuple(range(7)), batch_size=2), noisy(0.001, 0.1, 0.05))
    made = machine.finish()
    assert made.turns == 2  # three batches of two, and a short one that is no turn of them
    assert {(planned.batch, len(planned.items)) for turn in machine.extra for planned in turn} == {(0, 2)}
    many = Machine(asked(seeds=tuple(range(12))), noisy(0.06, 0.1, 0.05))
    logs = [math.log(base.seconds / other.seconds) for base, other in many.comparison.call_pairs(1)]
    assert many.finish().turns == turns_needed(logs, LEVEL) - 12 > 0  # the second plan at once


def test_arms_with_other_weights_failed_ones_and_void_ones_are_not_repeated():
    arms = (Arm("Baseline"), Arm("raw", weights=Weights("demo", half="raw")))
    assert Machine(replace(asked(), arms=arms), noisy(0, 1, 1)).finish() is None
    assert Machine(replace(asked(), arms=arms[:1]), noisy(0, 1, 1)).finish() is None
    for change in ({"not_run": [NotRun(2, "out of memory")]}, {"shots": [Shot(2, 0, 0, "", 0, not_finite="latents")]}):
        machine = Machine(asked(*ARMS), noisy(0.001, 1, 1, 1), **change)
        assert machine.finish().turns == 4 and {planned.arm for turn in machine.extra for planned in turn} == {0, 1}
    machine = Machine(asked(), noisy(0.001, 1, 1), shots=[Shot(0, 0, 0, "", 0, not_finite="latents")])
    assert machine.finish() is None, "there is nothing to compare with"


def test_an_arm_that_fails_meanwhile_ends_them():
    machine = Machine(asked(), noisy(0.001, 1, 1))
    assert machine.planner.next()
    machine.comparison.not_run.append(NotRun(1, "out of memory"))
    assert machine.planner.next() == [] and machine.comparison.extra_turns[-1].why == "failed"


def test_equal_time_arms_are_repeated():
    request = asked()
    request = replace(request, arms=(*request.arms, Arm("Fewer", steps=2, matches_time_of=1)))
    machine = Machine(request, noisy(0.001, 1, 0.5, 0.5))
    machine.finish()
    assert {planned.arm for turn in machine.extra for planned in turn} == {0, 1, 2}


def test_a_later_process_counts_the_turns_of_those_before_it():
    machine = Machine(asked(seeds=(1, 2)), noisy(0.001, 0.1, 0.05))
    machine.finish()
    seen = machine.comparison
    seen.process, seen.batches = 1, [*seen.batches, [(0, 3)]]
    planner = ExtraTurnPlanner(seen, RemainingWork({2: ([0, 1], [(0, 3)])}, {}, [], []))
    assert planner.expected == TURNS + 1 and planner.ahead(0.1) == 0
    appended = replace(seen, request=replace(seen.request, arms=asked(*ARMS).arms))
    planner = ExtraTurnPlanner(appended, RemainingWork({0: ([0, 2], [(0, 1)]), 1: ([0, 2], [(0, 2)])}, {}, [], []))
    assert planner.arms == [0, 2] and planner.expected == 2 and planner.ahead(0.1) == 3
    planner = ExtraTurnPlanner(seen, RemainingWork({}, {}, [], []))
    assert planner.next() == [] and planner.ahead(0.1) == 0


def test_the_time_left_knows_the_turns_ahead(config):
    request = asked(seconds=5.0)
    calls = [Call(arm, 0, 1, seconds, {"denoising": seconds}, ()) for arm, seconds in ((0, 1.0), (1, 0.5))]
    eta.remember(Comparison(request, calls=calls), config)
    assert eta.estimate(replace(request, repeat_seconds=0.0), config) == pytest.approx(1.5)
    assert eta.estimate(request, config) == pytest.approx(1.5 * 4)  # three extra turns fit
    assert eta.estimate(replace(request, repeat_seconds=60.0), config) == pytest.approx(1.5 * 5)
    extra = ExtraTurnPlanner(Comparison(request), RemainingWork.of(request))
    pace = eta.Pace(request, config, 4, plan(request), extra)
    assert pace.total == 2 + 6 and pace.left(0, 0.0) == pytest.approx(6)
    machine = Machine(request, lambda arm: (1.0, 0.5)[arm])
    calls = plan(request)
    pace = eta.Pace(request, config, 4, calls, machine.planner)
    calls += machine.planner.next()
    pace.begin(2, set())
    assert pace.total == 8 and pace.left(0, 0.0) == pytest.approx(4.5)
    machine.finish()
    pace.begin(4, set())
    assert pace.total == 4 and pace.left(0, 0.0) == 0


def test_the_reasons_are_told_in_one_sentence_each():
    run = Comparison(asked(), calls=[Call(arm, 0, 1, 1.0, {"denoising": 1.0}, ()) for arm in (0, 1)])
    told = {
        ExtraTurns(0, 2, 9.0, "budget", 0.0488): "2 extra turns of one call in 9 s: no more fit in the 20 s allowed "
        "for them; its speed-ups are known to ±5 %.",
        ExtraTurns(0, 9, 9.0, "planned", 0.0392): "9 extra turns of one call in 9 s: as many as the first turns "
        "suggested for ±3 %; its speed-ups are known to ±4 %.",
        ExtraTurns(0, 1, 9.0, "stopped"): "1 extra turn of one call in 9 s: then the run was stopped.",
        ExtraTurns(0, 0, 0.0, "reached", 0.00995): "No extra turns: the speed-ups of one call are known to ±1 % "
        "without them.",
    }
    for made, sentence in told.items():
        run.extra_turns = [made]
        assert extra_turns.sentences(run) == [sentence] and sentence in measured(Analysis(run))
    run.extra_turns = [ExtraTurns(0, 0, 0.0, "off"), ExtraTurns(1)]
    assert extra_turns.sentences(run) == [extra_turns.OFF]
    assert extra_turns.OFF not in measured(Analysis(run))
