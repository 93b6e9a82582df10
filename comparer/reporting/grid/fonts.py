"""Load the fonts in ``assets/fonts`` and find which of them has a character."""

import struct
import unicodedata
from functools import cache
from itertools import groupby

from PIL import ImageFont

from comparer.assets import ASSETS

FOLDER = ASSETS / "fonts"
REGULAR, BOLD, FALLBACK = "DejaVuSans.ttf", "DejaVuSans-Bold.ttf", "DroidSansFallback.ttf"
UNKNOWN = "□"  # drawn for a character that no font has


@cache
def load(name: str, size: int) -> ImageFont.FreeTypeFont:
    """Load a font of the folder at a size in pixels per em."""
    return ImageFont.truetype(FOLDER / name, size)


@cache
def characters(name: str) -> frozenset[int]:
    """Return the code points that a font has glyphs for, from its ``cmap`` table.

    Pillow does not expose them. Parses formats 4 and 12 of the OpenType specification, which all of these fonts have.
    """
    data = (FOLDER / name).read_bytes()
    (tables,) = struct.unpack_from(">H", data, 4)
    records = (struct.unpack_from(">4sLLL", data, 12 + 16 * i) for i in range(tables))
    start = next(offset for tag, _, offset, _ in records if tag == b"cmap")
    (count,) = struct.unpack_from(">H", data, start + 2)
    found: set[int] = set()
    for i in range(count):
        (offset,) = struct.unpack_from(">L", data, start + 4 + 8 * i + 4)
        (form,) = struct.unpack_from(">H", data, start + offset)
        if form == 4:
            found |= _format_4(data, start + offset)
        elif form == 12:
            found |= _format_12(data, start + offset)
    return frozenset(found)


def _format_4(data: bytes, at: int) -> set[int]:
    (double,) = struct.unpack_from(">H", data, at + 6)
    segments = double // 2
    ends, starts, deltas, ranges = (
        struct.unpack_from(f">{segments}H", data, at + offset)
        for offset in (14, 16 + double, 16 + 2 * double, 16 + 3 * double)
    )
    found = set()
    for i, (first, last, delta, shift) in enumerate(zip(starts, ends, deltas, ranges, strict=True)):
        for code in range(first, min(last, 0xFFFE) + 1):
            glyph = code + delta
            if shift:
                # The shift counts bytes from its own place in the table to the segment's glyph numbers.
                place = at + 16 + 3 * double + 2 * i + shift + 2 * (code - first)
                (number,) = struct.unpack_from(">H", data, place)
                glyph = number and number + delta
            if glyph % 65536:
                found.add(code)
    return found


def _format_12(data: bytes, at: int) -> set[int]:
    (groups,) = struct.unpack_from(">L", data, at + 12)
    found: set[int] = set()
    for i in range(groups):
        first, last, glyph = struct.unpack_from(">LLL", data, at + 16 + 12 * i)
        found.update(range(first if glyph else first + 1, last + 1))
    return found


def runs(text: str, bold: bool = False) -> list[tuple[str, str]]:
    """Cut a text into (font, piece), each piece drawn by one font; the DejaVu face comes first.

    A character that no font has becomes □; a mark, joiner or skin tone that no font has is left out.

    >>> runs("a cat, 猫")
    [('DejaVuSans.ttf', 'a cat, '), ('DroidSansFallback.ttf', '猫')]
    """
    chosen = [(font, sign) for sign in text for font, sign in [_choose(sign, BOLD if bold else REGULAR)] if sign]
    return [(font, "".join(sign for _, sign in run)) for font, run in groupby(chosen, key=lambda pair: pair[0])]


def _choose(sign: str, first: str) -> tuple[str, str]:
    for font in (first, FALLBACK):
        if ord(sign) in characters(font):
            return font, sign
    silent = unicodedata.category(sign) in ("Mn", "Mc", "Me", "Cf")
    return first, "" if silent or 0x1F3FB <= ord(sign) <= 0x1F3FF else UNKNOWN
