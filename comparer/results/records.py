"""Records of a run: its calls, its shots, its scorer, and the arms that were not run. Plain data, no torch."""

from dataclasses import dataclass, field
from typing import Literal

from comparer.metrics.similarity_data import Similarity

NotFinite = Literal["", "latents", "decoded"]
WhyEnded = Literal["reached", "planned", "budget", "long", "failed", "stopped", "off"]


@dataclass(frozen=True)
class Call:
    """One timed pipeline call of one arm: a batch of one or more images.

    Attributes:
        arm: position of the arm in ``request.arms``.
        batch: position of the batch in ``batches``.
        pictures: number of images of the call.
        seconds: wall time of the whole call, the device synchronised on both sides.
        stages: seconds of the parts of the call.
        steps: seconds of each denoising step.
        peak_bytes: peak memory allocated on a GPU during the call; None elsewhere.
        reports: what each accelerator did: by name its "counts", and its "schedule" with one letter per evaluation,
            F for full, . for skipped in part.
        repeat: index of the repeat of its batch, from 0; only the first repeat's images are kept.
        process: index of the process that made the call, from 0; a resumed run has several.
        pixels: digest of each image's pixels.
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
    """One image of one arm for one (prompt, seed).

    Attributes:
        arm: position of the arm in ``request.arms``.
        prompt: number of the prompt, from 0.
        seed: 0 to 2³² − 1.
        file: name of its PNG in the run folder.
        call: position of its call in ``calls``.
        clip_score: value of the score that the scorer names: for a CLIP score 100·max(cos, 0); None if the image was
            not scored.
        pixels: first 32 hexadecimal digits of the SHA-256 of its RGB bytes: equal digests mean equal images.
        similarity: similarity to the baseline's shot; None for the baseline's own.
        again: similarity of a baseline's shot to those of its further runs.
        not_finite: where a NaN or an infinity was, in this image or in a repeat of it: "latents", the denoiser's last
            ones; "decoded", what the VAE made of finite latents; "" if nowhere. The shot is void: no figure counts it.
        single_colour: the colour, as "#000000", if all pixels have the same one; "" otherwise.
    """

    arm: int
    prompt: int
    seed: int
    file: str
    call: int
    clip_score: float | None = None
    pixels: str = ""
    similarity: Similarity | None = None
    again: tuple[Similarity, ...] = ()
    not_finite: NotFinite = ""
    single_colour: str = ""


@dataclass(frozen=True)
class Scorer:
    """What scored the images, or the reason for having nothing; its score is the one that decides about quality.

    Attributes:
        name: architecture and weights, or "" if nothing was scored.
        why_not: the reason if nothing was scored.
        truncated: the prompts (numbers from 0) that were truncated to the scorer's context.
        context: the scorer's context length in tokens, including start and end; None if it reads no prompt, but
            compares an image with the baseline's.
        about: its model, weights and preprocessing.
        title: name of the score, such as "CLIP score".
        licence: licence of the weights; "" if unknown.
        floor: mean score of the baseline's images with wrong prompts: each with the run's next prompt of another text,
            after the last the first. None if the scorer reads no prompt, or there is no other prompt.
    """

    name: str = ""
    why_not: str = ""
    truncated: tuple[int, ...] = ()
    context: int | None = 77
    about: dict = field(default_factory=dict)
    title: str = "CLIP score"
    licence: str = ""
    floor: float | None = None

    @property
    def short(self) -> str:
        """Return the name before a value: "CLIP"."""
        return self.title.removesuffix(" score").removesuffix(" similarity")

    @property
    def difference(self) -> str:
        """Return the name of a difference between two scores: "CLIP difference"."""
        return f"{self.short} difference"

    @property
    def loss(self) -> str:
        """Return the name of the lost share of the baseline's score: "CLIP loss"."""
        return f"{self.short} loss"


@dataclass(frozen=True)
class ExtraTurns:
    """Turns of one call that a process repeated after its batches, to time the arms better.

    Attributes:
        process: index of the process, as in ``Call.process``.
        turns: number of turns; in each, every arm made the call once.
        seconds: what they took in all, with what happens between the calls.
        why: why there are no more: "reached", every arm's time ratio is known to ±3 %; "planned", as many as were
            planned for that; "budget", no further turn fits in ``Request.repeat_seconds``; "long", not even one does;
            "failed", no other arm is left; "stopped", the run ended meanwhile; "off", none were asked for.
        half_width: of the widest interval of an arm's mean log time ratio over turns of this call; null if unknown.
    """

    process: int
    turns: int = 0
    seconds: float = 0.0
    why: WhyEnded = "stopped"
    half_width: float | None = None


@dataclass(frozen=True)
class NotRun:
    """An arm that could not be run, or not to its end.

    Attributes:
        arm: position of the arm.
        reason: why.
        unneeded: whether nothing is missing: an equal-time arm in whose place the baseline itself stands, or that has
            no steps to take.
    """

    arm: int
    reason: str
    unneeded: bool = False
