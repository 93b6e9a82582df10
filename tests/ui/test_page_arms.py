"""The page's arms and models in a real browser: stacks, what cannot be had and why, fetching from a hub."""

import json
import re

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from helpers.hub_server import Hub
from helpers.hub_server import serving as serving_hub
from helpers.pages import pictures, serving, start
from helpers.runs import PROMPT

FIVE = ["Baseline", "DeepCache(interval=3)", "ToMe(ratio=0.5)", "T-GATE(gate_step=2)",
        "DeepCache(interval=3) + T-GATE(gate_step=2)"]  # fmt: skip


def expected(page):
    """Return arm -> MAC ratio, as the bars say."""
    lines = page.locator("#expected li").all_inner_texts()
    found = {}
    for line in lines:
        arm, work = line.split("\n")[:2]
        ratio = re.search(r"(\d+) % of the work(?: \((\d+\.\d\d×) less\))?$", work)
        found[arm] = ratio[2] or "1×"
    return found


def wait_for_arms(page, arms):
    page.wait_for_function("n => document.querySelectorAll('#expected li').length === n", arg=arms)
    return expected(page)


def choose(page, checkpoint):
    page.get_by_label("Checkpoint", exact=True).click()
    page.get_by_role("option", name=re.compile(checkpoint)).click()


def test_all_five_in_one_press(page, tmp_path):
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill("6")
    page.get_by_role("button", name="Compare all five").click()
    page.get_by_role("spinbutton", name=re.compile("Gate step")).fill("2")
    page.wait_for_function("() => document.querySelector('#expected').innerText.includes('T-GATE(gate_step=2)')")
    ratios = expected(page)
    assert list(ratios) == FIVE and ratios["Baseline"] == "1×"
    assert all(float(ratio[:-1]) > 1 for arm, ratio in ratios.items() if arm != "Baseline")
    start(page, "3", "6")
    page.get_by_text("Finished.").wait_for()
    assert page.locator(".card h2").all_inner_texts() == FIVE[1:]
    table = page.get_by_role("table", name="Figures by arm").locator("tbody tr")
    assert [row.locator("th").inner_text() for row in table.all()] == FIVE
    assert all(f"MAC ratio {ratios[arm]}" in page.locator(".card", has_text=arm).first.inner_text() for arm in FIVE[1:])
    assert page.locator(".badge").count() == 0
    with page.expect_download() as download:
        page.get_by_role("button", name="Record JSON").click()
    download.value.save_as(tmp_path / "run.json")
    record = json.loads((tmp_path / "run.json").read_text())
    assert [arm["name"] for arm in record["request"]["arms"]] == FIVE and len(record["macs"]) == 5
    (stack,) = [arm["accelerators"] for arm in record["request"]["arms"] if len(arm["accelerators"]) > 1]
    assert [a["name"] for a in stack] == ["DeepCache", "TGATE"] and stack[1]["sp_interval"] == 1


def test_chosen_accelerators_are_arms_or_a_stack_or_both(page):
    arms = page.get_by_role("radiogroup").filter(has_text="One stack").or_(page.locator("#arms")).first
    assert not arms.is_visible()
    page.get_by_role("checkbox", name=re.compile("^Guidance cutoff")).check()
    assert list(wait_for_arms(page, 3)) == ["Baseline", "DeepCache(interval=3)", "Guidance cutoff(after=0.5)"]
    page.get_by_role("radio", name="One stack").check()
    stack = "DeepCache(interval=3) + Guidance cutoff(after=0.5)"
    assert list(wait_for_arms(page, 2)) == ["Baseline", stack]
    page.get_by_role("radio", name="Both").check()
    assert list(wait_for_arms(page, 4))[-1] == stack


def test_what_cannot_be_had_is_greyed_with_its_reason(page):
    gate, cache = (page.get_by_role("checkbox", name=re.compile(f"^{name}")) for name in ("T-GATE", "DeepCache"))
    gate.check()
    choose(page, "PixArt-Σ 1024")
    page.get_by_text("DeepCache needs a U-Net").wait_for()
    assert cache.is_disabled() and not cache.is_checked() and gate.is_enabled() and gate.is_checked()
    assert page.get_by_role("spinbutton", name=re.compile("Gate step")).input_value() == "15"
    five = page.get_by_role("button", name="Compare all five")
    assert five.is_disabled() and "not here, without DeepCache and ToMe" in page.locator("#about-arms").inner_text()
    choose(page, "Demo")
    page.wait_for_function("() => document.querySelector('.switch input[type=checkbox]').checked")
    assert cache.is_enabled() and page.get_by_text("needs a U-Net").count() == 0
    assert gate.is_checked() and five.is_enabled()
    page.get_by_role("spinbutton", name=re.compile("Guidance \\(CFG")).fill("1")
    page.locator(".switch ~ *, .switch").get_by_text("T-GATE needs guidance").first.wait_for()
    assert gate.is_disabled() and cache.is_enabled()


def test_with_nothing_ticked_there_is_nothing_to_compare(page):
    page.get_by_role("checkbox", name=re.compile("^DeepCache")).uncheck()
    page.locator("#plan").get_by_text("Nothing to compare: tick an accelerator.").wait_for()


def test_the_gate_goes_with_the_steps_until_it_is_set_by_hand(page):
    page.get_by_role("checkbox", name=re.compile("^T-GATE")).check()
    steps = page.get_by_role("spinbutton", name=re.compile("Steps"))
    gate = page.get_by_role("spinbutton", name=re.compile("Gate step"))
    gate.wait_for()

    def becomes(value):
        page.wait_for_function("([gate, value]) => gate.value === value", arg=[gate.element_handle(), value])

    steps.fill("50")
    becomes("20")
    gate.fill("30")
    page.wait_for_function("() => document.querySelector('#expected').innerText.includes('gate_step=30')")
    steps.fill("40")
    page.wait_for_timeout(500)
    assert gate.input_value() == "30"
    steps.fill("12")
    becomes("11")


def test_the_settings_of_a_run_come_back(page, server):
    page.get_by_role("button", name="Compare all five").click()
    page.get_by_role("button", name=re.compile("^More settings")).click()
    page.get_by_role("spinbutton", name=re.compile("Repeats")).fill("2")
    page.get_by_role("textbox", name=re.compile("^Negative")).fill("a hexagon")
    page.get_by_role("spinbutton", name=re.compile("Interval")).first.fill("2")
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill("5")
    page.locator("#expected").get_by_text("gate_step=2").first.wait_for()
    start(page, "4,5", "5")
    page.get_by_text("Finished.").wait_for()
    plan, arms = page.locator("#plan .plan").inner_text().split(";")[0], list(expected(page))
    page.goto(server)
    page.get_by_text("Your last run").wait_for()
    page.get_by_role("button", name="Use these settings").click()
    page.locator("#plan .plan", has_text=plan).wait_for()
    assert list(wait_for_arms(page, 5)) == arms
    assert "20 timed calls" in plan and "DeepCache(interval=2)" in arms
    assert page.get_by_role("textbox", name=re.compile("^Seed")).input_value() == "4,5"
    assert page.get_by_role("textbox", name=re.compile("^Negative")).input_value() == "a hexagon"
    page.get_by_role("button", name=re.compile("^More settings")).click()
    assert page.get_by_role("spinbutton", name=re.compile("Repeats")).input_value() == "2"


def test_all_pictures_of_five_arms_are_seen_and_one_opens_its_pair(page):
    page.get_by_role("button", name="Compare all five").click()
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill("5")
    page.locator("#expected").get_by_text("gate_step=2").first.wait_for()
    start(page, "1,2", "5")
    page.get_by_text("Finished.").wait_for()
    page.wait_for_function(
        "() => { const all = [...document.querySelectorAll('#all img')];"
        " return all.length === 10 && all.every(i => i.complete && i.naturalWidth === 128) }"
    )
    assert page.get_by_role("tab", name="All").get_attribute("aria-selected") == "true"
    page.get_by_role("button", name="T-GATE(gate_step=2), seed 2").first.click()
    base, other = pictures(page)
    assert base.startswith("Baseline: ") and other.startswith("T-GATE(gate_step=2)") and other.endswith("seed 2")
    page.locator("#compare").get_by_role("button", name="Add an arm").click()
    page.locator("#compare .pane").nth(2).wait_for()


def test_an_accelerator_without_effect_gets_a_badge(page):
    page.get_by_role("spinbutton", name=re.compile("Interval")).first.fill("1")
    start(page, "1", "4")
    page.get_by_text("Finished.").wait_for()
    assert page.locator(".card .badge").inner_text() == "had no effect"
    assert "interval 1 makes every evaluation a full one" in page.locator(".card").inner_text()
    assert "No effect: DeepCache: interval 1" in page.locator(".notes").inner_text()


@pytest.fixture
def away(tmp_path, repositories, chromium):
    """Serve the app with an empty cache and a hub; yield the hub and a page that fails on errors."""
    hub = Hub()
    hub.repositories = dict(repositories)
    environment = {"HF_HOME": str(tmp_path / "home"), "HF_HUB_OFFLINE": "0"}
    with (
        serving_hub(hub) as endpoint,
        serving(tmp_path / "runs", "--device", "cpu", HF_ENDPOINT=endpoint, **environment) as address,
    ):
        context = chromium.new_context()
        tab, wrong = context.new_page(), []
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.set_default_timeout(60_000)
        tab.goto(address)
        tab.get_by_role("button", name="Generate").wait_for()
        yield hub, tab
        context.close()
        assert not wrong


def test_a_model_that_is_not_here_is_fetched_stopped_and_fetched_on(away):
    hub, tab = away
    assert hub.asked == []
    choose(tab, "Stable Diffusion 1.5 .not here: about 2.1 GB.")
    fetch = tab.get_by_role("button", name="Fetch it (about 2.1 GB in half precision)")
    fetch.wait_for()
    assert hub.asked == [], "nothing touches the network before someone asks for it"
    hub.break_after = 2_000_000
    with hub.hold:
        fetch.click()
        tab.get_by_text(re.compile(r"Fetching Stable Diffusion 1.5: \S+, \d\.\d\d of \d+\.\d\d MB")).first.wait_for()
        tab.get_by_role("progressbar").first.wait_for()
        tab.get_by_role("button", name="Stop").click()
        tab.get_by_text("Stopped. What has come is kept.").wait_for()
    fetch.click()
    tab.get_by_text("Stable Diffusion 1.5 is here.").wait_for()
    assert any(" from " in asked for asked in hub.asked)
    fetch.wait_for(state="hidden")
    client = Client(tab.url, verbose=False)
    assert {model["name"]: model["here"] for model in client.predict(api_name="/checkpoints")}["sd-1.5"] is True
    assert client.predict("pixart-sigma-512", api_name="/fetch") == {"state": "finished"}
    assert {model["name"]: model["here"] for model in client.predict(api_name="/checkpoints")}["pixart-sigma-512"]
    with pytest.raises(AppError, match="There is no model 'sd-9' to fetch"):
        client.predict("sd-9", api_name="/fetch")
    hub.asked.clear()
    for name, value in (("Width", "256"), ("Height", "256")):
        tab.get_by_label(name).fill(value)
    tab.get_by_label("Prompt").first.fill(PROMPT)
    start(tab, "1", "2")
    tab.get_by_text("Finished.").wait_for()
    assert "Not scored: the weights of ViT-B-32-quickgelu/openai cannot be loaded" in tab.locator(".notes").inner_text()
    assert hub.asked == []
