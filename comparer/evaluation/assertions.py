"""Conditions that an evaluation must meet: ``speedup>=1.5``. The whole interval is tested, not the point estimate."""

import operator
import re
from collections.abc import Callable
from dataclasses import dataclass

from comparer.errors import ComparerError
from comparer.metrics.registry import METRICS
from comparer.results import void
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.evidence import evidence
from comparer.stats.evidence import Evidence
from comparer.stats.intervals import Estimate, mean
from comparer.stats.quality import BETTER, IDENTICAL, KEPT
from comparer.stats.speed import FASTER
from comparer.stats.verdict import Thresholds
from comparer.text import decimals, quote

FIGURES: dict[str, Callable[[Evidence], Estimate]] = {
    "speedup": Evidence.speed_up,
    "clip_loss": Evidence.clip_loss,
    "clip_difference": Evidence.clip_difference,
}


WORDS: dict[str, dict[str, tuple[str, ...]]] = {
    "speed": {FASTER: (FASTER,)},
    "quality": {KEPT: (KEPT, BETTER, IDENTICAL), BETTER: (BETTER,), IDENTICAL: (IDENTICAL,)},
}
"""The words that can be asserted of each answer, and the words that meet each."""


def words() -> list[str]:
    """List the words that can be asserted, as ``parse`` reads them."""
    return [f"{answer}={word}" for answer, found in WORDS.items() for word in found]


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

    def miss(self, comparison: Comparison, arm: int, thresholds: Thresholds | None = None) -> str:  # noqa: ARG002
        """Return the reason why this arm fails the condition; "" if the arm meets it."""
        if why := comparison.skip_reason(arm):
            return f"{self} missed: the arm was not run ({why})"
        if why := void.reason(comparison, arm):
            return f"{self} missed: {why}"
        found = evidence(comparison, arm)
        if self.figure in FIGURES:
            estimate = FIGURES[self.figure](found)
        else:
            estimate = _mean(comparison, arm, self.figure, found.quality_level)
        if self.figure == "clip_loss" and estimate.value is not None:
            return self._loss_missed(found, estimate.value)
        if estimate.interval is None:
            return f"{self} missed: there is no interval, {estimate.why_not}"
        low, high = estimate.interval.low, estimate.interval.high
        held = {">=": operator.ge, "<=": operator.le}[self.sign](low if self.sign == ">=" else high, self.bound)
        digits = decimals([low, high], self.bound, 3)
        said = [f"{number:.{digits}f}" for number in (estimate.value, low, high)]
        return "" if held else f"{self} missed: {said[0]} ({said[1]} to {said[2]})"

    def _loss_missed(self, evidence: Evidence, loss: float) -> str:
        """Test a loss as the verdict does, which is possible also where the loss has no interval."""
        if evidence.identical and self.sign == "<=" and self.bound >= 0:
            return ""  # nothing was lost, whatever prompts differ by
        base, mine, prompts = evidence.scored()
        values = [a - (1 - self.bound) * b for b, a in zip(base, mine, strict=True)]
        kept = mean(values, prompts, evidence.quality_level)
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


@dataclass(frozen=True)
class WordAssertion:
    """An answer of the verdict, "speed" or "quality", and the word that it must have; a better one will do.

    Attributes:
        answer: "speed" or "quality".
        word: "faster"; "kept", "better" or "identical".
    """

    answer: str
    word: str

    def __str__(self) -> str:
        """Format in the syntax of ``parse``."""
        return f"{self.answer}={self.word}"

    def miss(self, comparison: Comparison, arm: int, thresholds: Thresholds | None = None) -> str:
        """Return the reason why this arm's verdict has another word; "" if it has this one."""
        if why := comparison.skip_reason(arm):
            return f"{self} missed: the arm was not run ({why})"
        verdict = Analysis(comparison, thresholds).arms[arm].verdict
        answer = verdict.speed if self.answer == "speed" else verdict.quality
        return "" if answer and answer.word in WORDS[self.answer][self.word] else f"{self} missed: {verdict.sentence}"


def parse(text: str) -> Assertion | WordAssertion:
    """Parse ``speedup>=1.5``, ``clip_loss<=0.02``, ``speed=faster`` or ``quality=kept``.

    Raises:
        ComparerError: invalid syntax.
    """
    said = re.fullmatch(r"\s*(speed|quality)\s*=\s*(\w+)\s*", text)
    if said and said[2] in WORDS[said[1]]:
        return WordAssertion(said[1], said[2])
    match = re.fullmatch(r"\s*(\w+)\s*(>=|<=)\s*(-?\d+(?:\.\d+)?)\s*", text)
    if not match or match[1] not in known():
        raise ComparerError(
            f"'{quote(text)}' is not an assertion: write it as speedup>=1.5 or quality=kept; the figures are "
            f"{', '.join(known())}; the words are {', '.join(words())}."
        )
    return Assertion(match[1], match[2], float(match[3]))
