"""A part of a comparison as a grid, transposed, larger and smaller, without words, and cut into pages."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from comparer.accelerators.deepcache import DeepCache
from comparer.errors import ComparerError
from comparer.reporting.grid.draw import GridOptions, draw_grid, save_grid
from comparer.request.png_write import read_request
from comparer.request.request import Arm
from comparer.results.comparison import Comparison
from helpers.noise_runs import BASELINE, FAST, compared, places, said
from helpers.runs import ROOT

ARMS = (BASELINE, FAST, Arm("slow", (DeepCache(5),)))
BARE = {"labels": False, "margins": False}


def shown(comparison: Comparison, folder: Path, arm: int, prompt: int, seed: int) -> Image.Image:
    return Image.open(folder / comparison.shot(arm, prompt, seed).file)


def mosaic(comparison: Comparison, folder: Path, rows: list[list[tuple[int, int, int]]]) -> np.ndarray:
    """Put shots beside and below each other."""
    return np.concatenate([
        np.concatenate([np.asarray(shown(comparison, folder, *cell)) for cell in row], axis=1) for row in rows
    ])  # fmt: skip


@pytest.mark.parametrize("transpose", [False, True])
def test_without_words_and_margins_it_is_nothing_but_its_cells(tmp_path: Path, drawn, transpose: bool) -> None:  # noqa: ANN001, F811
    comparison = compared(tmp_path, ("a", "b"), ARMS, seeds=(4, 5), width=64, height=96)
    arms, rows = (2, 0), ((1, 4), (0, 5), (0, 4))
    page = draw_grid(comparison, tmp_path, GridOptions(arms, rows, transpose, cell=64, **BARE))
    cells = [[(arm, *row) for arm in arms] for row in rows]
    cells = [list(column) for column in zip(*cells, strict=True)] if transpose else cells
    assert np.array_equal(np.asarray(page), mosaic(comparison, tmp_path, cells))
    assert page.size == ((3 * 64, 2 * 96) if transpose else (2 * 64, 3 * 96))
    assert not drawn


def test_a_margin_is_around_the_pictures_and_between_them(tmp_path: Path) -> None:
    comparison = compared(tmp_path, ("a",), seeds=(1, 2), width=64, height=64)
    page = draw_grid(comparison, tmp_path, GridOptions(cell=64, labels=False))
    pixels = np.asarray(page).copy()
    spots = [places(page, np.asarray(shown(comparison, tmp_path, arm, 0, seed))) for seed in (1, 2) for arm in (0, 1)]
    assert spots == [[(44, 44)], [(136, 44)], [(44, 136)], [(136, 136)]] and page.size == (244, 244)
    for ((x, y),) in spots:
        pixels[y : y + 64, x : x + 64] = pixels[0, 0]
    assert (pixels == pixels[0, 0]).all()


def test_without_margins_pictures_touch_and_the_words_stay(tmp_path: Path, drawn: list) -> None:
    comparison = compared(tmp_path, ("a cat",), ARMS, width=256, height=64)
    page = draw_grid(comparison, tmp_path, GridOptions(margins=False))
    spots = [places(page, np.asarray(shown(comparison, tmp_path, arm, 0, 0)))[0] for arm in range(3)]
    assert [x for x, _ in spots] == [0, 256, 512] and len({y for _, y in spots}) == 1 and page.width == 768
    assert {"a cat", "Seed 0", "slow", "1.80×"} <= set(said(drawn))
    assert all(x > 0 for x, *_ in drawn)


def test_transposed_an_arm_is_a_row_under_prompts_and_seeds(tmp_path: Path, drawn: list) -> None:
    comparison = compared(tmp_path, ("a cat", "a dog"), seeds=(3, 4), width=256, height=256)
    page = draw_grid(comparison, tmp_path, GridOptions(transpose=True))
    spots = {
        (shot.arm, shot.prompt, shot.seed): places(page, np.asarray(Image.open(tmp_path / shot.file)))[0]
        for shot in comparison.shots
    }
    columns = [(prompt, seed) for prompt in (0, 1) for seed in (3, 4)]
    across = [[spots[arm, *column] for column in columns] for arm in (0, 1)]
    for row in across:
        assert len({y for _, y in row}) == 1 and [x for x, _ in row] == sorted(x for x, _ in row)
    assert [x for x, _ in across[0]] == [x for x, _ in across[1]] and across[0][0][1] < across[1][0][1]
    where = {line: (x, y) for x, y, line, _ in drawn}
    assert where["a cat"][0] == spots[0, 0, 3][0] and where["a dog"][0] == spots[0, 1, 3][0]
    assert across[1][0][1] < where["DeepCache(interval=3,"][1] < where["1.80×"][1] < across[1][0][1] + 256
    assert where["DeepCache(interval=3,"][0] < across[1][0][0] - 200  # the chip is the head of the row
    assert [line for line in said(drawn) if line.startswith("Seed ")] == ["Seed 3", "Seed 4"] * 2


def test_figures_are_against_the_baseline_where_it_is_not_shown(tmp_path: Path, drawn: list) -> None:
    comparison = compared(tmp_path, ("a cat", "a dog"), ARMS, seeds=(3, 4))
    draw_grid(comparison, tmp_path, GridOptions(arms=(2,), rows=((1, 4),)))
    lines = said(drawn)
    assert {"slow", "1.80×", "a dog", "Seed 4"} <= set(lines)
    assert "Faster; loss seen in these 4 images" in " ".join(lines)
    assert not {"Baseline", "DeepCache(interval=3,", "a cat", "Seed 3"} & set(lines)
    assert "against Baseline, which is not shown," in " ".join(lines)


def test_smaller_cells_are_filtered_and_larger_ones_are_not(tmp_path: Path, drawn: list) -> None:
    comparison = compared(tmp_path, ("a",), width=128, height=64)
    source = shown(comparison, tmp_path, 0, 0, 0)
    small = draw_grid(comparison, tmp_path, GridOptions(cell=50))
    assert len(places(small, np.asarray(source.resize((50, 25), Image.Resampling.LANCZOS)))) == 1
    assert "pictures reduced to 50 × 25" in " ".join(said(drawn))
    drawn.clear()
    large = draw_grid(comparison, tmp_path, GridOptions(cell=400))
    assert len(places(large, np.asarray(source).repeat(3, 0).repeat(3, 1))) == 1
    assert "pictures shown 3×" in " ".join(said(drawn))
    drawn.clear()
    draw_grid(comparison, tmp_path, GridOptions(cell=128))
    assert "pictures" not in " ".join(said(drawn)[:3])


def test_pages_are_cut_between_rows_and_each_tells_all(tmp_path: Path, drawn: list) -> None:
    comparison = compared(tmp_path, ("a cat", "a dog"), seeds=(1, 2, 3), width=256, height=256)
    (tmp_path / "grid-9.png").write_bytes(b"of an earlier grid")
    (tmp_path / "grid-mine.png").write_bytes(b"not ours")
    paths = save_grid(comparison, tmp_path, GridOptions(max_pixels=900_000))
    lines, seen = said(drawn), []
    assert [path.name for path in paths] == ["grid.png", "grid-2.png", "grid-3.png"]
    assert [line for line in lines if line.startswith("Page ")] == [f"Page {number} of 3" for number in (1, 2, 3)]
    assert lines.count("Demo: coloured shapes") == lines.count("Baseline") == lines.count("DeepCache(interval=3,") == 3
    assert lines.count("a cat") == 2 and lines.count("a dog") == 2  # the second page begins inside the first prompt
    for number, path in enumerate(paths, 1):
        with Image.open(path) as page:
            assert page.width * page.height <= 900_000
            about = json.loads(page.info["comparer"])["grid"]
            assert (about["page"], about["pages"], about["max_pixels"]) == (number, 3, 900_000)
            assert read_request(path) == comparison.request
            for item in comparison.request.items():
                found = [places(page, np.asarray(shown(comparison, tmp_path, arm, *item))) for arm in (0, 1)]
                seen += [item] if all(found) else []
                assert all(found) or not any(found)
    assert seen == comparison.request.items()
    assert not (tmp_path / "grid-9.png").exists() and (tmp_path / "grid-mine.png").exists()
    assert [path.name for path in save_grid(comparison, tmp_path)] == ["grid.png"]
    assert sorted(path.name for path in tmp_path.glob("grid*")) == ["grid-mine.png", "grid.png"]


def test_transposed_pages_hold_whole_arms(tmp_path: Path) -> None:
    comparison = compared(tmp_path, ("a",), ARMS, seeds=(1, 2), width=256, height=512)
    options = GridOptions(transpose=True, max_pixels=300_000, **BARE)
    paths = save_grid(comparison, tmp_path, options, into=tmp_path)
    for arm, path in enumerate(paths):
        cells = mosaic(comparison, tmp_path, [[(arm, 0, 1), (arm, 0, 2)]])
        assert np.array_equal(np.asarray(Image.open(path)), cells)
    assert len(paths) == 3


def test_a_row_that_no_page_holds_is_reduced_or_refused(tmp_path: Path, drawn: list) -> None:
    comparison = compared(tmp_path, ("a",), width=1024, height=1024)
    with pytest.raises(ComparerError, match=r"A page of one row takes \d,\d{3},\d{3} pixels, and at most 900,000"):
        draw_grid(comparison, tmp_path, GridOptions(cell=1024, max_pixels=900_000))
    page = draw_grid(comparison, tmp_path, GridOptions(max_pixels=900_000))
    assert page.width * page.height <= 900_000 and "pictures reduced to 256 × 256" in " ".join(said(drawn))


def test_one_page_at_a_time_is_in_memory(tmp_path: Path) -> None:
    """Six pages of 25 MB each are written within three pages' memory."""
    program = f"""
import resource, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT / "tests")!r})
from helpers.noise_runs import compared
from comparer.reporting.grid.draw import draw_grid
from comparer.reporting.grid.draw import GridOptions, save_grid
folder = Path({str(tmp_path)!r})
comparison = compared(folder, ("a",), seeds=tuple(range(6)), width=64, height=64)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
draw_grid(comparison, folder, GridOptions(cell=64))
before = peak()
pages = save_grid(comparison, folder, GridOptions(cell=2048, max_pixels=2 * 2048**2, labels=False, margins=False))
print(len(pages), peak() - before)
"""
    made = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    pages, grown = map(int, made.stdout.split())
    assert pages == 6 and grown * (1 if sys.platform == "darwin" else 1024) < 3 * 2 * 2048**2 * 3


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"arms": ()}, "The grid has no arm: choose at least one."),
        ({"rows": ()}, "The grid has no row"),
        ({"arms": (1, 1)}, "The grid shows one arm twice"),
        ({"arms": (2,)}, r"There is no arm 2: choose 0 \(the baseline\) to 1"),
        ({"arms": (True,)}, "There is no arm True"),
        ({"rows": ((0, 9),)}, r"There is no row \(0, 9\)"),
        ({"rows": (5,)}, "There is no row 5"),
        ({"cell": 15}, "The grid's cell of 15 pixels is out of range: 16 to 16384"),
        ({"cell": "wide"}, "The grid's cell of wide pixels"),
        ({"max_pixels": 10}, "A page of the grid of 10 pixels is out of range"),
        ({"max_pixels": True}, "A page of the grid of True pixels"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tmp_path: Path, options: dict, told: str) -> None:
    comparison = compared(tmp_path, ("a",), width=32, height=32)
    with pytest.raises(ComparerError, match=told):
        draw_grid(comparison, tmp_path, GridOptions(**options))


def test_there_is_no_page_beyond_the_last(tmp_path: Path) -> None:
    with pytest.raises(ComparerError, match=re.escape("The grid has no page 2: it has 1.")):
        draw_grid(compared(tmp_path, ("a",), width=32, height=32), tmp_path, page=2)
