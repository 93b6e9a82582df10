"""The History tab in a real browser: list, search, open, side by side, links, delete, and whose runs they are."""

import re

import pytest

from comparer import history, past
from helpers.pages import serving
from helpers.run_folders import NAME, kept, spoil
from helpers.runs import until


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """Sixty runs of known pictures; one is damaged, one speaks of another device."""
    runs = tmp_path_factory.mktemp("history") / "runs"
    for number in range(60):
        day = number // 3 + 1
        changes = {"environment": {"device_name": "Some GPU"}} if number == 0 else {}
        kept(runs, day, f"2026-11-{day:02}_120000_demo_{number:06x}", **changes)
    spoil(runs / "2026-11-19_120000_demo_000036", "cut")
    return runs


@pytest.fixture(scope="module")
def address(runs):
    with serving(runs) as address:
        yield address


@pytest.fixture
def tab(chromium, address):
    """Open the page; nothing may go elsewhere, nothing may be logged as an error, no script of a prompt may run."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000})
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    tab, wrong = context.new_page(), []
    tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda e: wrong.append(str(e)))
    tab.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((address, "data:", "blob:")) else None)
    tab.set_default_timeout(30_000)
    tab.goto(address)
    tab.get_by_role("button", name="Generate").wait_for()
    yield tab
    hurt = tab.evaluate("() => window.hurt")
    context.close()
    assert not wrong and hurt is None


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
    tab.get_by_role("button", name="Show more").click()
    until(lambda: rows.count() == 60)
    assert not tab.get_by_role("button", name="Show more").is_visible()


def test_pictures_far_below_are_not_loaded(tab):
    asked = []
    tab.on("request", lambda request: asked.append(request.url) if ".png" in request.url else None)
    listed(tab)
    tab.wait_for_function("() => [...document.querySelectorAll('.worst img')].slice(0, 2).every(i => i.naturalWidth)")
    tab.wait_for_timeout(2000)
    assert 2 <= len(asked) < 80 < 2 * tab.locator(".worst img").count()


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


def test_a_run_opens_as_it_was_and_is_found_again_by_its_address(tab, runs, address):
    rows = listed(tab)
    rows.nth(2).get_by_role("button", name=re.compile("^Open the run of 20 November")).click()
    tab.locator("#status", has_text="Earlier run, 2026-11-20 12:00 UTC").wait_for()
    name = rows.nth(2).locator("[data-name]").first.get_attribute("data-name")
    addressed(tab, f"?run={name}")
    assert tab.locator("#status", has_text="24 pictures made").is_visible()
    assert tab.locator(".card").count() == 5 and tab.locator("#all img").count() == 24
    other = tab.context.new_page()
    other.goto(tab.url)
    other.locator("#status", has_text="24 pictures made").wait_for()
    other.close()


def test_the_worst_pair_opens_at_a_press(tab, runs):
    row = listed(tab).first
    assert row.locator("button.worst").get_attribute("aria-label").startswith("Open the worst pair: ")
    row.locator("button.worst").click()
    card = past.entries(runs)[0].card
    arm, prompt, seed = card.worst
    base, other = shown(tab, f"seed {seed}")
    assert other.startswith(f"{card.arms[arm].name}: ") and card.prompts[prompt] in base
    addressed(tab, f"#pair={prompt}:{seed}&arm={arm}")


def test_a_link_opens_its_pair_and_the_address_follows_what_is_chosen(tab, address):
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


def test_the_viewers_mode_stays_in_the_address_beside_the_run_and_opens_again(tab, address):
    name = "2026-11-05_120000_demo_00000c"
    tab.goto(f"{address}/?run={name}&pair=0:17&arm=2")
    shown(tab, "seed 17")
    tab.get_by_role("tab", name="Compare").click()
    tab.locator("#compare .stage[aria-busy=false]").wait_for()
    tab.locator("#compare").get_by_role("button", name="Slider", exact=True).click()
    addressed(tab, "mode=slider")
    assert f"?run={name}#pair=0:17&arm=2&mode=slider" in tab.evaluate("() => location.href")
    link = tab.evaluate("() => location.href")
    other = tab.context.new_page()
    other.set_default_timeout(30_000)
    other.goto(link)
    other.locator("#compare .stage[aria-busy=false]").wait_for()
    assert (
        other.locator("#compare").get_by_role("button", name="Slider", exact=True).get_attribute("aria-pressed")
        == "true"
    )
    assert other.evaluate("() => location.href") == link
    other.close()


@pytest.mark.parametrize("said", ["nope", "../runs", "%3Cscript%3E", "a/b/c", "2026-11-19_120000_demo_000036"])
def test_a_wrong_link_says_so_and_nothing_else_happens(tab, address, said):
    tab.goto(f"{address}/?run={said}&pair=0:3")
    alert = tab.locator("#status [role=alert]")
    alert.wait_for()
    assert re.match("There is no run '|'2026-11-19_120000_demo_000036' holds no run: ", alert.inner_text())
    assert not tab.locator("#pictures").is_visible()


@pytest.mark.parametrize("pair", ["9:3", "0:4", "x", "0:3&arm=9", "0:3&arm=-1"])
def test_a_link_to_a_pair_that_is_not_there_opens_the_run(tab, address, pair):
    tab.goto(f"{address}/?run=2026-11-05_120000_demo_00000c&pair={pair}")
    tab.locator("#status", has_text="24 pictures made").wait_for()
    tab.locator(".card").nth(4).wait_for()
    assert not tab.get_by_role("alert").count()


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
    assert "Its run.json holds no run: " in row.inner_text()
    assert row.locator(".acts > *").all_inner_texts() == ["Delete"]


def test_a_run_is_deleted_after_a_question_that_names_it(chromium, tmp_path):
    for day in (1, 2, 3):
        kept(tmp_path, day)
    with serving(tmp_path) as address:
        tab = chromium.new_context().new_page()
        tab.set_default_timeout(30_000)
        tab.goto(f"{address}/?run={NAME.format(day=2)}")
        tab.locator("#status", has_text="24 pictures made").wait_for()
        rows = listed(tab)
        delete, dialog = rows.nth(1).get_by_role("button", name=re.compile("^Delete")), tab.get_by_role("dialog")
        delete.click()
        assert f"2 November 2026, 12:00 UTC, Demo: coloured shapes (runs anywhere) ({NAME.format(day=2)})" in (
            dialog.inner_text()
        )
        assert "24 pictures" in dialog.inner_text()
        dialog.get_by_role("button", name="Keep it").click()
        delete.click()
        tab.keyboard.press("Escape")
        dialog.wait_for(state="hidden")
        assert rows.count() == 3 and (tmp_path / NAME.format(day=2)).is_dir()
        delete.click()
        dialog.get_by_role("button", name="Delete").click()
        tab.get_by_text("The run is deleted.").wait_for()
        assert rows.count() == 2 and not (tmp_path / NAME.format(day=2)).exists()
        tab.get_by_role("tab", name="Comparison").click()
        tab.get_by_text("The run that was shown here is deleted.").wait_for()
        assert not tab.locator("#pictures").is_visible() and "run=" not in tab.url
        tab.goto(address)  # the browser has forgotten it, too
        tab.get_by_text("See what an accelerator gives").wait_for()
        tab.context.close()


def test_strangers_see_only_their_own_runs(chromium, tmp_path):
    def run(seed):
        tab = chromium.new_context().new_page()
        tab.set_default_timeout(90_000)
        tab.goto(address)
        tab.get_by_role("spinbutton", name=re.compile("Steps")).fill("2")
        tab.get_by_label("Seed").fill(seed)
        tab.get_by_role("button", name="Generate").click()
        tab.get_by_text("Finished.").wait_for()
        return tab

    with serving(tmp_path, "--public", "yes") as address:
        one, other = run("1"), run("2")
        assert len(past.entries(tmp_path)) == 2
        rows = listed(one)
        assert rows.count() == 1 and "seed 1" in rows.locator(".worst").get_attribute("aria-label")
        name = rows.locator("[data-name]").first.get_attribute("data-name")
        assert len(name.rsplit("_", 1)[1]) == 32
        assert "seed 2" in listed(other).locator(".worst").get_attribute("aria-label")
        # A link can be shared: it opens, but the run stays its maker's.
        other.goto(f"{address}/?run={name}")
        other.locator("#status", has_text="2 pictures made").wait_for()
        assert not other.locator("#goon").is_visible()
        more = other.get_by_role("button", name=re.compile(r"Run \d+ more seed"))
        more.click()
        other.get_by_text("This run is another visitor's").wait_for()
        assert listed(other).count() == 1
        # What the page of a stranger asks for, asked for another's run.
        other.locator(".past .acts .danger").evaluate("(button, name) => { button.dataset.name = name }", name)
        other.locator(".past .acts .danger").first.click()
        other.get_by_role("dialog").get_by_role("button", name="Delete").click()
        other.get_by_text("This run is another visitor's: only who made it can delete it.").wait_for()
        assert (tmp_path / name / "run.json").is_file() and history.load(tmp_path / name).request.settings.seeds == (1,)
        one.locator(".past .acts .danger").first.click()
        one.get_by_role("dialog").get_by_role("button", name="Delete").click()
        one.get_by_text("No runs yet.").wait_for()
        assert [entry.name for entry in past.entries(tmp_path)] != [name] and not (tmp_path / name).exists()
        one.context.close(), other.context.close()


def test_a_run_is_gone_on_with_to_more_seeds_and_one_more_arm(chromium, tmp_path):
    with serving(tmp_path) as address:
        tab = chromium.new_context(viewport={"width": 1440, "height": 1000}).new_page()
        tab.set_default_timeout(90_000)
        tab.goto(address)
        tab.get_by_role("spinbutton", name=re.compile("Steps")).fill("3")
        tab.get_by_label("Seed").fill("1")
        tab.get_by_role("button", name="Generate").click()
        tab.locator("#status", has_text="2 pictures made").wait_for()
        listed(tab).get_by_role("button", name=re.compile("^Open the run")).click()
        tab.get_by_role("button", name=re.compile("^Go on with this run")).click()
        assert not tab.get_by_role("button", name="Finish it").is_visible()
        tab.get_by_label("One more arm").fill("Tome(")
        tab.get_by_role("button", name="Add the arm").click()
        tab.get_by_role("alert").filter(has_text="'Tome(' is not an accelerator").wait_for()
        tab.get_by_label("How many").fill("2")
        tab.get_by_role("button", name="Run more seeds").click()
        tab.locator("#status", has_text="6 pictures made").wait_for()
        if not tab.get_by_label("One more arm").is_visible():
            tab.get_by_role("button", name=re.compile("^Go on with this run")).click()
        tab.get_by_label("One more arm").fill("ToMe(ratio=0.5)")
        tab.get_by_role("button", name="Add the arm").click()
        tab.locator("#status", has_text="9 pictures made").wait_for()
        tab.context.close()
    (entry,) = past.entries(tmp_path)
    seen = history.load(tmp_path / entry.name)
    assert seen.request.settings.seeds == (1, 2, 3) and len(entry.card.arms) == 3
    assert [arm.name for arm in seen.request.arms][2] == "ToMe(ratio=0.5)"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(tab, scheme):
    from axe_playwright_python.sync_playwright import Axe

    def serious(when):
        found = Axe().run(tab).response["violations"]
        said = [(when, v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found if v["impact"] != "minor"]
        assert not said, said
        wide = tab.evaluate("() => document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, when

    tab.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    tab.reload()
    rows = listed(tab)
    serious("list")
    choose = rows.get_by_role("button", name=re.compile("beside another$"))
    choose.nth(0).click()
    tab.get_by_text("One run is chosen").wait_for()
    choose.nth(1).click()
    tab.get_by_role("region", name="Figures of two runs").wait_for()
    serious("two")
    tab.set_viewport_size({"width": 390, "height": 844})
    serious("phone")
    rows.nth(3).get_by_role("button", name=re.compile("^Delete")).click()
    tab.get_by_role("dialog").wait_for()
    serious("dialog")
