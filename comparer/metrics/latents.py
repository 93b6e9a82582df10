"""Per-step distance between an arm's latents and the baseline's.

The latents come from a separate, untimed pass: ``trace`` produces the baseline's and each arm's, with the same noise
as the timed calls, and ``diverge`` compares two of them.
"""

import math
from dataclasses import dataclass
from typing import Any

from comparer.errors import ComparerError


@dataclass(frozen=True)
class Trace:
    """The latents of one call after each step that its pipeline reports.

    Attributes:
        items: (prompt number, seed) of each image.
        latents: per step, a tensor of all images' latents, on the CPU.
        evaluations: cumulative number of denoiser evaluations after each step.
        schedules: per accelerator, one letter per evaluation: F full, . skipped in part.
    """

    items: tuple[tuple[int, int], ...]
    latents: tuple[Any, ...]
    evaluations: tuple[int, ...]
    schedules: dict[str, str]


@dataclass(frozen=True)
class Step:
    """Comparison of two latents after one step.

    Attributes:
        step: from 1.
        distance: ‖arm − baseline‖₂ / ‖baseline‖₂, from 0; None where a latent is not finite.
        cosine: of the two as vectors, −1 to 1; None likewise.
        skipped: the accelerators that skipped work in this step.
    """

    step: int
    distance: float | None
    cosine: float | None
    skipped: tuple[str, ...] = ()


@dataclass(frozen=True)
class Divergence:
    """Divergence of one image's latents from the baseline's.

    Attributes:
        prompt: number of the prompt, from 0.
        seed: 0 to 2³² − 1.
        steps: one entry per sampler step.
    """

    prompt: int
    seed: int
    steps: tuple[Step, ...]


def diverge(baseline: Trace, other: Trace) -> list[Divergence]:
    """Compare an arm's trace with the baseline's; one divergence per image of the batch.

    Raises:
        ComparerError: the traces are of different images, or have different numbers of steps.
    """
    if baseline.items != other.items:
        raise ComparerError("Latents of different prompts or seeds cannot be compared.")
    if len(baseline.latents) != len(other.latents):
        raise ComparerError(
            f"Latents of {len(other.latents)} steps cannot be compared with the baseline's {len(baseline.latents)}."
        )
    skipped, before = [], 0
    for after in other.evaluations:
        skipped.append(tuple(name for name, letters in other.schedules.items() if "." in letters[before:after]))
        before = after
    found = []
    for position, (prompt, seed) in enumerate(other.items):
        pairs = zip(baseline.latents, other.latents, skipped, strict=True)
        steps = [
            Step(number, *_apart(base[position], latent[position]), names)
            for number, (base, latent, names) in enumerate(pairs, 1)
        ]
        found.append(Divergence(prompt, seed, tuple(steps)))
    return found


def _apart(base: Any, other: Any) -> tuple[float | None, float | None]:
    """Return the relative L2 distance and the cosine; equal latents give exactly 0 and 1."""
    one, two = base.double().flatten(), other.double().flatten()
    ours, theirs = float(one @ one), float(two @ two)
    if not math.isfinite(ours + theirs) or not ours or not theirs:
        return None, None
    apart = one - two
    return math.sqrt(float(apart @ apart) / ours), float(one @ two) / math.sqrt(ours * theirs)
