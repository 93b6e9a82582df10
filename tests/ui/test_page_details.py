"""What the page shows below the figures, in a real browser: folds, plots, orders, and what is measured besides."""

import re
from dataclasses import replace

import pytest

from comparer.config import Config
from comparer.request.request import fewer
from comparer.results.analysis import Analysis
from comparer.runs import store
from helpers.pages import opened, view, watched
from helpers.runs import ask, finish

PROMPTS = ("a large red star on a blue background", "a small green ring on a white background")
ALSO = ("Fewer steps in each arm's time", "Noise floor", "Latents, step by step")


@pytest.fixture(scope="module")
def seen(chromium, server, served_runs):
    """Make one comparison with everything measured besides; yield the page that shows it, and the run's folder.

    The steps of the arm with fewer are given: which ones take an arm's time depends on what else the machine does.
    """
    asked = ask("DeepCache(interval=3)", prompts=PROMPTS, seeds=(1, 2, 3), warmups=1, width=64, height=64)
    arms = (*asked.arms, *fewer(1, asked.arms[1]))
    asked = replace(asked, arms=arms, extras=("noise-floor", "divergence")).with_steps({2: 2, 3: 3})
    run = finish(asked, Config(runs=served_runs))
    with watched(chromium, server) as (context, _):
        tab = opened(context.new_page(), server, run)
        view(tab, "Evidence")
        yield tab, run.folder


@pytest.mark.full
def test_the_card_says_whether_fewer_steps_would_do(seen):
    tab, _ = seen
    cards = tab.locator(".card")
    assert cards.count() == 1  # the arm with fewer steps speaks on the card of the one whose time it takes
    assert "2 to 3 steps" in cards.inner_text().replace("\u00a0", " ")
    assert re.search(r"SSIM 0\.\d{3}: ", cards.inner_text())
    arms = tab.get_by_role("table", name="Figures by arm").locator("tbody tr")
    assert "2 of 4 steps" in arms.nth(2).inner_text() and " %" in arms.nth(1).inner_text()


def test_every_time_is_shown_with_the_stages(seen):
    tab, folder = seen
    comparison = store.load(folder)
    assert not tab.get_by_role("table", name="Seconds per image").is_visible()  # folded away
    tab.locator("summary", has_text="Times").click()
    table = tab.get_by_role("table", name="Seconds per image")
    assert table.locator("tbody tr").count() == 4
    for arm, row in enumerate(table.locator("tbody tr").all()):
        f, cells = Analysis(comparison).arms[arm].figures, row.locator("td").all_inner_texts()
        assert cells[:5] == [str(f.calls), *(f"{x:.3f}" for x in (f.fastest, f.median_seconds, f.seconds, f.slowest))]
    plot = tab.locator("#figures details", has_text="Times").locator("svg[role=img]")
    assert plot.is_visible() and plot.locator("circle").count() >= len(comparison.calls)


def test_every_figure_has_its_interval_its_median_and_its_worst(seen):
    tab, folder = seen
    evidence = Analysis(store.load(folder)).arms[1].evidence
    tab.locator("summary", has_text="How sure the figures are").click()
    table = tab.get_by_role("table", name="Intervals")
    table.wait_for()
    speed, clip = (row.inner_text().replace("\u00a0", " ") for row in table.locator("tbody tr").all()[:2])
    found = evidence.speed_up()
    shown = [float(number) for number in re.findall(r"(\d+\.\d+)×", speed)]  # near a threshold with more digits
    wanted = [found.value, found.interval.low, found.interval.high, found.median, found.worst]
    assert shown == pytest.approx(wanted, abs=0.005001) and "6 turns" in speed
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
    comparison = store.load(folder)
    tab.locator("summary", has_text="How alike").click()
    table = tab.get_by_role("table", name="How alike, on average").locator("tbody tr")
    table.first.wait_for()
    rows = table.all_inner_texts()
    arm = Analysis(comparison).arms[1]
    assert f"{arm.similarity.ssim:.3f}" in rows[0] and arm.relative_distance.text in rows[0]
    assert "identical" in rows[3] and "noise floor" in rows[3]
    assert f"{comparison.seed_distance.ssim:.3f}" in rows[4]


def test_the_latents_are_a_plot(seen):
    tab, _ = seen
    tab.locator("summary", has_text="How the latents part").click()
    fold = tab.locator("#figures details", has_text="How the latents part")
    assert fold.locator("svg[role=img]").is_visible()
    assert "a large red star on a blue background, seed 1" in fold.inner_text()


def test_the_worst_pair_comes_first_on_demand(seen):
    tab, folder = seen
    comparison = store.load(folder)
    _, worst = min(comparison.pairs(1), key=lambda pair: pair[1].similarity.ssim)
    view(tab, "Viewer")
    tab.get_by_label("Order").select_option("Least alike first")
    first = tab.locator("#compare").get_by_label("Pair", exact=True).locator("option:checked").inner_text()
    prompt = comparison.request.settings.prompts[worst.prompt]
    assert first == f"seed {worst.seed} · SSIM {worst.similarity.ssim:.3f} · {prompt}"


def test_use_these_settings_asks_for_the_same_again(seen):
    tab, _ = seen
    tab.get_by_text("More settings").click()
    assert not any(tab.get_by_label(label).is_checked() for label in ALSO)
    tab.get_by_role("button", name="Use these settings").click()
    for label in ALSO:
        tab.wait_for_function("label => [...document.querySelectorAll('label')].find(l => l.innerText.includes(label))"
                              ".querySelector('input').checked", arg=label)  # fmt: skip
    # 12 further calls: 4 to choose the steps, 6 for the noise floor, 2 for the latents.
    planned = "24 pictures in 24 timed calls after 4 warm-up calls, and 12 untimed calls besides"
    tab.locator("#plan", has_text=planned).wait_for()


def test_a_scorer_that_means_nothing_is_refused_before_it_runs(seen):
    tab, _ = seen
    if not tab.get_by_label("Score that decides").is_visible():
        tab.get_by_text("More settings").click()
    tab.get_by_label("Score that decides").click()
    tab.get_by_role("option", name="ViT-L-14").click()
    tab.locator("#plan .wrong", has_text="never seen the demo's coloured shapes").wait_for()
