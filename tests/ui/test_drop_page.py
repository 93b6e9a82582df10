"""Files dropped on the page, in a real browser: a picture, a grid and a record come back as they were asked for."""

import json
import re
from pathlib import Path

import httpx
import pytest
from PIL import Image

from comparer.config import Config
from comparer.request.build import build_request
from comparer.request.png_write import save_png, shot_texts
from comparer.runs import store
from helpers.pages import drop, name_of, too_wide
from helpers.runs import PROMPT

RING = 'a small green ring on a black background, "quoted" <b>bold</b> \u200fא'


def shown(page, prompts, seeds, pictures):
    """Wait until the controls ask for these."""
    page.locator("#plan .plan", has_text=f"{pictures} pictures in ").wait_for()
    assert page.get_by_role("textbox", name=re.compile("^Prompt")).input_value() == prompts
    assert page.get_by_role("textbox", name=re.compile("^Seed")).input_value() == seeds


@pytest.mark.full
def test_a_dropped_picture_grid_and_record_ask_for_the_same_again(page, served_runs, recorded, tmp_path):
    asked = build_request(
        Config(), f"{PROMPT}\n{RING}", accelerators=["DeepCache(interval=2, branch=1)", "ToMe(ratio=0.25)"],
        negative_prompt="a hexagon", sampler="Euler a", steps=3, guidance=22.5, size=(136, 144), seeds="9,4",
        batch_size=2, warmups=0, noise="device", guidance_rescale=0.25, repeats=2,
        also=["equal-time", "noise-floor"], scorer="demo",
    )  # fmt: skip
    save_png(Image.new("RGB", (8, 8)), tmp_path / "p.png", shot_texts(asked, 1, 1, 4, "demo"))
    told = drop(page, tmp_path / "p.png")
    assert "Filled from a picture" in told and "it is DeepCache(interval=2, branch=1), seed 4" in told
    assert page.locator(".dropped li").count() == 0
    shown(page, f"{PROMPT}\n{RING}", "9,4", 20)
    page.get_by_role("button", name="Generate").click()
    folder = served_runs / name_of(page)  # with its first picture
    stop = page.get_by_role("button", name="Stop")
    stop.dispatch_event("click")  # unless it has ended
    page.wait_for_function("stop => stop.disabled", arg=stop.element_handle())
    made = store.load(folder)
    arms = [(arm.name, arm.accelerators, arm.matches_time_of) for arm in asked.arms]
    assert made.request.settings == asked.settings and made.request.extras == asked.extras
    assert [(arm.name, arm.accelerators, arm.matches_time_of) for arm in made.request.arms] == arms
    # Each leaves nothing of the one before.
    two, four = (PROMPT, "1,2", 4), (f"{PROMPT}\n{RING}", "9,4", 20)
    files = [
        (recorded.folder / "grid.png", two),
        (folder / "run.json", four),
        (recorded.folder / recorded.comparison.shots[3].file, two),
    ]
    for file, wanted in files:
        assert "Filled from" in drop(page, file) and page.locator(".dropped li").count() == 0
        shown(page, *wanted)


def test_nobody_is_served_what_was_dropped(page, server, served_runs, tmp_path):
    uploads = served_runs.parent / "uploads"
    (tmp_path / "secret.json").write_text(json.dumps({"request": build_request(Config(), "a secret").to_json()}))
    paths = []
    page.on("response", lambda answer: paths.append(answer.text()) if "/upload?" in answer.url else None)
    assert "Filled from the record" in drop(page, tmp_path / "secret.json")
    (kept,) = json.loads(paths[0])
    assert Path(kept).is_relative_to(uploads) and not Path(kept).exists()
    assert not list(uploads.rglob("secret*"))
    assert httpx.get(f"{server}/gradio_api/file={kept}").status_code in (403, 404)
    assert page.locator("#drop button.upload-container").is_visible()  # the zone is free for the next file


def test_what_is_wrong_is_one_sentence_and_the_controls_stay(page, tmp_path):
    prompt = page.get_by_role("textbox", name=re.compile("^Prompt"))
    prompt.fill("a small blue ring")
    (tmp_path / "holiday.jpg").write_bytes(b"\xff\xd8 a JPEG")
    told = drop(page, tmp_path / "holiday.jpg")
    assert told.startswith("'holiday.jpg' is neither a PNG nor a run.json") and told.count("\n") == 0
    assert prompt.input_value() == "a small blue ring"
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 900})
        assert page.locator(".dropped[role=alert]").is_visible()
        assert too_wide(page) <= 0
        assert page.locator("#drop").bounding_box()["height"] < 60
