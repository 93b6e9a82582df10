"""Compare the figures of two runs. Each run has its own pairs: nothing is tested across runs."""

from dataclasses import dataclass

from comparer.request.request import unchosen
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.notes import fewer_steps
from comparer.stats.verdict import difference_text, quality_text, speed_text
from comparer.text import gib, optional

NOT_TESTED = (
    "Every pair lies within one run: each speed-up and each difference was measured side by side in its own run, and "
    "nothing here tests whether two of them differ."
)


@dataclass(frozen=True)
class Row:
    """One figure or setting of both runs, as text."""

    title: str
    one: str
    other: str

    @property
    def same(self) -> bool:
        """Return whether both values are equal."""
        return self.one == self.other


@dataclass(frozen=True)
class FigureGroup:
    """A group of rows: those of an arm, the settings or the environment."""

    title: str
    rows: tuple[Row, ...]


def parts(one: Comparison, other: Comparison) -> list[FigureGroup]:
    """Compare two runs: arms matched by name, then settings, then environment; rows without text are left out."""
    names = dict.fromkeys(name for seen in (one, other) for name in _names(seen))
    found = [_part(name, _arm(one, name), _arm(other, name)) for name in names]
    found += [_part("Settings", _settings(one), _settings(other))]
    found += [_part("Environment", _environment(one), _environment(other))]
    return [part for part in found if part.rows]


def _part(title: str, one: dict[str, str], other: dict[str, str]) -> FigureGroup:
    titles = [each for each in dict.fromkeys((*one, *other)) if one.get(each) or other.get(each)]
    return FigureGroup(title, tuple(Row(each, one.get(each, ""), other.get(each, "")) for each in titles))


def remarks(one: Comparison, other: Comparison) -> list[str]:
    """List what may and what may not be concluded from the comparison of the two runs."""
    said = [NOT_TESTED]
    names = [str(seen.environment.get("device_name", "")) for seen in (one, other)]
    if names[0] != names[1]:
        said.append(
            f"The times are not comparable: one run was made on {names[0] or 'an unknown device'}, the "
            f"other on {names[1] or 'an unknown device'}."
        )
    else:
        said.append(
            f"Both were made on a device called {names[0] or 'nothing'}, which need not be the same machine, and at "
            "different times: seconds of the one beside seconds of the other say little."
        )
    if one.scorer.name != other.scorer.name:
        said.append("The scores are not comparable: they come from different scorers.")
    elif _pictures(one) != _pictures(other):
        said.append("The mean scores and SSIMs are not comparable: prompts, seeds or settings differ.")
    return said


def _pictures(seen: Comparison) -> tuple:
    """Return what an arm's pictures depend on besides the arm."""
    settings = seen.request.settings
    items = sorted((settings.prompts[prompt], seed) for prompt, seed in seen.request.items())
    rest = [getattr(settings, name) for name in ("negative_prompt", "sampler", "steps", "guidance", "width", "height")]
    return items, rest, settings.weights, settings.guidance_rescale


def _names(seen: Comparison) -> list[str]:
    """List the arms' names; of equal-time arms the first ones, for two runs seldom choose the same steps."""
    return [arm.name for arm in unchosen(seen.request.arms)]


def _arm(seen: Comparison, name: str) -> dict[str, str]:
    number = next((n for n, known in enumerate(_names(seen)) if known == name), None)
    if number is None:
        return {"Arm": "not in this run"}
    if why := seen.skip_reason(number):
        return {"Arm": f"not run: {why}"}
    each = Analysis(seen).arms[number]
    figures, alike, peak = each.figures, each.similarity, each.peak
    said = {
        "Seconds per image": optional(figures.seconds, "{:.3f}"),
        seen.scorer.title: optional(figures.clip_score, "{:.2f}"),
        "Peak memory": gib(peak),
        "Steps": "" if each.arm.steps is None else str(each.arm.steps),
    }
    if each.not_comparable:
        return {"Verdict": each.verdict.headline, **said}
    if not number or not seen.call_pairs(number):
        return said
    verdict, score = each.verdict, seen.scorer.short
    return {
        "Verdict": verdict.headline if seen.state != "running" else "",
        "In equal time": fewer_steps(each, "said"),
        "Speed-up": speed_text(verdict.speed, seen.request.thresholds) if verdict.speed else "",
        "Quality": quality_text(verdict.quality, score) if verdict.quality else "",
        f"{score}, arm − baseline": difference_text(each.clip_difference, score).removeprefix(f"{score} "),
        "SSIM": optional(alike.ssim if alike else None, "{:.3f}"),
        "MAC ratio": optional(figures.mac_ratio, "{:.2f}×"),
        "Pairs": str(len(seen.pairs(number))),
        **said,
    }


def _settings(seen: Comparison) -> dict[str, str]:
    request, settings = seen.request, seen.request.settings
    return {
        "Checkpoint": settings.weights.text(),
        "SHA-256 of the denoiser": seen.model_hash(0)[:12],
        "Prompts": "\n".join(settings.prompts),
        "Negative prompt": settings.negative_prompt,
        "Seeds": ", ".join(map(str, settings.seeds)),
        "Sampler": settings.sampler,
        "Steps": str(settings.steps),
        "Guidance": f"{settings.guidance:g}",
        "Guidance rescale": f"{settings.guidance_rescale:g}" if settings.guidance_rescale else "",
        "Size": f"{settings.width} × {settings.height}",
        "Batch size": str(settings.batch_size),
        "Warm-ups": str(request.warmups),
        "Repeats": str(request.repeats),
        "Seconds for repeats": f"{request.repeat_seconds:g}",
        "Starting noise": request.noise,
        "Scored by": seen.scorer.name or f"not scored: {seen.scorer.why_not}",
    }


def _environment(seen: Comparison) -> dict[str, str]:
    told = {
        "device_name": "Device",
        "device": "Torch device",
        "dtype": "Dtype",
        "threads": "Threads",
        "attention": "Attention",
        "tf32": "TF32",
        "offload": "Offload",
        "vae": "VAE",
        "system": "System",
        "python": "Python",
        "comparer": "Comparer",
    }
    known = seen.environment
    said = {title: str(known[key]) for key, title in told.items() if known.get(key) is not None}
    versions = known.get("versions")
    return said | {str(k): str(v) for k, v in (versions if isinstance(versions, dict) else {}).items()}
