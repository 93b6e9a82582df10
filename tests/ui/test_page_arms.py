"""The page's arms and models in a real browser: stacks, what cannot be had and why, fetching from a hub."""

import re

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from comparer.reporting.html.tables import notes_list
from comparer.reporting.html.verdict_cards import headline
from comparer.results.analysis import Analysis
from comparer.ui.app import Page
from helpers.hub_server import Hub
from helpers.hub_server import serving as serving_hub
from helpers.pages import pictures, record_of, serving, start, view, watched
from helpers.runs import PROMPT, ask, finish

FIVE = ["Baseline", "DeepCache(interval=2)", "ToMe(ratio=0.5)", "T-GATE(gate_step=2)",
        "DeepCache(interval=2) + T-GATE(gate_step=2)"]  # fmt: skip


def expected(page):
    """Return arm -> MAC ratio, as the bars say."""
    lines = page.locator("#expected li").all_inner_texts()
    found = {}
    for line in lines:
        arm, work = line.split("\n")[:2]
        ratio = re.search(r"(\d+) % of the compute(?: \((\d+\.\d\d×) less\))?$", work)
        found[arm] = ratio[2] or "1×"
    return found


def wait_for_arms(page, arms):
    page.wait_for_function("n => document.querySelectorAll('#expected li').length === n", arg=arms)
    return expected(page)


def choose(page, checkpoint):
    page.get_by_label("Checkpoint", exact=True).click()
    page.get_by_role("option", name=re.compile(checkpoint)).click()


@pytest.fixture(scope="module")
def five(chromium, server):
    """Press Compare all five, change some settings, and Generate; yield the finished page, what was expected, the plan.

    The prompt has a word that the demo never saw, and would be HTML.
    """
    with watched(chromium, server) as (context, _):
        tab = context.new_page()
        tab.goto(server)
        tab.get_by_role("button", name="Compare all five").click()
        tab.get_by_role("button", name=re.compile("^More settings")).click()
        tab.get_by_role("textbox", name=re.compile("^Prompt")).fill(
            "a large red <img src=x> zebra on a blue background"
        )
        tab.get_by_role("spinbutton", name=re.compile("Repeats")).fill("2")
        tab.get_by_role("textbox", name=re.compile("^Negative")).fill("a hexagon")
        tab.get_by_role("spinbutton", name=re.compile("Interval")).first.fill("2")
        tab.get_by_role("spinbutton", name=re.compile("Steps")).fill("5")
        tab.locator("#expected").get_by_text("T-GATE(gate_step=2)").first.wait_for()
        tab.locator("#expected").get_by_text("DeepCache(interval=2)").first.wait_for()
        start(tab, "5", "5")
        tab.get_by_text("Finished.").wait_for()
        assert tab.get_by_role("tab", name="Images").get_attribute("aria-selected") == "true"
        yield tab, expected(tab), tab.locator("#plan .plan").inner_text().split(";")[0]


def test_all_five_in_one_press(five, tmp_path):
    tab, ratios, _ = five
    assert list(ratios) == FIVE and ratios["Baseline"] == "1×"
    assert all(float(ratio[:-1]) > 1 for arm, ratio in ratios.items() if arm != "Baseline")
    view(tab, "Evidence")
    assert tab.locator(".card h2").all_inner_texts() == FIVE[1:]
    table = tab.get_by_role("table", name="Figures by arm").locator("tbody tr")
    assert [row.locator("th").inner_text() for row in table.all()] == FIVE
    assert all(f"MAC ratio {ratios[arm]}" in tab.locator(".card", has_text=arm).first.inner_text() for arm in FIVE[1:])
    assert tab.locator(".badge").count() == 0
    record = record_of(tab, tmp_path / "run.json")
    assert [arm["name"] for arm in record["request"]["arms"]] == FIVE and len(record["macs"]) == 5
    (stack,) = [arm["accelerators"] for arm in record["request"]["arms"] if len(arm["accelerators"]) > 1]
    assert [a["name"] for a in stack] == ["DeepCache", "TGATE"] and stack[1]["sp_interval"] == 1


def test_unknown_words_are_named_and_what_would_be_html_is_text(five):
    tab, _, _ = five
    told = tab.locator("#told .note").inner_text()
    assert "zebra" in told and "large" not in told
    view(tab, "Evidence")
    assert "<img src=x>" in tab.get_by_role("table", name="Every picture").inner_text()
    view(tab, "Images")
    assert "<img src=x>" in tab.locator("#all").inner_text()
    assert tab.locator("#seen img[src=x], #controls img[src=x]").count() == 0


def test_all_pictures_of_five_arms_are_seen_and_one_opens_its_pair(five):
    tab, _, _ = five
    view(tab, "Images")
    tab.wait_for_function(
        "() => { const all = [...document.querySelectorAll('#all img')];"
        " return all.length === 5 && all.every(i => i.complete && i.naturalWidth === 128) }"
    )
    tab.get_by_role("button", name="T-GATE(gate_step=2), seed 5").first.click()
    tab.wait_for_function("() => document.querySelector('#compare .pane')?.ariaLabel.endsWith('seed 5')")
    base, other = pictures(tab)
    assert base.startswith("Baseline: ") and other.startswith("T-GATE(gate_step=2)") and other.endswith("seed 5")
    tab.locator("#compare").get_by_role("button", name="Add an arm").click()
    tab.locator("#compare .pane").nth(2).wait_for()


def test_the_settings_of_a_run_come_back(five, server):
    tab, ratios, plan = five
    assert "10 timed calls" in plan
    tab.goto("about:blank")
    tab.goto(server)
    tab.get_by_text("Your last run").wait_for()
    tab.get_by_role("button", name="Use these settings").click()
    tab.locator("#plan .plan", has_text=plan).wait_for()
    assert wait_for_arms(tab, 5) == ratios
    assert tab.get_by_role("textbox", name=re.compile("^Seed")).input_value() == "5"
    assert tab.get_by_role("textbox", name=re.compile("^Negative")).input_value() == "a hexagon"
    tab.get_by_role("button", name=re.compile("^More settings")).click()
    assert tab.get_by_role("spinbutton", name=re.compile("Repeats")).input_value() == "2"


def test_an_accelerator_without_effect_gets_a_badge(config):
    seen = finish(ask("DeepCache(interval=1)", steps=2), config).comparison
    card = headline(Analysis(seen))
    assert '<span class="badge">had no effect</span>' in card
    assert "interval 1 runs the full U-Net at every evaluation" in card
    assert "No effect: DeepCache: interval 1" in notes_list(Analysis(seen))


def test_chosen_accelerators_are_arms_or_a_stack_or_both(page):
    arms = page.locator("#arms")
    assert not arms.is_visible()  # there is one
    page.get_by_role("checkbox", name=re.compile("^Guidance cutoff")).check()
    arms.wait_for()
    assert list(wait_for_arms(page, 3)) == ["Baseline", "DeepCache(interval=3)", "Guidance cutoff(after=0.5)"]
    page.get_by_role("radio", name="One stack").check()
    stack = "DeepCache(interval=3) + Guidance cutoff(after=0.5)"
    assert list(wait_for_arms(page, 2)) == ["Baseline", stack]
    page.get_by_role("radio", name="Both").check()
    assert list(wait_for_arms(page, 4))[-1] == stack
    page.get_by_role("checkbox", name=re.compile("^Guidance cutoff")).uncheck()
    arms.wait_for(state="hidden")
    page.get_by_role("checkbox", name=re.compile("^DeepCache")).uncheck()
    page.locator("#plan").get_by_text("Nothing to compare: tick an accelerator.").wait_for()


def test_what_cannot_be_had_is_greyed_with_its_reason(page):
    asked = []
    page.on("request", lambda request: asked.append(request) if "predict" in request.url else None)
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
    before = -1
    while len(asked) != before:  # requests that nothing asked for would never end
        before = len(asked)
        assert before < 60, "the plan is made once for all that changed together"
        page.wait_for_timeout(1500)


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
    before = page.locator("#expected").inner_text()
    steps.fill("40")
    page.wait_for_function("before => document.querySelector('#expected').innerText !== before", arg=before)
    assert gate.input_value() == "30" and "T-GATE(gate_step=30)" in expected(page)
    steps.fill("12")
    becomes("11")


def test_what_was_set_by_hand_is_only_kept_within_the_steps(config):
    page = Page(config)
    page.build()
    arms, gate = page.controls.arms, ("T-GATE", "gate_step")
    values = [30 if which == gate else 1 for which in arms.scaled()]

    def becomes(steps, touched):
        return dict(zip(arms.scaled(), arms.rescale("sd1", steps, touched, values), strict=True))[gate]

    assert [becomes(steps, []) for steps in (50, 40, 12)] == [20, 16, 5]
    assert [becomes(steps, [list(gate)]) for steps in (50, 40, 12)] == [30, 30, 11]


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


@pytest.mark.full  # the handler: models/test_hub
def test_a_model_that_is_not_here_is_fetched_stopped_and_fetched_on(away):
    hub, tab = away
    assert hub.asked == []
    choose(tab, "Stable Diffusion 1.5 . not here: about 2.1 GB to download")
    fetch = tab.get_by_role("button", name="Fetch it (about 2.1 GB in half precision)")
    fetch.wait_for()
    assert hub.asked == [], "nothing touches the network before someone asks for it"
    hub.break_after = 2_000_000
    with hub.hold:
        fetch.click()
        tab.get_by_text(re.compile(r"Fetching Stable Diffusion 1.5: \S+, \d\.\d\d of \d+\.\d\d MB")).first.wait_for()
        tab.get_by_role("progressbar").first.wait_for()
        tab.get_by_role("button", name="Stop").click()
        tab.get_by_text("Stopped. What was downloaded is kept.").wait_for()
    fetch.click()
    tab.get_by_text("Stable Diffusion 1.5 is here.").wait_for()
    assert any(" from " in asked for asked in hub.asked)
    fetch.wait_for(state="hidden")


@pytest.mark.full
def test_a_model_is_fetched_by_the_api_and_one_that_is_here_runs_without_the_network(away):
    hub, tab = away
    client = Client(tab.url, verbose=False)
    assert client.predict("sd-1.5", api_name="/fetch") == {"state": "finished"}
    assert {model["name"]: model["here"] for model in client.predict(api_name="/checkpoints")}["sd-1.5"] is True
    assert client.predict("pixart-sigma-512", api_name="/fetch") == {"state": "finished"}
    assert {model["name"]: model["here"] for model in client.predict(api_name="/checkpoints")}["pixart-sigma-512"]
    with pytest.raises(AppError, match="There is no model 'sd-9' to fetch"):
        client.predict("sd-9", api_name="/fetch")
    hub.asked.clear()
    tab.reload()
    choose(tab, "Stable Diffusion 1.5")
    for name, value in (("Width", "256"), ("Height", "256")):
        tab.get_by_label(name).fill(value)
    tab.get_by_label("Prompt").first.fill(PROMPT)
    start(tab, "1", "2")
    tab.get_by_text("Finished.").wait_for()
    view(tab, "Evidence")
    assert "Not scored: the weights of ViT-B-32-quickgelu/openai cannot be loaded" in tab.locator("#notes").inner_text()
    assert hub.asked == []
