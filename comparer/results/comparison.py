"""Record of a run: a request, everything measured, and the figures computed from it. Plain data, no torch."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields
from typing import Any

from comparer.accelerators.registry import Report
from comparer.errors import ComparerError
from comparer.metrics.latents import Divergence
from comparer.metrics.similarity_data import Mean, RelativeDistance, Similarity, mean, relative_distance
from comparer.request.request import Request
from comparer.results.conditions import Conditions
from comparer.results.figures import Figures, average, geometric_mean, middle, share
from comparer.results.records import Call, NotRun, Scorer, Shot
from comparer.stats.evidence import Evidence
from comparer.stats.intervals import Estimate, drift
from comparer.stats.preference import prefer
from comparer.stats.verdict import DEFAULT, Thresholds, Verdict, judge
from comparer.text import quote

SCHEMA = 1
ON_DISK = {"interim_looks": "looks"}  # names on disk stay
IN_CODE = {name: field for field, name in ON_DISK.items()}
BY_ARM = ("conditions", "divergence", "resident", "reserved", "variants")


@dataclass
class Comparison:
    """A request and all measurements so far.

    Attributes:
        state: running, finished, stopped or failed.
        remarks: ways in which the model handled the request that its user would not expect.
        not_run: arms that could not be run.
        macs: every arm's multiply-accumulates of the denoiser per image, counted without weights; () if they were
            not counted.
        batches: the (prompt number, seed)s of every call, by batch number; the request's unless the run was resumed.
        process: index of the current process, from 0.
        interim_looks: how often its figures were looked at: 1, plus one per continuation after they were seen.
        conditions: by arm, the conditions of its calls.
        seed_distance: mean similarity between the baseline's images of one prompt and different seeds.
        not_available: similarity metrics that are unavailable, each with how to enable it.
        divergence: by arm, the distance of its latents from the baseline's for the first call's images.
        resident: by arm, peak bytes of a process that made a call of this arm and nothing else, on a CPU.
        reserved: by arm, bytes reserved by torch at the peak of its first warm-up, on a GPU.
        checkpoint: the baseline's weights card: files with hashes, components with fingerprints and health.
        variants: by arm, the weights card of those with weights other than the baseline's.
        blocks: the arms whose calls were interleaved, block by block; [] if all were.
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
    interim_looks: int = 1
    conditions: dict[int, Conditions] = field(default_factory=dict)
    seed_distance: Mean | None = None
    not_available: tuple[str, ...] = ()
    divergence: dict[int, list[Divergence]] = field(default_factory=dict)
    resident: dict[int, int] = field(default_factory=dict)
    reserved: dict[int, int] = field(default_factory=dict)
    variants: dict[int, dict] = field(default_factory=dict)
    blocks: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Split the request into batches if none are given."""
        self.batches = self.batches or self.request.batches()

    def card(self, arm: int) -> dict:
        """Return an arm's weights card: its own if it has other weights, else the baseline's."""
        return self.variants.get(arm, self.checkpoint)

    def model_hash(self, arm: int) -> str:
        """Return the SHA-256 of the first file that the arm's denoiser is read from; "" if unknown."""
        files = self.card(arm).get("files", {}).values()
        known = (file for file in files if isinstance(file, dict) and {"unet", "transformer"} & set(file["fills"]))
        return next((file["sha256"] for file in known), "")

    def skip_reason(self, arm: int) -> str:
        """Return why this arm was not run; "" if it was."""
        return next((failure.reason for failure in self.not_run if failure.arm == arm), "")

    def no_effect_reasons(self, arm: int) -> list[str]:
        """List which of this arm's lossy accelerators had no effect, and the likely reason; [] if all had one.

        An accelerator had none if its counters say so, or if every image of the arm is the baseline's, bit for bit.
        """
        accelerators = [a for a in self.request.arms[arm].accelerators if a.lossy]
        counted = self.figures(arm).reports
        found = [a.no_effect(Report(counted[a.title])) for a in accelerators if a.title in counted]
        said = [reason for reason in found if reason]
        pairs = self.pairs(arm) if accelerators and not said else []
        if pairs and all(base.pixels and base.pixels == other.pixels for base, other in pairs):
            said.append(f"{self.request.arms[arm].name}: every picture is the baseline's, bit for bit.")
        return said

    def describe_work(self, arm: int) -> str:
        """Describe the arm's work over all its calls: "DeepCache: 9 full, 16 shallow", or "11 of 25 steps"."""
        if (steps := self.request.arms[arm].steps) is not None:
            return f"{steps} of {self.request.settings.steps} steps"
        counted = self.figures(arm).reports
        accelerators = (a for a in self.request.arms[arm].accelerators if a.title in counted)
        return "; ".join(f"{a.title}: {a.did(counted[a.title])}" for a in accelerators)

    def shot(self, arm: int, prompt: int, seed: int) -> Shot | None:
        """Return the shot of this arm, prompt number and seed; None if it is not there yet."""
        return next((s for s in self.shots if (s.arm, s.prompt, s.seed) == (arm, prompt, seed)), None)

    def pairs(self, arm: int, base: int = 0) -> list[tuple[Shot, Shot]]:
        """List (baseline's shot, the arm's shot) for every (prompt, seed) that has both."""
        shots = {(shot.arm, shot.prompt, shot.seed): shot for shot in self.shots}
        found = ((shots.get((base, *item)), shots.get((arm, *item))) for item in self.request.items())
        return [(one, other) for one, other in found if one and other]

    def call_pairs(self, arm: int) -> list[tuple[Call, Call]]:
        """List (baseline's call, the arm's call) of every batch and repeat for which one process made both."""
        mine, base = ({(c.batch, c.process, c.repeat): c for c in self.calls if c.arm == which} for which in (arm, 0))
        return [(base[which], call) for which, call in sorted(mine.items()) if which in base]

    def evidence(self, arm: int, base: int = 0) -> Evidence:
        """Collect the arm's times per call, with all repeats of a call together, and its scores per pair.

        Args:
            arm: position of the arm.
            base: arm to compare with, the baseline by default.
        """
        times: dict[tuple[int, int], tuple[list[float], list[float]]] = {}
        for call in self.calls:
            sides = times.setdefault((call.batch, call.process), ([], []))
            for which, seconds in zip((base, arm), sides, strict=True):
                if call.arm == which:
                    seconds.append(call.seconds)
        pairs, settings = self.pairs(arm, base), self.request.settings
        return Evidence(
            calls=[sides for _, sides in sorted(times.items()) if all(sides)],
            pairs=[(one.prompt, one.clip_score, other.clip_score) for one, other in pairs],
            not_scored=self.scorer.why_not or Evidence.not_scored,
            same_pictures=bool(pairs) and all(one.pixels and one.pixels == other.pixels for one, other in pairs),
            prompt_count=len(settings.prompts),
            seed_count=len(settings.seeds),
            batch_size=settings.batch_size,
            interim_looks=self.interim_looks,
        )

    def drift(self) -> Estimate:
        """Estimate the slowdown of the baseline's later calls, among calls with as many images as the first one."""
        calls = [call for call in self.calls if call.arm == 0]
        return drift([call.seconds for call in calls if call.pictures == calls[0].pictures])

    def verdict(self, arm: int, thresholds: Thresholds = DEFAULT) -> Verdict:
        """Return the verdict: whether the arm is worth it or, if it has other weights, which scores higher."""
        evidence = self.evidence(arm)
        return prefer(evidence) if self.request.arms[arm].weights else judge(evidence, thresholds)

    def similarity(self, arm: int) -> Mean | None:
        """Average the similarity of the arm's images and the baseline's; None if no pair was measured."""
        return mean([other.similarity for _, other in self.pairs(arm) if other.similarity])

    def noise_floor(self) -> Mean | None:
        """Average the similarity of the baseline's images and those of its further runs; None if it ran once."""
        return mean([each for shot in self.shots if shot.arm == 0 for each in shot.again])

    def relative_distance(self, arm: int) -> RelativeDistance | None:
        """Return where the arm's images lie between the baseline's and another seed's; None as ``similarity``."""
        found = self.similarity(arm)
        return relative_distance(found, self.seed_distance, self.noise_floor()) if found else None

    def times(self) -> list[tuple[str, list[float]]]:
        """List (name, seconds per image of every timed call) of each arm that has been timed."""
        made = ([c.seconds / c.pictures for c in self.calls if c.arm == arm] for arm in range(len(self.request.arms)))
        return [(arm.name, seconds) for arm, seconds in zip(self.request.arms, made, strict=True) if seconds]

    def time_share(self, arm: int) -> float | None:
        """Return the arm's mean seconds per image / the baseline's, over the calls of both; None without any."""
        pairs = self.call_pairs(arm)
        mine, base = (average([pair[side].seconds / pair[side].pictures for pair in pairs]) for side in (1, 0))
        return share(mine, base)

    def peak(self, arm: int) -> int | None:
        """Return the arm's peak memory in bytes: allocated on a GPU, resident on a CPU; None if not measured."""
        return self.figures(arm).peak_bytes or self.resident.get(arm)

    def figures(self, arm: int) -> Figures:
        """Compute the arm's figures from its pairs with the baseline."""
        calls = [call for call in self.calls if call.arm == arm]
        seconds, steps = [call.seconds / call.pictures for call in calls], self.request.settings_of(arm).steps
        pairs, call_pairs = self.pairs(arm), self.call_pairs(arm)
        scored = [
            (base.clip_score, other.clip_score)
            for base, other in pairs
            if base.clip_score is not None and other.clip_score is not None
        ]
        base_mean, own_mean = (average([scores[side] for scores in scored]) for side in (0, 1))
        peaks = [call.peak_bytes for call in calls if call.peak_bytes is not None]
        reports: dict[str, dict[str, int]] = {}
        for call in calls:
            for name, report in call.reports.items():
                total = reports.setdefault(name, {})
                for key, count in report["counts"].items():
                    total[key] = total.get(key, 0) + count
        return Figures(
            calls=len(calls),
            pictures=len([shot for shot in self.shots if shot.arm == arm]),
            seconds=average(seconds),
            fastest=min(seconds, default=None),
            median_seconds=middle(seconds),
            slowest=max(seconds, default=None),
            steps_per_second=average([steps / call.stages["denoising"] for call in calls]),
            speed_up=geometric_mean([b.seconds / o.seconds for b, o in call_pairs]),
            denoising_speed_up=geometric_mean([b.stages["denoising"] / o.stages["denoising"] for b, o in call_pairs]),
            clip_score=own_mean,
            clip_loss=(base_mean - own_mean) / base_mean
            if base_mean is not None and own_mean is not None and base_mean >= 1
            else None,
            scored=len(scored),
            peak_bytes=max(peaks, default=None),
            reports=reports,
            mac_ratio=self.macs[0] / self.macs[arm] if self.macs else None,
        )

    def to_json(self) -> dict:
        """Return plain data for ``run.json``; after the run has ended, with verdicts by the default thresholds."""
        data = {"schema": SCHEMA, **{ON_DISK.get(k, k): v for k, v in asdict(self).items() if k != "request"}}
        data |= {name: {str(arm): value for arm, value in data[name].items()} for name in BY_ARM}
        data |= {"request": self.request.to_json(), "figures": [asdict(f) for f in self.all_figures()]}
        if self.state != "running":  # they take their time
            judged = (arm for arm in range(1, len(self.request.arms)) if self.call_pairs(arm))
            data["verdicts"] = {str(arm): asdict(self.verdict(arm)) for arm in judged}
        return data

    def all_figures(self) -> list[Figures]:
        """Compute the figures of every arm, starting with the baseline against itself."""
        return [self.figures(arm) for arm in range(len(self.request.arms))]

    @classmethod
    def from_json(cls, data: dict) -> "Comparison":
        """Build a comparison from ``to_json``'s data of any version up to the current one; figures are recomputed.

        Unknown fields are ignored: a later version may have more of them under the same version number
        (docs/run-format.md).

        Raises:
            ComparerError: the version number is later than the current one, or the request is invalid.
        """
        if (found := data["schema"]) > SCHEMA:
            raise ComparerError(
                f"This run has the format {quote(found)}, and this Comparer reads formats up to {SCHEMA}: "
                "open it with a newer Comparer."
            )
        distance = data.get("seed_distance")
        return cls(
            **_known(cls, {IN_CODE.get(name, name): value for name, value in data.items()})
            | {
                "request": Request.from_json(data["request"]),
                "scorer": Scorer(**_known(Scorer, data["scorer"]) | {"truncated": tuple(data["scorer"]["truncated"])}),
                "calls": [
                    Call(
                        **_known(Call, call) | {"steps": tuple(call["steps"]), "pixels": tuple(call.get("pixels", ()))}
                    )
                    for call in data["calls"]
                ],
                "shots": [_shot(shot) for shot in data["shots"]],
                "not_run": [NotRun(**_known(NotRun, failure)) for failure in data.get("not_run", [])],
                "macs": tuple(data.get("macs", ())),
                "not_available": tuple(data.get("not_available", ())),
                "batches": [[tuple(item) for item in batch] for batch in data.get("batches", [])],
                "conditions": _by_arm(data, "conditions", Conditions.from_json),
                "seed_distance": Mean(**_known(Mean, distance)) if distance else None,
                "divergence": _by_arm(data, "divergence", lambda all_: [Divergence.from_json(each) for each in all_]),
                "resident": _by_arm(data, "resident", int),
                "reserved": _by_arm(data, "reserved", int),
                "variants": _by_arm(data, "variants", dict),
            }
        )


def _known(kind: Any, data: dict) -> dict:
    """Return what of the data a dataclass has."""
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in data.items() if name in names}


def _by_arm(data: dict, name: str, read: Callable[[Any], Any]) -> dict[int, Any]:
    """Read what is kept by arm: the keys of JSON are text."""
    return {int(arm): read(value) for arm, value in data.get(name, {}).items()}


def _shot(data: dict) -> Shot:
    alike = data.get("similarity")
    again = tuple(Similarity(**_known(Similarity, each)) for each in data.get("again", ()))
    similarity = Similarity(**_known(Similarity, alike)) if alike else None
    return Shot(**_known(Shot, data) | {"similarity": similarity, "again": again})
