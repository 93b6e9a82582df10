"""Read text chunks of an untrusted PNG: no pixels are decoded, and decompression is limited.

The format is that of the PNG specification (third edition, sections 5 and 11.3.3): tEXt, zTXt and iTXt, before or
after the pixels.
"""

import zlib
from pathlib import Path
from typing import BinaryIO

from comparer.errors import ComparerError
from comparer.text import quote

SIGNATURE = b"\x89PNG\r\n\x1a\n"
MOST = 8 << 20  # total decompressed bytes of all wanted texts of a file
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
EXIF = "\0EXIF"  # no text has this name
CHUNKS = 100_000  # a grid page of 64 million noise pixels has 3,000 chunks of 64 KiB


def is_png(path: Path) -> bool:
    """Return whether a file starts with the PNG signature; raise ``OSError`` if the file cannot be read."""
    with path.open("rb") as file:
        return file.read(len(SIGNATURE)) == SIGNATURE


def texts(path: Path, wanted: tuple[str, ...]) -> dict[str, str]:
    """Return the wanted texts of a PNG by name (Latin-1, case-sensitive); the first one if a name is repeated.

    A text is UTF-8 where it is valid UTF-8, whatever its chunk: many programs write UTF-8 where the specification has
    Latin-1. The chunk of EXIF has the name ``EXIF``, and its bytes are characters of Latin-1.

    Raises:
        ComparerError: the file is not a PNG, damaged or truncated, or its texts are larger than 8 MiB.
    """
    name = f"'{quote(path.name)}'"
    found: dict[str, str] = {}
    left = MOST
    try:
        with path.open("rb") as file:
            if file.read(len(SIGNATURE)) != SIGNATURE:
                raise ComparerError(f"{name} is not a PNG.")
            for _ in range(CHUNKS):
                kind, data = _chunk(file, name)
                if kind == b"IEND":
                    return found
                if kind == b"eXIf" and EXIF in wanted and EXIF not in found:
                    found[EXIF] = data.decode("latin-1")
                    left -= len(data)
                    continue
                key = data.split(b"\0", 1)[0].decode("latin-1") if kind in TEXTS else ""
                if key in wanted and key not in found:
                    body = _text(kind, data, name, left)
                    found[key] = decoded(body) if kind != b"iTXt" else body.decode("utf-8", "replace")
                    left -= len(body)
    except OSError as error:
        raise ComparerError(f"{name} cannot be read: {error.strerror or error}.") from error
    raise ComparerError(f"{name} is not a valid picture: it has more than {CHUNKS:,} parts.")


def _chunk(file: BinaryIO, name: str) -> tuple[bytes, bytes]:
    """Read the next chunk's kind, and where it is a text its data; pass over what else it has."""
    head = file.read(8)
    length, kind = int.from_bytes(head[:4], "big"), head[4:]
    if len(head) < 8:
        raise ComparerError(f"{name} is incomplete: its end is missing.")
    if kind not in (*TEXTS, b"eXIf"):
        file.seek(length + 4, 1)
        return kind, b""
    if length > MOST:
        raise ComparerError(f"{name} has a text of {length:,} bytes: at most {MOST:,} are read.")
    data, check = file.read(length), file.read(4)
    if len(check) < 4:
        raise ComparerError(f"{name} is incomplete: it ends within a text.")
    if zlib.crc32(kind + data) != int.from_bytes(check, "big"):
        raise ComparerError(f"{name} is damaged: a text does not match its checksum.")
    return kind, data


def decoded(body: bytes) -> str:
    """Decode UTF-8, or what Windows calls Latin-1 if it is none."""
    for coding in ("utf-8", "cp1252"):
        try:
            return body.decode(coding)
        except UnicodeDecodeError:
            continue
    return body.decode("latin-1")


def _text(kind: bytes, data: bytes, name: str, most: int) -> bytes:
    """Return a text's bytes, unpacked."""
    rest, packed = data.split(b"\0", 1)[1:], kind == b"zTXt"
    body = rest[0] if rest else b""
    if kind == b"zTXt":
        body = body[1:]  # skip the compression method, which is always deflate
    elif kind == b"iTXt":
        packed = body[:1] == b"\1"
        body = body[2:].split(b"\0", 2)[-1]  # after the method, the language and the translated name
    if packed:
        try:
            body = zlib.decompressobj().decompress(body, most + 1)
        except zlib.error as error:
            raise ComparerError(f"{name} is damaged: a text cannot be unpacked.") from error
    if len(body) > most:
        raise ComparerError(f"{name} has texts that unpack to more than {MOST:,} bytes, which is not allowed.")
    return body
