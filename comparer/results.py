"""What was seen: calls, shots and the figures drawn from them. Plain data and arithmetic, no torch."""

import math
from dataclasses import asdict, dataclass, field
from statistics import fmean

from comparer.accelerators import Report
from comparer.evidence import Evidence
from comparer.request import Request
from comparer.statistics import Estimate, drift
from comparer.verdict import DEFAULT, Thresholds, Verdict, judge

SCHEMA = 1


@dataclass(frozen=True)
class Call:
    """One timed pipeline call of one arm: a batch of one or more pictures.

    Attributes:
        arm, batch: positions in ``request.arms`` and in the comparison's ``batches``.
        pictures: how many pictures it made.
        seconds: wall time of the whole call, the device synchronised on both sides.
        stages: seconds of "text" (everything before the first denoising step), "denoising" and "decoding".
        steps: seconds of each denoising step.
        peak_bytes: peak memory allocated on a GPU during the call; None elsewhere.
        reports: what each accelerator did: name -> {"counts": {...}, "schedule": "F.."}.
        repeat: which repeat of its batch, from 0; its pictures were kept if it is the first.
        process: which process made it, from 0: a run that was continued has several.
        pixels: a digest of every picture's pixels.
    """

    arm: int
    batch: int
    pictures: int
    seconds: float
    stages: dict[str, float]
    steps: tuple[float, ...]
    peak_bytes: int | None = None
    reports: dict[str, dict] = field(default_factory=dict)
    repeat: int = 0
    process: int = 0
    pixels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Shot:
    """One picture of one arm for one (prompt, seed).

    ``file`` is its PNG's name in the run folder, ``call`` the position of its call, ``clip_score`` None where
    it was not scored, ``pixels`` a digest of its pixels: equal digests are equal pictures.
    """

    arm: int
    prompt: int
    seed: int
    file: str
    call: int
    clip_score: float | None = None
    pixels: str = ""


@dataclass(frozen=True)
class Scorer:
    """Which CLIP scored, or why none did.

    Attributes:
        name: architecture and weights, or "" where nothing was scored.
        why_not: the reason where nothing was scored.
        truncated: the prompts (numbers from 0) that were cut to the scorer's context.
        context: the scorer's context length in tokens, start and end included.
    """

    name: str = ""
    why_not: str = ""
    truncated: tuple[int, ...] = ()
    context: int = 77


@dataclass(frozen=True)
class NotRun:
    """An arm that could not be run, or not to its end, and why."""

    arm: int
    reason: str


@dataclass
class Comparison:
    """A request and everything seen so far.

    Attributes:
        state: running, finished, stopped or failed.
        remarks: what the model did with the request that its user would not expect.
        not_run: arms that could not be run.
        macs: every arm's multiply-accumulates of the denoiser for one picture, counted without weights; () where
            they were not counted.
        batches: the (prompt number, seed)s of every call, by batch number; the request's unless the run was continued.
        process: the number of the process that computes, from 0.
        looks: how often its figures were looked at: 1, and one more for each continuation after they were seen.
    """

    request: Request
    created: str = ""
    state: str = "running"
    message: str = ""
    environment: dict = field(default_factory=dict)
    checkpoint: dict = field(default_factory=dict)
    scorer: Scorer = field(default_factory=Scorer)
    calls: list[Call] = field(default_factory=list)
    shots: list[Shot] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    not_run: list[NotRun] = field(default_factory=list)
    macs: tuple[int, ...] = ()
    batches: list[list[tuple[int, int]]] = field(default_factory=list)
    process: int = 0
    looks: int = 1

    def __post_init__(self) -> None:
        """Cut the request into batches where nobody has."""
        self.batches = self.batches or self.request.batches()

    def why_not(self, arm: int) -> str:
        """Return why this arm was not run, "" where it was."""
        return next((failure.reason for failure in self.not_run if failure.arm == arm), "")

    def no_effect(self, arm: int) -> list[str]:
        """Say which of this arm's lossy accelerators had no effect, and the likely reason; [] where all had one.

        One had none if its counters say so, or if every picture of the arm is the baseline's, bit for bit.
        """
        accelerators = [a for a in self.request.arms[arm].accelerators if a.lossy]
        counted = self.figures(arm).reports
        found = [a.no_effect(Report(counted[a.title])) for a in accelerators if a.title in counted]
        said = [reason for reason in found if reason]
        pairs = self.pairs(arm) if accelerators and not said else []
        if pairs and all(base.pixels and base.pixels == other.pixels for base, other in pairs):
            said.append(f"{self.request.arms[arm].name}: every picture is the baseline's, bit for bit.")
        return said

    def did(self, arm: int) -> str:
        """Say what the arm's accelerators did in all its calls: "DeepCache: 9 full, 16 shallow"."""
        counted = self.figures(arm).reports
        accelerators = (a for a in self.request.arms[arm].accelerators if a.title in counted)
        return "; ".join(f"{a.title}: {a.did(counted[a.title])}" for a in accelerators)

    def shot(self, arm: int, prompt: int, seed: int) -> Shot | None:
        """Return the shot of this arm, prompt number and seed if it is there yet."""
        return next((s for s in self.shots if (s.arm, s.prompt, s.seed) == (arm, prompt, seed)), None)

    def pairs(self, arm: int) -> list[tuple[Shot, Shot]]:
        """List (baseline's shot, the arm's shot) for every (prompt, seed) that has both."""
        shots = {(shot.arm, shot.prompt, shot.seed): shot for shot in self.shots}
        found = ((shots.get((0, *item)), shots.get((arm, *item))) for item in self.request.items())
        return [(base, other) for base, other in found if base and other]

    def call_pairs(self, arm: int) -> list[tuple[Call, Call]]:
        """List (baseline's call, the arm's call) of every batch and repeat that both have made."""
        mine, base = ({(c.batch, c.repeat): c for c in self.calls if c.arm == which} for which in (arm, 0))
        return [(base[which], call) for which, call in sorted(mine.items()) if which in base]

    def evidence(self, arm: int) -> Evidence:
        """Gather the arm's times by call, with all repeats of a call together, and its scores by pair."""
        times: dict[int, tuple[list[float], list[float]]] = {}
        for call in self.calls:
            for which, seconds in zip((0, arm), times.setdefault(call.batch, ([], [])), strict=True):
                if call.arm == which:
                    seconds.append(call.seconds)
        pairs, settings = self.pairs(arm), self.request.settings
        return Evidence(
            calls=[sides for _, sides in sorted(times.items()) if all(sides)],
            pairs=[(base.prompt, base.clip_score, other.clip_score) for base, other in pairs],
            not_scored=self.scorer.why_not or Evidence.not_scored,
            same_pictures=bool(pairs) and all(base.pixels and base.pixels == other.pixels for base, other in pairs),
            prompt_count=len(settings.prompts),
            seed_count=len(settings.seeds),
            batch_size=settings.batch_size,
            look=self.looks,
        )

    def drift(self) -> Estimate:
        """Estimate how much slower the baseline's later calls were; the first call's number of pictures counts."""
        calls = [call for call in self.calls if call.arm == 0]
        return drift([call.seconds for call in calls if call.pictures == calls[0].pictures])

    def verdict(self, arm: int, thresholds: Thresholds = DEFAULT) -> Verdict:
        """Say in one sentence whether the arm is worth it."""
        return judge(self.evidence(arm), thresholds)

    def figures(self, arm: int) -> "Figures":
        """Draw the arm's figures from its pairs with the baseline."""
        calls = [call for call in self.calls if call.arm == arm]
        pairs, call_pairs = self.pairs(arm), self.call_pairs(arm)
        scored = [
            (base.clip_score, other.clip_score)
            for base, other in pairs
            if base.clip_score is not None and other.clip_score is not None
        ]
        base_mean, mean = (_mean([scores[side] for scores in scored]) for side in (0, 1))
        peaks = [call.peak_bytes for call in calls if call.peak_bytes is not None]
        reports: dict[str, dict[str, int]] = {}
        for call in calls:
            for name, report in call.reports.items():
                total = reports.setdefault(name, {})
                for key, count in report["counts"].items():
                    total[key] = total.get(key, 0) + count
        return Figures(
            calls=len(calls),
            pictures=sum(call.pictures for call in calls if call.repeat == 0),
            seconds=_mean([call.seconds / call.pictures for call in calls]),
            steps_per_second=_mean([self.request.settings.steps / call.stages["denoising"] for call in calls]),
            speed_up=geometric_mean([b.seconds / o.seconds for b, o in call_pairs]),
            denoising_speed_up=geometric_mean([b.stages["denoising"] / o.stages["denoising"] for b, o in call_pairs]),
            clip_score=mean,
            clip_loss=(base_mean - mean) / base_mean
            if base_mean is not None and mean is not None and base_mean >= 1
            else None,
            scored=len(scored),
            peak_bytes=max(peaks, default=None),
            reports=reports,
            mac_ratio=self.macs[0] / self.macs[arm] if self.macs else None,
        )

    def to_json(self) -> dict:
        """Return plain data for ``run.json``."""
        data = {"schema": SCHEMA, **{k: v for k, v in asdict(self).items() if k != "request"}}
        return data | {"request": self.request.to_json(), "figures": [asdict(f) for f in self.all_figures()]}

    def all_figures(self) -> list["Figures"]:
        """Draw the figures of every arm, the baseline's against itself first."""
        return [self.figures(arm) for arm in range(len(self.request.arms))]

    @classmethod
    def from_json(cls, data: dict) -> "Comparison":
        """Build a comparison from ``to_json``'s data; figures are drawn anew."""
        kept = {k: v for k, v in data.items() if k not in ("schema", "figures")}
        return cls(
            **kept
            | {
                "request": Request.from_json(data["request"]),
                "scorer": Scorer(**data["scorer"] | {"truncated": tuple(data["scorer"]["truncated"])}),
                "calls": [
                    Call(**call | {"steps": tuple(call["steps"]), "pixels": tuple(call.get("pixels", ()))})
                    for call in data["calls"]
                ],
                "shots": [Shot(**shot) for shot in data["shots"]],
                "not_run": [NotRun(**failure) for failure in data.get("not_run", [])],
                "macs": tuple(data.get("macs", ())),
                "batches": [[tuple(item) for item in batch] for batch in data.get("batches", [])],
            }
        )


@dataclass(frozen=True)
class Figures:
    """One arm's figures. None means: not known, or undefined.

    Attributes:
        calls, pictures: how many were made; ``scored`` counts the pairs with CLIP scores on both sides.
        seconds: mean seconds a picture, over calls.
        steps_per_second: denoising steps a second (it/s), whatever the batch; a step of Heun's is two evaluations.
        speed_up: geometric mean over calls of baseline time / arm time, of the whole call.
        denoising_speed_up: the same, of the denoising alone.
        clip_score: mean of 100·max(cos, 0) over the scored pairs.
        clip_loss: (baseline's mean − mean) / baseline's mean; None below a baseline mean of 1.
        peak_bytes: largest peak of its calls.
        reports: accelerator -> counter -> sum over calls.
        mac_ratio: the baseline's multiply-accumulates / the arm's, of the denoiser: the speed-up of its denoising
            that could be had if time were work.
    """

    calls: int
    pictures: int
    seconds: float | None
    steps_per_second: float | None
    speed_up: float | None
    denoising_speed_up: float | None
    clip_score: float | None
    clip_loss: float | None
    scored: int
    peak_bytes: int | None
    reports: dict[str, dict[str, int]]
    mac_ratio: float | None = None


def geometric_mean(ratios: list[float]) -> float | None:
    """Return exp of the mean logarithm; None for no ratios.

    >>> geometric_mean([2.0, 0.5])
    1.0
    """
    return math.exp(fmean(map(math.log, ratios))) if ratios else None


def _mean(values: list[float]) -> float | None:
    return fmean(values) if values else None
