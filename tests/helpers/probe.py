"""An accelerator that runs a text: what a measured process holds, says and suffers can be seen from a test.

Light to import: the process that is measured imports it, too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from comparer.accelerators.base import Accelerator, Report, parameter


@dataclass(frozen=True)
class Probe(Accelerator):
    title: ClassVar[str] = "Probe"
    summary: ClassVar[str] = "Runs a text."
    order: ClassVar[int] = 0

    text: str = parameter("", "Python, run before the call.")

    def why_not(self, request, family, denoiser, factor=8):
        return None

    @contextmanager
    def apply(self, pipe, settings) -> Iterator[Report]:
        names = {"pipe": pipe, "settings": settings}
        exec(self.text, names)
        yield Report()
