"""The page as people use it: what it says before, what it finds again, keyboard, contrast, phone and dark."""

import json
import re

import pytest

from comparer.config import Config
from comparer.ui.page import Page
from helpers.pages import pictures, start


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(page, server, scheme):
    from axe_playwright_python.sync_playwright import Axe

    def serious(when):
        found = Axe().run(page).response["violations"]
        said = [(when, v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found if v["impact"] != "minor"]
        assert not said, said

    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.goto(server)
    page.get_by_text(re.compile("2 pictures in")).wait_for()
    serious("empty")
    start(page, "1", "2")
    page.get_by_text("Finished.").wait_for()
    pictures(page)
    serious("finished")
    page.get_by_role("button", name=re.compile("^More settings")).click()
    page.get_by_role("tab", name="All").click()
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("abc")
    page.locator("#plan .wrong").wait_for()
    serious("refused")
    page.set_viewport_size({"width": 390, "height": 844})
    serious("phone")


def test_the_plan_is_said_before_anything_runs_and_its_time_once_it_is_known(page):
    plan = page.locator("#plan")
    start(page, "1,2", "5")
    page.get_by_text("Finished.").wait_for()
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("1-12")
    page.wait_for_function("() => document.querySelector('#plan').innerText.includes('24 pictures in 24 timed calls')")
    assert re.search(r"after 2 warm-up calls; about \d+ s\.", plan.inner_text())
    page.get_by_label("Width").fill("136")
    page.wait_for_function("() => document.querySelector('#plan').innerText.includes('the first run tells')")
    page.get_by_label("Width").fill("130")
    page.wait_for_function("() => document.querySelector('#plan').innerText.includes('not a multiple of 8')")


def test_a_tab_that_comes_back_finds_its_run_again(page, server):
    start(page, "3,4", "3")
    page.get_by_text("Finished.").wait_for()
    before = pictures(page)
    page.goto("about:blank")
    page.goto(server)
    page.get_by_text("Your last run").wait_for()
    assert pictures(page) == before
    assert page.get_by_role("table", name="Every picture").locator("tbody tr").count() == 2
    page.get_by_role("button", name="Grid PNG").wait_for()


def test_a_tab_that_is_closed_stops_within_a_step_and_its_pictures_are_found(page, server):
    start(page, "1-20", "40")
    pictures(page)
    again = page.context.new_page()
    page.close()
    again.goto(server)
    again.get_by_text(re.compile("Your last run")).wait_for()
    start(again, "1", "2")  # the machine is free: this one does not wait behind forty pictures
    again.get_by_text("Finished.").wait_for(timeout=20_000)


@pytest.mark.parametrize(
    "name", ["gone", "../secret", "..", ".", "", "/etc", "a\0b", "x" * 5000], ids=lambda name: repr(name[:10])
)
def test_a_run_that_is_gone_or_never_was_is_no_error(tmp_path, name):
    import gradio

    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "run.json").write_text("{}")
    restored = Page(Config(runs=tmp_path / "runs")).restore(name)
    assert restored == gradio.skip()


def test_prompts_come_from_a_file(page, tmp_path):
    good, bad = tmp_path / "prompts.txt", tmp_path / "bad.txt"
    good.write_text("a large red star on a blue background\na (small:1.3) green ring on a white background\n")
    bad.write_bytes(b"\xff\xfe\x00")
    page.locator("input[type=file]:not(#drop input)").first.set_input_files(good)
    page.wait_for_function("() => document.querySelector('#plan').innerText.includes('4 pictures')")
    assert page.locator("#counted").inner_text() == "2 prompts read"
    assert "(word:1.3) are read as they are written" in page.locator("#told").inner_text()
    page.locator("input[type=file]:not(#drop input)").first.set_input_files(bad)
    page.get_by_text("'bad.txt' is not a text file").wait_for()
    assert page.get_by_role("textbox", name=re.compile("^Prompt")).input_value().count("\n") == 1


def test_the_keyboard_reaches_and_starts_everything(page):
    """From the top of the page by Tab alone: every control is met in order, and Enter on Generate runs."""
    page.set_default_timeout(20_000)
    met = []
    for _ in range(60):
        page.keyboard.press("Tab")
        name = page.evaluate(
            "() => { const e = document.activeElement; const l = e.labels && e.labels[0];"
            " return (e.getAttribute('aria-label') || (l && l.innerText) || e.innerText || '').trim().split('\\n')[0] }"
        )
        met.append(name)
        if name == "Generate":
            break
    wanted = [
        "Checkpoint",
        "Prompt",
        "DeepCache",
        "Sampler",
        "Seed",
        "Width",
        "Batch size",
        "Negative prompt",
        "Generate",
    ]
    places = [next(i for i, name in enumerate(met) if name.startswith(label)) for label in wanted]
    assert places == sorted(places), met
    page.keyboard.press("Enter")
    page.get_by_text("Finished.").wait_for()


@pytest.mark.parametrize("width", [360, 768, 1024, 1920])
def test_no_width_scrolls_sideways_and_generate_stays_in_sight(page, width):
    page.set_viewport_size({"width": width, "height": 900})
    start(page, "1,2", "2")
    page.get_by_text("Finished.").wait_for()
    pictures(page)
    assert page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
    page.evaluate("window.scrollTo(0, 0)")
    box = page.get_by_role("button", name="Generate").bounding_box()
    assert box["y"] + box["height"] <= 900


def test_the_record_is_what_the_page_shows(page, tmp_path):
    start(page, "7", "3")
    page.get_by_text("Finished.").wait_for()
    with page.expect_download() as download:
        page.get_by_role("button", name="Record JSON").click()
    download.value.save_as(tmp_path / "run.json")
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["request"]["settings"]["seeds"] == [7] and record["request"]["settings"]["steps"] == 3
