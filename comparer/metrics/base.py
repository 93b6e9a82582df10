"""Base of the similarity metrics: what a metric states about itself, and the pair of images that it compares."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from statistics import fmean
from typing import Any


class Pair:
    """Two RGB images of equal size, and what metrics need of them, computed once.

    Attributes:
        one, other: PIL images, mode RGB.
        scorer: an ``EmbeddingScorer``, or None.
    """

    def __init__(self, one: Any, other: Any, scorer: Any = None) -> None:
        self.one, self.other, self.scorer = one, other, scorer

    @cached_property
    def distances(self) -> Any:
        """Absolute differences of the colour values, 0 to 255: a NumPy array (height, width, 3), int16."""
        import numpy as np

        return np.abs(np.asarray(self.one, dtype=np.int16) - np.asarray(self.other, dtype=np.int16))

    @cached_property
    def tensors(self) -> tuple[Any, Any]:
        """Both images as torch tensors (1, 3, height, width), float32 from 0 to 1, on the CPU."""
        import numpy as np
        import torch

        def tensor(image: Any) -> Any:
            return torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float() / 255

        return tensor(self.one), tensor(self.other)


def _always(_width: int, _height: int, _scorer: Any) -> str:
    return ""


@dataclass(frozen=True)
class PairMetric:
    """A number that compares two images. A new one is one file and one line of the registry.

    Attributes:
        name: its key in ``run.json``, ``pairs.csv`` and assertions.
        title: its name in tables.
        about: what it is, in one phrase of Markdown, for the documentation.
        digits: decimals that are shown.
        higher_is_closer: whether a higher value means more alike.
        identical: its value for identical images; None if it is infinite.
        compute: returns the value of a pair that is not identical; called without gradients.
        unit: follows the value, such as " dB".
        low, high: range of its values; None for an open end.
        needs: what it needs, in a phrase for the documentation; "" for nothing.
        why_not: returns in one sentence why it is not available for images of this width and height in pixels with
            this scorer (or None), and how to enable it; "" if it is available.
        average: summarizes the values of several pairs, ``math.inf`` for identical ones if their value is infinite.
    """

    name: str
    title: str
    about: str
    digits: int
    higher_is_closer: bool
    identical: float | None
    compute: Callable[[Pair], float]
    unit: str = ""
    low: float | None = None
    high: float | None = None
    needs: str = ""
    why_not: Callable[[int, int, Any], str] = _always
    average: Callable[[Sequence[float]], float] = fmean

    def show(self, value: float | None, unit: bool = True) -> str:
        """Format a value; "" for None."""
        return "" if value is None else f"{value:.{self.digits}f}{self.unit if unit else ''}"

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON Schema of a value."""
        kind = "number" if self.digits else "integer"
        bounds = {"minimum": self.low, "maximum": self.high}
        number = {"type": kind} | {key: bound for key, bound in bounds.items() if bound is not None}
        return {"anyOf": [number, {"type": "null"}], "description": f"{self.title}: {self.about}"}
