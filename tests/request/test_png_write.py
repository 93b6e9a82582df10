"""What a picture says of itself: A1111's line, and the request that comes back from the file."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from comparer.accelerators.deepcache import DeepCache
from comparer.checkpoints.spec import Weights
from comparer.config import UNLIMITED
from comparer.errors import ComparerError
from comparer.request.png_write import parameters_line, read_request, request_text, save_png, shot_texts
from comparer.request.request import Arm, Request, Settings

# As AUTOMATIC1111's reader finds the pairs of the last line.
PAIR = re.compile(r'\s*(\w[\w \-/]+):\s*("(?:\\.|[^\\"])+"|[^,]*)(?:,|$)')
PICTURE = Image.new("RGB", (8, 8), "#336699")


def request(*prompts: str, **settings) -> Request:  # noqa: ANN003
    arms = (Arm("Baseline"), Arm("fast, and “good”", (DeepCache(3, 0),)))
    return Request(Settings(prompts or ("a red circle",), seeds=(7, 8), **settings), arms)


def chunks(path: Path) -> dict[bytes, bytes]:
    """Read the text chunks' types by name, without Pillow."""
    data, at, found = path.read_bytes(), 8, {}
    while at < len(data):
        length, kind = int.from_bytes(data[at : at + 4]), data[at + 4 : at + 8]
        if kind in (b"tEXt", b"zTXt", b"iTXt"):
            found[data[at + 8 : at + 8 + length].split(b"\0")[0]] = kind
        at += 12 + length
    return found


def test_parameters_of_an_accelerated_picture() -> None:
    asked = request("a cat", "a red circle, a blue: square", negative_prompt="blurry, dark")
    assert parameters_line(asked, 1, 1, 7, "demo") == (
        "a red circle, a blue: square\n"
        "Negative prompt: blurry, dark\n"
        "Steps: 25, Sampler: DDIM, CFG scale: 4, Seed: 7, Size: 128x128, Model: demo, "
        'Accelerator: "DeepCache(interval=3, branch=0)"'
    )


def test_the_baseline_names_no_accelerator_and_an_absent_negative_prompt_no_line() -> None:
    assert parameters_line(request(guidance=7.5, width=512), 0, 0, 8, "sd-1.5") == (
        "a red circle\nSteps: 25, Sampler: DDIM, CFG scale: 7.5, Seed: 8, Size: 512x128, Model: sd-1.5"
    )


def test_an_arm_with_fewer_steps_or_other_weights_is_described_as_it_was_made() -> None:
    asked = request()
    fewer = replace(asked, arms=(*asked.arms, Arm("Fewer", steps=11, matches_time_of=1)))
    assert "Steps: 11, " in parameters_line(fewer, 2, 0, 7, "demo")
    assert "Steps: 25, " in parameters_line(fewer, 1, 0, 7, "demo")
    variant = replace(asked, arms=(Arm("Baseline"), Arm("raw", weights=Weights("demo", "raw"))))
    assert 'Weights: "' not in parameters_line(variant, 0, 0, 7, "demo")
    assert "Weights: demo; weights=raw" in parameters_line(variant, 1, 0, 7, "demo")


@pytest.mark.parametrize("title", ["Demo: shapes (runs anywhere)", 'a, "b"\nc', "plain", "猫: 1"])
def test_a1111_reads_the_pairs_back(title: str) -> None:
    line = parameters_line(request(), 1, 0, 7, title).removeprefix("a red circle\n")
    pairs = {name: json.loads(value) if value.startswith('"') else value for name, value in PAIR.findall(line)}
    assert pairs == {
        "Steps": "25",
        "Sampler": "DDIM",
        "CFG scale": "4",
        "Seed": "7",
        "Size": "128x128",
        "Model": title,
        "Accelerator": "DeepCache(interval=3, branch=0)",
    }


@pytest.mark.parametrize(
    "prompt",
    [
        "a red circle",
        "quotes \"double\" and 'single', commas, colons: all",
        "café 5 × 7 ≥ 3 – done",
        "赤い丸、红色的狐狸, 빨간 원",
        "👩🏽‍🚀 on the moon 🐱",
        "a tab\tand a line\nbreak, NUL \0",
    ],
)
def test_the_request_comes_back(tmp_path: Path, prompt: str) -> None:
    asked = request(prompt, negative_prompt=prompt, guidance=0.1 + 0.2)
    save_png(PICTURE, tmp_path / "p.png", shot_texts(asked, 1, 0, 8, "demo"))
    assert read_request(tmp_path / "p.png") == asked
    with Image.open(tmp_path / "p.png") as picture:
        assert json.loads(picture.info["comparer"])["shot"] == {"arm": 1, "prompt": 0, "seed": 8}
        assert picture.tobytes() == PICTURE.tobytes()
        read = parameters_line(asked, 1, 0, 8, "demo").replace("\0", "?")
        assert picture.info["parameters"] == read


def test_a_grids_text_has_no_shot() -> None:
    assert "shot" not in json.loads(request_text(request()))


def test_each_text_gets_the_chunk_it_needs(tmp_path: Path) -> None:
    texts = {"latin": "café ×", "other": "猫", "long": "x" * 5000, "huge": "x" * 2_000_000}
    save_png(PICTURE, tmp_path / "p.png", texts)
    assert chunks(tmp_path / "p.png") == {b"latin": b"tEXt", b"other": b"iTXt", b"long": b"zTXt", b"huge": b"tEXt"}
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.info == texts


def test_the_largest_request_comes_back(tmp_path: Path) -> None:
    asked = Request(Settings(tuple(f"{i}" + "猫" * 1990 for i in range(400))), limits=UNLIMITED)
    save_png(PICTURE, tmp_path / "p.png", {"comparer": request_text(asked)})
    assert read_request(tmp_path / "p.png") == asked


def test_a_file_that_is_there_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    for prompt in ("first", "second"):
        save_png(PICTURE, tmp_path / "p.png", {"parameters": prompt})
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.info["parameters"] == "second"


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    class Broken(Image.Image):
        def save(self, path, **_) -> None:  # noqa: ANN001, ANN003
            Path(path).write_bytes(b"half")
            raise OSError("disk full")

    save_png(PICTURE, tmp_path / "p.png", {"parameters": "kept"})
    with pytest.raises(OSError, match="disk full"):
        save_png(Broken(), tmp_path / "p.png", {})
    assert [path.name for path in tmp_path.iterdir()] == ["p.png"]
    with Image.open(tmp_path / "p.png") as picture:
        assert picture.info["parameters"] == "kept"


def test_what_carries_no_request_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text.png").write_text("not a picture")
    PICTURE.save(tmp_path / "jpeg.png", format="JPEG")
    PICTURE.save(tmp_path / "plain.png")
    for name, chunk in {"damaged": '{"settings"', "other": "{}", "list": "[1]"}.items():
        info = PngInfo()
        info.add_text("comparer", chunk)
        PICTURE.save(tmp_path / f"{name}.png", pnginfo=info)
    for name, said in {
        "absent": "'absent.png' cannot be read as a PNG",
        "text": "'text.png' cannot be read as a PNG",
        "jpeg": "'jpeg.png' cannot be read as a PNG",
        "plain": "'plain.png' contains no settings saved by Comparer",
        "damaged": "'damaged.png' contains damaged settings",
        "other": "This is not a request of Comparer",
        "list": "This is not a request of Comparer",
    }.items():
        with pytest.raises(ComparerError, match=said):
            read_request(tmp_path / f"{name}.png")
