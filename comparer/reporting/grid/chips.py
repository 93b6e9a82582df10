"""Chips of the grid: the head of an arm as a card of texts and bars, its edge in the colour of the verdict.

What a chip says is in ``labels``. Lengths are in pixels at scale 1; ``Chips`` scales them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from comparer.reporting.chip import Bar
from comparer.reporting.grid import text as lettering
from comparer.reporting.grid.labels import BAR, CARD, GREY, INK, RULE, SMALL, Head, Line
from comparer.reporting.grid.text import Style

PAD, EDGE, GAP = 12, 3, 8  # inside a card; thickness of its upper edge; between label, axis and text of a bar
ROW, THICK, THIN, MARK = 20, 7, 2, 15  # heights of a row, of a bar, of an interval, of the mark where nothing changes
ARROW = 7  # length of the arrow of an interval that leaves the axis
SHORTEST = 60  # axis beside its texts; where less is left, it stands below them


@dataclass(frozen=True)
class Shape:
    """A filled polygon: its corners (x, y) in pixels, and its colour."""

    corners: tuple[tuple[float, float], ...]
    colour: str


@dataclass
class Drawing:
    """Texts as (x, y, line, style), and shapes, the lowest first."""

    texts: list[tuple[int, int, str, Style]] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)


def box(x: float, y: float, width: float, height: float, colour: str) -> Shape:
    """Return a rectangle."""
    return Shape(((x, y), (x + width, y), (x + width, y + height), (x, y + height)), colour)


class Chips:
    """Chips of equal width: the parts of those beside each other stand on the same lines.

    Args:
        heads: what they say.
        width: of a chip.
        scale: of all other lengths and of the type.
    """

    def __init__(self, heads: Sequence[Head], width: int, scale: float) -> None:
        self.width, self.scale = width, scale
        self.inner = width - 2 * self._px(PAD)
        bars = [bar for head in heads for bar in head.bars]
        self.label = max((self._measure(bar.label) for bar in bars), default=0)
        self.said = max((self._measure(bar.text) for bar in bars), default=0)
        self.axis = self.inner - self.label - self.said - 2 * self._px(GAP)
        self.below = self.axis < self._px(SHORTEST)  # a long name of a score
        if self.below:
            self.axis = self.inner

    def height(self, heads: Sequence[Head]) -> int:
        """Return the height of chips beside each other."""
        return self._px(EDGE) + 2 * self._px(PAD) + sum(self._heights(heads))

    def draw(self, heads: Sequence[tuple[int, Head]], y: int) -> Drawing:
        """Draw (x, head)s beside each other, all of one height, below y."""
        drawing = Drawing()
        heights = self._heights([head for _, head in heads])
        whole = self.height([head for _, head in heads])
        for x, head in heads:
            line, edge = self._px(1), self._px(EDGE)
            drawing.shapes += [
                box(x, y, self.width, whole, RULE),
                box(x + line, y + edge, self.width - 2 * line, whole - edge - line, CARD),
                box(x, y, self.width, edge, head.colour),
            ]
            at = y + edge + self._px(PAD)
            for part, height in zip(self._parts(head), heights, strict=True):
                below = at
                for each in part:
                    below += self._put(drawing, each, x + self._px(PAD), below)
                at += height
        return drawing

    def _parts(self, head: Head) -> list[list[Line | Bar]]:
        return [[*head.name], [head.figure], [*head.bars, *head.facts], [*head.words], [*head.small]]

    def _heights(self, heads: Sequence[Head]) -> list[int]:
        """Return the height of every part: that of the longest among the chips beside each other."""
        tall = [[sum(map(self._height, part)) for part in self._parts(head)] for head in heads]
        return [max(heights) for heights in zip(*tall, strict=True)]

    def _height(self, each: Line | Bar) -> int:
        return self._put(Drawing(), each, 0, 0)

    def _put(self, drawing: Drawing, each: Line | Bar, x: int, y: int) -> int:
        """Draw a text, wrapped, or a bar, at x below y; return its height."""
        if isinstance(each, Bar):
            return self._bar(drawing, each, x, y)
        style, at = self._scaled(each.style), y + self._px(each.gap)
        for text in lettering.wrap(each.text, style, self.inner):
            drawing.texts.append((x, at, text, style))
            at += style.line
        return at - y

    def _bar(self, drawing: Drawing, bar: Bar, x: int, y: int) -> int:
        """Draw a label, an axis with its bar and interval, and the interval in figures."""
        style, row = self._scaled(SMALL), self._px(ROW)
        top = y + (row - style.line) // 2
        drawing.texts.append((x, top, bar.label, style))
        drawing.texts.append((round(x + self.inner - self._measure(bar.text)), top, bar.text, style))
        if self.below:
            drawing.shapes += self._axis(bar, x, y + 1.4 * row)
            return round(1.9 * row)
        drawing.shapes += self._axis(bar, x + self.label + self._px(GAP), y + row / 2)
        return row

    def _axis(self, bar: Bar, left: float, middle: float) -> list[Shape]:
        """Draw an axis from ``left`` on, around the height ``middle``."""

        def at(share: float) -> float:
            return left + self.axis * min(max(share, 0.0), 1.0)

        def along(start: float, end: float, thick: float, colour: str) -> Shape:
            first, last = sorted((at(start), at(end)))
            return box(first, middle - thick / 2, max(last - first, self._px(1)), thick, colour)

        thin, wing = self._px(THIN), self._px(THIN) * 2
        shapes = [along(0, 1, thin, RULE)]
        shapes.append(along(bar.zero, bar.value, self._px(THICK), BAR))
        if bar.low is not None and bar.high is not None:
            shapes.append(along(bar.low, bar.high, thin, INK))
            # An interval that lies beyond the axis as a whole has one arrow, to its side.
            ends = (
                [(bar.low, -1)] if bar.high < 0 else [(bar.high, 1)] if bar.low > 1 else [(bar.low, -1), (bar.high, 1)]
            )
            for share, way in ends:
                tip = at(share)
                if True:
                    shapes.append(box(tip - thin / 2, middle - wing, thin, 2 * wing, INK))
                else:
                    back = tip - way * self._px(ARROW)
                    shapes.append(Shape(((tip, middle), (back, middle - wing), (back, middle + wing)), INK))
        mark = self._px(1), self._px(MARK)
        return [*shapes, box(at(bar.zero) - mark[0] / 2, middle - mark[1] / 2, *mark, GREY)]

    def _measure(self, text: str) -> float:
        return lettering.width(text, self._scaled(SMALL))

    def _scaled(self, style: Style) -> Style:
        return replace(style, size=self._px(style.size))

    def _px(self, size: float) -> int:
        return round(size * self.scale)
