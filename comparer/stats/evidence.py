"""Measurements of one arm and the baseline as plain numbers, and the figures computed from them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from comparer.stats import fieller, intervals
from comparer.stats.intervals import Estimate
from comparer.stats.power import error_at, level_at


@dataclass(frozen=True)
class TimedCall:
    """Times of one call of both arms, with all its repeats.

    Attributes:
        baseline, arm: seconds of every repeat, turn by turn; at least one of each.
        images: images per call: calls of another shape take another time.
        prompt: number of the first image's prompt.
    """

    baseline: Sequence[float]
    arm: Sequence[float]
    images: int = 1
    prompt: int = 0


@dataclass(frozen=True)
class Evidence:
    """Times per call and scores per pair of shots.

    Attributes:
        calls: times of both arms, call by call.
        pairs: (prompt number, the baseline's score, the arm's) of each pair; a missing score is None.
        not_scored: why scores are missing.
        identical: every pair is equal bit for bit: nothing was lost, scored or not.
        adaptive: the arm's work depends on the image: its calls are then independent only if their prompts differ.
        interim_looks: 1 for figures seen for the first time, one more for each continuation after they were seen.
        arms: number of arms of the run that are judged; they share the error of quality.
    """

    calls: Sequence[TimedCall]
    pairs: Sequence[tuple[int, float | None, float | None]] = ()
    not_scored: str = "there are no scores"
    identical: bool = False
    adaptive: bool = False
    interim_looks: int = 1
    arms: int = 1

    @property
    def speed_level(self) -> float:
        """Return the level of the interval that decides on speed at this look."""
        return level_at(self.interim_looks)

    @property
    def quality_level(self) -> float:
        """Return the level of the interval that decides on quality at this look, for one of the run's arms."""
        return 1 - 2 * error_at(self.interim_looks, self.arms)

    def scored(self) -> tuple[list[float], list[float], list[int]]:
        """Return the baseline's scores, the arm's and the prompt numbers of the pairs with both scores."""
        found = [(b, a, prompt) for prompt, b, a in self.pairs if b is not None and a is not None]
        return [b for b, _, _ in found], [a for _, a, _ in found], [prompt for _, _, prompt in found]

    def log_ratios(self) -> tuple[list[float], list[int]]:
        """Return the logarithm of baseline time / arm time of every replicate, and its cluster.

        Only calls of the most frequent shape count (of the largest among equally frequent ones). The time of a fixed
        schedule depends on neither prompt nor seed, so each turn, of whichever call, is a replicate. An adaptive arm
        has one value per call, and the prompt is its cluster.
        """
        shapes = Counter(call.images for call in self.calls)
        most = max(shapes, key=lambda images: (shapes[images], images), default=0)
        calls = [call for call in self.calls if call.images == most]
        if self.adaptive:
            return intervals.log_ratios([(c.baseline, c.arm) for c in calls]), [c.prompt for c in calls]
        turns = [([b], [a]) for c in calls for b, a in zip(c.baseline, c.arm, strict=False)]
        return intervals.log_ratios(turns), list(range(len(turns)))

    def speed_up(self) -> Estimate:
        """Estimate baseline time / arm time over replicates (``log_ratios``), with the interval that decides."""
        return intervals.ratio(*self.log_ratios(), self.speed_level)

    def clip_difference(self) -> Estimate:
        """Estimate the mean of (the arm's score − the baseline's) over pairs, clustered by prompt."""
        return intervals.difference(*self.scored(), self.quality_level)

    def clip_loss(self) -> Estimate:
        """Estimate the lost share of the baseline's mean score, clustered by prompt, with the interval that decides."""
        return fieller.clip_loss(*self.scored(), self.quality_level)
