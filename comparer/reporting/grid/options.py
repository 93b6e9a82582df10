"""Options of the grid: arms, rows, cell size, labels and margins."""

from dataclasses import dataclass
from typing import Any

from comparer.errors import ComparerError
from comparer.request.request import Request, Settings
from comparer.text import quote

MAX_PIXELS = 64_000_000  # of a page: what Pillow and browsers open without a warning, about 190 MB while it is drawn
CELLS = (16, 16384)
PAGES = (100_000, 1_000_000_000)
SMALLEST = 256  # pixels: narrower pictures are enlarged by a whole factor until they reach it


@dataclass(frozen=True)
class GridOptions:
    """Which part of a comparison a grid shows, and how.

    Attributes:
        arms: positions in ``request.arms``, in display order; None for all.
        rows: (prompt number from 0, seed)s, in display order; None for all.
        transpose: show one arm per row and one prompt and seed per column.
        cell: width of an image in the grid, 16 to 16384 pixels. A larger image is reduced (Lanczos); a smaller one is
            enlarged by the largest whole factor that fits, without smoothing. None for 1:1, or for images narrower than
            256 pixels the smallest whole factor that reaches 256; if not even one row of those fits on a page, they are
            halved until it does. The grid states which applies.
        labels: show the measurements and the settings.
        margins: leave space around the images. Without labels and margins a page consists of its cells only.
        max_pixels: maximum size of a page, 100,000 to 1,000,000,000; rows that do not fit go on the next page.
    """

    arms: tuple[int, ...] | None = None
    rows: tuple[tuple[int, int], ...] | None = None
    transpose: bool = False
    cell: int | None = None
    labels: bool = True
    margins: bool = True
    max_pixels: int = MAX_PIXELS

    def __post_init__(self) -> None:
        """Validate the options; raise ``ComparerError`` for values that no comparison has."""
        for what, chosen in (("arm", self.arms), ("row", self.rows)):
            if chosen is not None and not chosen:
                raise ComparerError(f"The grid has no {what}: choose at least one.")
            if chosen is not None and len(set(chosen)) < len(chosen):
                raise ComparerError(f"The grid shows one {what} twice: choose each {what} once.")
        if self.cell is not None:
            _within("The grid's cell", self.cell, CELLS)
        _within("A page of the grid", self.max_pixels, PAGES)

    def chosen(self, request: Request) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the arms and the rows of a comparison that are shown.

        Raises:
            ComparerError: the comparison has no such arm or row.
        """
        arms, items = list(range(len(request.arms))), request.items()
        for arm in self.arms or ():
            if arm not in arms or isinstance(arm, bool):
                raise ComparerError(f"There is no arm {quote(arm)}: choose 0 (the baseline) to {len(arms) - 1}.")
        known = set(items)
        for row in self.rows or ():
            if row not in known:
                raise ComparerError(f"There is no row {quote(row)}: a row is the number of a prompt and a seed.")
        return list(self.arms or arms), list(self.rows or items)


def factor(pixels: int) -> int:
    """Return the smallest whole factor that makes a picture of this width at least 256 pixels wide.

    >>> [factor(pixels) for pixels in (64, 128, 200, 256, 512)]
    [4, 2, 2, 1, 1]
    """
    return max(1, -(-SMALLEST // pixels))


def cell_of(settings: Settings, width: int) -> tuple[int, int]:
    """Return the width and height at which images are displayed in a cell of this width."""
    if width >= settings.width:
        times = width // settings.width
        return settings.width * times, settings.height * times
    return width, max(1, round(settings.height * width / settings.width))


def _within(name: str, value: Any, allowed: tuple[int, int]) -> None:
    low, high = allowed
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise ComparerError(f"{name} of {quote(value)} pixels is out of range: {low} to {high} is allowed.")
