"""How far another arm's latents move away from the baseline's, step by step.

The latents come from a pass of their own that is not timed: ``trace`` makes the baseline's and each arm's, with
the noise that the timed calls have, and ``diverge`` lays two of them side by side.
"""

import math
from dataclasses import asdict, dataclass
from typing import Any

from comparer.errors import ComparerError


@dataclass(frozen=True)
class Trace:
    """The latents of one call after each of the steps that its pipeline tells of.

    Attributes:
        items: (prompt number, seed) of its pictures.
        latents: a tensor of all pictures' latents for every step, on the CPU.
        evaluations: how many denoiser evaluations had been made after each step.
        schedules: each accelerator's letters, one an evaluation: F full, . skipped in part.
    """

    items: tuple[tuple[int, int], ...]
    latents: tuple[Any, ...]
    evaluations: tuple[int, ...]
    schedules: dict[str, str]


@dataclass(frozen=True)
class Step:
    """Two latents after one step.

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
    """One picture's divergence from the baseline's: a step for every step of the sampler."""

    prompt: int
    seed: int
    steps: tuple[Step, ...]

    def to_json(self) -> dict:
        """Return plain data."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict) -> "Divergence":
        """Build it from ``to_json``'s data."""
        steps = tuple(Step(**step | {"skipped": tuple(step["skipped"])}) for step in data["steps"])
        return cls(data["prompt"], data["seed"], steps)


def diverge(baseline: Trace, other: Trace) -> list[Divergence]:
    """Lay another arm's trace beside the baseline's; one divergence for each picture of the batch.

    Raises:
        ComparerError: the traces are not of the same pictures, or have not the same number of steps.
    """
    if baseline.items != other.items:
        raise ComparerError("Latents of different prompts or seeds cannot be compared.")
    if len(baseline.latents) != len(other.latents):
        raise ComparerError(
            f"Latents of {len(other.latents)} steps cannot be laid beside the baseline's {len(baseline.latents)}."
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
