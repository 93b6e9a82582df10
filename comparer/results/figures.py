"""Figures of an arm, computed from its calls and pairs. Plain arithmetic, no torch."""

import math
from dataclasses import dataclass
from statistics import fmean, median

from comparer.results.comparison import Comparison
from comparer.results.evidence import evidence


@dataclass(frozen=True)
class Figures:
    """One arm's figures; None means unknown or undefined. Void images and their calls count in none but the numbers.

    Attributes:
        calls, pictures: number of timed calls, and of images, with void ones.
        seconds: mean seconds per image, over calls.
        fastest, median_seconds, slowest: of the calls' seconds per image.
        steps_per_second: denoising steps per second (it/s), for any batch size; a step of Heun's is two evaluations.
        speed_up: geometric mean of baseline time / arm time of the whole call, over turns of the most frequent shape.
        denoising_speed_up: geometric mean over all calls of the same ratio of the denoising alone.
        scored: number of pairs with scores on both sides.
        clip_score: mean score over the scored pairs.
        clip_loss: (baseline's mean − mean) / baseline's mean; None below a baseline mean of 1.
        peak_bytes: largest peak of its calls, allocated on a GPU.
        reports: accelerator -> counter -> sum over calls.
        mac_ratio: the baseline's multiply-accumulates / the arm's, of the denoiser: the speed-up of its denoising
            if time were proportional to compute.
    """

    calls: int
    pictures: int
    seconds: float | None
    fastest: float | None
    median_seconds: float | None
    slowest: float | None
    steps_per_second: float | None
    speed_up: float | None
    denoising_speed_up: float | None
    clip_score: float | None
    clip_loss: float | None
    scored: int
    peak_bytes: int | None
    reports: dict[str, dict[str, int]]
    mac_ratio: float | None = None


def figures(comparison: Comparison, arm: int) -> Figures:
    """Compute the figures of an arm from its calls and its pairs with the baseline."""
    made, calls = [call for call in comparison.calls if call.arm == arm], comparison.valid_calls(arm)
    seconds, steps = [call.seconds / call.pictures for call in calls], comparison.request.settings_of(arm).steps
    call_pairs = comparison.call_pairs(arm)
    scored = [
        (base.clip_score, other.clip_score)
        for base, other in comparison.pairs(arm)
        if base.clip_score is not None and other.clip_score is not None
    ]
    base_mean, own_mean = (average([scores[side] for scores in scored]) for side in (0, 1))
    peaks = [call.peak_bytes for call in calls if call.peak_bytes is not None]
    reports: dict[str, dict[str, int]] = {}
    for call in made:
        for name, report in call.reports.items():
            total = reports.setdefault(name, {})
            for key, count in report["counts"].items():
                total[key] = total.get(key, 0) + count
    return Figures(
        calls=len(made),
        pictures=len([shot for shot in comparison.shots if shot.arm == arm]),
        seconds=average(seconds),
        fastest=min(seconds, default=None),
        median_seconds=middle(seconds),
        slowest=max(seconds, default=None),
        # All steps over all time, as seconds are a mean of times: a mean of rates would count fast calls for more.
        steps_per_second=share(steps, average([call.stages["denoising"] for call in calls])),
        speed_up=evidence(comparison, arm).speed_up().value if arm else (1.0 if calls else None),
        denoising_speed_up=geometric_mean([b.stages["denoising"] / o.stages["denoising"] for b, o in call_pairs]),
        clip_score=own_mean,
        clip_loss=(base_mean - own_mean) / base_mean
        if base_mean is not None and own_mean is not None and base_mean >= 1
        else None,
        scored=len(scored),
        peak_bytes=max(peaks, default=None),
        reports=reports,
        mac_ratio=comparison.macs[0] / comparison.macs[arm] if comparison.macs else None,
    )


def geometric_mean(ratios: list[float]) -> float | None:
    """Return exp of the mean logarithm; None for no ratios.

    >>> geometric_mean([2.0, 0.5])
    1.0
    """
    return math.exp(fmean(map(math.log, ratios))) if ratios else None


def average(values: list[float]) -> float | None:
    """Return the mean; None for no values."""
    return fmean(values) if values else None


def middle(values: list[float]) -> float | None:
    """Return the median; None for no values."""
    return median(values) if values else None


def share(value: float | None, whole: float | None) -> float | None:
    """Return value / whole; None where either is not known.

    >>> share(0.5, 2.0)
    0.25
    """
    return None if value is None or not whole else value / whole
