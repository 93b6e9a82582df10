"""Measure, wrap and draw text in any mix of scripts. Sizes and widths are in pixels."""

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw

from comparer.reporting.grid import fonts

LEADING = 1.45  # line height / font size
FINER = 4  # letters are drawn this many times larger and reduced: even weights and spaces, whatever the size
# Where a language writes no spaces, a line may end between any two of these (Han, kana, their punctuation).
_UNSPACED = "\u2e80-\u30ff\u3190-\ua4cf\uf900-\ufaff\ufe30-\ufe4f\uff00-\uffef\U00020000-\U0003ffff"
_NOT_FIRST = (
    "、。，．・：；？！）］｝〉》」』】〕〗〙〛’”ー々ゝゞヽヾぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮヵヶ,.!?:;)]}…"
)
_NOT_LAST = "（［｛〈《「『【〔〖〘〚‘“([{"
_BREAK = r"(?:(?<=[^\W\d]{2}-)|(?<=[^\W\d][_/,]))(?=\w)"  # T-GATE stays whole
_UNIT = re.compile(
    rf"[{re.escape(_NOT_LAST)}]*(?:[{_UNSPACED}]|[^{_UNSPACED}]+?(?:{_BREAK}|$|(?=[{_UNSPACED}])))"
    rf"[{re.escape(_NOT_FIRST)}]*"
)


@dataclass(frozen=True)
class Style:
    """Style of a text: size in pixels per em, colour as "#rrggbb", and weight."""

    size: int
    colour: str
    bold: bool = False

    @property
    def line(self) -> int:
        """Height of a line."""
        return round(self.size * LEADING)


def clean(text: str) -> str:
    """Compose characters and replace every run of white space and control characters with one space."""
    text = unicodedata.normalize("NFC", text)
    return " ".join("".join(" " if unicodedata.category(sign) == "Cc" else sign for sign in text).split())


def width(text: str, style: Style) -> float:
    """Measure the width of one line."""
    large = style.size * FINER
    return sum(fonts.load(name, large).getlength(piece) for name, piece in fonts.runs(text, style.bold)) / FINER


def wrap(text: str, style: Style, limit: float) -> list[str]:
    """Wrap a text into lines of at most ``limit`` pixels; a single character is never split.

    Lines break at spaces, after the hyphens, slashes and commas inside words (but not in "T-GATE"), and between
    characters of scripts without spaces; no line starts with a closing mark or ends with an opening one. A word that is
    wider than a line is split.
    """
    lines: list[str] = []
    line = ""
    for word in clean(text).split(" "):
        gap = " " if line else ""
        for unit in _UNIT.findall(word):
            if width(line + gap + unit, style) <= limit:
                line, gap = line + gap + unit, ""
                continue
            if line:
                lines.append(line)
            *full, line = _break(unit, style, limit)
            lines += full
            gap = ""
    return [*lines, line] if line else lines


def _break(unit: str, style: Style, limit: float) -> list[str]:
    """Cut a unit anywhere but inside a character with its marks."""
    parts = [""]
    for cluster in re.findall(r".[\u0300-\u036f\u200d\ufe00-\ufe0f\U0001f3fb-\U0001f3ff]*", unit):
        if parts[-1] and width(parts[-1] + cluster, style) > limit:
            parts.append("")
        parts[-1] += cluster
    return parts


def draw(picture: Image.Image, x: float, y: float, line: str, style: Style) -> None:
    """Draw one line into an RGB image; ``y`` is the top of its line height."""
    left, top, large = int(x) - style.size, int(y) - style.size, style.size * FINER
    size = (round(width(line, style)) + 3 * style.size, style.line + 2 * style.size)  # room for what overhangs
    mask = Image.new("L", (size[0] * FINER, size[1] * FINER))
    canvas = ImageDraw.Draw(mask)
    pen = (x - left) * FINER
    base = (y - top + style.line / 2 + style.size * 0.36) * FINER  # capitals stand in the middle of the line
    for name, piece in fonts.runs(line, style.bold):
        font = fonts.load(name, large)
        # The fallback has one weight: a thin outline makes it bold.
        stroke = large / 40 if style.bold and name == fonts.FALLBACK else 0
        canvas.text((pen, base), piece, fill=255, font=font, anchor="ls", stroke_width=stroke)
        pen += font.getlength(piece)
    picture.paste(style.colour, (left, top), mask.reduce(FINER))


def fill(picture: Image.Image, corners: Sequence[tuple[float, float]], colour: str) -> None:
    """Fill a polygon of an RGB image with smooth edges; ``corners`` are (x, y) in pixels."""
    xs, ys = zip(*corners, strict=True)
    left, top = math.floor(min(xs)), math.floor(min(ys))
    width, height = math.ceil(max(xs)) - left, math.ceil(max(ys)) - top
    if set(corners) == {(left, top), (left + width, top), (left, top + height), (left + width, top + height)}:
        picture.paste(colour, (left, top, left + width, top + height))
        return
    mask = Image.new("L", (width * FINER, height * FINER))
    # Pillow fills the pixels of the last corners too.
    larger = [((x - left) * FINER - (x == max(xs)), (y - top) * FINER - (y == max(ys))) for x, y in corners]
    ImageDraw.Draw(mask).polygon(larger, fill=255)
    picture.paste(colour, (left, top), mask.reduce(FINER))
