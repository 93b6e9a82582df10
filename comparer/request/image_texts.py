"""Read the texts of an untrusted PNG, JPEG or WebP: no pixels are decoded, and sizes are limited.

JPEG keeps its EXIF in an APP1 segment, WebP in a chunk ``EXIF``, PNG in a chunk ``eXIf``. EXIF has a comment
(``UserComment``, 0x9286), whose first eight bytes name its coding, and plain ASCII tags. XMP, in the same places, is
XML that may repeat the comment; JPEG may have a comment segment as well.
"""

import html
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
XMP = "XML:com.adobe.xmp"  # the PNG text of XMP
# By marker and first bytes: parts of a JPEG; of EXIF the first bytes stay.
_JPEG = {
    "exif": (0xE1, b"Exif\0\0", 0),
    "xmp": (0xE1, b"http://ns.adobe.com/xap/1.0/\0", 29),
    "comment": (0xFE, b"", 0),
}
_WEBP = {b"EXIF": "exif", b"XMP ": "xmp"}
# The comment in XMP: an element with a list of languages, or an attribute. XML is not parsed: it may define entities.
_XMP_COMMENT = re.compile(
    r"<exif:UserComment>\s*<rdf:Alt>\s*<rdf:li[^<>]*>([^<]*)</rdf:li>|\sexif:UserComment\s*=\s*\"([^\"<]*)\""
)
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

    Those of EXIF are "UserComment", "Software", and "prompt" and "workflow" as ComfyUI writes them. Where EXIF has no
    comment, "UserComment" is that of XMP, or else a JPEG's comment segment.

    Raises:
        ComparerError: the file is cut short or damaged, or its texts are larger than 8 MiB.
    """
    name = f"'{quote(path.name)}'"
    what = kind(path)
    if what == "PNG":
        found = png_read.texts(path, (*wanted, png_read.EXIF, XMP))
        parts = {"exif": found.pop(png_read.EXIF, "").encode("latin-1"), "xmp": found.pop(XMP, "").encode()}
        return _of_parts(parts) | found
    try:
        with path.open("rb") as file:
            return _of_parts(_of_jpeg(file, name) if what == "JPEG" else _of_webp(file, name))
    except OSError as error:
        raise ComparerError(f"{name} cannot be read: {error.strerror or error}.") from error


def _of_parts(parts: dict[str, bytes]) -> dict[str, str]:
    """Return the texts of EXIF, and the comment of XMP or of JPEG where EXIF has none."""
    found = exif_texts(parts["exif"]) if parts.get("exif") else {}
    for text in (xmp_comment(parts.get("xmp", b"")), decoded(parts.get("comment", b"")).strip("\0 ")):
        if text:
            found.setdefault("UserComment", text)
    return found


def xmp_comment(data: bytes) -> str:
    """Return the comment in XMP; "" if there is none."""
    found = _XMP_COMMENT.search(png_read.decoded(data))
    return html.unescape(found[1] or found[2] or "").strip() if found else ""


def _of_jpeg(file: BinaryIO, name: str) -> dict[str, bytes]:
    """Return the parts of a JPEG that hold texts."""
    found: dict[str, bytes] = {}
    file.seek(2)
    for _ in range(SEGMENTS):
        head = file.read(4)
        length = int.from_bytes(head[2:], "big") - 2
        if len(head) < 4 or head[0] != 0xFF or length < 0:
            raise ComparerError(f"{name} is damaged or incomplete: it begins like a JPEG, but its header is not valid.")
        if head[1] == 0xDA:  # the pixels
            return found
        if head[1] not in (0xE1, 0xFE):
            file.seek(length, 1)
            continue
        data = file.read(length)
        for part, (marker, begin, skipped) in _JPEG.items():
            if head[1] == marker and data.startswith(begin):
                found.setdefault(part, data[skipped:])
    raise ComparerError(f"{name} is not a valid picture: it has more than {SEGMENTS:,} parts.")


def _of_webp(file: BinaryIO, name: str) -> dict[str, bytes]:
    """Return the parts of a WebP that hold texts."""
    found: dict[str, bytes] = {}
    file.seek(12)
    for _ in range(SEGMENTS):
        head = file.read(8)
        if len(head) < 8:
            return found
        length = int.from_bytes(head[4:], "little")
        if (part := _WEBP.get(head[:4])) is None or part in found:
            file.seek(length + length % 2, 1)
            continue
        if length > MOST:
            raise ComparerError(f"{name} has a text of {length:,} bytes: at most {MOST:,} are read.")
        found[part] = file.read(length)
        if len(found[part]) < length:
            raise ComparerError(f"{name} is incomplete: it ends within a text.")
        file.seek(length % 2, 1)
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
