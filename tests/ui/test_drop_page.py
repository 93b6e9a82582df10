"""Files dropped on the page, in a real browser: a picture, a grid and a record come back as they were asked for."""

import base64
import json
import re
from pathlib import Path

import httpx
import pytest
from PIL import Image

from comparer import history
from comparer.config import Config
from comparer.door import ask
from comparer.export.png_text import save_png, shot_texts
from helpers.pages import serving
from helpers.runs import PROMPT

RING = 'a small green ring on a black background, "quoted" <b>bold</b> \u200fא'
DROP = """([type, name, content]) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0)), data = new DataTransfer()
  data.items.add(new File([bytes], name, { type }))
  const zone = document.querySelector('#drop button')
  for (const what of ['dragenter', 'dragover', 'drop'])
    zone.dispatchEvent(new DragEvent(what, { dataTransfer: data, bubbles: true, cancelable: true }))
}"""


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Serve the page; yield its address, its runs, and where it keeps what is uploaded."""
    root = tmp_path_factory.mktemp("dropped")
    with serving(root / "runs", GRADIO_TEMP_DIR=str(root / "uploads")) as address:
        yield address, root / "runs", root / "uploads"


@pytest.fixture
def page(chromium, served):
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    tab, wrong = context.new_page(), []
    tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda error: wrong.append(str(error)))
    tab.set_default_timeout(60_000)
    tab.goto(served[0])
    tab.get_by_role("button", name="Generate").wait_for()
    yield tab
    context.close()
    assert not wrong


def drop(page, path):
    """Drop a file as a hand does, and return what the page says of it."""
    page.evaluate("() => document.querySelectorAll('.dropped').forEach(said => said.remove())")
    page.evaluate(DROP, ["", path.name, base64.b64encode(path.read_bytes()).decode()])
    page.locator(".dropped").wait_for()
    return page.locator(".dropped").inner_text()


def test_a_dropped_picture_grid_and_record_ask_for_the_same_again(page, served, tmp_path):
    address, runs, _ = served
    asked = ask(
        Config(), f"{PROMPT}\n{RING}", accelerators=["DeepCache(interval=2, branch=1)", "ToMe(ratio=0.25)"],
        negative_prompt="a hexagon", sampler="Euler a", steps=3, guidance=22.5, size=(136, 144), seeds="9,4",
        batch_size=2, warmups=0, noise="device", guidance_rescale=0.25, repeats=2,
        also=["equal-time", "noise-floor"], scorer="demo",
    )  # fmt: skip
    save_png(Image.new("RGB", (8, 8)), tmp_path / "p.png", shot_texts(asked, 1, 1, 4, "demo"))
    told = drop(page, tmp_path / "p.png")
    assert "Filled from a picture" in told and "it is DeepCache(interval=2, branch=1), seed 4" in told
    assert page.locator(".dropped li").count() == 0
    page.locator("#plan .plan", has_text="20 pictures").wait_for()
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("Finished.").wait_for()
    (folder,) = (path for path in runs.iterdir() if (path / "run.json").is_file())
    made = history.load(folder)
    arms = [(arm.name, arm.accelerators, arm.like) for arm in asked.arms]
    assert made.request.settings == asked.settings and made.request.also == asked.also
    assert [(arm.name, arm.accelerators, arm.like) for arm in made.request.arms] == arms
    for file in ("grid.png", "run.json", made.shots[3].file):
        page.goto(address)
        page.get_by_role("button", name="Generate").wait_for()
        assert "Filled from" in drop(page, folder / file) and page.locator(".dropped li").count() == 0
        page.locator("#plan .plan", has_text="20 pictures").wait_for()
        assert page.get_by_role("textbox", name=re.compile("^Prompt")).input_value() == f"{PROMPT}\n{RING}"
        assert page.get_by_role("textbox", name=re.compile("^Seed")).input_value() == "9,4"


def test_nobody_is_served_what_was_dropped(page, served, tmp_path):
    address, _, uploads = served
    (tmp_path / "secret.json").write_text(json.dumps({"request": ask(Config(), "a secret").to_json()}))
    paths = []
    page.on("response", lambda answer: paths.append(answer.text()) if "/upload?" in answer.url else None)
    assert "Filled from the record" in drop(page, tmp_path / "secret.json")
    (kept,) = json.loads(paths[0])
    assert Path(kept).is_relative_to(uploads) and not Path(kept).exists()
    assert not list(uploads.rglob("secret*"))
    assert httpx.get(f"{address}/gradio_api/file={kept}").status_code in (403, 404)
    assert page.locator("#drop button.upload-container").is_visible()  # the zone is free for the next file


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, tmp_path, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    (tmp_path / "p.txt").write_text("a fox\nSteps: 9, Sampler: Restart, Model: gone, Hires upscale: 2")
    for name in ("p.txt", "wrong.png"):
        (tmp_path / "wrong.png").write_bytes(b"no picture")
        drop(page, tmp_path / name)
        found = Axe().run(page).response["violations"]
        serious = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found
                   if each["impact"] in ("serious", "critical")]  # fmt: skip
        assert not serious


@pytest.mark.parametrize("width", [390, 1440])
def test_what_is_wrong_is_one_sentence_and_the_controls_stay(page, tmp_path, width):
    page.set_viewport_size({"width": width, "height": 900})
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8 a JPEG")
    told = drop(page, tmp_path / "holiday.jpg")
    assert told.startswith("'holiday.jpg' is neither a PNG nor a run.json") and told.count("\n") == 0
    assert page.locator(".dropped[role=alert]").is_visible()
    assert page.get_by_role("textbox", name=re.compile("^Prompt")).input_value()
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    assert page.locator("#drop").bounding_box()["height"] < 60
