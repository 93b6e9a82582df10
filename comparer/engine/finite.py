"""Find images whose numbers are NaN or infinite, after the clock has stopped, on tensors that were kept by reference.

Nothing is computed, copied or waited for inside the timed call.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from comparer.results.records import NotFinite


@dataclass
class KeptTensors:
    """References to what a call's VAE decoded and what it made of that.

    Attributes:
        latents: the latents of every call of the decoder: of all images, of a tile of all images, or of one image.
        decoded: its outputs, likewise.
    """

    latents: list[Any] = field(default_factory=list)
    decoded: list[Any] = field(default_factory=list)

    def not_finite(self, images: int) -> tuple[NotFinite, ...]:
        """Return for each image of the call where a NaN or an infinity is: "latents", "decoded" or "" for nowhere."""
        spoilt = zip(_spoilt(self.latents, images), _spoilt(self.decoded, images), strict=True)
        return tuple("latents" if before else "decoded" if after else "" for before, after in spoilt)


@contextmanager
def kept_tensors(vae: Any) -> Iterator[KeptTensors]:
    """Keep what a VAE decodes, and its output, by reference; its hooks are removed at the end."""
    kept = KeptTensors()
    first = getattr(vae, "post_quant_conv", None) or vae.decoder  # an infinity may end in a layer that limits its input
    hooks = [
        first.register_forward_pre_hook(lambda _module, inputs: kept.latents.append(inputs[0])),
        vae.decoder.register_forward_hook(lambda _module, _inputs, output: kept.decoded.append(output)),
    ]
    try:
        yield kept
    finally:
        for hook in hooks:
            hook.remove()


def _spoilt(tensors: list[Any], images: int) -> list[bool]:
    """Return for each image whether one of its values is NaN or infinite."""
    found = [False] * images
    for position, values in enumerate(tensors):
        whole = values.detach().isfinite().flatten(1).all(1).tolist()
        first = 0 if len(whole) == images else position * images // len(tensors)  # sliced: each call has one image
        for image, finite in enumerate(whole, first):
            found[image] |= not finite
    return found


def single_colour(picture: Any) -> str:
    """Return the colour of a PIL image whose pixels are all equal, as "#000000"; "" for any other image."""
    ends = picture.convert("RGB").getextrema()
    return "".join(["#", *(f"{low:02x}" for low, _ in ends)]) if all(low == high for low, high in ends) else ""
