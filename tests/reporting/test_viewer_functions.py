"""The viewer's functions that need no browser, under node: differences, links, orders, places, keys and the wheel."""

import numpy as np
import pytest

from helpers.javascript import page_script, running, viewer_script

DIFFERENCE = viewer_script("difference")
LINK = viewer_script("view", "link")
PAIRS = viewer_script("pairs")
VIEW = viewer_script("view")
DATA = {
    "prompts": ["a large red star", "a small blue ring"],
    "arms": [{"name": name} for name in ("Baseline", "Same", "Brighter")],
    "pairs": [{"prompt": prompt, "seed": seed} for prompt in (0, 1) for seed in (3, 17)],
    "orders": [
        {"name": "As asked", "arms": [[0, 1, 2, 3]] * 3},
        {"name": "Worst score first", "arms": [[0, 1, 2, 3], [2, 0, 3, 1], [1, 3, 0, 2]]},
    ],
}
BEGIN = {
    "mode": "side", "zoom": None, "x": 0.5, "y": 0.5, "share": 0.5, "upright": True, "opacity": 0.5, "gain": 1,
    "pair": 0, "arms": [0, 1], "order": "As asked", "prompt": "", "seed": "",
}  # fmt: skip


@pytest.fixture(scope="module")
def run():
    with running() as run:
        yield run


def rgba(pixels):
    """Return the bytes of rows of (red, green, blue), opaque, as ImageData holds them."""
    opaque = np.concatenate([pixels, np.full((*pixels.shape[:2], 1), 255)], 2)
    return opaque.astype(int).ravel().tolist()


def measured(run, one, other, gain=1):
    """Return what the viewer measures of two pictures, and the pixels of its map."""
    height, width = one.shape[:2]
    body = """
      const [a, b] = [one, other].map(values => new ImageData(width, height, values)), found = difference(a, b)
      return {...found, values: [...found.values], map: [...coloured(found, gain).data], words: inWords(found),
        colours: COLOURS}
    """
    return run(DIFFERENCE, body, one=rgba(one), other=rgba(other), width=width, height=height, gain=gain)


def test_a_difference_is_each_pixels_largest_and_its_mean_is_over_all_three_colours(run):
    one = np.full((2, 3, 3), 100)
    other = one.copy()
    other[0, 1] = 103, 99, 100  # 3, 1 and 0
    other[1, 2] = 90, 108, 104  # 10, 8 and 4
    found = measured(run, one, other)
    assert found["values"] == [0, 3, 0, 0, 0, 10]
    assert (found["largest"], found["x"], found["y"]) == (10, 2, 1)
    assert found["mean"] == pytest.approx((3 + 1 + 10 + 8 + 4) / 18) and found["share"] == pytest.approx(2 / 6)
    assert found["words"] == "Largest 10 of 255 at (2, 1) · mean 1.4 · 33.3 % of pixels differ"


@pytest.mark.parametrize(
    ("gain", "places"), [(1, [0, 1, 3, 10, 85, 255]), (8, [0, 8, 24, 80, 255, 255]), (32, [0, 32, 96, 255, 255, 255])]
)
def test_the_map_colours_a_difference_of_n_with_the_colour_of_n_times_the_gain(run, gain, places):
    other = np.zeros((1, 6, 3), int)
    other[0, :, 1] = 0, 1, 3, 10, 85, 255
    found = measured(run, np.zeros((1, 6, 3), int), other, gain)
    drawn = np.array(found["map"]).reshape(-1, 4)
    assert drawn[:, :3].tolist() == [found["colours"][place] for place in places] and (drawn[:, 3] == 255).all()


def test_the_colours_are_those_of_inferno(run):
    """At eleven places as published (matplotlib's ``inferno``), between them on straight lines."""
    colours = measured(run, np.zeros((1, 1, 3), int), np.zeros((1, 1, 3), int))["colours"]
    assert len(colours) == 256 and (colours[0], colours[255]) == ([0, 0, 4], [252, 255, 164])
    assert colours[51] == [0x42, 0x0A, 0x68] and colours[102] == [0x93, 0x26, 0x67] and colours[204] == [0xFC, 0xA5, 10]
    assert np.abs(np.diff(colours, axis=0)).max() <= 5


def test_random_pictures_are_measured_as_numpy_measures_them(run):
    one, other = np.random.default_rng(5).integers(0, 256, (2, 7, 5, 3))
    found, apart = measured(run, one, other), np.abs(one - other)
    most = apart.max(2)
    assert found["values"] == most.ravel().tolist()
    assert most[found["y"], found["x"]] == found["largest"] == most.max()
    assert found["mean"] == pytest.approx(apart.mean()) and found["share"] == pytest.approx((most > 0).mean())


def test_equal_pictures_are_called_identical_and_few_pixels_are_not_called_none(run):
    one = np.random.default_rng(1).integers(0, 256, (50, 50, 3))
    assert measured(run, one, one)["words"] == "Identical: no pixel differs"
    other = one.copy()
    other[20, 30, 2] ^= 1
    words = measured(run, one, other)["words"]
    assert words.startswith("Largest 1 of 255 at (30, 20)") and words.endswith("< 0.1 % of pixels differ")


def test_an_overlay_lies_between_and_equal_pixels_stay_as_they_are(run):
    body = """
      const [below, above] = [[10, 200, 0, 255], [20, 100, 0, 255]].map(values => new ImageData(1, 1, values))
      return [0, 0.25, 0.37, 1].map(opacity => [...mixed(below, above, opacity).data])
    """
    assert run(DIFFERENCE, body) == [[10, 200, 0, 255], [13, 175, 0, 255], [14, 163, 0, 255], [20, 100, 0, 255]]


@pytest.mark.parametrize(
    ("changes", "hash_"),
    [
        ({}, "#pair=0:3&arm=1"),
        ({"pair": 3, "arms": [0, 2]}, "#pair=1:17&arm=2"),
        ({"arms": [2, 0, 1]}, "#pair=0:3&arms=2,0,1"),
        ({"mode": "slider", "share": 0.25, "upright": False}, "#pair=0:3&arm=1&mode=slider&at=0.25&turned"),
        ({"mode": "overlay", "opacity": 0.3}, "#pair=0:3&arm=1&mode=overlay&opacity=0.3"),
        ({"mode": "difference", "gain": 8}, "#pair=0:3&arm=1&mode=difference&gain=8"),
        ({"zoom": 4, "x": 0.4, "y": 0.6}, "#pair=0:3&arm=1&zoom=4&x=0.4&y=0.6"),
    ],
)
def test_a_link_is_written_and_read_back(run, changes, hash_):
    body = "return [written(state, data, begin), read(hash, data)]"
    made, back = run(LINK, body, state=BEGIN | changes, data=DATA, begin=BEGIN, hash=hash_)
    assert made == hash_
    assert back == {"pair": 0, "arms": [0, 1]} | changes


def test_only_what_the_mode_shows_stands_in_a_link(run):
    state = BEGIN | {"mode": "flicker", "share": 0.1, "opacity": 0.1, "gain": 32, "upright": False, "x": 0.1}
    assert run(LINK, "return written(state, data, begin)", state=state, data=DATA, begin=BEGIN) == (
        "#pair=0:3&arm=1&mode=flicker"
    )


@pytest.mark.parametrize(
    ("hash_", "found"),
    [
        ("#pair=9:9&arm=77&mode=x&zoom=-3&at=7&gain=3", {}),
        ("#pair=0:3&arms=1,1&zoom=1e9&x=nan&opacity=2", {"pair": 0}),
        ("#pair=0:3&arms=0&gain=64", {"pair": 0}),
        ("#pair=0:3&arm=-1", {"pair": 0}),
        ("#pair=1:3&arm=2&gain=16", {"pair": 2, "arms": [0, 2], "gain": 16}),
        ("#top", {}),
        ("", {}),
    ],
)
def test_what_a_link_says_wrongly_is_left_out(run, hash_, found):
    assert run(LINK, "return read(hash, data)", hash=hash_, data=DATA) == found


def listed(run, **state):
    return run(PAIRS, "return listed(data, state)", data=DATA, state=BEGIN | state)


def test_pairs_are_ordered_by_the_arm_beside_the_baseline_and_filtered_by_words_and_seed(run):
    assert listed(run) == [0, 1, 2, 3]
    worst = {"order": "Worst score first"}
    assert listed(run, **worst) == [2, 0, 3, 1] == listed(run, **worst, arms=[1, 0])
    assert listed(run, **worst, arms=[0, 2]) == [1, 3, 0, 2] == listed(run, **worst, arms=[2, 0])
    assert listed(run, **worst, prompt=" RED  star") == [0, 1]
    assert listed(run, **worst, seed="17") == [3, 1]
    assert listed(run, prompt="star ring") == [] == listed(run, seed="1")
    assert listed(run, order="one that is not known") == [0, 1, 2, 3]


def test_a_pairs_title_says_its_seed_by_what_it_was_sorted_and_its_prompt(run):
    shots = [{"clip": 25.0, "ssim": None}, {"clip": 23.5, "ssim": 0.97}, None]
    data = DATA | {"score": "PickScore", "pairs": [{"prompt": 0, "seed": 3, "shots": shots}]}

    def titled(**state):
        return run(PAIRS, "return titled(data, state, 0)", data=data, state=BEGIN | state)

    assert titled() == "seed 3 · a large red star"
    assert titled(order="Worst score first") == "seed 3 · PickScore −1.50 · a large red star"
    assert titled(order="Least alike") == "seed 3 · SSIM 0.970 · a large red star"
    assert titled(order="Worst score first", arms=[0, 2]) == "seed 3 · a large red star"  # not made
    data["prompts"] = ["x" * 101, ""]
    assert titled() == f"seed 3 · {'x' * 99}…"
    unsorted = {"pairs": [{"seed": seed} for seed in (17, 3, 17, 100)]}
    assert run(PAIRS, "return seeds(data)", data=unsorted) == [3, 17, 100]


def test_facts_that_differ_stand_first(run):
    shots = [{"facts": [["Steps", "20"], ["PSNR", "x"]]}, {"facts": [["Steps", "20"], ["Cache", "2"]]}, None]
    pair = {"shots": shots}
    rows = run(viewer_script("facts"), "return compared(pair, [0, 1])", pair=pair)
    assert rows == [["PSNR", ["x", "–"], False], ["Cache", ["–", "2"], False], ["Steps", ["20", "20"], True]]
    assert run(viewer_script("facts"), "return compared(pair, [0, 2])", pair=pair)[0][1:] == [["20", "–"], False]


@pytest.mark.parametrize(
    ("width", "height", "zoom"), [(64, 64, 1), (191, 300, 2), (300, 130, 2), (32, 64, 0.5), (10**6, 10**6, 64)]
)
def test_a_picture_that_is_enlarged_to_fit_is_enlarged_by_a_whole_number(run, width, height, zoom):
    size = {"width": 64, "height": 64}
    assert run(VIEW, "return fitting(size, w, h)", size=size, w=width, h=height) == zoom


@pytest.mark.parametrize("count", range(1, 7))
def test_panes_are_equal_lie_within_and_do_not_overlap(run, count):
    band, gap, width, height = 30, 8, 900, 700
    size = {"width": 64, "height": 48}
    body = "return layout(count, size, width, height, band, gap)"
    plan = run(VIEW, body, count=count, size=size, width=width, height=height, band=band, gap=gap)
    panes = plan["panes"]
    assert len(panes) == count and len({(p["w"], p["h"]) for p in panes}) == 1
    assert plan["height"] <= height and plan["fit"] == int(plan["fit"])
    for i, pane in enumerate(panes):
        assert pane["x"] >= 0 and pane["y"] >= band
        assert pane["x"] + pane["w"] <= width and pane["y"] + pane["h"] <= plan["height"]
        assert pane["w"] >= 64 * plan["fit"] and pane["h"] >= 48 * plan["fit"]
        for other in panes[:i]:
            apart_x = abs(pane["x"] - other["x"]) >= pane["w"] + gap
            apart_y = abs(pane["y"] - other["y"]) >= pane["h"] + band + gap
            assert apart_x or apart_y


def test_what_is_under_a_point_stays_there_when_it_is_enlarged(run):
    body = """
      const pane = {x: 10, y: 40, w: 300, h: 200}, size = {width: 64, height: 64}, view = {zoom: 8, x: 0.4, y: 0.55}
      const under = rect => [(210 - rect.x) / rect.w, (100 - rect.y) / rect.h]
      const before = under(placed(view, pane, size))
      zoomed(view, 24, size, {x: 210 - (pane.x + pane.w / 2), y: 100 - (pane.y + pane.h / 2)})
      return [before, under(placed(view, pane, size)), placed(view, pane, size)]
    """
    before, after, rect = run(VIEW, body)
    assert after == pytest.approx(before, abs=0.5 / (8 * 64) + 0.5 / (24 * 64))  # both are whole pixels of the screen
    assert (rect["w"], rect["h"]) == (24 * 64, 24 * 64)


def test_the_middle_is_kept_where_the_picture_fills_its_pane(run):
    body = """
      return [[0.5, 0], [2, 0], [2, 1], [4, 0.3]].map(([zoom, x]) => {
        const view = {zoom, x, y: 1}
        kept(view, {w: 64, h: 1000}, {width: 64, height: 64})
        return [view.x, view.y]
      })
    """
    assert run(VIEW, body) == [[0.5, 0.5], [0.25, 0.5], [0.75, 0.5], [0.3, 0.5]]


def test_the_slider_splits_what_is_seen_without_a_gap(run):
    area = {"x": 5, "y": 7, "w": 101, "h": 33}
    body = "return [split(area, 0.25, true), split(area, 0.25, false), seen({x: 0, y: 0, w: 50, h: 20}, area)]"
    upright, level, seen = run(VIEW, body, area=area)
    assert upright == [area | {"w": 25}, area | {"x": 30, "w": 76}]
    assert level == [area | {"h": 8}, area | {"y": 15, "h": 25}]
    assert seen == {"x": 5, "y": 7, "w": 45, "h": 13}


def test_lengths_that_are_whole_on_a_scaled_screen(run):
    assert run(VIEW, "return [1, 2, 1.25, 1.5, 1.1].map(whole)") == [1, 1, 4, 2, 10]


# Controls need what the viewer holds: its data, its state, and what it shows.
HELD = """
  const viewer = {data, state: {...state}, plan: {fit: 3}, view: () => ({zoom: 3, x: 0.5, y: 0.5}),
    set(changes) { Object.assign(this.state, changes) }, zoomTo(zoom) { this.state.zoom = zoom },
    measured: () => ({largest: 9, x: 41, y: 17, width: 64, height: 64})}
  const does = actions(viewer)
"""


def acted(run, script, *keys, **state):
    """Return these keys of the state after what is done with the controls."""
    names = viewer_script("view", "link", "pairs", "actions")
    body = f"{HELD}{script}\nreturn {list(keys)}.map(key => viewer.state[key])"
    found = run(names, body, data=DATA, state=BEGIN | {"speed": 2} | state)
    return found[0] if len(keys) == 1 else found


@pytest.mark.parametrize(
    ("mode", "key", "begins", "less", "more"),
    [
        ("slider", "share", 0.98, 0.93, 1),
        ("overlay", "opacity", 0.5, 0.45, 0.55),
        ("flicker", "speed", 0.5, 0.5, 1),
        ("difference", "gain", 32, 16, 32),
        ("difference", "gain", 1, 1, 2),
    ],
)
def test_less_and_more_keep_within_what_a_mode_allows(run, mode, key, begins, less, more):
    given = {"mode": mode, key: begins}
    assert acted(run, "does.amount(-1)", key, **given) == pytest.approx(less)
    assert acted(run, "does.amount(1)", key, **given) == pytest.approx(more)


def test_modes_go_round_arms_change_places_and_the_largest_difference_is_gone_to(run):
    assert acted(run, "does.mode(1)", "mode", mode="difference") == "side"
    assert acted(run, "does.mode(-1)", "mode") == "difference"
    assert acted(run, "does.swap()", "arms", arms=[0, 2, 1]) == [2, 0, 1]
    assert acted(run, "does.add()", "arms", arms=[0, 2]) == [0, 2, 1]
    assert acted(run, "does.largest()", "mode", "zoom", "x", "y") == ["difference", 8, 41.5 / 64, 17.5 / 64]
    assert acted(run, "does.zoom(1)", "zoom") == 4 and acted(run, "does.zoom(-1)", "zoom") == 2
    assert acted(run, "does.fit()", "zoom", "x", zoom=9, x=0.1) == [None, 0.5]
    # Another order begins with its first pair; a filter keeps the pair where it has it.
    assert acted(run, "does.sort({order: 'Worst score first'})", "pair", pair=1) == 2
    assert acted(run, "does.sort({seed: '17'})", "pair", pair=3) == 3
    assert acted(run, "does.sort({seed: '17'})", "pair", pair=2) == 1


WHEEL = """
  class Place extends EventTarget {
    constructor() { super(); this.firstElementChild = {getBoundingClientRect: () => ({left: 10, top: 20})} }
    closest() { return {contains: target => target === this} }
  }
  globalThis.document = new EventTarget()
  const stage = new Place(), page = {}, zooms = [], kept = []
  gestures(stage, {atFit: () => atFit, zoomBy: (factor, point) => zooms.push([factor, point])})
  for (const [timeStamp, over, deltaY, more] of turns) {
    const event = Object.assign(new Event('wheel', {cancelable: true}), {deltaY, deltaMode: 0, clientX: 40, clientY: 60, ...more})
    Object.defineProperty(event, 'timeStamp', {value: timeStamp})
    if (over) stage.dispatchEvent(event)
    else {
      Object.defineProperty(event, 'target', {value: page})
      document.dispatchEvent(event)
    }
    kept.push(event.defaultPrevented)
  }
  return [kept, zooms]
"""  # noqa: E501


def wheeled(run, *turns, at_fit=False):
    """Turn the wheel at (milliseconds, over the stage, delta[, more of the event]).

    Return which turns the viewer kept from the page, and its zooms.
    """
    turns = [(*turn, {}) if len(turn) == 3 else turn for turn in turns]
    return run(viewer_script("gestures"), WHEEL, turns=turns, atFit=at_fit)


def test_the_wheel_enlarges_about_what_is_under_it(run):
    kept, zooms = wheeled(run, (1000, True, -100), (1010, True, 100), (1020, True, -2, {"deltaMode": 1}))
    assert kept == [True] * 3 and all(point == {"x": 30, "y": 40} for _, point in zooms)
    assert [factor for factor, _ in zooms] == pytest.approx([np.exp(0.22), np.exp(-0.22), np.exp(0.0704)])
    _, ((factor, _),) = wheeled(run, (1000, True, -10, {"ctrlKey": True}))  # as a pinch on a touchpad comes
    assert factor == pytest.approx(np.exp(0.1))
    assert wheeled(run, (20, True, -100))[0] == [True], "on a page that was opened this moment"


def test_a_page_that_is_being_scrolled_goes_on_scrolling_over_the_stage(run):
    """The wheel is left to the page until it has been still for a quarter of a second."""
    turns = [(1000, False, 100), (1100, True, -100), (1300, True, -100), (1549, True, -100), (1800, True, -100)]
    kept, zooms = wheeled(run, *turns)
    assert kept == [False, False, False, False, True] and len(zooms) == 1


def test_at_fit_the_wheel_scrolls_the_page_on_and_only_enlarges(run):
    kept, zooms = wheeled(run, (1000, True, 100), (1010, True, -100), (1020, True, 100, {"ctrlKey": True}), at_fit=True)
    assert kept == [False, True, True] and len(zooms) == 2


ADDRESS = """
  globalThis.location = new URL(address)
  globalThis.document = {querySelector: () => null}
  globalThis.window = globalThis
  globalThis.setInterval = () => 0
  globalThis.history = {state: null, replaceState: (state, title, url) => { location = new URL(url) }}
  return said.map(each => { follow(each); return location.href })
"""


@pytest.mark.parametrize(
    ("address", "said", "found"),
    [
        ("http://x/", ["?run=a"], ["http://x/?run=a"]),
        ("http://x/?__theme=dark", ["?run=a", ""], ["http://x/?__theme=dark&run=a", "http://x/?__theme=dark"]),
        ("http://x/?run=a&pair=1:17&arm=3", ["?run=a"], ["http://x/?run=a#pair=1:17&arm=3"]),
        ("http://x/?run=a&pair=1:17", ["?run=a", "?run=b"], ["http://x/?run=a#pair=1:17&arm=1", "http://x/?run=b"]),
        ("http://x/?run=gone&pair=1:17", [""], ["http://x/"]),
        ("http://x/?run=a#pair=0:3&arm=2", ["?run=a", "?run=a"], ["http://x/?run=a#pair=0:3&arm=2"] * 2),
        ("http://x/#top", ["?run=a", "?run=b"], ["http://x/?run=a#top", "http://x/?run=b#top"]),
    ],
)
def test_the_pages_address_names_the_run_and_the_pair_goes_with_its_run(run, address, said, found):
    script = f"const follow = {page_script('ui/static/address.js')}"
    assert run(script, ADDRESS, address=address, said=said) == found
