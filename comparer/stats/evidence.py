"""Measurements of one arm and the baseline as plain numbers, and the figures computed from them."""

from collections.abc import Sequence
from dataclasses import dataclass

from comparer.stats import fieller, intervals
from comparer.stats.intervals import LEVEL, Estimate


@dataclass(frozen=True)
class Evidence:
    """Times per call and scores per pair of shots.

    Attributes:
        calls: (the baseline's seconds, the arm's seconds) of each call, one per repeat.
        pairs: (prompt number, the baseline's CLIP score, the arm's) of each pair; a missing score is None.
        not_scored: why scores are missing.
        same_pictures: every pair is equal bit for bit: nothing was lost, scored or not.
        prompt_count, seed_count, batch_size: of the request.
        look: 1 for figures seen for the first time, one more for each continuation after they were seen.
    """

    calls: Sequence[tuple[Sequence[float], Sequence[float]]]
    pairs: Sequence[tuple[int, float | None, float | None]] = ()
    not_scored: str = "there are no scores"
    same_pictures: bool = False
    prompt_count: int = 1
    seed_count: int = 1
    batch_size: int = 1
    interim_looks: int = 1

    def scored(self) -> tuple[list[float], list[float], list[int]]:
        """Return the baseline's scores, the arm's and the prompt numbers of the pairs with both scores."""
        found = [(b, a, prompt) for prompt, b, a in self.pairs if b is not None and a is not None]
        return [b for b, _, _ in found], [a for _, a, _ in found], [prompt for _, _, prompt in found]

    def speed_up(self, level: float = LEVEL) -> Estimate:
        """Estimate baseline time / arm time over calls."""
        return intervals.speed_up(self.calls, level)

    def clip_difference(self, level: float = LEVEL) -> Estimate:
        """Estimate the mean of (the arm's CLIP score − the baseline's) over shots, clustered by prompt."""
        return intervals.difference(*self.scored(), level)

    def clip_loss(self, level: float = LEVEL) -> Estimate:
        """Estimate the lost share of the baseline's mean CLIP score, clustered by prompt."""
        return fieller.clip_loss(*self.scored(), level)
