"""The real page in a real browser, on the demo checkpoint."""

import json
import re

from PIL import Image

from comparer.export.png_text import read_request
from helpers.pages import pictures, show, start


def test_two_seeds_give_two_pairs_with_times_scores_and_a_speed_up_and_a_grid(page, tmp_path):
    start(page)
    page.get_by_text("Finished.").wait_for()
    rows = page.get_by_role("table", name="Every picture").locator("tbody tr")
    assert rows.count() == 2
    for row, seed in zip(rows.all(), ("1", "2"), strict=True):
        cells = row.locator("td").all_inner_texts()
        assert cells[0] == seed
        assert re.fullmatch(r"\d+\.\d{3} s · CLIP \d+\.\d\d", cells[1]), cells
        assert re.fullmatch(r"\d+\.\d{3} s · CLIP \d+\.\d\d · SSIM [01]\.\d{3}", cells[2]), cells
    arms = page.get_by_role("table", name="Figures by arm").locator("tbody tr")
    assert "DeepCache: 4 full, 8 shallow" in arms.nth(1).inner_text()
    assert re.search(r"\d\.\d\d×", page.locator(".card strong").inner_text())
    assert "Cannot tell" in page.locator(".card").inner_text() and "2\u00a0calls" in page.locator(".card").inner_text()
    assert "comparer-demo-clip" in page.locator(".notes").inner_text()

    pictures(page)
    show(page, "seed 1")
    base, other = pictures(page)
    assert base.startswith("Baseline: a large red star") and base.endswith("seed 1")
    assert other.startswith("DeepCache(interval=3): a large red star") and other.endswith("seed 1")
    show(page, "seed 2")
    page.wait_for_function("() => location.hash.startsWith('#pair=0:2&arm=1')")
    page.locator("#compare").get_by_role("button", name="Difference", exact=True).click()
    page.locator("#compare").get_by_text("of pixels differ").first.wait_for()

    with page.expect_download() as download:
        page.get_by_role("button", name="Grid PNG").click()
    path = tmp_path / "grid.png"
    download.value.save_as(path)
    request = read_request(path)
    assert request.settings.seeds == (1, 2) and request.settings.steps == 6
    text = Image.open(path).text
    assert "Steps: 6, Sampler: DDIM, CFG scale: 2" in text["parameters"] and json.loads(text["comparer"])


def test_stop_keeps_what_is_finished(page):
    start(page, "1-20", "40")
    pictures(page)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text(re.compile(r"Stopped\. \d+ of 40 pictures")).wait_for()
    pictures(page)
    made = int(re.search(r"(\d+) of 40", page.locator("#status").inner_text())[1])
    assert 2 <= made < 40
    start(page, "5")
    page.get_by_text("Finished.").wait_for()


def test_progress_is_seen_at_the_button_and_stop_is_for_what_runs(page):
    stop, going = page.get_by_role("button", name="Stop"), page.locator("#going .bar")
    assert stop.is_disabled()
    start(page, "1-20", "40")
    going.wait_for()
    assert going.is_visible() and stop.is_enabled() and not page.locator("#plan").is_visible()
    stop.click()
    going.wait_for(state="hidden")
    page.locator("#plan").wait_for()
    assert stop.is_disabled()


def test_a_run_that_is_stopped_before_its_first_picture_leaves_what_was_seen(page, server):
    start(page, "8", "2")
    page.get_by_text("Finished.").wait_for()
    before = pictures(page)
    start(page, "9", "150")
    page.get_by_text("Previous run").wait_for()
    page.locator("#going .bar").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped before the first picture.").wait_for()
    assert pictures(page) == before and not page.get_by_text("Previous run").is_visible()
    page.goto(server)
    page.get_by_text("Your last run").wait_for()
    assert pictures(page) == before


def test_fullscreen_shows_the_whole_picture(page):
    start(page, "1", "2")
    page.get_by_text("Finished.").wait_for()
    pictures(page)
    page.locator("#compare").get_by_role("button", name="Full screen").click()
    page.wait_for_function("() => document.fullscreenElement")
    page.wait_for_timeout(500)
    box, tall = page.locator("#compare canvas").bounding_box(), page.evaluate("innerHeight")
    assert box["y"] >= 0 and box["y"] + box["height"] <= tall and box["height"] > 0.6 * tall


def test_control_and_enter_generate(page):
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("6")
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill("2")
    page.get_by_role("textbox", name=re.compile("^Prompt")).press("Control+Enter")
    page.get_by_text("Finished.").wait_for()


def test_a_refusal_is_said_on_the_page_and_pictures_stay(page):
    start(page, "1")
    page.get_by_text("Finished.").wait_for()
    before = pictures(page)
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("abc")
    page.get_by_role("button", name="Generate").click()
    alert = page.get_by_role("alert").filter(has_text="not a seed")
    alert.wait_for()
    assert "'abc' is not a seed" in alert.inner_text()
    assert pictures(page) == before


def test_the_second_tab_is_told_that_it_waits(page, server):
    other = page.context.new_page()
    other.goto(server)
    start(page, "1-20", "40")
    page.locator("#compare canvas").first.wait_for()
    start(other, "1")
    other.get_by_text("Waiting for another comparison").wait_for()
    assert re.search(r"1 ahead; now: demo, \d+ of 40 pictures", other.locator("#going").inner_text())
    third = page.context.new_page()
    third.goto(server)
    third.get_by_text("Running in another tab; reload to see more.").wait_for()
    page.close()  # a closed tab makes way
    other.get_by_text("Finished.").wait_for()


def test_unknown_words_are_named_and_escaped(page):
    page.get_by_role("textbox", name=re.compile("^Prompt")).fill("a large red <img src=x> zebra on a blue background")
    told = page.locator(".note")
    told.wait_for()
    assert "zebra" in told.inner_text() and "star" not in told.inner_text()
    start(page, "1", "2")
    page.get_by_text("Finished.").wait_for()
    assert page.locator("#seen table img[src=x]").count() == 0
    assert "<img src=x>" in page.get_by_role("table", name="Every picture").inner_text()


def test_changing_the_checkpoint_brings_its_defaults_and_reuse_its_seeds(page):
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("-1")
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill("2")
    page.get_by_role("button", name="Generate").click()
    page.get_by_text("Finished.").wait_for()
    page.get_by_role("button", name="Last seed").click()
    page.wait_for_function("() => /^\\d+$/.test([...document.querySelectorAll('label')].find("
                           "l => l.innerText.startsWith('Seed')).querySelector('input, textarea').value)")  # fmt: skip
    page.get_by_label("Checkpoint", exact=True).click()
    page.get_by_role("option", name=re.compile("Stable Diffusion 1.5")).click()
    page.wait_for_function("() => [...document.querySelectorAll('input')].some(i => i.value === 'PNDM')")
    assert page.get_by_label("Width").input_value() == "512"
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("alert").filter(has_text="python -m comparer fetch sd-1.5").wait_for()


def test_a_phone_sees_everything_without_scrolling_sideways(page):
    page.set_viewport_size({"width": 390, "height": 844})
    start(page, "1", "2")

    def status():
        return page.evaluate("document.querySelector('#status').getBoundingClientRect().top")

    assert 0 <= status() < 400
    page.get_by_text("Finished.").wait_for()
    assert 0 <= status() < 400
    pictures(page)
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    ends = "buttons => buttons.map(button => button.getBoundingClientRect().right)"
    assert max(page.locator("#compare .modes button").evaluate_all(ends)) <= 390


def test_an_example_fills_the_prompt(page):
    page.get_by_role("button", name=re.compile("What the demo model knows")).click()
    assert "diamond" in page.locator(".words").inner_text()
    page.get_by_text("a large green hexagon on a white background").click()
    page.wait_for_function("() => [...document.querySelectorAll('textarea')].some(t => t.value.includes('hexagon'))")


def test_an_empty_number_is_said_in_the_plan_and_breaks_nothing(page):
    page.get_by_label("Width").fill("")
    page.locator("#plan .wrong").wait_for()
    page.get_by_label("Width").fill("128")
    page.wait_for_function("() => document.querySelector('#plan').innerText.includes('2 pictures')")
