"""Model-free measures of one image: blank, clipped, noise-like, not finite. Uses only numpy and PIL.

The reason for each limit is stated with it; docs/sanity.md lists values of healthy images, photographs and noise.
"""

import io
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from comparer.text import decimals

CELL = 8  # pixels per side of one decoded latent of Stable Diffusion's VAEs
OVER = 1.25  # decoded values reach from −1, black, to 1, white


@dataclass(frozen=True)
class Rule:
    """A measure and its accepted range.

    Attributes:
        name: name in the report.
        what: description of an image beyond the limit, as in "3 of 8 pictures are blank".
        low, high: the smallest and the largest accepted value; None for no such limit.
        form: format of a value.
        about: what is measured.
        reason: the reason for the limit.
    """

    name: str
    what: str
    low: float | None
    high: float | None
    form: str
    about: str
    reason: str

    def right(self, value: float) -> bool:
        """Return whether a value is finite and within the limits."""
        inside = (self.low is None or value >= self.low) and (self.high is None or value <= self.high)
        return math.isfinite(value) and inside

    def limit(self, value: float) -> float:
        """Return the limit that a value exceeds, or the nearest one."""
        if self.low is None or self.high is None:
            return self.high if self.low is None else self.low  # type: ignore[return-value]
        return self.low if value < self.low or not value > self.high else self.high

    def told(self, value: float) -> str:
        """Format a value with its limits."""
        sides = [
            f"{word} {format(limit, self.form)}"
            for word, limit in (("at least", self.low), ("at most", self.high))
            if limit is not None
        ]
        return f"{self._apart(value)} ({' and '.join(sides)} is right)"

    def _apart(self, value: float) -> str:
        """Format a value with the digits that tell it apart from the limit that it exceeds."""
        fewest = int(self.form[1:-1])
        return f"{value:.{decimals([value], self.limit(value), fewest)}f}"


RULES: dict[str, Rule] = {
    rule.name: rule
    for rule in (
        Rule(
            "not finite", "not finite", None, 0.0, ".4f", "share of decoded values that are NaN or infinite",
            "one NaN in a network spreads to every pixel of what it computes",
        ),
        Rule(
            "spread", "blank", 4.0, None, ".1f",
            "standard deviation over the pixels of the channel that varies most, of 255 levels",
            "a picture that keeps within about four levels of one colour looks empty",
        ),
        Rule(
            "clipped", "saturated", None, 0.5, ".3f",
            "share of pixels with a channel at 0 or 255 that are neither pure white nor pure black",
            "photographs stay below a tenth; graphics in pure colours have more, so the limit is far off",
        ),
        Rule(
            "overshoot", "saturated", None, 0.1, ".3f",
            f"share of decoded values beyond ±{OVER}, where −1 is black and 1 white, before they are clipped",
            "a VAE learns to return −1 to 1; values an eighth of the range beyond are more than highlights",
        ),
        Rule(
            "fine", "noise-like", 0.5, None, ".3f", "correlation of neighbouring pixels",
            "0 in white noise, above 0.85 in photographs",
        ),
        Rule(
            "coarse", "noise-like", 0.45, None, ".3f",
            f"correlation of neighbouring cells of {CELL}×{CELL} pixels",
            "up to 0.45 in pictures decoded from noise, above 0.7 in photographs",
        ),
        Rule(
            "latents", "of latents far from unit size", 0.2, 3.0, ".2f",
            "standard deviation of the picture's last latents",
            "a VAE's scaling factor is chosen so that latents of pictures have 1",
        ),
    )
}  # fmt: skip


def measure(picture: Any, decoded: Any = None, latents: Any = None) -> dict[str, float]:
    """Measure an image.

    Args:
        picture: a PIL image, read as RGB.
        decoded: the VAE decoder's output for the image, before clipping: an array of any shape, −1 to 1 nominally; None
            if unknown.
        latents: the image's final latents, an array of any shape, in units of the denoiser; None likewise.

    Returns:
        A value for every rule that could be measured; also "detail": bits per pixel of the image as a JPEG of
        quality 75, which has a limit only in the range of a base model.
    """
    rgb = picture.convert("RGB")
    levels = np.asarray(rgb, dtype=np.float64)
    found = {}
    if decoded is not None:
        values = np.asarray(decoded, dtype=np.float64)
        finite = np.isfinite(values)
        found["not finite"] = 1 - float(finite.mean())
        if finite.any():
            found["overshoot"] = float((np.abs(values[finite]) > OVER).mean())
    if latents is not None:
        found["latents"] = float(np.asarray(latents, dtype=np.float64).std())
    return found | {
        "spread": float(levels.std((0, 1)).max()),
        "clipped": _clipped(levels),
        "fine": correlation(levels),
        "coarse": correlation(cells(levels)),
        "detail": _detail(rgb),
    }


def _clipped(levels: np.ndarray) -> float:
    ends = (levels == 0) | (levels == 255)
    pure = (levels == 0).all(-1) | (levels == 255).all(-1)
    return float((ends.any(-1) & ~pure).mean())


def correlation(values: np.ndarray) -> float:
    """Return the correlation of horizontal and vertical neighbours, about the image's mean colour.

    Args:
        values: height × width × channels, at least 2 × 2.

    Returns:
        −1 to 1; 1 where all are equal, since equal neighbours are no noise.
    """
    centred = values - values.mean((0, 1))
    power = float((centred**2).mean())
    if power < 1e-9:
        return 1.0
    across, down = centred[:, 1:] - centred[:, :-1], centred[1:] - centred[:-1]
    return 1 - (float((across**2).mean()) + float((down**2).mean())) / (4 * power)


def cells(levels: np.ndarray, side: int = CELL) -> np.ndarray:
    """Return the mean colours of cells of side × side pixels; the remainder at the right and bottom is dropped."""
    height, width = (length // side for length in levels.shape[:2])
    cut = levels[: height * side, : width * side]
    return cut.reshape(height, side, width, side, -1).mean((1, 3))


def _detail(rgb: Any) -> float:
    written = io.BytesIO()
    rgb.save(written, "JPEG", quality=75)
    return 8 * written.tell() / (rgb.width * rgb.height)
