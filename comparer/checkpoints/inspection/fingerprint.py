"""Identify weights: SHA-256 of files, and a fingerprint of tensors that survives lossless rewriting."""

import hashlib
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.atomic import write_text
from comparer.checkpoints.files.tensors import Tensor
from comparer.errors import ComparerError
from comparer.text import quote

CHUNK = 4 << 20  # bytes; larger ones read no faster
PROBE = 4096  # first elements that tell most tensors' precision
# Bookkeeping of modules and of EMA, which tools keep or drop as they like.
IGNORED = ("position_ids", "num_batches_tracked", "num_updates", "decay")


class Hashes:
    """SHA-256 of files, cached in a JSON file by path, size and modification time.

    A file changed without changing its size or modification time (in nanoseconds) is not detected as changed. A cache
    that cannot be read or written is ignored.

    Args:
        cache: the JSON file, created on first use; None disables caching.
    """

    def __init__(self, cache: Path | None = None) -> None:
        self.cache = cache
        self.known: dict[str, list[Any]] = {}
        if cache:
            with suppress(OSError, ValueError, RecursionError):
                found = json.loads(cache.read_text(encoding="utf-8"))
                self.known = found if isinstance(found, dict) else {}

    def of(self, path: Path) -> str:
        """Return a file's SHA-256, 64 hexadecimal digits.

        Raises:
            ComparerError: the file cannot be read, or it changed during reading.
        """
        try:
            key, state = str(path.resolve()), _state(path)
            if (known := self.known.get(key)) and isinstance(known, list) and known[:2] == state:
                return str(known[2])
            found = sha256(path)
            if _state(path) != state:
                raise ComparerError(f"'{quote(path.name)}' changed while it was read.")
        except OSError as error:
            raise ComparerError(f"'{quote(path.name)}' cannot be read: {error.strerror or error}.") from error
        self.known[key] = [*state, found]
        self._save()
        return found

    def _save(self) -> None:
        if not self.cache:
            return
        with suppress(OSError):
            self.cache.parent.mkdir(parents=True, exist_ok=True)
            write_text(self.cache, json.dumps(self.known, indent=1) + "\n")


def _state(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_size, found.st_mtime_ns]


def sha256(path: Path) -> str:
    """Compute a file's SHA-256 without the cache; 64 hexadecimal digits."""
    made = hashlib.sha256()
    buffer = bytearray(CHUNK)
    view = memoryview(buffer)
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            made.update(view[:count])
    return made.hexdigest()


@dataclass(frozen=True)
class Fingerprint:
    """Identity of a set of tensors.

    ``values`` is unchanged when tensors are renamed, reordered, moved to other files, stored in another dtype without
    loss (float16 as float32), reshaped without moving a value (a 1×1 convolution as a matrix), or saved twice
    under two names like tied weights; when query, key and value are joined into ``in_proj``, and when
    ``text_projection`` is transposed, as in the original text encoders. It changes with any bit of any value,
    so EMA and raw differ, and float32 rounded to float16 differs.

    It cannot distinguish: tensors that swapped names (``names`` can, where both use the same names); a tensor stored
    once or twice; values in another shape with as many elements; −0 as an integer. Integer bookkeeping
    (``IGNORED``) does not count.

    Attributes:
        values: of all values; 16 hexadecimal digits, enough to distinguish sets, not to prove against forgers.
        names: of values under their names, after the wrappers' prefixes are removed.
        digests: of every tensor, by name; in the order of the tensors.
    """

    values: str
    names: str
    digests: dict[str, tuple[str, ...]]


def fingerprint(digests: dict[str, tuple[str, ...]]) -> Fingerprint:
    """Combine the digests of a set of tensors, given by name."""
    counted = {name: made for name, made in digests.items() if not ignored(name)}
    values = sorted({one for made in counted.values() for one in made})
    named = sorted(f"{name} {' '.join(made)}" for name, made in counted.items())
    return Fingerprint(_combined(values), _combined(named), counted)


def ignored(name: str) -> bool:
    """Return whether a tensor is bookkeeping, which no fingerprint counts.

    >>> ignored("text_model.embeddings.position_ids"), ignored("decay"), ignored("conv_in.weight")
    (True, True, False)
    """
    return name.rpartition(".")[2] in IGNORED


def _combined(lines: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode("utf-8", "surrogatepass")).hexdigest()[:16]


def digest(name: str, value: Any) -> tuple[str, ...]:
    """Return the digests of one tensor's values: one, or three for a joined query, key and value.

    Args:
        name: name of the tensor; only matters for the two conversions of ``Fingerprint``.
        value: a torch tensor on the CPU.
    """
    return tuple(_digest(part) for part in _parts(name, value))


def _parts(name: str, value: Any) -> Iterator[Any]:
    last = name.rpartition(".")[2]
    if last in ("in_proj_weight", "in_proj_bias") and value.dim() and value.shape[0] % 3 == 0:
        yield from value.chunk(3)
    elif last == "text_projection" and value.dim() == 2:
        yield value.T
    else:
        yield value


def _digest(value: Any) -> str:
    """Hash a tensor's kind, number of elements and values, in the smallest dtype that loses nothing."""
    import torch

    value = value.detach()
    if value.is_complex():
        value = torch.view_as_real(value)
    value = canonical(value).contiguous()
    made = hashlib.sha256(f"{value.dtype} {value.numel()} ".encode())
    if value.numel():
        made.update(memoryview(value.view(torch.uint8).reshape(-1).numpy()))
    return made.hexdigest()[:32]


def canonical(value: Any) -> Any:
    """Cast a tensor to the first dtype that holds all its values bit for bit: float16, bfloat16, float32, float64.

    Integers and booleans become int64.
    """
    import torch

    value = value.reshape(-1)
    if not value.is_floating_point():
        return value.to(torch.int64)
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        if value.dtype is dtype:
            return value
        # For most float32 weights the first values already need all bits.
        if _exact(value[:PROBE], dtype) and _exact(value, dtype):
            return value.to(dtype)
    return value


def _exact(value: Any, dtype: Any) -> bool:
    import torch

    bits = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}[value.element_size()]
    return torch.equal(value.to(dtype).to(value.dtype).view(bits), value.view(bits))


def in_common(one: Fingerprint, other: Fingerprint) -> tuple[int, int, int]:
    """Count the tensors of one set whose values the other has, and those that only one of them has.

    Returns:
        In both, counted in the first; only in the first; only in the second.
    """
    first, second = ({d for made in each.digests.values() for d in made} for each in (one, other))
    both = sum(set(made) <= second for made in one.digests.values())
    return both, len(one.digests) - both, sum(not set(made) <= first for made in other.digests.values())


def equal(one: Fingerprint, other: Fingerprint) -> bool:
    """Return whether two sets hold the same values, under the same names where both use the same names."""
    if one.digests.keys() == other.digests.keys():
        return one.names == other.names
    return one.values == other.values


def of(tensors: Iterable[Tensor]) -> Fingerprint:
    """Read tensors from their files, one at a time, and return their fingerprint.

    Raises:
        ComparerError: a tensor cannot be read.
    """
    from comparer.checkpoints.files.tensors import reading

    listed = list(tensors)
    with reading(listed) as read:
        return fingerprint({tensor.name: digest(tensor.name, read(tensor)) for tensor in listed})
