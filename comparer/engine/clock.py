"""Time one pipeline call: synchronised wall time, split into spans by marks."""

import time
from typing import Any


def synchronise(device: str) -> None:
    """Wait until the device has finished all queued work; a no-op on a CPU."""
    import torch

    kind = device.split(":")[0]
    if kind == "cuda":
        torch.cuda.synchronize(device)
    elif kind == "mps":
        torch.mps.synchronize()


class Clock:
    """Record time marks inside a call without blocking on the device.

    On a GPU a mark is a CUDA event in the stream, recorded after the kernels queued before it. On a CPU, which
    executes synchronously, a mark is ``perf_counter``. Start and end are synchronised on every device, and the total is
    wall time.
    """

    def __init__(self, device: str) -> None:
        """Create a clock for this torch device."""
        self.device = device
        self.cuda = device.startswith("cuda")
        self.marks: list[Any] = []

    def start(self) -> None:
        """Synchronise the device and start the clock."""
        self.marks = []
        synchronise(self.device)
        self.began = time.perf_counter()
        self.mark()

    def mark(self) -> None:
        """Record a mark at the current time."""
        if self.cuda:
            import torch

            event = torch.cuda.Event(enable_timing=True)
            event.record()
            self.marks.append(event)
        else:
            self.marks.append(time.perf_counter())

    def stop(self) -> float:
        """Record the final mark, synchronise, and return the wall time since ``start`` in seconds."""
        self.mark()
        synchronise(self.device)
        return time.perf_counter() - self.began

    def spans(self) -> list[float]:
        """Return the seconds between consecutive marks, after ``stop``."""
        pairs = zip(self.marks, self.marks[1:], strict=False)
        if self.cuda:
            return [first.elapsed_time(second) / 1000 for first, second in pairs]
        return [second - first for first, second in pairs]
