"""Extra timed turns of one call after all batches, so that speed is decided at the first run. Arithmetic, no torch.

One call gives no interval, and a short call can be repeated at little cost. So all arms repeat the first batch of the
most frequent size: up to five turns in all. Their spread then says how many turns each speed-up needs to be known to
±3 %; that is planned once and not corrected afterwards, because a rule that looks at the ratios again and again stops
where they happen to lie together. The plan depends on the spread alone, not on the speed-up: a two-stage sample
(C. Stein, "A Two-Sample Test for a Linear Hypothesis Whose Power is Independent of the Variance", Annals of
Mathematical Statistics 16(3), 1945). No turn begins that would probably end after the budget.
"""

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from statistics import fmean, stdev
from time import monotonic

from comparer.engine.schedule import EXTRA, Planned, RemainingWork, williams_design
from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.records import Call, ExtraTurns, WhyEnded
from comparer.stats.intervals import t_quantile
from comparer.stats.power import level_at

TURNS = 5  # from which the spread is estimated
WANTED = math.log(1.03)  # half width of an interval that is narrow enough
MOST = 1000  # turns that are planned at most


def half_width(logs: Sequence[float], level: float) -> float | None:
    """Return half the width of the t interval of a mean; None for fewer than two values.

    >>> round(half_width([0.0, 0.02, 0.04], 0.975), 4)
    0.0717
    """
    if len(logs) < 2:
        return None
    return t_quantile((1 + level) / 2, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))


def turns_needed(logs: Sequence[float], level: float, wanted: float = WANTED) -> int:
    """Return the turns in all with which the half width is at most ``wanted`` if the spread stays as it is.

    Args:
        logs: log time ratios of the turns so far, at least two.
        level: of the interval, 0 to 1, exclusive.
        wanted: half width on the log scale, above 0.

    Returns:
        at least the turns so far; at most ``MOST``, unless there are more already.

    >>> turns_needed([0.0, 0.02, 0.04], 0.975), turns_needed([0.1, 0.1], 0.975)
    (6, 2)
    """
    spread, tried = stdev(logs), range(len(logs), max(MOST, len(logs)))
    place = bisect_left(tried, True, key=lambda n: t_quantile((1 + level) / 2, n - 1) * spread / math.sqrt(n) <= wanted)
    return len(logs) + place


def fitting(seconds: float, turn: float) -> int:
    """Return how many whole turns fit in some seconds, at most ``MOST``.

    >>> fitting(20, 6), fitting(5, 6), fitting(-1, 6)
    (3, 0, 0)
    """
    return MOST if turn * MOST <= seconds else max(0, int(seconds // turn))


class ExtraTurnPlanner:
    """Plan the extra turns of one process, a turn at a time, and record them in ``Comparison.extra_turns``.

    Attributes:
        arms: positions of the arms that are judged for speed and have the repeated batch to make; fewer than two if
            nothing is repeated. Arms with other weights are not judged for speed.
        size: images of the repeated batch.
    """

    def __init__(self, comparison: Comparison, work: RemainingWork, clock: Callable[[], float] = monotonic) -> None:
        """Choose the batch; ``work`` is what the process makes before the extra turns."""
        self.comparison, self.clock, self.budget = comparison, clock, comparison.request.repeat_seconds
        self.batch, self.items, self.arms = _repeated(comparison, work)
        self.size, self.rounds = len(self.items), len(work.batches) * comparison.request.repeats
        alike = sum(set(self.arms) <= set(arms) and len(its) == self.size for arms, its in work.batches.values())
        self.expected = self._turns(self._logs(self.arms)) + alike * comparison.request.repeats
        self.began: float | None = None
        self.over = self.cut = False
        # Extra turns made and planned, times planned (at most twice), and turns of this batch size before them.
        self.made = self.goal = self.plans = self.before = 0

    def next(self) -> list[Planned]:
        """Return the calls of the next turn, [] if there is none; to be called after the batches and after each turn.

        The turn returned before counts as made.
        """
        if self.over:
            return []
        arms, now = self._running(), self.clock()
        if self.began is None:
            if len(arms) < 2:
                self.over = True
                return []
            self.comparison.extra_turns.append(ExtraTurns(self.comparison.process))
            if not self.budget:
                return self._end("off")
            self.began, self.before = now, self._turns(self._logs(arms))
        else:
            self.made += 1
        logs, spent = self._logs(arms), now - self.began
        self._record(logs, spent)
        if len(arms) < 2:
            return self._end("failed")
        turn = spent / self.made if self.made else self._turn(arms)
        while self.made >= self.goal:
            if self.plans == 2:
                return self._end(self._why(turn))
            self._plan(logs, fitting(self.budget - spent, turn))
        if spent + turn > self.budget:
            self.cut = True
            return self._end(self._why(turn))
        orders, repeat = williams_design(len(arms)), self.comparison.request.repeats + self.made
        order = orders[(self.rounds + self.made) % len(orders)]
        return [Planned(arms[place], self.items, EXTRA, self.batch, repeat) for place in order]

    def place(self) -> str:
        """Describe the turn that ``next`` returned last, among all of this batch size: ", turn 4 of 7"."""
        return f", turn {self.before + self.made + 1} of {self.before + self.goal}"

    def ahead(self, turn: float) -> int:
        """Estimate how many more turns ``next`` will return, if one takes ``turn`` seconds."""
        if self.over or len(self.arms) < 2:
            return 0
        if self.began is None:
            return min(max(TURNS - self.expected, 0), fitting(self.budget, turn))
        return max(self.goal - self.made - 1, 0)

    def _plan(self, logs: Mapping[int, Sequence[float]], fit: int) -> None:
        """Plan the turns up to five; the second time, those up to ±3 %."""
        turns, wanted = self._turns(logs), TURNS
        if self.plans and turns > 1:
            level = level_at(self.comparison.interim_looks)
            wanted = max(TURNS, *(turns_needed(each, level) for each in logs.values()))
        more = max(wanted - turns, 0)
        self.plans, self.cut, self.goal = self.plans + 1, more > fit, self.made + min(more, fit)

    def _running(self) -> list[int]:
        """List the arms that go on: timed in this process, not failed, and without void images."""
        failed = {failure.arm for failure in self.comparison.not_run}
        timed = [
            arm for arm in self.arms if arm not in failed and not void.reason(self.comparison, arm) and self._calls(arm)
        ]
        return timed if 0 in timed else []

    def _calls(self, arm: int) -> list[Call]:
        process, calls = self.comparison.process, self.comparison.valid_calls(arm)
        return [call for call in calls if call.process == process and call.pictures == self.size]

    def _turn(self, arms: Sequence[int]) -> float:
        return sum(fmean(call.seconds for call in self._calls(arm)) for arm in arms)

    def _logs(self, arms: Sequence[int]) -> dict[int, list[float]]:
        """Return by arm the log of baseline time / arm time of every turn of this batch size, of every process."""
        return {
            arm: [
                math.log(base.seconds / call.seconds)
                for base, call in self.comparison.call_pairs(arm)
                if call.pictures == self.size
            ]
            for arm in arms
            if arm
        }

    @staticmethod
    def _turns(logs: Mapping[int, Sequence[float]]) -> int:
        return min(map(len, logs.values()), default=0)

    def _record(self, logs: Mapping[int, Sequence[float]], spent: float) -> None:
        level = level_at(self.comparison.interim_looks)
        widths = [half_width(each, level) for each in logs.values()]
        known = [width for width in widths if width is not None]
        widest = max(known) if known and len(known) == len(widths) else None
        turns = self.comparison.extra_turns
        turns[-1] = replace(turns[-1], turns=self.made, seconds=spent, half_width=widest)

    def _why(self, turn: float) -> WhyEnded:
        width = self.comparison.extra_turns[-1].half_width
        if width is not None and width <= WANTED:
            return "reached"
        if not self.cut:
            return "planned"
        return "long" if not self.made and turn > self.budget else "budget"

    def _end(self, why: WhyEnded) -> list[Planned]:
        turns, self.over = self.comparison.extra_turns, True
        turns[-1] = replace(turns[-1], why=why)
        return []


def _repeated(comparison: Comparison, work: RemainingWork) -> tuple[int, list[tuple[int, int]], list[int]]:
    """Return the repeated batch's number, its items and the arms that repeat it: the first one of the most frequent
    size that most arms have to make.
    """
    judged = {arm for arm, each in enumerate(comparison.request.arms) if each.weights is None}
    if not work.batches:
        return 0, [], []
    ((size, _),) = Counter(len(items) for _, items in work.batches.values()).most_common(1)
    alike = {number: batch for number, batch in work.batches.items() if len(batch[1]) == size}
    number = max(alike, key=lambda each: len(judged & set(alike[each][0])))
    arms, items = alike[number]
    return number, items, sorted(judged & set(arms))
