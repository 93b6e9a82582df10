"""What the page shows below the figures, in a real browser: folds, plots, orders, and what is measured besides."""

import json
import re

import pytest

from comparer import history

PROMPTS = "a large red star on a blue background\na small green ring on a white background"
ALSO = ("Fewer steps in each arm's time", "Noise floor", "Latents, step by step")


@pytest.fixture(scope="module")
def seen(chromium, tmp_path_factory):
    """Make one comparison with everything measured besides; yield the page and the run's folder."""
    from helpers.pages import serving

    runs = tmp_path_factory.mktemp("details")
    with serving(runs) as address:
        context = chromium.new_context(viewport={"width": 1440, "height": 1000})
        tab, wrong = context.new_page(), []
        tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda e: wrong.append(str(e)))
        tab.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
        tab.set_default_timeout(90_000)
        tab.goto(address)
        tab.get_by_role("button", name="Generate").wait_for()
        tab.locator("textarea").first.fill(PROMPTS)
        tab.get_by_role("textbox", name=re.compile("^Seed")).fill("1-3")
        tab.get_by_role("spinbutton", name=re.compile("Steps")).fill("6")
        tab.get_by_text("More settings").click()
        for label in ALSO:
            tab.get_by_label(label).check()
        # 12 further calls: 4 to choose the steps, 6 for the noise floor, 2 for the latents.
        planned = "18 pictures in 18 timed calls after 3 warm-up calls, and 12 untimed calls besides"
        tab.locator("#plan", has_text=planned).wait_for()
        tab.get_by_role("button", name="Generate").click()
        tab.get_by_text("Finished.").wait_for()
        (record,) = runs.glob("*/run.json")
        yield tab, record.parent
        context.close()
        assert not wrong


def test_the_card_says_whether_fewer_steps_would_do(seen):
    tab, folder = seen
    cards = tab.locator(".card")
    assert cards.count() == 1  # the arm with fewer steps speaks on the card of the one whose time it takes
    steps = history.load(folder).request.arms[2].steps
    # On a busy machine the accelerated arm may have been no faster when the steps were chosen.
    said = f"the baseline with {steps} of its 6 steps takes" if steps < 6 else "No fewer steps take this arm's time"
    assert said in cards.inner_text()
    assert re.search(r"SSIM 0\.\d{3}: ", cards.inner_text())
    arms = tab.get_by_role("table", name="Figures by arm").locator("tbody tr")
    assert f"{steps} of 6 steps" in arms.nth(2).inner_text() and " %" in arms.nth(1).inner_text()


def test_every_time_is_shown_with_the_stages(seen):
    tab, folder = seen
    comparison = history.load(folder)
    assert not tab.get_by_role("table", name="Seconds a picture").is_visible()  # folded away
    tab.locator("summary", has_text="Times").click()
    table = tab.get_by_role("table", name="Seconds a picture")
    for arm, row in enumerate(table.locator("tbody tr").all()):
        f, cells = comparison.figures(arm), row.locator("td").all_inner_texts()
        assert cells[:5] == [str(f.calls), *(f"{x:.3f}" for x in (f.fastest, f.median_seconds, f.seconds, f.slowest))]
    plot = tab.locator("#figures details", has_text="Times").locator("svg[role=img]")
    assert plot.is_visible() and plot.locator("circle").count() >= len(comparison.calls)


def test_every_figure_has_its_interval_its_median_and_its_worst(seen):
    tab, folder = seen
    evidence = history.load(folder).evidence(1)
    tab.locator("summary", has_text="How sure the figures are").click()
    table = tab.get_by_role("table", name="95 % intervals")
    table.wait_for()
    speed, clip = (row.inner_text().replace("\u00a0", " ") for row in table.locator("tbody tr").all()[:2])
    found = evidence.speed_up()
    assert f"{found.value:.2f}× ({found.interval.low:.2f}× to {found.interval.high:.2f}×)" in speed
    assert f"{found.median:.2f}×" in speed and f"{found.worst:.2f}×" in speed and "6 calls" in speed
    assert f"{abs(evidence.clip_difference().worst):.2f}" in clip and "6 pairs of 2 prompts" in clip
    assert tab.locator("#figures details", has_text="How sure").locator("svg[role=img]").is_visible()


@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_is_cut_off(seen, width):
    tab, _ = seen
    tab.set_viewport_size({"width": width, "height": 1000})
    fold = tab.locator("#figures details", has_text="How sure")
    if not fold.evaluate("fold => fold.open"):
        fold.locator("summary").click()
    cut = "box => box.scrollWidth - box.clientWidth"
    assert tab.locator(".notes").evaluate(cut) <= 0
    if width > 400:  # on a telephone a table scrolls
        assert fold.locator(".scroll").evaluate(cut) <= 0
    tab.set_viewport_size({"width": 1440, "height": 1000})


def test_likeness_and_what_it_is_measured_against(seen):
    tab, folder = seen
    comparison = history.load(folder)
    tab.locator("summary", has_text="How alike").click()
    table = tab.get_by_role("table", name="How alike, on average").locator("tbody tr")
    table.first.wait_for()
    rows = table.all_inner_texts()
    assert f"{comparison.similarity(1).ssim:.3f}" in rows[0] and comparison.place(1).text in rows[0]
    assert "identical" in rows[2] and "noise floor" in rows[2]
    assert f"{comparison.seed_distance.ssim:.3f}" in rows[3]


def test_the_latents_are_a_plot(seen):
    tab, _ = seen
    tab.locator("summary", has_text="How the latents part").click()
    fold = tab.locator("#figures details", has_text="How the latents part")
    assert fold.locator("svg[role=img]").is_visible()
    assert "a large red star on a blue background, seed 1" in fold.inner_text()


def test_the_worst_pair_comes_first_on_demand(seen):
    tab, folder = seen
    comparison = history.load(folder)
    _, worst = min(comparison.pairs(1), key=lambda pair: pair[1].similarity.ssim)
    tab.get_by_role("tab", name="Compare").click()
    tab.get_by_label("Order").select_option("Least alike first")
    first = tab.locator("#compare").get_by_label("Pair", exact=True).locator("option:checked").inner_text()
    prompt = comparison.request.settings.prompts[worst.prompt]
    assert first == f"seed {worst.seed} · SSIM {worst.similarity.ssim:.3f} · {prompt}"


def test_use_these_settings_asks_for_the_same_again(seen):
    tab, folder = seen
    for label in ALSO:
        tab.get_by_label(label).uncheck()
    tab.get_by_role("button", name="Use these settings").click()
    for label in ALSO:
        tab.wait_for_function("label => [...document.querySelectorAll('label')].find(l => l.innerText.includes(label))"
                              ".querySelector('input').checked", arg=label)  # fmt: skip
    asked = json.loads((folder / "run.json").read_text())["request"]
    assert asked["also"] == ["noise-floor", "divergence"] and asked["arms"][2]["like"] == 1


def test_a_scorer_that_means_nothing_is_refused_before_it_runs(seen):
    tab, _ = seen
    tab.get_by_label("CLIP that scores").click()
    tab.get_by_role("option", name="ViT-L-14").click()
    tab.locator("#plan .wrong", has_text="never seen the demo's coloured shapes").wait_for()
