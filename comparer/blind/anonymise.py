"""Re-encode image pairs for a blind test so that they differ only in their pixels."""

import io
import os
from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comparer.errors import ComparerError


def sealed(one: Path, other: Path) -> tuple[bytes, bytes]:
    """Re-encode two images as PNGs of equal length that hold their pixels and nothing else that identifies them.

    No text is kept. Random bytes in a chunk that decoders ignore pad the smaller file to the length of the larger one:
    file size does not tell a flat image from a busy one, even after further compression.

    Raises:
        ComparerError: an image cannot be read.
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
