"""The chips of the grid: every text inside its card, nothing over anything, and the verdict's colour."""

import math
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace

import pytest

from comparer.accelerators.deepcache import DeepCache
from comparer.accelerators.tgate import TGATE
from comparer.accelerators.tome import ToMe
from comparer.reporting.grid import labels
from comparer.reporting.grid import text as lettering
from comparer.reporting.grid.chips import Shape
from comparer.reporting.grid.layout import GridPage, Layout
from comparer.reporting.grid.options import GridOptions, cell_of
from comparer.request.request import Arm, Request, Settings
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Scorer, Shot

ARMS = (
    Arm("Baseline"),
    Arm("DeepCache(interval=3)", (DeepCache(3),)),
    Arm("ToMe(ratio=0.5)", (ToMe(),)),
    Arm("T-GATE(gate_step=10)", (TGATE(10),)),
    Arm("DeepCache(interval=3) + T-GATE(gate_step=10)", (DeepCache(3), TGATE(10))),
)
LONG = "a large red star on a blue background, highly detailed, cinematic light, " * 8


def made(arms: int, size: int = 128, speed: float = 2.0, loss: float = 0.0, spread: float = 0.01, prompts: int = 9) -> Comparison:  # fmt: skip # noqa: E501
    """Make the record of a run with known times and scores; it has no files."""
    request = Request(Settings((LONG, *map(str, range(1, prompts))), width=size, height=size), ARMS[:arms])
    seen = Comparison(request, "2026-12-01", state="finished", scorer=Scorer("ViT-L-14"))
    seen.checkpoint["title"] = "Demo: coloured shapes"
    for item, (prompt, seed) in enumerate(request.items()):
        for arm in range(arms):
            wave = math.exp(spread * (item % 3 - 1) * (arm + 1))
            seconds = 0.58 * wave / (speed if arm else 1)
            seen.calls.append(Call(arm, item, 1, seconds, {"denoising": seconds}, (seconds / 25,)))
            score = 70 * (1 - (loss if arm else 0)) + item % 2 * 0.01
            seen.shots.append(Shot(arm, prompt, seed, f"{arm}_{item}.png", len(seen.calls) - 1, score, f"{arm}{item}"))
    return seen


def laid_out(comparison: Comparison, **options) -> tuple[Layout, GridPage]:  # noqa: ANN003
    settings = comparison.request.settings
    layout = Layout(comparison, GridOptions(**options), cell_of(settings, max(256, settings.width)))
    return layout, layout.pages()[0]


def edges(shape: Shape) -> tuple[float, float, float, float]:
    xs, ys = zip(*shape.corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def apart(one: tuple, other: tuple) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


def inside(one: tuple, other: tuple, by: float = 0) -> bool:
    return one[0] >= other[0] + by and one[1] >= other[1] and one[2] <= other[2] - by and one[3] <= other[3]


@pytest.mark.parametrize("arms", [1, 2, 3, 5])
@pytest.mark.parametrize("transpose", [False, True])
@pytest.mark.parametrize(("size", "margins"), [(128, True), (128, False), (1024, True)])
@pytest.mark.parametrize("spread", [0.01, 0.4])
def test_every_text_of_a_chip_is_whole_and_lies_on_its_card_alone(
    arms: int, transpose: bool, size: int, margins: bool, spread: float
) -> None:
    layout, page = laid_out(
        made(arms, size, loss=0.2, spread=spread), transpose=transpose, margins=margins, rows=((0, 0), (1, 0))
    )
    cards = [edges(shape) for shape in page.shapes if shape.colour == labels.CARD]
    texts = [(x, y, x + lettering.width(line, style), y + style.line) for x, y, line, style in page.texts]
    marks = [edges(shape) for shape in page.shapes if shape.colour in (labels.BAR, labels.GREY, labels.INK)]
    marks = [each for each in marks if each[2] - each[0] < layout.chips.width]  # without the edges of the cards
    assert len(cards) == arms
    for one, other in combinations(cards, 2):
        assert apart(one, other)
    for text in texts:
        touched = [card for card in cards if not apart(text, card)]
        assert not touched or (len(touched) == 1 and inside(text, touched[0], by=8 * layout.scale))
        assert text[0] >= 0 and text[2] <= layout.page_width
        assert all(apart(text, mark) for mark in marks)
    for mark in marks:
        assert sum(inside(mark, card) for card in cards) == 1
    for one, other in combinations(texts, 2):
        assert apart(one, other)
    pictures = [(x, y, x + layout.cell[0], y + layout.cell[1]) for x, y, _ in page.shots]
    for picture in pictures:
        assert all(apart(picture, each) for each in (*cards, *texts))
    if not transpose:  # every chip is the head of its column
        assert [card[0] < x < card[2] for card, (x, _, _) in zip(cards, page.shots, strict=False)]
    names = [line for *_, line, _ in page.texts]
    assert "Baseline" in names
    assert min(style.size for *_, style in page.texts) >= 13
