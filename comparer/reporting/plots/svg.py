"""Building blocks of all plots: fitted texts, round ticks, stacked rows, and the <svg> around them.

All plots are 480 units wide, so that text is legible on a phone; names are placed above their rows, where long ones
fit. Any text is accepted: what XML cannot contain is removed, the rest is escaped.
"""

import math
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from comparer.reporting.markup import Markup, join, markup

WIDTH, EDGE = 480, 12
NAME, SMALL = 16, 14  # sizes of letters
WIDE, NARROW = 1.05, 0.6  # widths of letters, in their size: few fonts have wider ones
GROUND = "var(--body-background-fill, #ffffff)"
GRID = Markup('stroke-opacity="0.16"')
PAGE = Markup('style="width:100%;max-width:36rem;height:auto;font-variant-numeric:tabular-nums"')

BREAK = re.compile(r"[ +](?!%)")  # where a line may end: a number keeps its unit


@dataclass(frozen=True)
class Row:
    """A name, its figures, a longer description in words, and marks around y = 0 with their height."""

    name: str
    figures: str
    told: str
    marks: str = ""
    height: float = 0


def svg(title: str, told: Sequence[tuple[str, str]], height: float, body: str) -> str:
    """Wrap a drawing of that height in an <svg>, with a title and a description for screen readers.

    Args:
        title: what the plot shows.
        told: (name, figures in words) of each arm or row.
        height: in units.
        body: the drawing as SVG.
    """
    words = " ".join(f"{_clean(name)}: {_clean(figures)}." for name, figures in told)
    return markup(
        '<svg role="img" direction="ltr" viewBox="0 0 {} {:.0f}" width="{}" height="{:.0f}" '
        "{}><title>{}</title><desc>{}</desc>{}</svg>",
        WIDTH,
        height,
        WIDTH,
        height,
        PAGE,
        _clean(title),
        words,
        body,
    )


def chart(
    title: str,
    caption: str,
    rows: Sequence[Row],
    ticks: Sequence[tuple[float, str]],
    rules: Sequence[tuple[float, str]],
) -> str:
    """Stack rows with the axis below them, and also above if there are many.

    Args:
        title: what the plot shows.
        caption: what the axis shows.
        rows: one or more.
        ticks: (x, label) of each.
        rules: (x, attributes) of each other line. Rules and tick lines are interrupted at texts, to keep these legible.
    """
    many = len(rows) > 10
    beside = all(width(row.name, NAME) + width(row.figures, SMALL) + 20 <= WIDTH - 2 * EDGE for row in rows)
    y = 24.0 if many else 4.0
    body, bands = Markup(), []
    for row in rows:
        words, height = wrapped(row.name, EDGE, y, NAME)
        y += height if beside else height + 18
        words += text(WIDTH - EDGE, y - 6, row.figures, "end") if beside else text(EDGE, y - 6, row.figures)
        bands.append((y + 1, y + row.height + 14))
        y += row.height / 2 + 3
        told = markup("<title>{}: {}</title>", _clean(row.name), _clean(row.told))
        body += markup('<g>{}{}<g transform="translate(0 {:.2f})">{}</g></g>', told, words, y, row.marks)
        y += row.height / 2 + 16
    lines = join(
        markup(
            '<path d="{}" stroke="currentColor" {}/>',
            join(f"M{x:.2f} {start:.2f}V{end:.2f}" for start, end in bands),
            look,
        )
        for x, look in [*((x, GRID) for x, _ in ticks), *rules]
    )
    for at in (y + 16, 16)[: 2 if many else 1]:
        for x, label in ticks:
            half = width(label, SMALL) / 2 + 2
            body += text(min(max(x, half), WIDTH - half), at, label, "middle")
    words, height = wrapped(caption, EDGE, y + 22, SMALL)
    return svg(title, [(row.name, row.told) for row in rows], y + 24 + height, lines + body + words)


def scale(low: float, high: float, start: float, end: float) -> tuple[Callable[[float], float], list[float]]:
    """Return a function that maps values to ``start``..``end``, and about five round values in ``low``..``high``."""
    rough = (high - low) / 5
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    ticks = [number * step for number in range(math.ceil(low / step - 1e-6), math.floor(high / step + 1e-6) + 1)]
    return lambda value: start + (end - start) * (value - low) / (high - low), ticks


def text(x: float, y: float, words: str, anchor: str = "start", size: int = SMALL) -> str:
    """Render a line of text; small letters are slightly paler."""
    paler = Markup(' fill-opacity="0.75"') if size == SMALL else ""
    looks = markup('font-size="{}" text-anchor="{}" fill="currentColor"{}', size, anchor, paler)
    return markup('<text x="{:.2f}" y="{:.2f}" {}>{}</text>', x, y, looks, _clean(words))


def wrapped(words: str, x: float, y: float, size: int) -> tuple[str, float]:
    """Render a text below y in at most two lines, truncated with … if too long; return it and its height."""
    room, rest, lines = WIDTH - EDGE - x, _clean(words), []
    if (end := _fitting(rest, size, room)) < len(rest):
        split = max((found.end() for found in BREAK.finditer(rest[: end + 1]) if found.end() <= end), default=0)
        end = split if split > end / 2 else end
        lines, rest = [rest[:end]], rest[end:]
        if _fitting(rest, size, room) < len(rest):
            rest = rest[: _fitting(rest, size, room - size)] + "…"
    lines.append(rest)
    leading = size + 4
    written = join(text(x, y + leading * number, line, size=size) for number, line in enumerate(lines, 1))
    return written, leading * len(lines) + 6


def width(words: str, size: int) -> float:
    """Estimate a text's width, rather too wide than too narrow."""
    return size * sum(WIDE if unicodedata.east_asian_width(letter) in "WF" else NARROW for letter in words)


def _fitting(words: str, size: int, room: float) -> int:
    """Return how many letters have room."""
    return next((end for end in range(len(words)) if width(words[: end + 1], size) > room), len(words))


def _clean(words: str) -> str:
    """Leave out what XML cannot hold, and make one line of it."""
    return " ".join(re.sub(r"[^\t\n\r\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", words).split())
