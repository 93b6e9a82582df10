"""Record of a run: a request and everything measured. Plain data, no torch; ``analysis`` computes figures from it."""

from dataclasses import dataclass, field, replace
from typing import Literal

from comparer.metrics.latents import Divergence
from comparer.metrics.similarity_data import Mean
from comparer.request.request import Request
from comparer.results.conditions import Conditions
from comparer.results.records import Call, ExtraTurns, NotFinite, NotRun, Scorer, Shot

State = Literal["running", "finished", "stopped", "failed"]


@dataclass
class Comparison:
    """A request and all measurements so far.

    Attributes:
        request: what was asked for.
        created: start time, ISO 8601 in UTC.
        state: running, finished, stopped or failed.
        message: why it ended so; "" if it finished.
        environment: machine and libraries.
        checkpoint: the baseline's weights.
        scorer: what scored the images.
        calls: every timed call, in order.
        shots: every image.
        remarks: ways in which the model handled the request that its user would not expect.
        not_run: arms that could not be run.
        macs: every arm's multiply-accumulates of the denoiser per image, counted without weights; empty if they were
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
        variants: by arm, the weights of those with weights other than the baseline's.
        extra_turns: the turns that were repeated for the timing, an entry for each process that could have some.
        blocks: the arms whose calls were interleaved, block by block; empty if all were.
    """

    request: Request
    created: str = ""
    state: State = "running"
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
    extra_turns: list[ExtraTurns] = field(default_factory=list)

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

    def shot(self, arm: int, prompt: int, seed: int) -> Shot | None:
        """Return the shot of this arm, prompt number and seed; None if it is not there yet."""
        return next((s for s in self.shots if (s.arm, s.prompt, s.seed) == (arm, prompt, seed)), None)

    def pairs(self, arm: int, base: int = 0, void: bool = False) -> list[tuple[Shot, Shot]]:
        """List (baseline's shot, the arm's shot) for every (prompt, seed) that has both.

        Args:
            arm: position of the arm.
            base: arm to compare with, the baseline by default.
            void: whether to list void pairs, too: those with an image whose numbers are not finite.
        """
        shots = {(shot.arm, shot.prompt, shot.seed): shot for shot in self.shots if void or not shot.not_finite}
        found = ((shots.get((base, *item)), shots.get((arm, *item))) for item in self.request.items())
        return [(one, other) for one, other in found if one and other]

    def valid_calls(self, arm: int) -> list[Call]:
        """List the arm's calls in order, without those of a batch in which one of its images is void."""
        void = {(shot.prompt, shot.seed) for shot in self.shots if shot.arm == arm and shot.not_finite}
        calls = [call for call in self.calls if call.arm == arm]
        return [call for call in calls if void.isdisjoint(self.batches[call.batch])] if void else calls

    def mark_void(self, arm: int, prompt: int, seed: int, where: NotFinite) -> None:
        """Mark a shot as void because of a repeat of it; drop what was measured of it and, for the baseline's, with it.

        Args:
            arm: position of the shot's arm.
            prompt: number of its prompt.
            seed: its seed.
            where: where the NaN or the infinity was, as in ``Shot.not_finite``; "" changes nothing.
        """
        for position, shot in enumerate(self.shots if where else ()):
            if (shot.arm, shot.prompt, shot.seed) == (arm, prompt, seed):
                self.shots[position] = replace(
                    shot, not_finite=shot.not_finite or where, clip_score=None, similarity=None, again=()
                )
            elif not arm and (shot.prompt, shot.seed) == (prompt, seed):
                of_it = self.scorer.context is None  # the score is a similarity to it, too
                score = None if of_it else shot.clip_score
                self.shots[position] = replace(shot, similarity=None, clip_score=score)

    @property
    def incomplete(self) -> bool:
        """Whether something that was asked for is missing: an arm could not be run, or an image is void."""
        return self.has_void or not all(each.unneeded for each in self.not_run)

    @property
    def has_void(self) -> bool:
        """Whether an image is void: its numbers are NaN or infinite."""
        return any(shot.not_finite for shot in self.shots)

    def call_pairs(self, arm: int) -> list[tuple[Call, Call]]:
        """List (baseline's call, the arm's call) of every batch and repeat for which one process made both.

        Calls with a void image are left out.
        """
        mine, base = ({(c.batch, c.process, c.repeat): c for c in self.valid_calls(which)} for which in (arm, 0))
        return [(base[which], call) for which, call in sorted(mine.items()) if which in base]
