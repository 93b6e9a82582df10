"""A clock for one pipeline call: wall time with the device synchronised on both sides, split by marks."""

import time
from typing import Any


def synchronise(device: str) -> None:
    """Wait until the device has done everything it was given; nothing to wait for on a CPU."""
    import torch

    kind = device.split(":")[0]
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


class Clock:
    """Marks moments inside a call without making the device wait.

    On a GPU a mark is a CUDA event in the stream (the kernels before it have run when its time comes); on a
    CPU, where nothing runs ahead, it is ``perf_counter``. Start and end are synchronised everywhere, and the
    total is wall time.
    """

    def __init__(self, device: str) -> None:
        """Time calls on this torch device."""
        self.device = device
        self.cuda = device.startswith("cuda")
        self.marks: list[Any] = []

    def start(self) -> None:
        """Synchronise and start."""
        self.marks = []
        synchronise(self.device)
        self.began = time.perf_counter()
        self.mark()

    def mark(self) -> None:
        """Note this moment."""
        if self.cuda:
            import torch

            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks.append(event)
        else:
            self.marks.append(time.perf_counter())

    def stop(self) -> float:
        """Mark the end, synchronise, and return the wall time since ``start`` in seconds."""
        self.mark()
        synchronise(self.device)
        return time.perf_counter() - self.began

    def spans(self) -> list[float]:
        """Return the seconds between consecutive marks, after ``stop``."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        if self.cuda:
            return [first.elapsed_time(second) / 1000 for first, second in pairs]
        return [second - first for first, second in pairs]
