"""The real page in a real browser, on the demo checkpoint: what a press of Generate does, and what stops it."""

import json
import re

import pytest
from PIL import Image

from comparer.request.png_write import read_request
from comparer.runs import store
from helpers.pages import name_of, opened, pictures, record_of, show, start, too_wide, view, watched


@pytest.fixture(scope="module")
def made(chromium, server):
    """Press Generate for two seeds; yield the page on which it has finished."""
    with watched(chromium, server) as (context, _):
        tab = context.new_page()
        tab.goto(server)
        tab.get_by_role("button", name="Generate").wait_for()
        start(tab)
        tab.get_by_text("Finished.").wait_for()
        yield tab


def test_two_seeds_give_two_pairs_with_times_scores_and_a_speed_up(made):
    view(made, "Evidence")
    rows = made.get_by_role("table", name="Every picture").locator("tbody tr")
    assert rows.count() == 2
    for row, seed in zip(rows.all(), ("1", "2"), strict=True):
        cells = row.locator("td").all_inner_texts()
        assert cells[0] == seed
        assert re.fullmatch(r"\d+\.\d{3} s · CLIP \d+\.\d\d", cells[1]), cells
        assert re.fullmatch(r"\d+\.\d{3} s · CLIP \d+\.\d\d · SSIM [01]\.\d{3}", cells[2]), cells
    arms = made.get_by_role("table", name="Figures by arm").locator("tbody tr")
    assert "DeepCache: 4 full, 8 shallow" in arms.nth(1).inner_text()
    assert re.search(r"\d\.\d+×", made.locator(".card strong").inner_text())
    card = made.locator(".card").inner_text()
    assert "oss seen in these 2 images" in card and "2 turns" in card and "80 prompts make a fair test" in card
    made.locator("#notes summary").click()
    assert "comparer-demo-clip" in made.locator("#notes").inner_text()


def test_a_chosen_pair_is_drawn_named_and_written_in_the_address(made):
    view(made, "Viewer")
    pictures(made)
    show(made, "seed 1")
    base, other = pictures(made)
    assert base.startswith("Baseline: a large red star") and base.endswith("seed 1")
    assert other.startswith("DeepCache(interval=3): a large red star") and other.endswith("seed 1")
    show(made, "seed 2")
    made.wait_for_function("() => location.hash.startsWith('#pair=0:2&arm=1')")
    made.locator("#compare").get_by_role("button", name="Difference", exact=True).click()
    made.locator("#compare").get_by_text("of pixels differ").first.wait_for()


def test_the_grid_carries_what_was_asked_for(made, tmp_path):
    view(made, "Export")
    with made.expect_download() as download:
        made.get_by_role("button", name="Grid PNG").click()
    path = tmp_path / "grid.png"
    download.value.save_as(path)
    request = read_request(path)
    assert request.settings.seeds == (1, 2) and request.settings.steps == 6
    text = Image.open(path).text
    assert "Steps: 6, Sampler: DDIM, CFG scale: 2" in text["parameters"] and json.loads(text["comparer"])


def test_the_record_is_what_the_page_shows(made, tmp_path):
    record = record_of(made, tmp_path / "run.json")
    assert record["request"]["settings"]["seeds"] == [1, 2] and record["request"]["settings"]["steps"] == 6
    said = {
        (shot["arm"], shot["seed"]): f"{record['calls'][shot['call']]['seconds']:.3f} s · CLIP {shot['clip_score']:.2f}"
        for shot in record["shots"]
    }
    view(made, "Evidence")
    rows = made.get_by_role("table", name="Every picture").locator("tbody tr")
    for row, seed in zip(rows.all(), (1, 2), strict=True):
        _, base, other = row.locator("td").all_inner_texts()
        assert base == said[0, seed] and other.startswith(said[1, seed] + " · ")


def test_stop_keeps_what_is_finished_and_the_next_one_runs(page, served_runs):
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("1-20")
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill("20")
    page.get_by_role("textbox", name=re.compile("^Prompt")).press("Control+Enter")  # as Generate
    pictures(page)
    page.get_by_role("button", name="Stop").click()
    page.get_by_text(re.compile(r"Stopped\. \d+ of 40 pictures")).wait_for()
    pictures(page)
    made = int(re.search(r"(\d+) of 40", page.locator("#status").inner_text())[1])
    seen = store.load(served_runs / name_of(page))
    assert 2 <= made < 40 and len(seen.shots) == made and seen.state == "stopped"
    start(page, "5", "2")
    page.get_by_text("Finished.").wait_for()
    assert "2 pictures made" in page.locator("#status").inner_text()


def test_a_run_that_is_stopped_before_its_first_picture_leaves_what_was_seen(blank, server, recorded):
    page = opened(blank, server, recorded)
    before = pictures(page)
    stop, going, plan = page.get_by_role("button", name="Stop"), page.locator("#going .bar"), page.locator("#plan")
    plan.wait_for()
    assert stop.is_disabled()
    start(page, "9", "150")
    page.get_by_text("Previous run").wait_for()
    going.wait_for()
    assert stop.is_enabled() and not plan.is_visible()
    stop.click()
    page.get_by_text("Stopped before the first picture.").wait_for()
    going.wait_for(state="hidden")
    plan.wait_for()
    assert stop.is_disabled()
    assert pictures(page) == before and not page.get_by_text("Previous run").is_visible()
    page.goto("about:blank")
    page.goto(server)
    page.get_by_text("Your last run").wait_for()
    assert pictures(page) == before
    view(page, "Evidence")
    assert page.get_by_role("table", name="Every picture").locator("tbody tr").count() == 2


def test_a_refusal_is_said_on_the_page_and_pictures_stay(blank, server, recorded):
    page = opened(blank, server, recorded)
    before = pictures(page)
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("abc")
    page.get_by_role("button", name="Generate").click()
    alert = page.get_by_role("alert").filter(has_text="not a seed")
    alert.wait_for()
    assert "'abc' is not a seed" in alert.inner_text()
    assert pictures(page) == before
    page.get_by_role("button", name="Last seed").click()
    page.wait_for_function("() => [...document.querySelectorAll('label')].find(l => l.innerText.startsWith('Seed'))"
                           ".querySelector('input, textarea').value === '1,2'")  # fmt: skip
    page.get_by_label("Checkpoint", exact=True).click()
    page.get_by_role("option", name=re.compile("Stable Diffusion 1.5")).click()
    page.wait_for_function("() => [...document.querySelectorAll('input')].some(i => i.value === 'PNDM')")
    assert page.get_by_label("Width").input_value() == "512"
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("alert").filter(has_text="python -m comparer fetch sd-1.5").wait_for()
    assert pictures(page) == before


@pytest.mark.full
def test_a_second_tab_waits_and_a_tab_that_is_closed_makes_way(page, server, served_runs):
    other, third = page.context.new_page(), page.context.new_page()
    other.goto(server)
    start(page, "1-20", "40")
    page.locator("#compare canvas").first.wait_for()
    name = name_of(page)
    start(other, "1", "2")
    other.get_by_text("Waiting for another comparison").wait_for()
    assert re.search(r"1 ahead; now: demo, \d+ of 40 pictures", other.locator("#going").inner_text())
    third.goto(server)
    third.get_by_text("Running in another tab; reload to see more.").wait_for()
    page.close()
    made = len(store.load(served_runs / name).shots)
    other.get_by_text("Finished.").wait_for()
    seen = store.load(served_runs / name)
    assert seen.state == "stopped" and made <= len(seen.shots) <= made + 2 < 40  # the pair under way at most
    third.goto(f"{server}/?run={name}")  # what was made is found
    third.get_by_text(f"Stopped. {len(seen.shots)} of 40 pictures").wait_for()
    pictures(third)


def test_a_phone_is_taken_to_the_progress_and_sees_everything_without_scrolling_sideways(page):
    page.set_viewport_size({"width": 390, "height": 844})
    start(page, "1", "2")

    def status():
        return page.evaluate("document.querySelector('#status').getBoundingClientRect().top")

    assert 0 <= status() < 400
    page.get_by_text("Finished.").wait_for()
    assert 0 <= status() < 400
    pictures(page)
    assert too_wide(page) <= 0
    ends = "buttons => buttons.map(button => button.getBoundingClientRect().right)"
    assert max(page.locator("#compare .modes button").evaluate_all(ends)) <= 390
