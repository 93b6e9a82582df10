"""Check the health of weights and the distance between two sets. Every tensor is read once and then freed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from comparer.checkpoints.files.components import block_of
from comparer.checkpoints.files.tensors import Tensor, reading
from comparer.checkpoints.inspection.fingerprint import ignored

# The largest finite number of the dtypes that weights are run in.
RANGES = {"float16": 65504.0, "bfloat16": 3.3895313892515355e38}


@dataclass
class Health:
    """Anomalies of a component's tensors, by name.

    Zeros and constants are often normal: layers are initialized to zeros, norms to ones. All other entries are faults.

    Attributes:
        tensors: number of tensors checked; integer tensors are skipped.
        not_finite: number of NaN or infinite values, by tensor.
        zero: tensors whose values are all 0.
        constant: tensors of two values or more that are all the same and not 0.
        beyond: largest finite value, by tensor, of those beyond the range of a dtype, by dtype.
        largest: the largest finite absolute value of all tensors.
    """

    tensors: int = 0
    not_finite: dict[str, int] = field(default_factory=dict)
    zero: list[str] = field(default_factory=list)
    constant: list[str] = field(default_factory=list)
    beyond: dict[str, dict[str, float]] = field(default_factory=lambda: {dtype: {} for dtype in RANGES})
    largest: float = 0.0

    @property
    def sound(self) -> bool:
        """Whether every value is finite, and not all are 0."""
        return not self.not_finite and (not self.tensors or len(self.zero) < self.tensors)

    def see(self, name: str, value: Any) -> None:
        """Check one tensor, a torch tensor on the CPU."""
        import torch

        if not value.is_floating_point() or not value.numel() or ignored(name):
            return
        self.tensors += 1
        # Half-precision extrema are slow or missing on a CPU; float32 holds all values.
        value = value.detach() if value.dtype is torch.float64 else value.detach().float()
        least, most = (float(edge) for edge in torch.aminmax(value))
        if not math.isfinite(least) or not math.isfinite(most):  # NaN shows in both
            finite = value[value.isfinite()]
            self.not_finite[name] = value.numel() - finite.numel()
            if not finite.numel():
                return
            least, most = (float(edge) for edge in torch.aminmax(finite))
        elif least == most == 0:
            self.zero.append(name)
        elif least == most and value.numel() > 1:
            self.constant.append(name)
        largest = max(-least, most)
        self.largest = max(self.largest, largest)
        for dtype, limit in RANGES.items():
            if largest > limit:
                self.beyond[dtype][name] = largest


def check(tensors: Iterable[Tensor]) -> Health:
    """Read tensors from their files and check each.

    Raises:
        ComparerError: a tensor cannot be read.
    """
    listed, health = list(tensors), Health()
    with reading(listed) as read:
        for tensor in listed:
            health.see(tensor.name, read(tensor))
    return health


@dataclass(frozen=True)
class Block:
    """Distance between a block of one set and the same block of another.

    Attributes:
        name: such as ``down_blocks.0``.
        tensors: number of pairs with the same name and number of elements.
        distance: ‖a − b‖ / ‖a‖ over all values of the block, 0 for equal ones; None where a is all 0 and b is not,
            or where either is not finite.
    """

    name: str
    tensors: int
    distance: float | None


@dataclass(frozen=True)
class Distances:
    """Distances between two sets of tensors.

    Attributes:
        whole: over all pairs, as ``Block.distance``.
        blocks: in the order of the first set.
        only_first, only_second: names that the other set lacks.
        other_shape: names in both with another number of elements.
    """

    whole: float | None
    blocks: tuple[Block, ...]
    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    other_shape: tuple[str, ...]

    @property
    def pairs(self) -> int:
        """Number of tensors that could be compared."""
        return sum(block.tensors for block in self.blocks)


def distances(first: Iterable[Tensor], second: Iterable[Tensor]) -> Distances:
    """Compute the distance between two sets, over tensors of the same name.

    Args:
        first: the set that distances are relative to.
        second: the other set; of any dtype and file.

    Raises:
        ComparerError: a tensor cannot be read.
    """
    one = {tensor.name: tensor for tensor in first if not ignored(tensor.name)}
    other = {tensor.name: tensor for tensor in second if not ignored(tensor.name)}
    other_shape = tuple(name for name in one if name in other and one[name].elements != other[name].elements)
    pairs = [name for name in one if name in other and name not in set(other_shape)]
    sums: dict[str, list[float]] = {}
    with reading(one[name] for name in pairs) as read, reading(other[name] for name in pairs) as read_other:
        for name in pairs:
            difference, norm = _squares(read(one[name]), read_other(other[name]))
            into = sums.setdefault(block_of(name), [0, 0.0, 0.0])
            into[0], into[1], into[2] = into[0] + 1, into[1] + difference, into[2] + norm
    blocks = tuple(
        Block(name, int(count), _ratio(difference, norm)) for name, (count, difference, norm) in sums.items()
    )
    whole = _ratio(sum(each[1] for each in sums.values()), sum(each[2] for each in sums.values())) if sums else None
    return Distances(
        whole,
        blocks,
        tuple(name for name in one if name not in other),
        tuple(name for name in other if name not in one),
        other_shape,
    )


def _squares(one: Any, other: Any) -> tuple[float, float]:
    """Return the sums of squares of a difference and of the first, in float64."""
    import torch

    # Sums in float64; a whole float64 copy of a large layer would take eight bytes per value.
    difference = norm = 0.0
    one, other = one.detach().reshape(-1), other.detach().reshape(-1)
    for begin in range(0, one.numel(), 1 << 20):
        a, b = (each[begin : begin + (1 << 20)].to(torch.float64) for each in (one, other))
        difference += float((a - b).square().sum())
        norm += float(a.square().sum())
    return difference, norm


def _ratio(difference: float, norm: float) -> float | None:
    if difference == 0:
        return 0.0
    if not norm or not math.isfinite(difference) or not math.isfinite(norm):
        return None
    return math.sqrt(difference / norm)
