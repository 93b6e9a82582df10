"""The chips of the grid: every text inside its card, nothing over anything, and the verdict's colour."""

import math
from dataclasses import replace
from itertools import combinations

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


def head_of(comparison: Comparison) -> labels.Head:
    return labels.head(Analysis(comparison).arms[1])


def same_pixels(comparison: Comparison) -> Comparison:
    comparison.shots = [replace(shot, pixels="same") for shot in comparison.shots]
    return comparison


@pytest.mark.parametrize(
    ("comparison", "look", "colour"),
    [
        (same_pixels(made(2)), "good", labels.ACCENT),
        (made(2, prompts=2), "open", labels.OPEN),
        (made(2), "open", labels.OPEN),
        (made(2, speed=0.8), "bad", labels.RED),
        (made(2, loss=0.2), "bad", labels.RED),
        (same_pixels(made(2, speed=0.8)), "same", labels.GREY),
    ],
)
def test_the_words_are_the_headline_in_the_colour_of_its_look(comparison: Comparison, look: str, colour: str) -> None:
    verdict, head = Analysis(comparison).arms[1].verdict, head_of(comparison)
    assert verdict.look == look
    assert [line.text for line in head.words] == [verdict.headline]
    assert {line.style.colour for line in head.words} == {head.colour} == {colour}
    assert len({labels.ACCENT, labels.OPEN, labels.RED, labels.INK, labels.GREY}) == 5
    page = laid_out(comparison, rows=((0, 0),))[1]
    accents = {style.colour for *_, style in page.texts} | {shape.colour for shape in page.shapes}
    assert (labels.ACCENT in accents) == (look == "good")


def test_a_bar_is_as_long_as_its_value_and_an_interval_that_leaves_the_axis_is_an_arrow() -> None:
    for comparison, beyond in ((made(2, loss=0.01), 0), (made(2, loss=0.01, spread=2.0), 2), (made(2, loss=0.3), 1)):
        layout, page = laid_out(comparison, rows=((0, 0),))
        speed, quality = layout.heads[1].bars
        bars = [edges(shape) for shape in page.shapes if shape.colour == labels.BAR]
        for bar, drawn in zip((speed, quality), bars, strict=True):
            shown = abs(min(max(bar.value, 0), 1) - bar.zero) * layout.chips.axis
            assert drawn[2] - drawn[0] == pytest.approx(max(shown, 1), abs=0.01)
        arrows = [shape for shape in page.shapes if len(shape.corners) == 3]
        assert len(arrows) == beyond, (speed, quality)
        for arrow in arrows:  # it points outwards, at the end of its axis
            tip, back, _ = (x for x, _ in arrow.corners)
            card = max(edges(s)[0] for s in page.shapes if s.colour == labels.CARD and edges(s)[0] < tip)
            left = card + layout.px(11) + layout.chips.label + layout.px(8)
            assert tip == pytest.approx(left + (layout.chips.axis if tip > back else 0), abs=2)


def test_the_small_text_has_levels_turns_and_images_and_the_baseline_its_figures() -> None:
    comparison = made(3)
    layout, page = laid_out(comparison, rows=((0, 0),))
    text = " ".join(line for *_, line, _ in page.texts)
    assert text.count("Speed: 97.5 % interval, 9 turns") == 2
    assert text.count("CLIP: 99.5 % interval, 0 of 9 images clearly worse") == 2
    for said in ("0.580 s", "seconds per image", "43.1 it/s · CLIP 70.0", "2.00×", "DeepCache ×3", "ToMe 50 %"):
        assert said in text, said
    larger = {line: style.size for *_, line, style in page.texts}
    assert larger["2.00×"] > 2 * larger["DeepCache ×3"] * 0.9 > layout.px(20)


def test_a_long_name_of_a_score_takes_no_room_from_the_axis() -> None:
    comparison = replace(made(2), scorer=Scorer("ViT-L-14", title="Aesthetic appeal score"))
    layout, page = laid_out(comparison, rows=((0, 0),))
    assert layout.chips.axis >= layout.px(60)
    texts = [(x, y, x + lettering.width(line, style), y + style.line) for x, y, line, style in page.texts]
    assert all(apart(one, other) for one, other in combinations(texts, 2))
