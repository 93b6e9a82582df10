"""Render the grid of a whole comparison, one column per arm, one row per prompt and seed, on one or more pages.

Texts are in ``labels``, positions in ``layout``, text rendering in ``text``.
"""

import json
import re
from dataclasses import asdict
from pathlib import Path

from PIL import Image, ImageDraw

from comparer.errors import ComparerError
from comparer.reporting.grid import text
from comparer.reporting.grid.labels import EMPTY, GREY, PAPER, RULE
from comparer.reporting.grid.layout import GridPage, Layout, TooLarge
from comparer.reporting.grid.options import CELLS, MAX_PIXELS, GridOptions, cell_of, factor
from comparer.reporting.grid.text import Style
from comparer.request import png_write
from comparer.results.comparison import Comparison
from comparer.results.records import Shot

__all__ = ["MAX_PIXELS", "GridOptions", "draw_grid", "pages", "save_grid"]
ALL = GridOptions()


def draw_grid(comparison: Comparison, folder: Path, options: GridOptions = ALL, page: int = 1) -> Image.Image:
    """Render a page of the grid.

    Images are shown 1:1, enlarged by a whole factor without smoothing, or reduced; the grid states any scaling. Missing
    images are empty cells. Figures are against the baseline, even if it is not shown.

    Args:
        comparison: finished or not.
        folder: its run folder, with the images.
        options: what to show.
        page: page number, from 1.

    Raises:
        ComparerError: the selection or the page does not exist, a single row is larger than a page, or an image is
            not in the folder.
    """
    layout, cut = _laid_out(comparison, options)
    if not 1 <= page <= len(cut):
        raise ComparerError(f"The grid has no page {page}: it has {len(cut)}.")
    return _paint(layout, cut[page - 1], folder)


def save_grid(comparison: Comparison, folder: Path, options: GridOptions = ALL, into: Path | None = None) -> list[Path]:
    """Save the grid as ``grid.png``, ``grid-2.png``, … and return the paths.

    Every page contains the request as text metadata. One page is in memory at a time. Surplus pages of an earlier grid
    are removed.

    Args:
        comparison: finished or not.
        folder: its run folder, with the images.
        options: what to show.
        into: output folder; the run folder by default.

    Raises:
        ComparerError: as ``draw_grid``.
        OSError: a file cannot be written.
    """
    layout, cut = _laid_out(comparison, options)
    into = into or folder
    paths = [into / ("grid.png" if number == 1 else f"grid-{number}.png") for number in range(1, len(cut) + 1)]
    for number, (page, path) in enumerate(zip(cut, paths, strict=True), 1):
        png_write.save_png(_paint(layout, page, folder), path, _texts(layout, number, len(cut)))
    for stale in into.glob("grid-*.png"):
        if re.fullmatch(r"grid-\d+\.png", stale.name) and stale not in paths:
            stale.unlink(missing_ok=True)
    return paths


def pages(comparison: Comparison, options: GridOptions = ALL) -> int:
    """Return the number of pages of the grid; errors as ``draw_grid``."""
    return len(_laid_out(comparison, options)[1])


def _laid_out(comparison: Comparison, options: GridOptions) -> tuple[Layout, list[GridPage]]:
    settings = comparison.request.settings
    width = options.cell or settings.width * factor(settings.width)
    while True:
        layout = Layout(comparison, options, cell_of(settings, width))
        try:
            return layout, layout.pages()
        except TooLarge:
            if options.cell or width // 2 < CELLS[0]:
                raise
            width //= 2


def _texts(layout: Layout, number: int, pages: int) -> dict[str, str]:
    """Return the texts that a page carries: those of its first picture, and the request with what the grid shows."""
    comparison, arm, item = layout.comparison, layout.arms[0], layout.items[0]
    name = comparison.card(arm).get("name", comparison.request.settings.checkpoint)
    about = asdict(layout.options) | {"page": number, "pages": pages, "shown": list(layout.cell)}
    data = json.loads(png_write.request_text(comparison.request)) | {"grid": about}
    line = png_write.parameters_line(comparison.request, arm, *item, name, comparison.model_hash(arm))
    return {"parameters": line, png_write.CHUNK: json.dumps(data)}


def _paint(layout: Layout, page: GridPage, folder: Path) -> Image.Image:
    picture = Image.new("RGB", (layout.page_width, page.bottom), PAPER)
    canvas, (width, height) = ImageDraw.Draw(picture), layout.cell
    for y in page.rules:
        canvas.rectangle((layout.margin, y, layout.margin + layout.width - 1, y + layout.px(1) - 1), fill=RULE)
    for shape in page.shapes:
        text.fill(picture, shape.corners, shape.colour)
    for x, y, shot in page.shots:
        if shot:
            picture.paste(_picture(folder, shot, layout.cell), (x, y))
            continue
        canvas.rectangle((x, y, x + width - 1, y + height - 1), fill=EMPTY, outline=RULE)
        style = Style(layout.px(14), GREY)
        if layout.options.labels and (gap := width - text.width("not made", style)) > 0:
            text.draw(picture, x + gap / 2, y + (height - style.line) / 2, "not made", style)
    for x, y, line, style in page.texts:
        text.draw(picture, x, y, line, style)
    return picture


def _picture(folder: Path, shot: Shot, cell: tuple[int, int]) -> Image.Image:
    try:
        with Image.open(folder / shot.file) as picture:
            smaller = cell[0] < picture.width
            method = Image.Resampling.LANCZOS if smaller else Image.Resampling.NEAREST
            return picture.convert("RGB").resize(cell, method)
    except FileNotFoundError as error:
        raise ComparerError(f"The picture '{shot.file}' is not in the run folder '{folder.name}'.") from error
