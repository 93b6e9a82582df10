"""The grid: pixels, words, places, and letters that are really drawn."""

from dataclasses import replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comparer.accelerators.deepcache import DeepCache
from comparer.errors import ComparerError
from comparer.reporting.grid import fonts, labels
from comparer.reporting.grid import text as lettering
from comparer.reporting.grid.draw import draw_grid, save_grid
from comparer.reporting.grid.text import Style
from comparer.request.png_write import read_request
from comparer.request.request import Arm
from comparer.results.records import Scorer
from helpers.noise_runs import BASELINE, FAST, compared, places, said

STYLE = Style(17, "#000000")
JAPANESE = "赤い丸と青い四角、「猫」が窓辺で眠っている。水彩画のような柔らかい光、とても静かな朝ですね。"
CHINESE = "一只红色的狐狸坐在雪地里，背景是松树林，清晨的阳光透过树枝洒下来，画面宁静而温暖。"
KOREAN = "빨간 원과 파란 사각형이 나란히 놓여 있고 그 위로 작은 노란 새가 날아가는 그림"
SIGNS = "café 5 × 7 – 1.62× ≥ 3, “ok”… Ελλάδα Привет"
EMOJI = "emoji 🐱 👩🏽‍🚀 ไทย \U0010ffff end"
PROMPTS = [JAPANESE, CHINESE, KOREAN, SIGNS, EMOJI, "word " * 380, "x" * 900, "a/b_c-d," * 90]


@pytest.mark.parametrize(("width", "height", "factor"), [(64, 64, 4), (128, 192, 2), (200, 128, 2), (256, 128, 1), (320, 256, 1)])  # fmt: skip # noqa: E501
def test_pictures_keep_their_pixels_in_their_places(
    tmp_path: Path, drawn: list, width: int, height: int, factor: int
) -> None:
    comparison = compared(tmp_path, ("a", "b"), width=width, height=height, seeds=(1, 2))
    page = draw_grid(comparison, tmp_path)
    found = {}
    for shot in comparison.shots:
        source = np.asarray(Image.open(tmp_path / shot.file))
        (found[shot.arm, shot.prompt, shot.seed],) = places(page, source.repeat(factor, 0).repeat(factor, 1))
    rows = [[found[arm, p, seed] for arm in (0, 1)] for p in (0, 1) for seed in (1, 2)]
    assert all(left[1] == right[1] and left[0] + width * factor < right[0] for left, right in rows)
    assert len({row[0][0] for row in rows}) == len({row[1][0] for row in rows}) == 1
    assert sorted(row[0][1] for row in rows) == [row[0][1] for row in rows]
    assert (f"pictures shown {factor}×" in " ".join(said(drawn))) == (factor > 1)


def test_it_says_what_was_measured(tmp_path: Path, drawn: list) -> None:
    comparison = compared(tmp_path, ("a cat", "a dog"), seeds=(3, 4, 5), negative_prompt="blurry", batch_size=2)
    draw_grid(comparison, tmp_path)
    lines = said(drawn)
    assert "Demo: coloured shapes" in lines
    facts = " ".join(lines[1:4])
    for fact in ("DDIM", "25 steps", "guidance 4", "128 × 128", "batches of 2", "x86_64 CPU", "pictures shown 2×"):
        assert fact in facts
    assert "Negative prompt: blurry" in lines
    text = " ".join(lines)  # of which the long ones are broken
    assert text.count("Faster; loss seen in these 6 images") == text.count("Speed: the same in 3 turns") == 1
    assert text.count("0 of 6 images clearly worse") == lines.count("−3.7 %") == lines.count("1.80×") == 1
    assert lines.count("0.900 s · CLIP 27.3") == 6 and lines.count("0.500 s · CLIP 26.3") == 6 + 1  # the chip's
    assert [line for line in lines if line in ("a cat", "a dog") or line.startswith("Seed ")] == [
        "a cat", "Seed 3", "Seed 4", "Seed 5", "a dog", "Seed 3", "Seed 4", "Seed 5",
    ]  # fmt: skip
    assert not any("Stopped" in line or "not made" in line for line in lines)


def test_a_stopped_run_says_so(tmp_path: Path, drawn: list) -> None:
    arms = (BASELINE, FAST, Arm("never run", (DeepCache(5),)))
    comparison = compared(tmp_path, ("a", "b"), arms, made=2)
    draw_grid(comparison, tmp_path)
    lines = said(drawn)
    assert "Stopped: 2 of 6 pictures" in lines
    assert lines.count("not made") == 4
    text = " ".join(lines)
    assert text.count("Speed undecided; loss seen in this image") == text.count("no interval, 1 turn") == 1
    assert lines.count("1.80×") == 2  # large, and beside the bar in place of an interval
    assert lines.count("not measured") == 1


def test_what_was_not_scored_has_no_score(tmp_path: Path, drawn: list) -> None:
    comparison = replace(compared(tmp_path, ("a",)), scorer=Scorer(why_not="off"))
    comparison.shots = [replace(shot, clip_score=None) for shot in comparison.shots]
    draw_grid(comparison, tmp_path)
    assert {"0.900 s", "0.500 s"} <= set(said(drawn))
    assert not any(line.startswith("CLIP") or "CLIP scores" in line or " · CLIP" in line for line in said(drawn))


@pytest.mark.parametrize(
    ("score", "text"), [(27.314, "27.3"), (0.2714, "0.271"), (-1.0449, "−1.04"), (0.0, "0.0"), (104.25, "104.2")]
)
def test_scores_have_three_digits(score: float, text: str) -> None:
    assert labels.score_text(score) == text


def test_a_lost_picture_is_named(tmp_path: Path) -> None:
    comparison = compared(tmp_path, ("a",))
    (tmp_path / comparison.shots[0].file).unlink()
    with pytest.raises(ComparerError, match="'0_0_0.png' is not in the run folder"):
        draw_grid(comparison, tmp_path)


def test_the_file_carries_the_request(tmp_path: Path) -> None:
    comparison = compared(tmp_path, ("猫, a “cat”",), seeds=(5, 6))
    (path,) = save_grid(comparison, tmp_path)
    assert path == tmp_path / "grid.png"
    assert read_request(path) == comparison.request
    with Image.open(path) as page:
        assert page.info["parameters"].splitlines()[1] == (
            "Steps: 25, Sampler: DDIM, CFG scale: 4, Seed: 5, Size: 128x128, Model: demo"
        )
        assert np.array_equal(np.asarray(page), np.asarray(draw_grid(comparison, tmp_path)))


@pytest.mark.parametrize("arms", [(BASELINE,), (BASELINE, Arm("N" * 70, (DeepCache(),)), Arm(CHINESE, (DeepCache(),)))])
def test_texts_neither_overlap_nor_leave_the_page(tmp_path: Path, drawn: list, arms: tuple[Arm, ...]) -> None:
    comparison = compared(tmp_path, tuple(prompt.strip() for prompt in PROMPTS), arms, negative_prompt="y" * 400)
    comparison.checkpoint["title"] = "A title that is long, long, long " * 6
    comparison.environment["device_name"] = "Q" * 120
    page = draw_grid(comparison, tmp_path)
    boxes = [(x, y, x + lettering.width(line, style), y + style.line) for x, y, line, style in drawn]
    for shot in comparison.shots:
        shown = np.asarray(Image.open(tmp_path / shot.file)).repeat(2, 0).repeat(2, 1)
        ((x, y),) = places(page, shown)
        boxes.append((x, y, x + 256, y + 256))
    assert all(x >= 0 and y >= 0 and right <= page.width - 40 and low <= page.height - 30 for x, y, right, low in boxes)
    for (x, y, right, low), (x2, y2, right2, low2) in combinations(boxes, 2):
        assert right <= x2 or right2 <= x or low <= y2 or low2 <= y


def test_all_of_a_prompt_is_written(tmp_path: Path, drawn: list) -> None:
    draw_grid(compared(tmp_path, (JAPANESE, KOREAN)), tmp_path)
    text = "".join(said(drawn))
    assert JAPANESE in text
    assert KOREAN.replace(" ", "") in text.replace(" ", "")


@pytest.mark.parametrize("text", PROMPTS)
@pytest.mark.parametrize("limit", [60, 256, 540])
def test_lines_are_as_wide_as_allowed_and_lose_nothing(text: str, limit: int) -> None:
    lines = lettering.wrap(text, STYLE, limit)
    assert len(lines) > 1 or lettering.width(text, STYLE) <= limit
    assert all(lettering.width(line, STYLE) <= limit for line in lines)
    assert "".join(lines).replace(" ", "") == lettering.clean(text).replace(" ", "")


def test_lines_end_where_readers_expect() -> None:
    assert lettering.wrap("one two  three\nfour", STYLE, lettering.width("one two three", STYLE)) == [
        "one two three", "four",
    ]  # fmt: skip
    assert lettering.wrap("a text-to-image", STYLE, lettering.width("a text-to-", STYLE)) == ["a text-to-", "image"]
    lines = lettering.wrap(KOREAN, STYLE, 256)
    assert " ".join(lines) == KOREAN
    for limit in range(90, 300, 7):
        lines = lettering.wrap(JAPANESE + "「cat」と「dog」。" + CHINESE, STYLE, limit)
        assert not any(line[0] in "、。」，" or line[-1] == "「" for line in lines)


def test_marks_stay_with_their_letter() -> None:
    lines = lettering.wrap("g\u0303" * 60, STYLE, 100)
    assert len(lines) > 1
    assert not any(line.startswith("\u0303") for line in lines)


@pytest.mark.parametrize("bold", [False, True])
@pytest.mark.parametrize("text", [JAPANESE, CHINESE, KOREAN, SIGNS, "ァヴヵー・ぁ々〇ㄱㅎ힣각😀·−□"])
def test_every_letter_is_drawn_by_a_font_that_has_it(text: str, bold: bool) -> None:
    runs = fonts.runs(text, bold)
    assert "".join(piece for _, piece in runs) == text
    for name, piece in runs:
        font = fonts.load(name, 40)
        absent = bytes(font.getmask("\U0010ffff"))
        for sign in piece.replace(" ", ""):
            assert any(bytes(font.getmask(sign))), sign
            assert bytes(font.getmask(sign)) != absent, sign


def test_what_no_font_has_is_a_box_and_its_modifiers_nothing() -> None:
    assert fonts.runs("a👩🏽\u200d🚀b\ud83d\U0010ffff") == [(fonts.REGULAR, "a□\u200d□b□□")]


def test_each_script_leaves_its_own_ink(tmp_path: Path) -> None:
    def ink(text: str, style: Style = STYLE) -> np.ndarray:
        picture = Image.new("RGB", (60, 40), "white")
        lettering.draw(picture, 10, 5, text, style)
        return np.asarray(picture)

    signs = ["가", "나", "あ", "ア", "猫", "狐", "×", "≥", "–", "é", "□"]
    assert len({ink(sign).tobytes() for sign in signs}) == len(signs)
    for sign in ("猫", "a"):
        assert ink(sign, replace(STYLE, bold=True)).sum() < ink(sign).sum()
    assert (ink("é", replace(STYLE, colour="#ff0000"))[..., 0] == 255).all()
