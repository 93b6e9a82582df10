"""Analysis of a comparison: figures, intervals, verdict and similarity of every arm, each computed once."""

from functools import cached_property

from comparer.accelerators.registry import Report
from comparer.metrics.similarity_data import Mean, RelativeDistance, mean, relative_distance
from comparer.request.request import Arm
from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.evidence import evidence
from comparer.results.figures import Figures, figures, share
from comparer.results.records import Call
from comparer.stats.evidence import Evidence
from comparer.stats.fieller import clip_loss
from comparer.stats.intervals import Estimate, drift
from comparer.stats.verdict import NOT_COMPARABLE, Thresholds, Verdict, judge


class Analysis:
    """What a comparison shows. A value is computed when it is first asked for, and kept.

    Attributes:
        comparison: the record, finished or not; it must not change afterwards.
        thresholds: thresholds of the verdicts; the request's by default.
        arms: the analysis of every arm, the baseline first.
    """

    def __init__(self, comparison: Comparison, thresholds: Thresholds | None = None) -> None:
        self.comparison, self.thresholds = comparison, thresholds or comparison.request.thresholds
        self.arms = [ArmAnalysis(self, number) for number in range(len(comparison.request.arms))]

    @cached_property
    def drift(self) -> Estimate:
        """Slowdown of the baseline's later calls, among calls with as many images as the first one."""
        calls = self.comparison.valid_calls(0)
        return drift([call.seconds for call in calls if call.pictures == calls[0].pictures])

    @cached_property
    def noise_floor(self) -> Mean | None:
        """Mean similarity of the baseline's images and those of its further runs; None if it ran once."""
        return mean([each for shot in self.comparison.shots if shot.arm == 0 for each in shot.again])

    @property
    def times(self) -> list[tuple[str, list[float]]]:
        """Name and seconds per image of every timed call, of each arm that has been timed."""
        made = ([call.seconds / call.pictures for call in each.calls] for each in self.arms)
        return [(each.arm.name, seconds) for each, seconds in zip(self.arms, made, strict=True) if seconds]


class ArmAnalysis:
    """What a comparison shows of one arm, most of it against the baseline. Values are kept as ``Analysis`` keeps them.

    Attributes:
        number: position of the arm; 0 is the baseline.
    """

    def __init__(self, whole: Analysis, number: int) -> None:
        self.whole, self.number = whole, number

    @property
    def arm(self) -> Arm:
        """The arm as requested."""
        return self.whole.comparison.request.arms[self.number]

    @cached_property
    def calls(self) -> list[Call]:
        """The arm's timed calls, in order, without those that made a void image."""
        return self.whole.comparison.valid_calls(self.number)

    @cached_property
    def figures(self) -> Figures:
        """Plain figures, from the arm's calls and its pairs with the baseline."""
        return figures(self.whole.comparison, self.number)

    @cached_property
    def evidence(self) -> Evidence:
        """Times per call and scores per pair."""
        return evidence(self.whole.comparison, self.number)

    @cached_property
    def speed_up(self) -> Estimate:
        """Speed-up over turns, with the interval that decides."""
        return self.evidence.speed_up()

    @cached_property
    def clip_difference(self) -> Estimate:
        """Mean difference in CLIP score, arm − baseline, with the interval that decides."""
        return self.evidence.clip_difference()

    @cached_property
    def clip_loss(self) -> Estimate:
        """Lost share of the baseline's mean CLIP score, with the interval that decides."""
        return self.evidence.clip_loss()

    @cached_property
    def loss_above_floor(self) -> Estimate:
        """Lost share of what the baseline's mean score has above that of wrong prompts, with the interval that decides.

        (baseline − arm) / (baseline − floor), the floor taken as known; without a value if it is not.
        """
        floor = self.whole.comparison.scorer.floor
        if floor is None:
            return Estimate(why_not="no score of wrong prompts")
        base, arm, prompts = self.evidence.scored()
        return clip_loss([each - floor for each in base], [each - floor for each in arm], prompts)

    @cached_property
    def not_comparable(self) -> str:
        """Why nothing is concluded on this arm, with what helps; "" if something is."""
        return void.reason(self.whole.comparison, self.number)

    @cached_property
    def verdict(self) -> Verdict:
        """Whether the arm is faster, and whether it keeps the quality."""
        if self.not_comparable:
            return Verdict(NOT_COMPARABLE, self.not_comparable)
        comparison = self.whole.comparison
        return judge(
            self.evidence,
            self.whole.thresholds,
            self.arm.weights is not None,
            comparison.scorer.short,
            comparison.request.limits.prompts,
        )

    @cached_property
    def similarity(self) -> Mean | None:
        """Mean similarity of the arm's images and the baseline's; None if no pair was measured."""
        pairs = self.whole.comparison.pairs(self.number)
        return mean([other.similarity for _, other in pairs if other.similarity])

    @cached_property
    def relative_distance(self) -> RelativeDistance | None:
        """Where the arm's images lie between the baseline's and another seed's; None as ``similarity``."""
        found, seeds = self.similarity, self.whole.comparison.seed_distance
        return relative_distance(found, seeds, self.whole.noise_floor) if found else None

    @cached_property
    def time_share(self) -> float | None:
        """The arm's time / the baseline's, the inverse of the speed-up; None without paired calls."""
        return share(1.0, self.figures.speed_up)

    @property
    def peak(self) -> int | None:
        """Peak memory in bytes: allocated on a GPU, resident on a CPU; None if not measured."""
        return self.figures.peak_bytes or self.whole.comparison.resident.get(self.number)

    @cached_property
    def no_effect_reasons(self) -> list[str]:
        """Which of the arm's lossy accelerators had no effect, and the likely reason; [] if all had one.

        An accelerator had none if its counters say so, or if every image of the arm is the baseline's, bit for bit.
        Nothing is said of an arm that is not comparable.
        """
        if self.not_comparable:
            return []
        accelerators, counted = [a for a in self.arm.accelerators if a.lossy], self.figures.reports
        found = [a.no_effect(Report(counted[a.title])) for a in accelerators if a.title in counted]
        said = [reason for reason in found if reason]
        if accelerators and not said and self.evidence.identical:
            said.append(f"{self.arm.name}: every picture is the baseline's, bit for bit.")
        return said

    @property
    def work(self) -> str:
        """The arm's work over all its calls: "DeepCache: 9 full, 16 shallow", or "11 of 25 steps"."""
        if self.arm.steps is not None:
            return f"{self.arm.steps} of {self.whole.comparison.request.settings.steps} steps"
        counted = self.figures.reports
        return "; ".join(f"{a.title}: {a.did(counted[a.title])}" for a in self.arm.accelerators if a.title in counted)
