"""What a run leaves: its calls, its shots, who scored them, and what was not run. Plain data, no torch."""

from dataclasses import dataclass, field

from comparer.metrics.similarity_data import Similarity


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
    it was not scored, ``pixels`` a digest of its pixels: equal digests are equal pictures. ``similarity`` is how
    alike it and the baseline's shot are, None of the baseline's own; ``again`` how alike a baseline's shot and those of
    its further runs are.
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


@dataclass(frozen=True)
class Scorer:
    """Which CLIP scored, or why none did.

    Attributes:
        name: architecture and weights, or "" where nothing was scored.
        why_not: the reason where nothing was scored.
        truncated: the prompts (numbers from 0) that were cut to the scorer's context.
        context: the scorer's context length in tokens, start and end included.
        about: its model, weights and preprocessing.
    """

    name: str = ""
    why_not: str = ""
    truncated: tuple[int, ...] = ()
    context: int = 77
    about: dict = field(default_factory=dict)


@dataclass(frozen=True)
class NotRun:
    """An arm that could not be run, or not to its end, and why."""

    arm: int
    reason: str
