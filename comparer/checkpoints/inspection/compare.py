"""Compare weights component by component, and find which half of a step folder a converted checkpoint equals."""

from dataclasses import asdict, dataclass
from typing import Any

from comparer.checkpoints.files.components import DENOISERS
from comparer.checkpoints.files.tensors import reading
from comparer.checkpoints.files.weight_sets import EMA, RAW
from comparer.checkpoints.inspection.card import CheckpointCard, WeightSetReport
from comparer.checkpoints.inspection.fingerprint import digest, equal, in_common
from comparer.checkpoints.inspection.health import Distances, distances

BYTES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2}


@dataclass(frozen=True)
class Pair:
    """Two sets of weights of a component.

    Attributes:
        component: component name; where the two differ, the first's.
        first, second: their titles, such as ``unet (EMA)``; "" where one has none.
        same: whether all values are equal, under the same names where both use the same.
        in_common: number of tensors of the first whose values the second has.
        only_first, only_second: number of tensors whose values only one has.
        distances: by name; None where the sets are equal or have no names.
    """

    component: str
    first: str
    second: str
    same: bool
    in_common: int = 0
    only_first: int = 0
    only_second: int = 0
    distances: Distances | None = None

    def to_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class MatchedWeights:
    """Comparison of a converted set of weights with one half of a step folder.

    Attributes:
        component: component of the converted checkpoint.
        half: "ema", "raw", or "" where the step folder does not say.
        source: source of the half, such as ``ema.pt: ema``.
        same: "exactly", "rounded" (equal once the half is rounded to the converted dtype), "part" (every tensor of
            the converted set is in the half, rounded or not, but the half has more), or "".
        equal: number of tensors of the converted set whose values the half has, rounded or not.
        of: number of tensors of the converted set.
        left: number of tensors of the half without an equal in the converted set.
        distance: relative, over tensors of the same name; None where there are none or it cannot be computed.
    """

    component: str
    half: str
    source: str
    same: str
    equal: int
    of: int
    left: int
    distance: float | None


def compare(first: CheckpointCard, second: CheckpointCard) -> list[Pair]:
    """Compare the weights that two checkpoints use, component by component, in the first's order."""
    names = dict.fromkeys(each.part.component for card in (first, second) for each in card.seen)
    pairs = []
    for name in names:
        one, other = first.of(name), second.of(name)
        if not one or not other:
            pairs.append(Pair(name, one[0].part.title if one else "", other[0].part.title if other else "", False))
        else:
            pairs.append(pair(one[0], other[0]))
    return pairs


def pair(one: WeightSetReport, other: WeightSetReport) -> Pair:
    """Compare two sets of weights."""
    titles = one.part.component, one.part.title, other.part.title
    common = in_common(one.fingerprint, other.fingerprint)
    if equal(one.fingerprint, other.fingerprint):
        return Pair(*titles, True, *common)
    named = one.part.named and other.part.named
    found = distances(one.part.tensors, other.part.tensors) if named else None
    return Pair(*titles, False, *common, found)


def halves(converted: CheckpointCard, step: CheckpointCard) -> list[MatchedWeights]:
    """Compare the weights that a converted checkpoint uses with every half of a step folder.

    Components are matched by name, and a single denoiser with a single denoiser. Equality is decided by values, so it
    holds across key layouts.
    """
    found = []
    for component in converted.chosen:
        used = converted.of(component)[0]
        others = step.of(component)
        if not others and component in DENOISERS:
            others = step.of(step.layout.denoiser)
        found += [_half(component, used, other) for other in others]
    return found


def _half(component: str, used: WeightSetReport, other: WeightSetReport) -> MatchedWeights:
    mine = {one for made in used.fingerprint.digests.values() for one in made}
    exact = other.fingerprint.digests
    allowed = {one for made in exact.values() for one in made}
    rounded: dict[str, tuple[str, ...]] = {}
    same = "exactly" if equal(used.fingerprint, other.fingerprint) else ""
    if not same and (dtype := _narrower(used, other)):
        rounded = _rounded(other, dtype)
        allowed |= {one for made in rounded.values() for one in made}
    alike = sum(set(made) <= allowed for made in used.fingerprint.digests.values())
    left = sum(not set(made) <= mine and not set(rounded.get(name, made)) <= mine for name, made in exact.items())
    swapped = used.fingerprint.digests.keys() == exact.keys() and not _by_name(used, exact, rounded)
    if not same and alike == len(used.fingerprint.digests) and not swapped:
        same = "part" if left else "rounded"
    apart = distances(other.part.tensors, used.part.tensors).whole if used.part.named and other.part.named else None
    return MatchedWeights(
        component, other.part.half, other.part.source, same, alike, len(used.fingerprint.digests), left, apart
    )  # fmt: skip


def _by_name(used: WeightSetReport, exact: dict[str, tuple[str, ...]], rounded: dict[str, tuple[str, ...]]) -> bool:
    return all(made in (exact[name], rounded.get(name)) for name, made in used.fingerprint.digests.items())


def _narrower(used: WeightSetReport, other: WeightSetReport) -> str:
    """Return the dtype that most of the converted numbers have, if most of the other's are wider; else ""."""
    dtypes = [next(iter(each.part.dtypes), "") for each in (used, other)]
    mine, theirs = (BYTES.get(dtype, 0) for dtype in dtypes)
    return dtypes[0] if 0 < mine < theirs else ""


def _rounded(other: WeightSetReport, dtype: str) -> dict[str, tuple[str, ...]]:
    """Return the digests of all floating tensors as they are when rounded to a dtype."""
    import torch

    tensors = [tensor for tensor in other.part.tensors if tensor.name in other.fingerprint.digests]
    made = {}
    with reading(tensors) as read:
        for tensor in tensors:
            value = read(tensor)
            if value.is_floating_point():
                made[tensor.name] = digest(tensor.name, value.to(getattr(torch, dtype)))
    return made


def verdict(found: list[MatchedWeights]) -> str:
    """Describe in one sentence which half the denoiser of the converted checkpoint equals."""
    mine = [half for half in found if half.component in DENOISERS] or found
    if not mine:
        return "The two have no component in common."
    matched = [half for half in mine if half.same]
    if not matched:
        near = [half for half in mine if half.distance is not None]
        nearest = min(near, key=lambda half: half.distance or 0.0, default=None)
        ends = f"; the nearest set is {_called(nearest)}, at a distance of {nearest.distance:.3g}." if nearest else "."
        return f"The converted weights do not equal any weights of the training output{ends}"
    if {EMA, RAW} <= {half.half for half in matched}:
        return "The converted weights equal both: the EMA equals the raw weights here, so it never moved."
    best = min(matched, key=lambda half: ("exactly", "rounded", "part").index(half.same))
    how = {"exactly": "", "rounded": ", rounded to their dtype", "part": f", without {best.left} of its tensors"}
    return f"The converted weights equal {_called(best)}{how[best.same]}."


def _called(half: MatchedWeights) -> str:
    name = {EMA: "the EMA", RAW: "the raw weights"}.get(half.half, "the only weights")
    return f"{name} ({half.source})"
