"""List the tensors of a weights file without loading their data, then read one tensor at a time.

A safetensors file is listed from its header. A torch file is unpickled with ``weights_only=True`` and memory-mapped:
its data stays on disk until a tensor is read, and no code in the file can run.
"""

import json
import math
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from comparer.checkpoints.files.content import content_kind
from comparer.errors import ComparerError, Refused
from comparer.text import quote

TORCH = (".bin", ".pt", ".pth", ".ckpt")
ENDINGS = (".safetensors", *TORCH)
MOST_HEADER = 100_000_000  # bytes; the safetensors library refuses larger ones as well
DEEPEST, MOST = 8, 1_000_000  # dictionaries in dictionaries, and values in all of them: a file may hold itself

# Bits an element and torch's name for it, by the name in a safetensors header.
_DTYPES = {
    "F64": (64, "float64"), "F32": (32, "float32"), "F16": (16, "float16"), "BF16": (16, "bfloat16"),
    "F8_E4M3": (8, "float8_e4m3fn"), "F8_E5M2": (8, "float8_e5m2"), "F8_E8M0": (8, "float8_e8m0fnu"),
    "F8_E4M3FNUZ": (8, "float8_e4m3fnuz"), "F8_E5M2FNUZ": (8, "float8_e5m2fnuz"), "F4": (4, "float4_e2m1fn_x2"),
    "I64": (64, "int64"), "I32": (32, "int32"), "I16": (16, "int16"), "I8": (8, "int8"), "U64": (64, "uint64"),
    "U32": (32, "uint32"), "U16": (16, "uint16"), "U8": (8, "uint8"), "BOOL": (8, "bool"), "C64": (64, "complex64"),
}  # fmt: skip

# Keys of a training dictionary that hold no weights; their contents are skipped.
_STATE = re.compile(
    r"(^|_)(opt$|collected_params$|optim|"
    r"lr_?sched|sched|scaler|rng|random|callbacks?$|loops?$|sampler|dataloader)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Tensor:
    """A tensor in a file.

    Attributes:
        name: without the prefixes of training wrappers once ``groups`` has removed them.
        shape: of any length; () for a scalar.
        dtype: torch's name, such as ``float16``.
        file: the path of the file that holds the tensor.
        keys: location in that file: the keys of the enclosing dictionaries and the tensor's own key.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    file: str
    keys: tuple[str, ...]

    @property
    def elements(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)

    @property
    def stored(self) -> str:
        """Name of the tensor as stored in the file."""
        return ".".join(self.keys)


@dataclass(frozen=True)
class Stored:
    """The contents of one weights file.

    Attributes:
        path: path of the file.
        format: ``safetensors`` or ``torch``.
        tensors: in the file's order.
        not_read: dictionary keys that are not searched for weights.
        metadata: the texts of a safetensors header; the numbers and texts of a torch dictionary.
    """

    path: str
    format: str
    tensors: tuple[Tensor, ...]
    not_read: tuple[str, ...] = ()
    metadata: dict[str, str] | None = None


def check_ending(path: Path) -> None:
    """Raise a ``ComparerError`` if a file's name does not end as that of a weights file."""
    if path.suffix not in ENDINGS:
        endings = ", ".join(ENDINGS)
        raise ComparerError(f"{_named(path)} is not a weights file: its name must end with one of {endings}.")


def stored(path: Path) -> Stored:
    """List the tensors of a weights file without loading their data.

    Args:
        path: a ``.safetensors``, ``.bin``, ``.pt``, ``.pth`` or ``.ckpt`` file.

    Raises:
        ComparerError: the file is damaged, of another kind, or a pickle that contains more than tensors.
    """
    check_ending(path)
    try:
        if kind := content_kind(path):
            raise ComparerError(f"{_named(path)} is {kind}.")
        return _safetensors(path) if path.suffix == ".safetensors" else _torch(path)
    except OSError as error:
        raise ComparerError(f"{_named(path)} cannot be read: {error.strerror or quote(error)}.") from error


@contextmanager
def reading(tensors: Iterable[Tensor]) -> Iterator[Callable[[Tensor], Any]]:
    """Open the files of these tensors and yield a function that reads one tensor, as a torch tensor on the CPU.

    One tensor at a time is in memory if the caller keeps no more; several threads may read. Torch files from before
    2020 are loaded into memory as a whole.

    Raises:
        ComparerError: a file has changed or disappeared since it was listed.
    """
    files = sorted({tensor.file for tensor in tensors})
    opened = {file: _opened(Path(file)) for file in files}

    def read(tensor: Tensor) -> Any:
        try:
            value = opened[tensor.file](tensor.keys)
            if tuple(value.shape) != tensor.shape:
                raise ValueError(f"its shape is now {tuple(value.shape)}")
        except Exception as error:  # safetensors has its own exception, and torch has many
            raise ComparerError(
                f"{quote(tensor.stored)} of {_named(Path(tensor.file))} cannot be read: {quote(error, 200)}."
            ) from error
        return value

    yield read


def _opened(path: Path) -> Callable[[tuple[str, ...]], Any]:
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError, safe_open

        try:
            file: Any = safe_open(path, framework="pt", device="cpu")
        except (OSError, SafetensorError) as error:
            raise ComparerError(f"{_named(path)} cannot be read: {quote(error, 200)}.") from error
        return lambda keys: file.get_tensor(keys[-1])
    found = {keys: value.detach() for keys, value in _walk(_load(path), (), [], {})}
    return lambda keys: found[keys]


def _named(path: Path) -> str:
    return f"'{quote(path.name)}'"


def _safetensors(path: Path) -> Stored:
    with path.open("rb") as file:
        header, data = _header(path, file)
    texts = header.pop("__metadata__", None)
    try:
        metadata = {str(key): str(value) for key, value in (texts or {}).items()}
        tensors = tuple(_tensor(path, name, entry, data) for name, entry in header.items())
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        why = quote(error, 200) if type(error) is ValueError else f"{type(error).__name__}: {quote(error)}"
        raise ComparerError(f"{_named(path)} has a damaged header: {why}.") from error
    return Stored(str(path), "safetensors", tensors, (), metadata)


def _header(path: Path, file: BinaryIO) -> tuple[dict[str, Any], int]:
    """Return a safetensors header and the bytes that follow it."""
    size = path.stat().st_size
    length = int.from_bytes(file.read(8), "little")
    if size < 8 or length > size - 8:
        raise ComparerError(
            f"{_named(path)} is damaged or not a safetensors file: its {size} bytes cannot hold the header of {length} "
            "bytes that it announces."
        )
    if not 2 <= length <= MOST_HEADER:
        raise ComparerError(f"{_named(path)} has a header of {length} bytes: 2 to {MOST_HEADER} is allowed.")
    try:
        header = json.loads(file.read(length))
        if not isinstance(header, dict):
            raise ValueError("it is not a dictionary")
    except (ValueError, RecursionError) as error:
        raise ComparerError(f"{_named(path)} has a damaged header: {quote(error, 200)}.") from error
    return header, size - 8 - length


def _tensor(path: Path, name: str, entry: dict[str, Any], data: int) -> Tensor:
    shape, (begin, end) = entry["shape"], entry["data_offsets"]
    if not all(type(number) is int and number >= 0 for number in [*shape, begin, end]):
        raise ValueError(f"the shape or the offsets of {quote(name)} are not a list of whole numbers")
    if entry["dtype"] not in _DTYPES:
        raise ValueError(f"the dtype {quote(entry['dtype'])} of {quote(name)} is not known")
    bits, dtype = _DTYPES[entry["dtype"]]
    if end > data:
        raise ValueError(f"{quote(name)} lies beyond the end of the file, which is incomplete or damaged")
    if (end - begin) * 8 != math.prod(shape) * bits:
        raise ValueError(f"{quote(name)} has {end - begin} bytes, which does not match its shape and dtype")
    return Tensor(name, tuple(shape), dtype, str(path), (name,))


def _torch(path: Path) -> Stored:
    not_read: list[str] = []
    metadata: dict[str, str] = {}
    size = path.stat().st_size
    tensors = []
    try:
        found = list(_walk(_load(path), (), not_read, metadata))
    except OverflowError:
        raise ComparerError(f"{_named(path)} is damaged: it contains more than {MOST} values, or itself.") from None
    for keys, value in found:
        name = ".".join(keys)
        if value.is_nested or value.layout is not _strided() or value.is_quantized or value.device.type == "meta":
            raise ComparerError(
                f"{quote(name)} in {_named(path)} is a sparse, nested, quantised or empty tensor, which is not "
                "supported."
            )
        if value.numel() * value.element_size() > size:
            raise ComparerError(
                f"{_named(path)} is damaged: {quote(name)} would have more values than the file has bytes for."
            )
        dtype = str(value.dtype).removeprefix("torch.")
        tensors.append(Tensor(keys[-1], tuple(value.shape), dtype, str(path), keys))
    if len({tensor.keys for tensor in tensors}) < len(tensors):
        raise ComparerError(f"{_named(path)} is damaged: two of its keys are the same text.")
    return Stored(str(path), "torch", tuple(tensors), tuple(not_read), metadata)


@cache
def _strided() -> Any:
    import torch

    return torch.strided


def _load(path: Path) -> Any:
    """Unpickle a torch file with nothing but tensors and plain containers allowed."""
    import pickle
    import warnings

    import torch

    with path.open("rb") as file:
        mapped = file.read(4) == b"PK\x03\x04"  # older files cannot be mapped
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=mapped)
    except pickle.UnpicklingError as error:
        wanted = re.search(r"GLOBAL ([\w.<>]+)", str(error))
        what = f"needs {quote(wanted[1])} and could run code" if wanted else "contains more than tensors or is damaged"
        raise Refused(
            f"{_named(path)} is a pickle that {what}, so it was not read. Use a safetensors file instead: "
            "ask its author for one, or convert it on an isolated machine."
        ) from error
    except Exception as error:  # a damaged file can fail in any way
        raise ComparerError(f"{_named(path)} is damaged or not a torch file: {quote(_first(error), 200)}.") from error


def _first(error: Exception) -> str:
    return re.split(r"\. |\n", str(error))[0].strip().rstrip(".") or type(error).__name__


def _walk(
    value: Any, keys: tuple[str, ...], not_read: list[str], metadata: dict[str, str], seen: list[int] | None = None
) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every tensor of nested dictionaries and lists; note the keys that are passed over, and plain values."""
    import torch

    seen = seen if seen is not None else [0]
    seen[0] += 1
    if seen[0] > MOST:
        raise OverflowError
    if isinstance(value, torch.Tensor):
        yield keys or ("",), value
    elif len(keys) > DEEPEST:
        not_read.append(".".join(keys))
    elif isinstance(value, dict):
        for key, inside in value.items():
            inner = (*keys, str(key))
            if isinstance(inside, dict | list) and _STATE.search(inner[-1]):
                not_read.append(".".join(inner))
            else:
                yield from _walk(inside, inner, not_read, metadata, seen)
    elif isinstance(value, list | tuple):
        if len(keys) == 1 and all(isinstance(inside, str | int | float) for inside in value):
            metadata[keys[0]] = quote(list(value[:20]))
            return
        for number, inside in enumerate(value):
            yield from _walk(inside, (*keys, str(number)), not_read, metadata, seen)
    elif keys and isinstance(value, str | int | float | bool):
        metadata[".".join(keys)] = quote(value)
