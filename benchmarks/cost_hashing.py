"""What hashing and fingerprints cost against plain reading: ``python benchmarks/cost_hashing.py``.

Weights files of random numbers are written, the shapes those of a U-Net's layers, and read in turns by: plain
reading of all bytes; SHA-256 of the file; the fingerprint of its tensors; their health; both in one pass, as the
weights card does; and the distance between the file and another one. A table has GB (10⁹ bytes) of the file a second,
the geometric mean and range over the middle half of the rounds. ``cold`` rounds ask the system to forget the file
first, so that it comes from the disk; the others find it in memory. ``--file`` measures a file of your own.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from common import alternate, load_average, machine, middle, table

from comparer.checkpoints.files.tensors import ENDINGS, Tensor, stored
from comparer.checkpoints.inspection import fingerprint, health
from comparer.checkpoints.inspection.card import examine
from comparer.checkpoints.inspection.fingerprint import CHUNK, sha256

# (float16 as float32) is what a converter leaves that widens: every tensor must be looked through to its end.
KINDS = ("float16", "bfloat16", "float32", "float16 as float32")
SHAPES = ((1280, 1280), (640, 640, 3, 3), (320,), (2560, 1280), (1280, 640, 1, 1))


def read(path: Path) -> None:
    """Read all bytes as hashing does, and do nothing with them."""
    buffer = bytearray(CHUNK)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def write(kind: str, ending: str, folder: Path, megabytes: float) -> Path:
    """Write a file of random weights of about this size."""
    import torch
    from safetensors.torch import save_file

    path = folder / f"{kind.replace(' ', '-')}{ending}"
    tensors: dict[str, Any] = {}
    size = 0
    torch.manual_seed(0)
    while size < megabytes * 1e6:
        value = torch.randn(SHAPES[len(tensors) % len(SHAPES)]) * 0.02
        value = value.half().float() if " as " in kind else value.to(getattr(torch, kind))
        tensors[f"blocks.{len(tensors)}.weight"] = value
        size += value.numel() * value.element_size()
    save_file(tensors, path) if ending == ".safetensors" else torch.save(tensors, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())
    return path


def forget(path: Path) -> None:
    """Ask the system to drop a file from its memory."""
    with path.open("rb") as file:
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def timed(work: Callable[[], Any], path: Path, cold: bool) -> float:
    """Return the GB per second at which work goes through a file."""
    if cold:
        forget(path)
    began = time.perf_counter()
    work()
    return path.stat().st_size / (time.perf_counter() - began) / 1e9


def works(path: Path, tensors: tuple[Tensor, ...]) -> Iterator[tuple[str, Callable[[], Any]]]:
    """Yield what is measured, by name."""
    yield "plain reading", partial(read, path)
    yield "SHA-256", partial(sha256, path)
    yield "fingerprint", partial(fingerprint.of, tensors)
    yield "health", partial(health.check, tensors)
    yield "fingerprint and health", partial(examine, tensors)
    yield "distance from itself", partial(health.distances, tensors, tensors)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="What hashing and fingerprints cost against plain reading.")
    parser.add_argument("--megabytes", type=float, default=400, metavar="X", help="of each file (%(default)g)")
    parser.add_argument("--rounds", type=int, default=8, help="recorded turns (%(default)s)")
    parser.add_argument("--file", type=Path, help="a weights file instead of random ones")
    parser.add_argument("--cold", action="store_true", help="from the disk")
    options = parser.parse_args()
    where = "from the disk" if options.cold else "from memory"
    print(f"{options.rounds} rounds; {machine('cpu')}; {load_average()}\n\nGB per second, {where}:\n")
    rows: list[tuple[str, ...]] = []
    head: tuple[str, ...] = ()
    with tempfile.TemporaryDirectory() as folder:
        made = [(kind, ending) for kind in KINDS for ending in (ENDINGS[0], ".bin")]
        for kind, ending in [("", "")] if options.file else made:
            path = options.file or write(kind, ending, Path(folder), options.megabytes)
            names, todo = zip(*works(path, stored(path).tensors), strict=True)
            rounds = alternate([partial(timed, work, path, options.cold) for work in todo], options.rounds)
            head = ("file", "MB", *names)
            speeds = [middle(speed) for speed in zip(*rounds, strict=True)]
            rows.append((f"{kind} {ending}" if kind else path.name, f"{path.stat().st_size / 1e6:.0f}", *speeds))
            if not options.file:
                path.unlink()
    print(table(head, rows))


if __name__ == "__main__":
    main()
