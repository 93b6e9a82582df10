"""Comparing checkpoints on the page, in a real browser: EMA beside raw, training outputs, the card, what is refused."""

import hashlib
import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from comparer.config import Config
from comparer.models.catalog import DEMO
from comparer.pipelines import loader
from comparer.request.build import build_request
from comparer.results.analysis import Analysis
from comparer.runs import store
from comparer.text import signed
from helpers.pages import column, serving, view
from helpers.runs import finish, until
from helpers.small import save_small

EMA, RAW = (DEMO / "unet" / f"diffusion_pytorch_model{v}.safetensors" for v in ("", ".non_ema"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write a step folder with raw and EMA weights and a curve, one that lacks tensors, an EMA, a small model."""
    root = tmp_path_factory.mktemp("checkpoints") / "training"
    raw, ema = load_file(RAW), load_file(EMA)
    step, broken, same = root / "step_024000", root / "step_broken", root / "step_same"
    for each in (step, broken, same):
        each.mkdir(parents=True)
    curve = {"w_of_t": 1 - torch.linspace(0, 1, 200) ** 2}
    save_file({name: value * 1.02 for name, value in raw.items()} | curve, step / "model.safetensors")
    torch.save({"ema": {name: value * 1.01 for name, value in ema.items()}, "optimizer": {}}, step / "ema.pt")
    save_file(dict(list(raw.items())[3:]), broken / "model.safetensors")
    save_file(ema, same / "model.safetensors")
    (save_small(root) / "small").rename(root / "small")
    (root / "small" / "unet" / "diffusion_pytorch_model.non_ema.safetensors").unlink()
    return root


@pytest.fixture(scope="module")
def served_runs(tmp_path_factory):
    return tmp_path_factory.mktemp("checkpoints_runs")


@pytest.fixture(scope="module")
def server(folder, served_runs):
    """Serve the page with that folder."""
    with serving(served_runs, "--checkpoints", str(folder)) as address:
        yield address


@pytest.fixture
def page(blank, server):
    """Open the page with 2 steps and seeds 1 and 2."""
    blank.goto(server)
    blank.get_by_role("textbox", name=re.compile("^Seed")).fill("1,2")
    steps(blank, 2)
    return blank


def steps(page, number):
    page.get_by_role("spinbutton", name=re.compile("Steps")).first.fill(str(number))


def choose(page, label, name):
    page.get_by_label(label, exact=True).click()
    whole = re.escape(name).replace("/", r"\/")
    page.get_by_role("option", name=re.compile(rf"^{whole}( ·|$)")).click()


def checkpoints(page, *arms):
    """Compare checkpoints: the rows' arms, from the second one on."""
    page.get_by_role("radio", name="Checkpoints").check()
    for number, arm in enumerate(arms, 2):
        if number > 2:
            page.get_by_role("button", name="Add a checkpoint").click()
        choose(page, f"Arm {number}", arm)


def plan(page, text):
    page.locator("#plan", has_text=text).wait_for()


def run(page, served_runs):
    """Press Generate, wait for the end, and return the run's comparison."""
    before = set(served_runs.glob("*/run.json"))
    page.get_by_role("button", name="Generate").click()
    (record,) = until(lambda: set(served_runs.glob("*/run.json")) - before)
    page.locator("#going .going").wait_for(state="detached")
    page.get_by_text("Finished.").wait_for()
    return store.load(record.parent)


def cells(page, row):
    """Return a row of the table of components."""
    view(page, "Evidence")
    table = page.get_by_role("table", name="Components by arm")
    if not table.is_visible():
        page.locator("summary", has_text="Which weights").click()
    return table.locator("tbody tr").filter(has=page.get_by_role("rowheader", name=row, exact=True)).locator("td")


def test_ema_beside_raw_in_one_press(page, served_runs):
    assert not page.get_by_role("button", name="EMA beside raw").is_visible()
    page.get_by_role("radio", name="Checkpoints").check()
    plan(page, "Nothing to compare: choose a second checkpoint, or press EMA beside raw.")
    assert not page.get_by_role("checkbox", name=re.compile("^DeepCache")).is_visible()
    page.get_by_role("button", name="EMA beside raw").click()
    steps(page, 6)
    plan(page, "4 pictures")
    seen = run(page, served_runs)
    assert [arm.name for arm in seen.request.arms] == ["demo", "demo, raw"]
    assert seen.request.arms[1].weights.text() == "demo; weights=raw" and not seen.request.arms[1].accelerators
    view(page, "Evidence")
    card = page.locator(".card")
    assert card.locator("h2").all_inner_texts() == ["demo, raw"]
    arm = Analysis(seen).arms[1]
    found = arm.clip_difference.value
    assert card.locator("strong").inner_text() == f"{signed(found)}CLIP" and abs(found) > 0.01
    assert arm.verdict.headline in card.inner_text() and "SSIM" in card.inner_text() and "×" not in card.inner_text()
    assert not page.get_by_role("button", name=re.compile("Verdict thresholds")).is_visible()
    base, raw = cells(page, "unet").all_inner_texts()
    assert seen.checkpoint["components"]["unet"]["fingerprint"] in base and "EMA" in base
    assert seen.variants[1]["components"]["unet"]["fingerprint"] in raw and "raw" in raw and "the same" not in raw
    assert "the same as the baseline's" in cells(page, "vae").nth(1).inner_text()


@pytest.mark.full
def test_a_training_output_over_a_base_with_an_accelerator_and_the_same_settings_again(page, server, served_runs):
    checkpoints(page, "training/step_024000")
    assert page.get_by_label("Base").input_value().startswith("Demo")  # it takes the baseline's at once
    page.get_by_label("Weights", exact=True).click()
    page.get_by_role("option", name="Raw", exact=True).click()
    page.get_by_label("Dtype").click()
    page.get_by_role("option", name="bfloat16").click()
    page.get_by_role("checkbox", name="With accelerators").check()
    page.get_by_role("checkbox", name=re.compile("^DeepCache")).wait_for()
    assert not page.get_by_role("button", name="Compare all five").is_visible()
    plan(page, "4 pictures")
    seen = run(page, served_runs)
    assert seen.request.arms[1].weights.text() == "training/step_024000; weights=raw; base=demo; dtype=bfloat16"
    assert [[a.title for a in arm.accelerators] for arm in seen.request.arms] == [["DeepCache"]] * 2
    assert "model.safetensors" in cells(page, "unet").nth(1).inner_text()
    assert "bfloat16" in cells(page, "Dtype").nth(1).inner_text()
    page.goto(server)
    page.get_by_text("Your last run").wait_for()
    assert not page.get_by_label("Arm 2").is_visible()
    page.get_by_role("button", name="Use these settings").click()
    plan(page, "4 pictures")
    page.wait_for_function("() => document.querySelector('#variants')?.offsetParent")
    assert page.get_by_label("Arm 2").input_value() == "training/step_024000 · yours, EMA and raw"
    assert page.get_by_label("Weights", exact=True).input_value() == "Raw"
    assert page.get_by_role("checkbox", name="With accelerators").is_checked()
    again = run(page, served_runs)
    assert again.request == seen.request


@pytest.mark.full
def test_a_training_output_is_the_baseline_and_an_arm_goes_away_again(page, served_runs):
    choose(page, "Checkpoint", "training/step_024000")
    page.wait_for_function("() => [...document.querySelectorAll('input')].some(i => i.value === '25')")  # its base's
    steps(page, 2)
    checkpoints(page, "training/step_024000", "training/step_same")
    page.get_by_label("Weights", exact=True).nth(1).click()
    page.get_by_role("option", name="Raw", exact=True).click()
    plan(page, "6 pictures")
    page.get_by_role("button", name="Remove this arm").first.click()
    plan(page, "4 pictures")
    seen = run(page, served_runs)
    assert seen.request.settings.weights.text() == "training/step_024000; base=demo"
    assert [arm.name for arm in seen.request.arms] == ["step_024000", "step_024000, raw"]
    assert [seen.checkpoint["components"]["unet"]["half"], seen.variants[1]["components"]["unet"]["half"]] == [
        "ema",
        "raw",
    ]


def test_the_card_is_shown_before_anything_runs(page, folder):
    page.get_by_role("button", name="Inspect").click()
    card = page.locator(".weights")
    card.get_by_text("Weights card of demo").wait_for()
    assert "v_prediction" in card.inner_text() and "EMA: there is a variant 'non_ema' beside it" in card.inner_text()
    assert "EMA from raw, unet" in card.inner_text() and "up_blocks.2" in card.inner_text()
    choose(page, "Checkpoint", "training/step_024000")
    page.get_by_role("button", name="Inspect").click()
    card.get_by_text("Weights card of training/step_024000").wait_for()
    assert "step folder" in card.inner_text() and "the dictionary's key 'ema'" in card.inner_text()
    assert card.locator("svg desc").text_content().startswith("w_of_t: 200 timesteps, from 1 to 0")
    card.locator("summary", has_text="files").click()
    assert "not read: ema.pt: optimizer" in card.inner_text()
    digest = hashlib.sha256((folder / "step_024000" / "ema.pt").read_bytes()).hexdigest()
    assert card.locator(f"code[title='{digest}']").inner_text() == digest[:12]


@pytest.mark.full
def test_equal_arms_and_missing_tensors_are_refused_and_where_those_are_allowed_marked_everywhere(page, served_runs):
    checkpoints(page, "Demo: coloured shapes (runs anywhere)")
    page.locator("#plan .wrong", has_text="'demo' is given twice: its pictures would be equal.").wait_for()
    choose(page, "Arm 2", "training/step_same")
    plan(page, "4 pictures")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("alert").filter(has_text="demo and step_same hold the same").wait_for()
    choose(page, "Arm 2", "training/step_broken")
    plan(page, "4 pictures")
    page.get_by_role("button", name="Generate").click()
    page.get_by_role("alert").filter(has_text="3 missing").wait_for()
    page.get_by_role("button", name="Inspect").click()
    card = page.locator(".weights")
    card.get_by_text("Weights card of demo").wait_for()
    page.get_by_role("button", name=re.compile("^EMA or raw, base")).click()
    with page.expect_response(
        lambda answer: "predict" in answer.url
    ):  # the plan is made anew: the page has heard of it
        page.get_by_role("checkbox", name="Allow missing tensors").check()
    seen = run(page, served_runs)
    assert card.get_attribute("open") is None, "it makes room for the pictures"
    marked = "incomplete: 3 tensors random"
    view(page, "Evidence")
    assert page.locator(".card .badge").inner_text() == marked
    assert marked in page.get_by_role("table", name="Figures by arm").locator("tbody tr").nth(1).inner_text()
    view(page, "Viewer")
    assert page.locator("#compare .mark").inner_text() == marked
    view(page, "Evidence")
    assert f"step_broken is {marked}" in page.locator("#notes").inner_text()
    missing = seen.variants[1]["components"]["unet"]["missing"]
    assert len(missing) == 3 and "3 missing, random" in cells(page, "unet").nth(1).inner_text()


@pytest.fixture(scope="module")
def recorded(folder, served_runs):
    """Make a run of three arms, and return its name."""
    config = Config(checkpoints=(folder,), runs=served_runs)
    variants = ["weights=raw", "training/step_024000; base=demo"]
    done = finish(build_request(config, "a large red star", variants=variants, steps=1, seeds="1,2", warmups=0), config)
    loader.free()
    return done.folder.name


@pytest.mark.full  # results/test_loaded_weights asks for the same marks of the rendered HTML
@pytest.mark.parametrize("scheme", ["dark", "light"])
def test_a_phone_scrolls_nothing_sideways_and_axe_finds_nothing_serious(page, server, recorded, scheme):
    from axe_playwright_python.sync_playwright import Axe

    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{server}/?run={recorded}")
    page.locator("#status", has_text="6 pictures made").wait_for()
    column(page, "Settings")
    checkpoints(page, "training/step_024000", "training/step_same")
    page.get_by_role("button", name="Inspect").click()
    column(page, "Results")
    page.locator(".weights").wait_for()
    cells(page, "unet").first.wait_for()
    wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert wide <= 0
    found = Axe().run(page).response["violations"]
    said = [(v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found if v["impact"] != "minor"]
    assert not said, said


def test_a_checkpoint_is_checked_in_one_press_which_can_be_stopped(page):
    choose(page, "Checkpoint", "training/small")
    check, report = page.get_by_role("button", name="Check", exact=True), page.locator(".checked")
    check.click()
    page.locator("[role=progressbar]").wait_for()
    page.get_by_role("button", name="Stop").click()
    page.get_by_text("Stopped before the check was finished.").wait_for()
    assert not report.count()
    check.click()
    report.wait_for()
    assert "Broken" in report.locator(".card").inner_text() and "noise-like" in report.inner_text()
    pictures = report.locator("figure img")
    assert pictures.count() == 8
    pictures.last.scroll_into_view_if_needed()
    page.wait_for_function("[...document.querySelectorAll('.made img')].at(-1).naturalWidth === 128")
    assert "a large red star" in pictures.first.get_attribute("alt")
    report.get_by_text("Every measure and its limit").click()
    assert report.get_by_role("table", name=re.compile("^Measures")).is_visible()
