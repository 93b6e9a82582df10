"""Read the texts of an untrusted PNG, JPEG or WebP: no pixels are decoded, and sizes are limited.

JPEG keeps its EXIF in an APP1 segment, WebP in a chunk ``EXIF``, PNG in a chunk ``eXIf``. EXIF has a comment
(``UserComment``, 0x9286), whose first eight bytes name its coding, and plain ASCII tags.
"""

import re
from pathlib import Path
from typing import BinaryIO

from comparer.errors import ComparerError
from comparer.request import png_read
from comparer.request.png_read import MOST
from comparer.text import quote

COMMENT = 0x9286
EXIF_FOLDER = 0x8769
PLAIN_TAGS = {0x010E: "ImageDescription", 0x010F: "Make", 0x0110: "Model", 0x0131: "Software"}
CODINGS = (b"UNICODE\0", b"ASCII\0\0\0", b"JIS\0\0\0\0\0", bytes(8))
SEGMENTS = 10_000
NAMED = re.compile(r"(prompt|workflow)\s*:\s*(?=\{)", re.IGNORECASE)  # ComfyUI's way of naming a text in EXIF


def kind(path: Path) -> str:
    """Return "PNG", "JPEG", "WebP" or "" by a file's first bytes; raise ``OSError`` if it cannot be read."""
    with path.open("rb") as file:
        head = file.read(12)
    if head.startswith(png_read.SIGNATURE):
        return "PNG"
    if head.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    return "WebP" if head[:4] == b"RIFF" and head[8:] == b"WEBP" else ""


def texts(path: Path, wanted: tuple[str, ...]) -> dict[str, str]:
    """Return the texts of an image by name: the wanted texts of a PNG, and those of EXIF.

    Those of EXIF are "UserComment", "Software", and "prompt" and "workflow" as ComfyUI writes them.

    Raises:
        ComparerError: the file is cut short or damaged, or its texts are larger than 8 MiB.
    """
    name = f"'{quote(path.name)}'"
    what = kind(path)
    if what == "PNG":
        found = png_read.texts(path, (*wanted, png_read.EXIF))
        exif = found.pop(png_read.EXIF, "").encode("latin-1")
        return {**exif_texts(exif), **found} if exif else found
    try:
        with path.open("rb") as file:
            exif = _of_jpeg(file, name) if what == "JPEG" else _of_webp(file, name)
    except OSError as error:
        raise ComparerError(f"{name} cannot be read: {error.strerror or error}.") from error
    return exif_texts(exif)


def _of_jpeg(file: BinaryIO, name: str) -> bytes:
    """Return the EXIF of a JPEG; b"" if it has none."""
    file.seek(2)
    for _ in range(SEGMENTS):
        head = file.read(4)
        length = int.from_bytes(head[2:], "big") - 2
        if len(head) < 4 or head[0] != 0xFF or length < 0:
            raise ComparerError(f"{name} is damaged or incomplete: it begins like a JPEG, but its header is not valid.")
        if head[1] == 0xDA:  # the pixels
            return b""
        if head[1] == 0xE1 and (data := file.read(length))[:6] == b"Exif\0\0":
            return data
        if head[1] != 0xE1:
            file.seek(length, 1)
    raise ComparerError(f"{name} is not a valid picture: it has more than {SEGMENTS:,} parts.")


def _of_webp(file: BinaryIO, name: str) -> bytes:
    """Return the EXIF of a WebP; b"" if it has none."""
    file.seek(12)
    for _ in range(SEGMENTS):
        head = file.read(8)
        if len(head) < 8:
            return b""
        length = int.from_bytes(head[4:], "little")
        if head[:4] == b"EXIF":
            if length > MOST:
                raise ComparerError(f"{name} has a text of {length:,} bytes: at most {MOST:,} are read.")
            data = file.read(length)
            if len(data) < length:
                raise ComparerError(f"{name} is incomplete: it ends within a text.")
            return data
        file.seek(length + length % 2, 1)
    raise ComparerError(f"{name} is not a valid picture: it has more than {SEGMENTS:,} parts.")


def exif_texts(data: bytes) -> dict[str, str]:
    """Return the texts of EXIF by name; {} where it is damaged."""
    from PIL.Image import Exif

    exif, found = Exif(), {}
    try:
        exif.load(data)
        values = {PLAIN_TAGS[tag]: exif.get(tag) for tag in PLAIN_TAGS}
        values["UserComment"] = exif.get_ifd(EXIF_FOLDER).get(COMMENT, exif.get(COMMENT))
    except Exception:  # noqa: BLE001 - Pillow raises whatever its parser meets in damaged data
        return {}
    for name, value in values.items():
        raw = value.encode("latin-1", "replace") if isinstance(value, str) else value
        if isinstance(raw, bytes) and (text := decoded(raw).strip("\0 ")):
            found[name] = text
    for text in [found.pop(name) for name in ("ImageDescription", "Make", "Model") if name in found]:
        if match := NAMED.match(text):
            found.setdefault(match[1].lower(), text[match.end() :])
        elif text.startswith("{") or "\nSteps:" in text:
            found.setdefault("UserComment", text)
    return found


def decoded(raw: bytes) -> str:
    """Decode a comment of EXIF: UTF-16 of either byte order, or UTF-8, whatever its first eight bytes claim.

    >>> decoded(b"UNICODE\\0" + "a ★".encode("utf-16-be")), decoded(b"ASCII\\0\\0\\0" + "a ★".encode())
    ('a ★', 'a ★')
    """
    claimed, body = (raw[:8], raw[8:]) if raw[:8] in CODINGS else (b"", raw)
    if body[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return body.decode("utf-16", "replace")
    if claimed == b"UNICODE\0" or b"\0" in body.strip(b"\0"):
        # Settings hold Latin letters and spaces: their high bytes are zeros, at even places if the order is big.
        even, odd = body[::2].count(0), body[1::2].count(0)
        if even or odd:
            return body.decode("utf-16-be" if even >= odd else "utf-16-le", "replace")
    return png_read.decoded(body)
