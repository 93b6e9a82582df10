"""Embed a run's images in a self-contained page, unchanged or reduced, each distinct image once."""

import base64
import io
import struct
from hashlib import sha256
from pathlib import Path

from PIL import Image

from comparer.errors import ComparerError
from comparer.results.comparison import Comparison

FULL, REDUCED = "full", "reduced"
KINDS = (FULL, REDUCED)
WIDEST = 512  # pixels a side of a reduced picture
QUALITY = 80  # of its WebP
PNG, TEXTS = b"\x89PNG\r\n\x1a\n", (b"tEXt", b"zTXt", b"iTXt")


def different(comparison: Comparison, folder: Path) -> dict[str, Path]:
    """Map each shot's file name to the first file that shows the same, pixel for pixel.

    Raises:
        ComparerError: an image is not in the folder.
    """
    first: dict[bytes, Path] = {}
    return {
        shot.file: first.setdefault(_shown(path), path) for shot in comparison.shots for path in [folder / shot.file]
    }


def numbers(files: dict[str, Path]) -> dict[str, str]:
    """Map each shot's file name in the result of ``different`` to an ID, "picture-1", the same for the same image."""
    named = {path: f"picture-{number}" for number, path in enumerate(dict.fromkeys(files.values()), 1)}
    return {file: named[path] for file, path in files.items()}


def data_uri(path: Path, kind: str = FULL) -> str:
    """Return an image as a data URI: the PNG file, or a WebP of at most 512 pixels per side.

    Raises:
        ComparerError: the file cannot be read.
    """
    whole, form = (_read(path), "png") if kind == FULL else (_reduced(path), "webp")
    return f"data:image/{form};base64,{base64.b64encode(whole).decode()}"


def _shown(path: Path) -> bytes:
    """Hash what a PNG shows: all of it but its texts, for every shot's file carries its own settings."""
    whole, found, at = _read(path), sha256(), len(PNG)
    if not whole.startswith(PNG):
        return sha256(whole).digest()
    while at + 8 <= len(whole):
        size, kind = struct.unpack_from(">I4s", whole, at)
        if kind not in TEXTS:
            found.update(whole[at : at + size + 12])
        at += size + 12
    return found.digest()


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        told = f"The picture '{path.name}' is not in the run folder '{path.parent.name}'."
        raise ComparerError(told) from error


def _reduced(path: Path) -> bytes:
    try:
        with Image.open(io.BytesIO(_read(path))) as picture:
            small = picture.convert("RGB")
    except OSError as error:
        raise ComparerError(f"The picture '{path.name}' cannot be read: {error}.") from error
    small.thumbnail((WIDEST, WIDEST), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    small.save(file, "WEBP", quality=QUALITY)
    return file.getvalue()
