"""Conditions that an evaluation must meet: ``speedup>=1.5``. The whole interval is tested, not the point estimate."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from comparer.errors import ComparerError
from comparer.metrics.registry import METRICS
from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.evidence import evidence
from comparer.stats.evidence import Evidence
from comparer.stats.intervals import Estimate, mean
from comparer.stats.power import level_at
from comparer.text import decimals, quote

FIGURES: dict[str, Callable[[Evidence, float], Estimate]] = {
    "speedup": Evidence.speed_up,
    "clip_loss": Evidence.clip_loss,
    "clip_difference": Evidence.clip_difference,
}


def known() -> list[str]:
    """List what can be asserted: the figures above, and the mean over pairs of every similarity metric."""
    return [*FIGURES, *METRICS]


@dataclass(frozen=True)
class Assertion:
    """A figure, ">=" or "<=", and a bound: the whole interval must lie on this side of the bound."""

    figure: str
    sign: str
    bound: float

    def __str__(self) -> str:
        """Format in the syntax of ``parse``."""
        return f"{self.figure}{self.sign}{self.bound:g}"

    def miss(self, comparison: Comparison, arm: int) -> str:
        """Return the reason why this arm fails the condition; "" if the arm meets it."""
        if why := comparison.skip_reason(arm):
            return f"{self} missed: the arm was not run ({why})"
        if why := void.reason(comparison, arm):
            return f"{self} missed: {why}"
        found, level = evidence(comparison, arm), level_at(comparison.interim_looks)
        if self.figure in FIGURES:
            estimate = FIGURES[self.figure](found, level)
        else:
            estimate = _mean(comparison, arm, self.figure, level)
        if self.figure == "clip_loss" and estimate.value is not None:
            return self._loss_missed(found, level, estimate.value)
        if estimate.interval is None:
            return f"{self} missed: there is no interval, {estimate.why_not}"
        low, high = estimate.interval.low, estimate.interval.high
        held = {">=": operator.ge, "<=": operator.le}[self.sign](low if self.sign == ">=" else high, self.bound)
        digits = decimals([low, high], self.bound, 3)
        said = [f"{number:.{digits}f}" for number in (estimate.value, low, high)]
        return "" if held else f"{self} missed: {said[0]} ({said[1]} to {said[2]})"

    def _loss_missed(self, evidence: Evidence, level: float, loss: float) -> str:
        """Test a loss as the verdict does, which is possible also where the loss has no interval."""
        if evidence.identical and self.sign == "<=" and self.bound >= 0:
            return ""  # nothing was lost, whatever prompts differ by
        base, mine, prompts = evidence.scored()
        kept = mean([a - (1 - self.bound) * b for b, a in zip(base, mine, strict=True)], prompts, level)
        if kept.interval is None:
            return f"{self} missed: there is no interval, {kept.why_not}"
        held = kept.interval.low >= 0 if self.sign == "<=" else kept.interval.high <= 0
        digits = decimals([loss], self.bound, 3)
        said = f"{round(loss, digits) + 0.0:.{digits}f}"  # + 0.0: never -0.000
        return "" if held else f"{self} missed: {said}, and its interval contains {self.bound:g} or lies beyond it"


def _mean(comparison: Comparison, arm: int, metric: str, level: float) -> Estimate:
    """Estimate the mean of a similarity metric over an arm's pairs, clustered by prompt."""
    pairs = [other for _, other in comparison.pairs(arm)]
    values = [shot.similarity.values.get(metric) if shot.similarity else None for shot in pairs]
    numbers = [value for value in values if value is not None]
    if len(numbers) < len(values) or not numbers:
        missing = f"{len(values) - len(numbers)} of {len(values)} pairs"
        return Estimate(why_not=f"{METRICS[metric].title} is not available, or infinite, for {missing}")
    return mean(numbers, [shot.prompt for shot in pairs], level)


def parse(text: str) -> Assertion:
    """Parse ``speedup>=1.5`` or ``clip_loss<=0.02``.

    Raises:
        ComparerError: invalid syntax.
    """
    match = re.fullmatch(r"\s*(\w+)\s*(>=|<=)\s*(-?\d+(?:\.\d+)?)\s*", text)
    if not match or match[1] not in known():
        raise ComparerError(
            f"'{quote(text)}' is not an assertion: write it as speedup>=1.5; the figures are {', '.join(known())}."
        )
    return Assertion(match[1], match[2], float(match[3]))
