"""Judge a checkpoint by its measures: healthy, suspicious or broken, with the reasons. Does not use torch.

A cause is named only where a tensor or a config shows it; otherwise the line reports what was measured.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import fmean
from typing import Any

from comparer.sanity.expectations import Base
from comparer.sanity.image_measures import RULES
from comparer.text import decimals

HEALTHY, SUSPICIOUS, BROKEN = "healthy", "suspicious", "broken"
EXIT = {HEALTHY: 0, SUSPICIOUS: 4, BROKEN: 5}
OWN = 5  # of eight pictures whose own prompt scores highest: by chance, one in four each, it is so in 2.7 % of checks
EFFECT = 2.0  # levels of 255
SAME = 0.01  # of a scaling factor
TOLD = 3  # reasons in the line


@dataclass(frozen=True)
class Finding:
    """One anomaly.

    Attributes:
        kind: suspicious or broken.
        text: a part of a sentence, with value and limit where it was measured.
        cause: whether a tensor or a config shows the cause.
        half: "ema", "raw", or "" for both or where there is one.
        value, limit: as measured; None where not measured.
    """

    kind: str
    text: str
    cause: bool = False
    half: str = ""
    value: float | None = None
    limit: float | None = None


@dataclass(frozen=True)
class Judgement:
    """Verdict on a checkpoint, with reasons.

    Attributes:
        kind: healthy, suspicious or broken.
        why: findings: causes first, then broken, then suspicious.
        notes: unusual observations that are no fault in themselves.
    """

    kind: str
    why: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 healthy, 4 suspicious, 5 broken."""
        return EXIT[self.kind]

    @property
    def line(self) -> str:
        """The judgement as one line, with the first three reasons."""
        if not self.why:
            return f"{self.kind}: all checks passed"
        more = [f"and {len(self.why) - TOLD} more"] if len(self.why) > TOLD else []
        return f"{self.kind}: {'; '.join([*self.reasons[:TOLD], *more])}"

    @property
    def reasons(self) -> tuple[str, ...]:
        """Every finding's text, with its half if there are two."""
        return tuple(f"{_HALVES[each.half]}{each.text}" for each in self.why)

    def to_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return {"kind": self.kind, "line": self.line, "why": [asdict(each) for each in self.why],
                "notes": list(self.notes), "exit_code": self.exit_code}  # fmt: skip


_HALVES = {"ema": "EMA: ", "raw": "raw: ", "": ""}


@dataclass(frozen=True)
class WeightSetMeasures:
    """Measures of one half's images.

    Attributes:
        half: "ema", "raw" or "".
        measures: per image, the result of ``image_measures.measure``.
        clip: per image, its scores with every prompt, in the order of the prompts; () if not scored.
        own: per image, the number of its prompt.
        effect: root mean square difference between images of different prompts and the same seed, levels of 255; None
            if there are fewer than two prompts.
    """

    half: str
    measures: tuple[dict[str, float], ...]
    own: tuple[int, ...]
    clip: tuple[tuple[float, ...], ...] = ()
    effect: float | None = None

    @property
    def score(self) -> float | None:
        """Mean CLIP score of the images with their own prompts."""
        if not self.clip:
            return None
        return fmean(scores[own] for scores, own in zip(self.clip, self.own, strict=True))

    @property
    def wins(self) -> int | None:
        """Number of images that score higher with their own prompt than with any other; scores of 0 are ties."""
        if not self.clip:
            return None
        both = zip(self.clip, self.own, strict=True)
        return sum(scores[own] > max(scores[:own] + scores[own + 1 :], default=-1) for scores, own in both)

    @property
    def detail(self) -> float:
        """Mean bits per pixel."""
        return fmean(measures["detail"] for measures in self.measures)


@dataclass(frozen=True)
class Config:
    """Values stated in the configs; None where they are not stated."""

    factor: float | None = None
    prediction: str | None = None


def judge(
    files: Sequence[Finding],
    halves: Sequence[WeightSetMeasures],
    base: Base | None,
    config: Config | None = None,
    notes: Sequence[str] = (),
) -> Judgement:
    """Judge a checkpoint.

    Args:
        files: findings in its files (``weight_checks.findings``).
        halves: measures of its images; () if none were generated.
        base: reference data of its base model; None if nothing was generated.
        config: values stated in its configs.
        notes: notes on the files, no faults.
    """
    found, told = list(files), list(notes)
    if base:
        found += [finding for half in halves for finding in seen(half, base)]
        _configured(config or Config(), base, found, told)
    if not found:
        return Judgement(HEALTHY, (), tuple(told))
    order = sorted(found, key=lambda finding: (not finding.cause, finding.kind != BROKEN))
    kind = BROKEN if any(finding.kind == BROKEN for finding in found) else SUSPICIOUS
    return Judgement(kind, tuple(order), tuple(told))


def _configured(config: Config, base: Base, found: list[Finding], told: list[str]) -> None:
    """Compare the configuration with the base model's; a fine-tune's own choice is a fault only beside others."""
    if config.factor is not None and abs(config.factor / base.factor - 1) > SAME:
        text = f"vae/config.json has the scaling factor {config.factor:g}, but {_called(base)} {base.factor:g}"
        found.append(Finding(SUSPICIOUS, text, True, "", config.factor, base.factor))
    if config.prediction is not None and config.prediction != base.prediction:
        text = f"the scheduler's configuration says {config.prediction}, but {_called(base)} {base.prediction}"
        if found or base.surely:
            found.append(Finding(SUSPICIOUS, text, True))
        else:
            told.append(f"{text}; its pictures are right, so it was trained this way.")


def _called(base: Base) -> str:
    return "the demo has" if base.demo else f"models of the family {base.name} have"


def seen(half: WeightSetMeasures, base: Base) -> list[Finding]:
    """List what is wrong with the images of one half: broken if most are affected, suspicious if some are."""
    found = _pictures(half)
    if any(finding.kind == BROKEN for finding in found if RULES["not finite"].what in finding.text):
        return found[:1]  # all else follows from it
    return [*found, *_following(half), *_range(half, base)]


def _pictures(half: WeightSetMeasures) -> list[Finding]:
    found: list[Finding] = []
    told: set[str] = set()
    for name, rule in RULES.items():
        values = [measures[name] for measures in half.measures if name in measures]
        bad = [value for value in values if not rule.right(value)]
        if not bad or rule.what in told:  # one measure of a kind is enough
            continue
        told.add(rule.what)
        worst = max(bad, key=lambda value: abs(value - rule.limit(value)) if value == value else float("inf"))
        kind = BROKEN if 2 * len(bad) >= len(values) else SUSPICIOUS
        which = f"{len(bad)} of {len(values)} pictures {'is' if len(bad) == 1 else 'are'} {rule.what}"
        text = f"{which}: {rule.about} {rule.told(worst)}"
        found.append(Finding(kind, text, False, half.half, worst, rule.limit(worst)))
    return found


def _following(half: WeightSetMeasures) -> list[Finding]:
    found = []
    wins, pictures = half.wins, len(half.own)
    least = OWN * pictures / 8
    if wins is not None and wins < least:
        text = (
            f"{wins} of {pictures} pictures score highest with their own prompt (at least {least:g} is right, "
            f"{pictures / len(half.clip[0]):g} is chance)"
        )
        found.append(Finding(SUSPICIOUS, text, False, half.half, wins, least))
    if half.effect is not None and half.effect < EFFECT:
        levels = f"{half.effect:.{decimals([half.effect], EFFECT, 2)}f}"
        text = f"another prompt changes a picture by {levels} levels (at least {EFFECT:g} is right)"
        found.append(Finding(SUSPICIOUS, text, False, half.half, half.effect, EFFECT))
    return found


def _range(half: WeightSetMeasures, base: Base) -> list[Finding]:
    found = []
    for name, value, what in (("clip", half.score, "mean CLIP score"), ("detail", half.detail, "mean bits per pixel")):
        known = base.ranges.get(name)
        if known is None or value is None or known.right(value):
            continue
        low = known.low is not None and value < known.low
        limit = known.low if low else known.high
        digits = 2 if limit is None else decimals([value], limit, 2)
        side = "at least" if low else "at most"
        text = f"{what} {value:.{digits}f}, but {_called(base)} {side} {limit:.{digits}f}"
        found.append(Finding(SUSPICIOUS, text, False, half.half, value, limit))
    return found
