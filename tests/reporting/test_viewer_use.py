"""The compare viewer in use: keys, fingers, the wheel, the address, filters, who cannot see it, hostile texts."""

import re

import pytest

from comparer.reporting.viewer import viewer
from comparer.request.request import Request, Settings
from comparer.results.comparison import Comparison
from comparer.results.sorting import LIKENESS, SCORE
from helpers.viewer_runs import HOSTILE, PROMPTS, SIZE, ask, ready


def state(tab, *keys):
    """Return what the viewer shows: one value, or several."""
    found = ask(ready(tab), f"[{', '.join(f'v.state.{key}' for key in keys)}]")
    return found[0] if len(keys) == 1 else found


def comes(tab, condition):
    """Wait until what a mouse or a finger did has reached the viewer ``v``: the browser answers before it has."""
    tab.wait_for_function(f"() => {{ const v = document.querySelector('.viewer').viewer; return {condition} }}")


def test_keys_do_what_they_do_in_the_tools_that_people_know(opened):
    tab = opened("#pair=0:3&arm=1")
    modes = ["side", "slider", "overlay", "flicker", "difference"]
    for mode in [*modes[1:], modes[0]]:
        tab.keyboard.press("m")
        assert state(tab, "mode") == mode
    tab.keyboard.press("Shift+M")
    assert state(tab, "mode") == "difference"
    tab.keyboard.press("c")
    assert state(tab, "arms") == [1, 0]
    tab.keyboard.press("c")
    tab.keyboard.press("4")
    assert state(tab, "arms") == [0, 3]
    for mode, keys, key, value in (
        ("slider", "]]", "share", 0.6),
        ("overlay", "[", "opacity", 0.45),
        ("difference", "]]]", "gain", 8),
        ("slider", "h", "upright", False),
        ("flicker", "a", "auto", False),
    ):
        ask(tab, f"v.set({{mode: '{mode}'}})")
        for each in keys:
            tab.keyboard.press(each)
        assert state(tab, key) == pytest.approx(value)
    before = state(tab, "flipped")
    tab.keyboard.press("Space")
    assert state(tab, "mode", "auto", "flipped") == ["flicker", False, not before]
    tab.keyboard.press("x")
    assert state(tab, "zoom") == 1 and tab.locator(".percent").inner_text() == "100 %"
    for _ in range(9):
        tab.keyboard.press("+")
    tab.keyboard.press("-")
    assert state(tab, "zoom") == 16
    tab.keyboard.press("Shift+ArrowRight")
    assert state(tab, "x") == pytest.approx(0.5 + 60 / 16 / SIZE)
    tab.keyboard.press("z")
    assert state(tab, "zoom", "x") == [None, 0.5]
    tab.keyboard.press("?")
    tab.get_by_role("dialog", name="Keys").wait_for()
    tab.keyboard.press("Escape")
    assert tab.get_by_role("dialog", name="Keys").is_hidden()


def test_arrows_go_through_the_pairs_worst_first_and_an_order_can_be_chosen(opened):
    tab = opened()
    seen = []
    for _ in range(5):
        seen.append(state(tab, "pair"))
        tab.keyboard.press("ArrowRight")
    assert seen == [2, 0, 3, 1, 1]  # CLIP lost 5, 3, 1 and 0
    assert tab.get_by_role("button", name="Next pair").is_disabled()
    tab.keyboard.press("ArrowLeft")
    assert state(tab, "pair") == 3 and tab.locator(".count").inner_text() == "3 of 4"
    tab.get_by_label("Order").select_option(LIKENESS)
    assert state(tab, "pair") == 3  # its SSIM is the lowest
    assert re.match(
        r"seed 17 · SSIM 0\.970 · ", tab.get_by_label("Pair", exact=True).locator("option").first.inner_text()
    )
    tab.get_by_label("Order").select_option("As asked")
    assert state(tab, "pair") == 0


def test_pairs_are_filtered_by_words_of_the_prompt_and_by_seed(opened):
    tab = opened()
    tab.get_by_role("button", name="Filter the pairs").click()
    tab.get_by_label("Prompts with these words").fill("STAR red")
    options = tab.get_by_label("Pair", exact=True).locator("option")
    assert options.count() == 2 and "red star" in tab.locator(".prompted").inner_text()
    tab.get_by_label("Seed", exact=True).select_option("17")
    assert options.count() == 1 and state(tab, "pair") == 1
    tab.get_by_label("Prompts with these words").fill("no such words")
    ready(tab)
    assert tab.locator(".count").inner_text().startswith("0 ") and state(tab, "pair") == 1
    tab.get_by_label("Prompts with these words").press("m")  # typed, not a key of the viewer's
    assert state(tab, "mode") == "side"


def test_the_address_opens_the_pair_and_follows_it(opened):
    tab = opened("#pair=1:17&arm=3&mode=slider&zoom=4&x=0.4&y=0.6&at=0.25&turned")
    asked = state(tab, "pair", "arms", "mode", "zoom", "x", "y", "share", "upright")
    assert asked == [3, [0, 3], "slider", 4, 0.4, 0.6, 0.25, False]
    assert "seed 17" in tab.locator(".prompted").inner_text()
    tab.keyboard.press("ArrowLeft")
    tab.keyboard.press("m")
    tab.wait_for_function("() => location.hash.startsWith('#pair=0:3&arm=3&mode=overlay&zoom=4')")
    again = opened(tab.evaluate("() => location.hash"))
    assert state(again, "pair", "arms", "mode", "zoom") == [0, [0, 3], "overlay", 4]
    again.evaluate("() => { location.hash = '#pair=1:3&arms=2,5,1' }")
    again.wait_for_function("() => document.querySelector('.viewer').viewer.state.pair === 2")
    assert state(again, "arms") == [2, 5, 1]


@pytest.mark.parametrize(
    "hash_", ("#pair=9:9&arm=77&mode=x&zoom=-3&at=7&gain=3", "#pair=0:3&arms=1,1&zoom=1e9", "#top")
)
def test_an_address_that_makes_no_sense_is_passed_over(opened, hash_):
    tab = opened(hash_)
    assert state(tab, "arms", "mode", "zoom", "gain") == [[0, 1], "side", None, 1]
    tab.keyboard.press("m")
    tab.wait_for_timeout(300)  # the address is written a little later
    assert (tab.evaluate("() => location.hash") == "#top") == (hash_ == "#top")  # of somebody else's: left alone


def test_wheel_drag_and_double_click_move_all_pictures_as_one(opened):
    tab = opened("#pair=0:3&arm=1")
    panes, box = ask(tab, "v.plan.panes"), tab.locator("canvas").bounding_box()
    x, y = box["x"] + panes[1]["x"] + 100, box["y"] + panes[1]["y"] + 90
    under = (
        "(() => { const r = v.rect, p = v.plan.panes[0]; return [(100 + p.x - r.x) / r.w, (90 + p.y - r.y) / r.h] })()"
    )
    before = ask(tab, under)
    tab.mouse.move(x, y)
    tab.mouse.wheel(0, -600)
    comes(tab, "v.state.zoom > 1.5 * v.plan.fit")
    assert ask(tab, under) == pytest.approx(before, abs=0.01)  # what is under the mouse stays there
    at = state(tab, "x", "y")
    tab.mouse.down()
    tab.mouse.move(x + 40, y + 25)
    tab.mouse.up()
    comes(tab, f"v.state.x !== {at[0]} && v.state.y !== {at[1]}")
    moved, zoom = state(tab, "x", "y"), state(tab, "zoom")
    assert [a - b for a, b in zip(at, moved, strict=True)] == pytest.approx([40 / zoom / SIZE, 25 / zoom / SIZE])
    tab.mouse.dblclick(x, y)
    comes(tab, "v.state.zoom === null")
    tab.mouse.dblclick(x, y)
    comes(tab, "v.state.zoom === 2 * v.plan.fit")


def test_the_line_of_the_slider_is_dragged(opened):
    tab = opened("#pair=0:3&arm=1&mode=slider")
    box, area = tab.locator("canvas").bounding_box(), ask(tab, "v.area")
    across = lambda share: (box["x"] + area["x"] + area["w"] * share, box["y"] + area["y"] + 60)  # noqa: E731
    tab.mouse.move(*across(0.5))
    tab.mouse.down()
    tab.mouse.move(*across(0.2))
    tab.mouse.up()
    comes(tab, "Math.abs(v.state.share - 0.2) < 0.01")
    line = tab.locator(".divider").bounding_box()
    assert line["x"] + line["width"] / 2 == pytest.approx(across(0.2)[0], abs=1)
    tab.get_by_label("Position").fill("0.75")
    assert state(tab, "share") == 0.75


def test_two_fingers_enlarge_and_one_moves(opened):
    tab = opened("#pair=0:3&arm=1&mode=overlay", width=390, height=844, scale=2, has_touch=True, is_mobile=True)
    wire, box = tab.context.new_cdp_session(tab), tab.locator("canvas").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind, *points):
        at = [{"x": px, "y": py, "id": i} for i, (px, py) in enumerate(points)]
        wire.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": at})

    fit = ask(tab, "v.view().zoom")
    touch("touchStart", (x - 30, y), (x + 30, y))
    for far in (40, 60, 90):
        touch("touchMove", (x - far, y), (x + far, y))
    touch("touchEnd")
    comes(tab, f"Math.abs(v.view().zoom / {fit} - 3) < 0.06")
    at = state(tab, "x")
    touch("touchStart", (x, y))
    for by in (10, 20, 30):
        touch("touchMove", (x - by, y))
    touch("touchEnd")
    moved = at + 30 * 2 / (3 * fit) / SIZE
    comes(tab, f"Math.abs(v.state.x / {moved} - 1) < 0.03")


def test_two_to_six_arms_stand_side_by_side_and_each_can_be_chosen(opened):
    tab = opened("#pair=0:3&arm=1")
    add = tab.get_by_role("button", name="Add an arm")
    for count in (3, 4, 5, 6):
        add.click()
        ready(tab)
        assert len(ask(tab, "v.plan.panes")) == count == tab.get_by_role("img", name=re.compile("seed 3$")).count()
    assert add.is_hidden()
    tab.get_by_role("button", name="Leave One pixel out").click()
    assert state(tab, "arms") == [0, 1, 3, 4, 5]
    tab.get_by_label("Picture 2").select_option("5")  # it changes places with the one that was there
    assert state(tab, "arms") == [0, 5, 3, 4, 1]
    names = [img.get_attribute("aria-label") for img in tab.get_by_role("img").all()]
    assert names[1] == f"Noise: {PROMPTS[0]}, seed 3"
    assert tab.locator(".facts thead th").all_inner_texts() == ["Baseline", "Noise", "Brighter", "Mirrored", "Same"]


def test_the_table_says_what_differs_and_dims_what_is_equal(opened):
    tab = opened("#pair=0:3&arm=1&mode=slider")
    rows = {row.locator("th").inner_text(): row for row in tab.locator(".facts tbody tr").all()}
    assert rows["Accelerators"].locator("td").all_inner_texts() == ["none", "ToMe(ratio=0.5)"]
    assert rows["Seconds per image"].locator("td").all_inner_texts() == ["1.500", "1.400"]
    assert rows["CLIP score"].locator("td").all_inner_texts() == ["25.00", "22.00"]
    assert rows["PSNR"].locator("td").all_inner_texts() == ["–", "identical"]
    same = {title for title, row in rows.items() if row.get_attribute("class") == "same"}
    assert {"Sampler", "Steps", "Guidance", "Size"} <= same and not same & {"Accelerators", "CLIP score", "PSNR"}
    colours = [
        rows[title].locator("td").first.evaluate("e => getComputedStyle(e).color") for title in ("Steps", "PSNR")
    ]
    assert colours[0] != colours[1]


def test_tab_reaches_every_control_and_each_has_a_name(opened):
    tab = opened("#pair=0:3&arms=0,1,2&mode=difference")
    wanted = tab.locator(".viewer :is(button, select, input, a, [tabindex='0']):not(:disabled):visible").count()
    reached = []
    focus = (
        "() => { const e = document.activeElement;"
        " return e === document.body ? null : [e.tagName, e.getAttribute('aria-label') || e.innerText] }"
    )
    for _ in range(wanted + 3):
        tab.keyboard.press("Tab")
        found = tab.evaluate(focus)
        if found is None:
            break
        reached.append(tuple(found))
    assert len(reached) == wanted, str(reached)
    assert all(name.strip() for _, name in reached)
    assert reached[0][1] == "Previous pair"
    # A control keeps what it is for: Space presses a button, arrows move a range.
    tab.get_by_role("button", name="Overlay").focus()
    tab.keyboard.press("Space")
    assert state(tab, "mode", "pair") == ["overlay", 0]
    tab.get_by_label("Opacity").focus()
    tab.keyboard.press("ArrowRight")
    assert state(tab, "opacity", "pair") == [0.51, 0]


@pytest.mark.parametrize("reduced", ("reduce", "no-preference"))
def test_flicker_begins_by_itself_only_where_motion_is_wanted(opened, reduced):
    tab = opened("#pair=0:3&arm=5", reduced_motion=reduced)
    tab.get_by_role("button", name="Flicker").click()
    assert state(tab, "auto") == (reduced == "no-preference")
    if reduced == "reduce":
        tab.get_by_role("button", name="Automatic").click()
    shows = "() => document.querySelector('.stage [role=img]').getAttribute('aria-label').startsWith('{}')"
    for name in ("Noise", "Baseline"):
        tab.wait_for_function(shows.format(name))


@pytest.mark.parametrize(
    ("scheme", "width"),
    [
        ("light", 1280),
        ("dark", 390),
        pytest.param("light", 390, marks=pytest.mark.full),
        pytest.param("dark", 1280, marks=pytest.mark.full),
    ],
)
def test_axe_finds_nothing_serious_and_nothing_scrolls_sideways(opened, scheme, width):
    from axe_playwright_python.sync_playwright import Axe

    tab = opened("#pair=0:3&arms=0,1,2", width=width, color_scheme=scheme)
    for mode in ("side", "slider", "flicker", "difference"):
        ask(tab, f"v.set({{mode: '{mode}', auto: false}})")
        ready(tab)
        assert tab.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
        found = Axe().run(tab).response["violations"]
        assert not [(v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("serious", "critical")]


def test_what_a_visitor_wrote_is_text_and_never_markup(opened, site):
    tab = opened("#pair=1:3&arm=1")
    assert HOSTILE.split("\u2028")[0] in tab.locator(".prompted").inner_text()
    assert tab.evaluate("() => window.hurt") is None and tab.locator("img").count() == 0
    written = (site[0] / "index.html").read_text(encoding="utf-8")
    assert "<img" not in written and written.count("</script>") == 1
    page = viewer.html(viewer.data(Comparison(Request(Settings(("a",)))), "."), "<b>&{{style}}")
    assert "<title>&lt;b&gt;&amp;{{style}}</title>" in page


def test_a_run_without_a_picture_and_one_with_a_missing_picture_are_shown(opened, site, tmp_path):
    seen = Comparison(Request(Settings(("a",))))
    (site[0] / "empty.html").write_text(viewer.html(viewer.data(seen, ".")), encoding="utf-8")
    from helpers.viewer_runs import comparison_in

    some = comparison_in(site[0], arms=3)
    some.shots = [shot for shot in some.shots if (shot.arm, shot.prompt) != (1, 0)]
    (site[0] / "some.html").write_text(viewer.html(viewer.data(some, ".")), encoding="utf-8")
    tab = opened("#pair=0:3&arm=1", "/some.html")
    assert "not made" in tab.locator(".stage").inner_text()
    tab.keyboard.press("Shift+M")
    ready(tab)
    assert "a picture is missing" in tab.locator(".prompted").inner_text()
    alone = viewer.data(comparison_in(site[0], arms=1), ".")
    (site[0] / "alone.html").write_text(viewer.html(alone), encoding="utf-8")
    tab = opened("#pair=0:3&mode=slider", "/alone.html")
    tab.keyboard.press("m")
    tab.keyboard.press("Space")
    assert state(tab, "mode", "arms") == ["side", [0]] and tab.get_by_role("button", name="Slider").is_disabled()
    tab.goto(tab.url.split("/alone")[0] + "/empty.html")
    tab.get_by_text("There is no picture yet.").wait_for()


def test_the_data_begin_with_the_worst_where_that_is_known(site, tmp_path):
    from helpers.viewer_runs import comparison_in

    seen = comparison_in(tmp_path, arms=2)
    shown = viewer.data(seen, "gradio_api/file=/runs/1")
    first = shown["pairs"][0]["shots"][0]["url"]
    assert shown["order"] == SCORE and first == "gradio_api/file=/runs/1/0-arm_p001_s3.png"
    assert [order["arms"][1] for order in shown["orders"] if order["name"] == SCORE] == [[2, 0, 3, 1]]
    one = viewer.data(seen, ".", (1, 3), arm=7)
    assert (one["pairs"][one["pair"]]["seed"], one["arm"], shown["pair"]) == (3, 1, None)
    seen.state = "running"
    assert viewer.data(seen, ".")["order"] == "As asked"
