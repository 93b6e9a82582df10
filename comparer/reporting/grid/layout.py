"""Layout of the grid: pages of texts, rules and images, split between rows."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby

from comparer.errors import ComparerError
from comparer.reporting.grid import labels
from comparer.reporting.grid import text as lettering
from comparer.reporting.grid.chips import Chips, Shape
from comparer.reporting.grid.labels import GREY, INK, Line
from comparer.reporting.grid.options import GridOptions
from comparer.reporting.grid.text import Style
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import Shot

NARROWEST = 540  # pixels: so that a single column still leaves room for its prompt
LABEL = 240  # pixels that a column with labels has at least
CHIP = 264  # pixels that the head of a row takes


class TooLarge(ComparerError):
    """Raised when not even one row fits on a page."""


@dataclass
class GridPage:
    """Positions in pixels of the elements of a page, or of a part to be added to one.

    Attributes:
        bottom: y of the lower end.
        texts: (x, y, line, style).
        rules: y of every horizontal rule across the page.
        shapes: cards and bars of the chips, the lowest first; texts lie above them.
        shots: (x, y, shot) of every cell; None if there is no image.
    """

    bottom: int
    texts: list[tuple[int, int, str, Style]] = field(default_factory=list)
    rules: list[int] = field(default_factory=list)
    shapes: list[Shape] = field(default_factory=list)
    shots: list[tuple[int, int, Shot | None]] = field(default_factory=list)

    def take(self, more: "GridPage") -> None:
        """Append the elements of a part placed below."""
        self.bottom = more.bottom
        self.texts += more.texts
        self.rules += more.rules
        self.shapes += more.shapes
        self.shots += more.shots


class Layout:
    """The pages of a grid, laid out from top to bottom; the height of a page is known only at its end."""

    def __init__(self, comparison: Comparison, options: GridOptions, cell: tuple[int, int]) -> None:
        """Compute the dimensions; ``cell`` is the width and height of an image as displayed."""
        self.comparison, self.options, self.cell = comparison, options, cell
        self.arms, self.items = options.chosen(comparison.request)
        # Large pictures are looked at from further away: the type grows with them.
        self.scale = max(1.0, cell[0] / 400)
        self.margin, self.gutter = (self.px(44), self.px(28)) if options.margins else (0, 0)
        self.pad = 0 if options.margins else self.px(8)  # texts keep off the edge and off each other
        self.column = max(cell[0], self.px(LABEL)) if options.labels else cell[0]
        count = len(self.items if options.transpose else self.arms)
        self.lead = self.px(CHIP) + max(self.gutter, self.pad) if options.labels and options.transpose else 0
        self.width = self.lead + count * self.column + (count - 1) * self.gutter
        if options.labels:
            self.width = max(self.width, self.px(NARROWEST))
        self.page_width = self.width + 2 * self.margin
        self.total = 1
        self.wrapped: dict[tuple[str, Style, float], list[str]] = {}
        analysis = Analysis(comparison)
        self.heads = {arm: labels.head(analysis.arms[arm]) for arm in self.arms} if options.labels else {}
        around = 0 if options.margins or options.transpose else self.pad  # where columns touch, chips do not
        chip = self.px(CHIP) if options.transpose else self.column - around
        self.chips = Chips(list(self.heads.values()), chip, self.scale)

    def px(self, size: float) -> int:
        """Return a length in pixels; type and gaps grow with large images."""
        return round(size * self.scale)

    def pages(self) -> list[GridPage]:
        """Split the grid into pages.

        Raises:
            TooLarge: not even one row fits on a page.
        """
        found = self._cut()
        while len(found) != self.total:  # the line that numbers a page takes room
            self.total = len(found)
            found = self._cut()
        return found

    def _cut(self) -> list[GridPage]:
        pages: list[GridPage] = []
        left = list(self.arms if self.options.transpose else self.items)
        while left:
            page, before = self._head(len(pages) + 1), None
            while left:
                row = self._row(left[0], before, page.bottom)
                if before is not None and not self._fits(self._foot(row.bottom)):
                    break
                page.take(row)
                before = left.pop(0)
            page.take(self._foot(page.bottom))
            if not self._fits(page):
                pixels, most = self.page_width * page.bottom, self.options.max_pixels
                raise TooLarge(
                    f"A page of one row takes {pixels:,} pixels, and at most {most:,} are allowed: "
                    "choose a smaller cell, fewer columns or larger pages."
                )
            pages.append(page)
        return pages

    def _fits(self, page: GridPage) -> bool:
        return self.page_width * page.bottom <= self.options.max_pixels

    def _head(self, number: int) -> GridPage:
        page = GridPage(self.margin)
        if not self.options.labels:
            return page
        if self.pad:
            page.bottom += self.px(16)
        left, limit = self.margin + self.pad, self.width - 2 * self.pad
        self._write(page, left, labels.title(self.comparison), limit)
        page.bottom += self.px(5)
        for line in self._facts(limit):
            self._write(page, left, line, limit)
        for line in labels.below_title(self.comparison, number, self.total):
            self._write(page, left, line, limit if line.style.bold else self._measure())
        page.bottom += self.px(34)
        if self.options.transpose:
            self._name_rows(page)
        else:
            self._name_arms(page)
        return page

    def _facts(self, limit: int) -> list[Line]:
        """Write the facts with dots between them; a fact stays whole wherever a line can hold it."""
        style, lines = Style(13, GREY), [""]
        for fact in labels.facts(self.comparison, self.shown()):
            joined = f"{lines[-1]} · {fact}" if lines[-1] else fact
            if lines[-1] and lettering.width(joined, self._scaled(style)) > limit:
                lines.append(fact)
            else:
                lines[-1] = joined
        return [Line(line, style) for line in lines]

    def shown(self) -> str:
        """Describe the display size of the images if it is not 1:1."""
        width = self.comparison.request.settings.width
        if self.cell[0] > width:
            return f"pictures shown {self.cell[0] // width}×"
        return f"pictures reduced to {self.cell[0]} × {self.cell[1]}" if self.cell[0] < width else ""

    def _name_arms(self, page: GridPage) -> None:
        """Draw the arms' chips above their columns."""
        spare = self.column - self.chips.width
        self._chips(page, [(self._x(i) + spare // 2, arm) for i, arm in enumerate(self.arms)])

    def _chips(self, page: GridPage, arms: Sequence[tuple[int, int]]) -> None:
        """Draw the chips of (x, arm)s beside each other; the page ends below them."""
        drawing = self.chips.draw([(x, self.heads[arm]) for x, arm in arms], page.bottom)
        page.shapes += drawing.shapes
        page.texts += drawing.texts
        page.bottom += self.chips.height([self.heads[arm] for _, arm in arms])

    def _name_rows(self, page: GridPage) -> None:
        """Write every prompt above the columns of its seeds, and the seeds below it."""
        prompts, seeds, start = [], [], 0
        for prompt, group in groupby(self.items, key=lambda item: item[0]):
            count = len(list(group))
            span = count * self.column + (count - 1) * self.gutter
            text = self.comparison.request.settings.prompts[prompt]
            prompts.append((self._x(start), min(span, self.px(960)), [Line(text, Style(17, INK))]))
            start += count
        for column, (_, seed) in enumerate(self.items):
            seeds.append((self._x(column), self.column, [Line(f"Seed {seed}", Style(13, GREY), 8)]))
        self._beside(page, prompts)
        self._beside(page, seeds)

    def _row(self, row: object, before: object, y: int) -> GridPage:
        """Lay out a row below y: an item, or transposed an arm; ``before`` is the one above it on the page."""
        page = GridPage(y)
        if self.options.labels:
            self._label(page, row, before)
        elif before is not None:
            page.bottom += self.gutter
        top = page.bottom
        chip = GridPage(top)
        if self.options.labels and isinstance(row, int):
            self._chips(chip, [(self.margin, row)])
            page.shapes, page.texts = chip.shapes, page.texts + chip.texts
        page.bottom += self.cell[1]
        under: list[tuple[int, int, Sequence[Line]]] = []
        for column, (arm, (prompt, seed)) in enumerate(self._cells(row)):
            shot = self.comparison.shot(arm, prompt, seed)
            page.shots.append((self._x(column), top, shot))
            if self.options.labels and shot:
                line = Line(labels.caption(self.comparison, shot), Style(14, INK), 7)
                under.append((self._x(column), self.column, [line]))
        self._beside(page, under)
        page.bottom = max(page.bottom, chip.bottom)
        return page

    def _cells(self, row: object) -> list[tuple[int, tuple[int, int]]]:
        if isinstance(row, int):
            return [(row, item) for item in self.items]
        assert isinstance(row, tuple)
        return [(arm, row) for arm in self.arms]

    def _label(self, page: GridPage, row: object, before: object) -> None:
        """Write the prompt, where it is another than before, and the seed; transposed only a rule."""
        left, limit = self.margin + self.pad, self.width - 2 * self.pad
        if isinstance(row, int):
            self._rule(page)
            return
        assert isinstance(row, tuple)
        new = not isinstance(before, tuple) or before[0] != row[0]
        if new:
            self._rule(page)
            text = self.comparison.request.settings.prompts[row[0]]
            self._write(page, left, Line(text, Style(17, INK)), self._measure())
        self._write(page, left, Line(f"Seed {row[1]}", Style(13, GREY), 14 if new else 22), limit)
        page.bottom += self.px(5)

    def _foot(self, y: int) -> GridPage:
        page = GridPage(y)
        if self.options.labels:
            self._rule(page, 30, 16)
            self._write(page, self.margin + self.pad, labels.footer(self.comparison, self.arms), self._measure())
            page.bottom += self.px(16) if self.pad else 0
        page.bottom = round(page.bottom + self.margin * (0.8 if self.options.labels else 1))
        return page

    def _rule(self, page: GridPage, above: int = 26, below: int = 22) -> None:
        page.bottom += self.px(above)
        page.rules.append(page.bottom)
        page.bottom += self.px(below)

    def _beside(self, page: GridPage, columns: Sequence[tuple[int, int, Sequence[Line]]]) -> None:
        """Write (x, width, lines)s beside each other; the page ends below the longest."""
        top, bottom = page.bottom, page.bottom
        for x, width, lines in columns:
            page.bottom = top
            for line in lines:
                self._write(page, x + self.pad, line, width - 2 * self.pad)
            bottom = max(bottom, page.bottom)
        page.bottom = bottom

    def _write(self, page: GridPage, x: int, line: Line, limit: float) -> None:
        """Put a text at the end of the page, wrapped."""
        style, page.bottom = self._scaled(line.style), page.bottom + self.px(line.gap)
        key = (line.text, style, limit)
        if key not in self.wrapped:
            self.wrapped[key] = lettering.wrap(*key)
        for text in self.wrapped[key]:
            page.texts.append((x, page.bottom, text, style))
            page.bottom += style.line

    def _scaled(self, style: Style) -> Style:
        return replace(style, size=self.px(style.size))

    def _measure(self) -> int:
        """Longest line that is still easy to read."""
        return min(self.width - 2 * self.pad, self.px(960))

    def _x(self, column: int) -> int:
        return self.margin + self.lead + column * (self.column + self.gutter)
