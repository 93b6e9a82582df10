"""Two pictures that only their pixels tell apart, for a blind test."""

import io
import os
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comparer.errors import ComparerError


def sealed(one: Path, other: Path) -> tuple[bytes, bytes]:
    """Encode two pictures anew as PNGs of the same length, with their pixels and nothing else that tells them apart.

    No text is kept, and random bytes in a chunk that no decoder reads make the smaller one as long as the larger:
    a flat picture cannot be told from a busy one by its size, compressed once more or not.

    Raises:
        ComparerError: a picture cannot be read.
    """

    def encoded(image: Image.Image, filler: int) -> bytes:
        held, chunk = io.BytesIO(), PngInfo()
        chunk.add(b"fiLl", os.urandom(filler))
        image.save(held, "PNG", pnginfo=chunk, compress_level=1)
        return held.getvalue()

    images = []
    for path in (one, other):
        try:
            with Image.open(path) as image:
                images.append(Image.frombytes("RGB", image.size, image.convert("RGB").tobytes()))
        except OSError as error:
            raise ComparerError(f"A picture of this pair cannot be read: {type(error).__name__}.") from error
    sizes = [len(encoded(image, 0)) for image in images]
    first, second = (encoded(image, max(sizes) - size) for image, size in zip(images, sizes, strict=True))
    return first, second
