"""The page as people use it: what it says before, what it finds again, keyboard, contrast, phone and dark."""

import re
from itertools import product

import pytest

from comparer.config import Config, Limits
from comparer.request.prompt_sets import DEMO, GENERAL
from comparer.ui.app import Page
from helpers.pages import column, drop, opened, pictures, serious, start, too_wide, view


@pytest.mark.parametrize("scheme", ["dark", pytest.param("light", marks=pytest.mark.full)])
def test_axe_finds_nothing_serious(blank, server, recorded, tmp_path, scheme):
    """Nothing yet, a finished run below what a dropped file says, then everything that is wrong, there on a phone."""
    page, foreign, wrong = blank, tmp_path / "p.txt", tmp_path / "wrong.png"
    foreign.write_text("a fox\nSteps: 9, Sampler: Restart, Model: gone, Hires upscale: 2")
    wrong.write_bytes(b"no picture")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    if scheme == "light":
        page.goto(server)
        page.get_by_text(re.compile("2 pictures in")).wait_for()
        serious(page, "empty")
    opened(page, server, recorded)
    pictures(page)
    drop(page, foreign)
    assert page.locator(".dropped li").count()
    serious(page, "finished")
    page.get_by_role("button", name=re.compile("^More settings")).click()
    view(page, "Evidence")
    serious(page, "evidence")
    view(page, "Images")
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("abc")
    drop(page, wrong)
    page.locator(".dropped[role=alert]").wait_for()
    page.locator("#plan .wrong").wait_for()
    page.set_viewport_size({"width": 390, "height": 844})
    serious(page, "results, on a phone")
    column(page, "Settings")
    serious(page, "refused, on a phone")


@pytest.mark.full
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_in_what_is_wrong_on_a_wide_screen(page, tmp_path, scheme):
    (tmp_path / "wrong.png").write_bytes(b"no picture")
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.reload()
    page.get_by_role("button", name=re.compile("^More settings")).click()
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("abc")
    page.locator("#plan .wrong").wait_for()
    serious(page, "refused")
    drop(page, tmp_path / "wrong.png")
    serious(page, "a file that is refused")


def test_what_is_typed_is_answered_in_the_plan(page):
    plan = "text => document.querySelector('#plan').innerText.includes(text)"
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("1-12")
    page.wait_for_function(plan, arg="24 pictures in 24 timed calls after 2 warm-up calls; ")
    page.get_by_label("Width").fill("136")
    page.wait_for_function(plan, arg="the first run tells")
    page.get_by_label("Width").fill("130")
    page.wait_for_function(plan, arg="not a multiple of 8")
    page.get_by_label("Width").fill("")  # breaks nothing
    page.wait_for_function("plan => !document.querySelector('#plan').innerText.includes(plan)", arg="multiple of 8")
    page.locator("#plan .wrong").wait_for()
    page.get_by_label("Width").fill("128")
    page.wait_for_function(plan, arg="24 pictures")
    page.get_by_role("button", name=re.compile("What the demo model knows")).click()
    assert "diamond" in page.locator(".words").inner_text()
    page.get_by_text("a large green hexagon on a white background").click()
    page.wait_for_function("() => [...document.querySelectorAll('textarea')].some(t => t.value.includes('hexagon'))")


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
    assert "(word:1.3) and other prompt syntax have no special meaning" in page.locator("#told").inner_text()
    page.locator("input[type=file]:not(#drop input)").first.set_input_files(bad)
    page.get_by_text("'bad.txt' is not a text file").wait_for()
    assert page.get_by_role("textbox", name=re.compile("^Prompt")).input_value().count("\n") == 1


def test_a_fair_test_is_one_press(page):
    page.get_by_role("textbox", name=re.compile("^Seed")).fill("1-3")
    page.get_by_role("button", name="A fair test: 80 prompts").click()
    page.wait_for_function("() => document.querySelector('#plan').innerText.includes('160 pictures')")
    assert page.locator("#counted").inner_text() == "The first 80 of 160 prompts of the set demo, one seed"
    prompts = page.get_by_role("textbox", name=re.compile("^Prompt")).input_value()
    assert prompts.split("\n") == [*DEMO.fair_test()]


def test_a_fair_test_is_of_the_selected_checkpoint_and_within_the_limits(tmp_path):
    import gradio

    def pressed(name, base="", **limits):
        page = Page(Config(runs=tmp_path / "runs", limits=Limits(**limits)))
        page.build()
        return page.controls._fill_fair_test(name, base)

    prompts, seeds, told, counted = pressed("sdxl", "demo")
    assert prompts.split("\n") == [*GENERAL.fair_test()] and seeds == "0" and not told and "set general" in counted
    assert pressed("step_24000", "demo")[0].split("\n") == [*DEMO.fair_test()]
    for limits, allowed in (({"prompts": 79}, "79 prompts and 400"), ({"pictures": 159}, "100 prompts and 159")):
        prompts, seeds, told, _ = pressed("demo", **limits)
        assert prompts == seeds == gradio.skip() and f"at most {allowed} pictures." in told


def test_the_keyboard_reaches_and_starts_everything(page):
    """From the top of the page by Tab alone: every control is met in order, and Enter on Generate runs."""
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill("2")
    page.get_by_label("Height").fill("136")  # nothing else here was timed at this size
    page.locator("#plan", has_text="the first run tells how long it takes").wait_for()
    page.evaluate("() => document.activeElement.blur()")
    page.mouse.click(2, 2)
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
    page.locator("#plan", has_text=re.compile(r"; about \d+ s\.")).wait_for()
    # A random seed was chosen, and can be had again.
    view(page, "Evidence")
    seed = page.get_by_role("table", name="Every picture").locator("tbody td").first.inner_text()
    assert re.fullmatch(r"\d+", seed)
    page.get_by_role("button", name="Last seed").click()
    page.wait_for_function("seed => [...document.querySelectorAll('label')].find("
                           "l => l.innerText.startsWith('Seed')).querySelector('input, textarea').value === seed",
                           arg=seed)  # fmt: skip


def test_no_width_scrolls_sideways_generate_stays_in_sight_and_full_screen_shows_all(blank, server, recorded):
    page = opened(blank, server, recorded)
    for width, name in product((360, 768, 1024, 1920), ("Viewer", "Images")):
        page.set_viewport_size({"width": width, "height": 900})
        view(page, name)
        assert too_wide(page) <= 0, (width, name)
        page.evaluate("window.scrollTo(0, 0)")
        if width < 1000:
            column(page, "Settings")
            assert too_wide(page) <= 0, (width, "Settings")
        box = page.get_by_role("button", name="Generate").bounding_box()
        assert box["y"] + box["height"] <= 900, (width, name)
        if width < 1000:
            column(page, "Results")
    page.get_by_role("tab", name="Viewer").click()
    pictures(page)
    page.locator("#compare").get_by_role("button", name="Full screen").click()
    # Once the whole canvas is on the screen, most of which is its own.
    page.wait_for_function(
        "() => { const box = document.querySelector('#compare canvas').getBoundingClientRect();"
        " return document.fullscreenElement && box.top >= 0 && box.bottom <= innerHeight"
        " && box.height > 0.6 * innerHeight }"
    )


def test_a_page_that_is_left_while_a_run_goes_on_is_no_fault(page, server):
    start(page, "9", "150")
    page.locator("#going .bar").wait_for()
    page.goto("about:blank")
    page.goto(server)
    page.get_by_role("button", name="Generate").wait_for()
