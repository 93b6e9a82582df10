"""The History tab in a real browser: list, search, open, side by side, links, delete; what a wrong link shows."""

import html
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from comparer.config import Config
from comparer.runs import index, store
from comparer.ui.app import Page
from helpers.pages import Faults, serving, start, view
from helpers.run_folders import kept, repeated, spoil
from helpers.runs import until


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Sixty runs of known pictures; one is damaged, one speaks of another device."""
    runs = tmp_path_factory.mktemp("history") / "runs"
    first = kept(runs, 1, "2026-11-01_120000_demo_000000", environment={"device_name": "Some GPU"})
    for number in range(1, 60):
        day = number // 3 + 1
        created = f"2026-11-{day:02}T12:00:00+00:00"
        repeated(first, f"2026-11-{day:02}_120000_demo_{number:06x}", created=created, environment={})
    spoil(runs / "2026-11-19_120000_demo_000036", "cut")
    return runs


@pytest.fixture(scope="module")
def address(runs):
    with serving(runs) as address:
        yield address


@pytest.fixture(scope="module")
def browser(chromium, address):
    """Yield a tab; nothing may go elsewhere, nothing may be logged as an error, no script of a prompt may run."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab, wrong = context.new_page(), Faults(address)
    wrong.watch(tab)
    tab.set_default_timeout(90_000)
    yield tab, wrong
    context.close()


@pytest.fixture
def tab(browser, address):
    """Return the tab with the page open: as the test before left it, but for the search and what was chosen."""
    tab, wrong = browser
    wrong.clear()
    tab.keyboard.press("Escape")  # a question that a failed test left open
    if not tab.url.startswith(address):
        tab.goto(address)
        tab.get_by_role("button", name="Generate").wait_for()
    elif tab.locator(".past").is_visible():
        tab.get_by_label("Search the runs").fill("")
        counted(tab, "60 runs")
    yield tab
    assert not wrong and tab.evaluate("() => window.hurt") is None


def listed(tab):
    tab.get_by_role("tab", name="History").click()
    tab.locator(".past .run").first.wait_for()
    return tab.locator(".past .run")


def counted(tab, text):
    tab.locator("#history-counted").get_by_text(text, exact=True).wait_for()


def addressed(tab, text):
    """Wait until the address holds a text."""
    tab.wait_for_function("text => location.href.includes(text)", arg=text)


def shown(tab, ends):
    """Wait until the viewer shows both pictures of a pair and their names end so; return the names."""
    tab.wait_for_function(
        "ends => { const viewer = document.querySelector('#compare .viewer')?.viewer, all = viewer?.shown;"
        " return viewer?.p.stage.getAttribute('aria-busy') === 'false' && all.length === 2"
        " && all.every(picture => picture?.width === 64)"
        " && [...document.querySelectorAll('#compare .pane')].every(pane => pane.ariaLabel.endsWith(ends)) }",
        arg=ends,
    )
    return [pane.get_attribute("aria-label") for pane in tab.locator("#compare .pane").all()]


def test_fifty_are_listed_newest_first_and_the_others_when_asked_for(tab):
    loaded = []
    tab.on("request", lambda request: loaded.append(request.url) if ".png" in request.url else None)
    rows = listed(tab)
    counted(tab, "60 runs")
    assert rows.count() == 50
    days = tab.locator(".past section > h2").all_inner_texts()
    assert days[:2] == ["20 November 2026", "19 November 2026"]
    first = rows.first
    assert "a large red star on a blue background and 1 more" in first.inner_text()
    chips = first.locator(".chips li").all_inner_texts()
    assert len(chips) == 5 and re.fullmatch(r"Same\n1\.07× .*", chips[0]) and "12:00" in first.inner_text()
    images = first.locator(".worst img")
    tab.wait_for_function("() => [...document.querySelectorAll('.worst img')].slice(0, 2).every(i => i.naturalWidth)")
    assert images.count() == 2 and images.first.get_attribute("loading") == "lazy"
    tab.wait_for_timeout(1000)  # pictures far below would have come by then
    assert 2 <= len(loaded) < 80 < tab.locator(".worst img").count()
    tab.get_by_role("button", name="Show more").click()
    until(lambda: rows.count() == 60)
    assert tab.get_by_role("button", name="Show more").is_hidden()


def test_every_word_is_searched_in_all_runs(tab):
    rows = listed(tab)
    search = tab.get_by_label("Search the runs")
    search.fill("some gpu")
    counted(tab, "1 of 60 runs")
    assert rows.count() == 1 and tab.locator(".past section > h2").inner_text() == "1 November 2026"
    search.fill("gpu nowhere")
    counted(tab, "None of 60 runs has all these words.")
    assert rows.count() == 0
    search.fill("DEEPCACHE star")
    counted(tab, "59 of 60 runs")
    search.fill("")
    counted(tab, "60 runs")


def test_a_run_opens_as_it_was_and_is_named_in_the_address(tab):
    row = listed(tab).nth(2)
    name = row.locator("[data-name]").first.get_attribute("data-name")
    row.get_by_role("button", name=re.compile("^Open the run of 20 November")).click()
    tab.locator("#status", has_text="Earlier run, 2026-11-20 12:00 UTC").wait_for()
    addressed(tab, f"?run={name}")
    assert tab.locator("#status", has_text="24 pictures made").is_visible()
    assert tab.locator("#all .chip").count() == 6 and tab.locator("#all img").count() == 24


def test_the_worst_pair_opens_at_a_press(tab, runs):
    row = listed(tab).first
    assert row.locator("button.worst").get_attribute("aria-label").startswith("Open the worst pair: ")
    row.locator("button.worst").click()
    card = index.entries(runs)[0].card
    arm, prompt, seed = card.worst
    base, other = shown(tab, f"seed {seed}")
    assert other.startswith(f"{card.arms[arm].name}: ") and card.prompts[prompt] in base
    addressed(tab, f"#pair={prompt}:{seed}&arm={arm}")


def test_a_link_opens_its_pair_and_the_address_follows_what_is_chosen_and_opens_again(tab, address):
    name = "2026-11-05_120000_demo_00000c"
    tab.goto(f"{address}/?run={name}&pair=1:17&arm=3")
    base, other = shown(tab, "seed 17")
    assert base.startswith("Baseline: </script>") and other.startswith("Brighter: </script>")
    addressed(tab, f"/?run={name}#pair=1:17&arm=3")
    tab.locator("#compare").get_by_role("button", name=re.compile("^Next")).first.click()
    chosen = tab.evaluate(
        "() => { const v = document.querySelector('#compare .viewer').viewer;"
        " const p = v.data.pairs[v.state.pair]; return `${p.prompt}:${p.seed}` }"
    )
    assert chosen != "1:17"
    addressed(tab, f"/?run={name}#pair={chosen}&arm=3")
    tab.locator("#compare .stage[aria-busy=false]").wait_for()
    tab.locator("#compare").get_by_role("button", name="Slider", exact=True).click()
    addressed(tab, f"?run={name}#pair={chosen}&arm=3&mode=slider")
    link = tab.url
    other = tab.context.new_page()
    other.set_default_timeout(90_000)
    other.goto(link)
    other.locator("#compare .stage[aria-busy=false]").wait_for()
    slider = other.locator("#compare").get_by_role("button", name="Slider", exact=True)
    assert slider.get_attribute("aria-pressed") == "true"
    assert (
        other.locator("#compare .pane")
        .get_attribute("aria-label")
        .endswith(f"seed {chosen.split(':')[1]}; right of the line Brighter")
    )
    assert other.evaluate("() => location.href") == link
    other.close()


@pytest.fixture(scope="module")
def handlers(runs):
    """Return the page of this process, whose handlers can be asked without a browser."""
    page = Page(Config(runs=runs))
    page.build()
    return page


def arrived(handlers, last="", **said):
    """Return what the page shows to whoever comes with this address, by component."""
    return handlers.arrive(SimpleNamespace(query_params=said, session_hash="someone"), last, "")


@pytest.mark.parametrize("said", ["nope", "../runs", "<script>", "a/b/c", "2026-11-19_120000_demo_000036"])
def test_a_wrong_link_says_so_and_nothing_else_happens(handlers, said):
    found = arrived(handlers, last="2026-11-05_120000_demo_00000c", run=said, pair="0:3")
    assert list(found) == [handlers.out.status]
    told = found[handlers.out.status]
    named = html.escape(f"'{said}'")
    damaged = said == "2026-11-19_120000_demo_000036"
    why = f"{named} does not contain a run: " if damaged else f"There is no run {named}."
    assert 'role="alert"' in told and why in told


@pytest.mark.parametrize("pair", ["9:3", "0:4", "x", "0:3&arm=9", "0:3&arm=-1"])
def test_a_link_to_a_pair_that_is_not_there_opens_the_run(handlers, pair):
    pair, _, arm = pair.partition("&arm=")
    found = arrived(handlers, run="2026-11-05_120000_demo_00000c", pair=pair, **({"arm": arm} if arm else {}))
    assert "24 pictures made" in found[handlers.out.status] and 'role="alert"' not in found[handlers.out.status]
    assert '"pair":null' in found[handlers.out.pictures.compare] and '"arm":1' in found[handlers.out.pictures.compare]


def test_a_wrong_link_is_told_on_the_page_and_no_picture_is_shown(tab, address):
    tab.goto(f"{address}/?run=%3Cscript%3E&pair=0:3")
    tab.locator("#status [role=alert]", has_text="There is no run '<script>'.").wait_for()
    assert tab.locator("#pictures").is_hidden() and tab.locator("#status").count() == 1


def test_a_link_is_copied(tab, address):
    link = listed(tab).nth(1).get_by_role("link", name=re.compile("^Copy a link"))
    link.click()
    tab.get_by_text("Copied").wait_for()
    copied = tab.evaluate("() => navigator.clipboard.readText()")
    assert copied.startswith(f"{address}/?run=2026-11-20_120000_demo_")


def test_two_runs_are_laid_side_by_side(tab):
    rows = listed(tab)
    choose = rows.get_by_role("button", name=re.compile("beside another$"))
    choose.nth(0).click()
    tab.get_by_text("One run is chosen").wait_for()
    tab.get_by_label("Search the runs").fill("gpu")  # the chosen one stays chosen, though it is not seen
    counted(tab, "1 of 60 runs")
    choose.nth(0).click()
    table = tab.get_by_role("region", name="Figures of two runs")
    table.wait_for()
    assert table.locator("thead th").all_inner_texts() == [
        "Demo: coloured shapes (runs anywhere)\n20 November 2026, 12:00 UTC",
        "Demo: coloured shapes (runs anywhere)\n1 November 2026, 12:00 UTC",
    ]
    device = table.locator("tr", has=tab.get_by_role("rowheader", name="Device", exact=True))
    assert device.locator("td").all_inner_texts() == ["–", "Some GPU"] and device.get_attribute("class") is None
    steps = table.locator("tr", has=tab.get_by_role("rowheader", name="Steps", exact=True))
    assert steps.get_attribute("class") == "same"
    assert "The times are not comparable" in tab.locator(".two .notes").inner_text()
    tab.get_by_role("button", name="Close").click()
    table.wait_for(state="hidden")
    assert tab.locator(".past [aria-pressed=true]").count() == 0


def test_a_damaged_run_says_why_and_can_only_be_deleted(tab):
    listed(tab)
    tab.get_by_label("Search the runs").fill("damaged")
    counted(tab, "1 of 60 runs")
    row = tab.locator(".past .run")
    assert "Its run.json does not contain a run: " in row.inner_text()
    assert row.locator(".acts > *").all_inner_texts() == ["Delete"]


def test_a_run_is_deleted_after_a_question_that_names_it(tab, address, runs):
    name = "2026-10-31_120000_demo_00ff00"
    gone = kept(runs, name=name, created="2026-10-31T12:00:00+00:00")
    tab.goto(f"{address}/?run={name}")
    tab.locator("#status", has_text="24 pictures made").wait_for()
    rows = listed(tab)
    tab.get_by_label("Search the runs").fill(name)
    counted(tab, "1 of 61 runs")
    delete, dialog = rows.get_by_role("button", name=re.compile("^Delete")), tab.get_by_role("dialog")
    delete.click()
    assert f"31 October 2026, 12:00 UTC, Demo: coloured shapes (runs anywhere) ({name})" in dialog.inner_text()
    assert "24 images" in dialog.inner_text()
    dialog.get_by_role("button", name="Keep it").click()
    dialog.wait_for(state="hidden")
    delete.click()
    tab.keyboard.press("Escape")
    dialog.wait_for(state="hidden")
    assert rows.count() == 1 and gone.is_dir()
    delete.click()
    dialog.get_by_role("button", name="Delete").click()
    tab.get_by_text("The run is deleted.").wait_for()
    assert rows.count() == 0 and not gone.exists() and len(index.entries(runs)) == 60
    tab.get_by_role("tab", name="Compare", exact=True).click()
    tab.get_by_text("The run that was shown here was deleted.").wait_for()
    assert tab.locator("#pictures").is_hidden() and "run=" not in tab.url
    tab.goto(address)  # the browser has forgotten it, too
    tab.get_by_text("See what an accelerator gives").wait_for()


@pytest.mark.full
def test_a_run_is_gone_on_with_to_more_seeds_and_one_more_arm(page):
    start(page, "1", "3")
    page.locator("#status", has_text="2 pictures made").wait_for()
    row = listed(page).first
    row.get_by_role("button", name=re.compile("^Open the run")).click()
    page.locator("#status", has_text="Earlier run").wait_for()
    view(page, "Extend this run")
    page.get_by_label("One more arm").fill("Tome(")
    assert page.get_by_role("button", name="Finish it").is_hidden()
    page.get_by_role("button", name="Add the arm").click()
    page.get_by_role("alert").filter(has_text="'Tome(' is not an accelerator").wait_for()
    page.get_by_label("How many").fill("2")
    page.get_by_role("button", name="Run more seeds").click()
    page.locator("#status", has_text="6 pictures made").wait_for()
    view(page, "Extend this run")
    page.get_by_label("One more arm").fill("ToMe(ratio=0.5)")
    page.get_by_role("button", name="Add the arm").click()
    page.locator("#status", has_text="9 pictures made").wait_for()
    picture = page.locator("#all img").first.get_attribute("src")
    seen = store.load(Path(picture.split("file=")[1]).parent)
    assert seen.request.settings.seeds == (1, 2, 3) and len(seen.shots) == 9
    assert [arm.name for arm in seen.request.arms][2] == "ToMe(ratio=0.5)"


FULL = pytest.mark.full


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        pytest.param("light", 1440, marks=FULL),
        ("dark", 390),
        pytest.param("light", 390, marks=FULL),
        pytest.param("dark", 1440, marks=FULL),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(tab, address, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    def serious(when):
        found = Axe().run(tab).response["violations"]
        said = [(when, v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found if v["impact"] != "minor"]
        assert not said, said
        wide = tab.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, when

    tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    tab.set_viewport_size({"width": width, "height": 844})
    tab.goto(address)
    rows = listed(tab)
    tab.get_by_label("Search the runs").fill("2026-11-02")  # the other rows are like these
    counted(tab, "3 of 60 runs")
    choose = rows.get_by_role("button", name=re.compile("beside another$"))
    choose.nth(0).click()
    tab.get_by_text("One run is chosen").wait_for()
    choose.nth(1).click()
    tab.get_by_role("region", name="Figures of two runs").wait_for()
    serious("list and two")
    rows.nth(2).get_by_role("button", name=re.compile("^Delete")).click()
    tab.get_by_role("dialog").wait_for()
    serious("dialog")
    tab.get_by_role("button", name="Keep it").click()
    tab.get_by_role("dialog").wait_for(state="hidden")
