"""The compare viewer in a real browser, on pictures whose every pixel is known. It reads pixels of screenshots."""

import numpy as np
import pytest

from helpers.viewer_runs import SIZE, SPOT, STEP, ask, of_arm, ready, scene, screen

ZOOMS, SCALES = (1, 1.5, 3, 8), (1, 1.25, 2)


@pytest.mark.parametrize("scale", [1.25, *(pytest.param(each, marks=pytest.mark.full) for each in (1, 2))])
def test_identical_pictures_show_no_shift_in_any_mode_at_any_zoom_and_position(opened, scale):
    tab = opened("#pair=0:3&arm=1&mode=flicker", width=500, height=600, scale=scale)
    for zoom in ZOOMS:
        ask(tab, f"v.set({{mode: 'flicker', zoom: {zoom}, x: 0.437, y: 0.561, flipped: false, auto: false}})")
        ready(tab)
        first = screen(tab)
        # The picture itself is on the screen, each of its pixels as large as the zoom says, none between two colours.
        drawn, inside = {tuple(c) for c in first.reshape(-1, 3)}, {tuple(c) for c in scene(0, 3).reshape(-1, 3)}
        assert len(drawn & inside) > 0.2 * len(inside)
        assert len(drawn - inside) == 1  # the ground
        for change in (
            "mode: 'flicker', auto: false, flipped: true",
            *(f"mode: 'slider', upright: {upright}, share: {share}" for share in (0.313, 1)
              for upright in ("true", "false")),
            *(f"mode: 'overlay', opacity: {opacity}" for opacity in (0.37, 1)),
        ):  # fmt: skip
            ask(tab, f"v.set({{{change}}})")
            ready(tab)
            assert np.array_equal(screen(tab), first), (zoom, change)


@pytest.mark.parametrize("scale", [1.25, *(pytest.param(each, marks=pytest.mark.full) for each in (1, 2))])
def test_side_by_side_draws_both_at_the_same_place_of_their_panes(opened, scale):
    tab = opened("#pair=0:3&arm=1", width=701, height=600, scale=scale)
    for zoom in ("null", *ZOOMS):
        ask(tab, f"v.set({{zoom: {zoom}, x: 0.437, y: 0.561}})")
        ready(tab)
        seen, (one, other) = screen(tab), ask(tab, "v.plan.panes")
        assert (one["w"], one["h"]) == (other["w"], other["h"])
        # Away from the stage's round corners.
        parts = [seen[p["y"] : p["y"] + p["h"] - 20, p["x"] + 20 : p["x"] + p["w"] - 20] for p in (one, other)]
        assert np.array_equal(*parts), (zoom, [p.shape for p in parts], np.argwhere(parts[0] != parts[1])[:5])
        assert len(np.unique(parts[0].reshape(-1, 3), axis=0)) > 100


@pytest.mark.parametrize("scale", SCALES)
def test_a_pixel_of_the_picture_is_a_square_of_pixels_of_the_screen(opened, scale):
    tab = opened("#pair=0:3&arm=1&mode=flicker&zoom=3&x=0.5&y=0.5", scale=scale)
    ask(tab, "v.set({auto: false, flipped: false})")
    rect, seen = ask(ready(tab), "v.rect"), screen(tab)
    assert (rect["w"], rect["h"]) == (3 * SIZE, 3 * SIZE)
    drawn = seen[rect["y"] : rect["y"] + rect["h"], rect["x"] : rect["x"] + rect["w"]]
    assert np.array_equal(drawn, scene(0, 3).repeat(3, 0).repeat(3, 1))


def test_the_slider_shows_one_picture_on_each_side_of_its_line(opened):
    tab = opened("#pair=0:3&arm=4&mode=slider&at=0.25&zoom=4")
    drawn = {}
    for upright in ("true", "false"):
        ask(tab, f"v.set({{upright: {upright}}})")
        ready(tab)
        rect, seen = ask(tab, "v.rect"), screen(tab)
        drawn[upright] = seen[rect["y"] : rect["y"] + rect["h"] : 4, rect["x"] : rect["x"] + rect["w"] : 4]
    base, other, cut = of_arm(0, 0, 3), of_arm(4, 0, 3), SIZE // 4
    assert np.array_equal(drawn["true"], np.concatenate([base[:, :cut], other[:, cut:]], 1))
    assert np.array_equal(drawn["false"], np.concatenate([base[:cut], other[cut:]], 0))


def test_the_overlay_lies_between_the_two_pictures(opened):
    tab = opened("#pair=0:3&arm=5&mode=overlay&opacity=0.25&zoom=2")
    rect, seen = ask(tab, "v.rect"), screen(tab)
    drawn = seen[rect["y"] : rect["y"] + rect["h"] : 2, rect["x"] : rect["x"] + rect["w"] : 2]
    base, other = of_arm(0, 0, 3).astype(float), of_arm(5, 0, 3).astype(float)
    assert np.abs(drawn - (base + (other - base) / 4)).max() <= 0.5


def test_the_map_of_identical_pictures_is_exactly_zero(opened):
    tab = opened("#pair=0:3&arm=1&mode=difference&gain=32&zoom=4")
    rect, seen = ask(tab, "v.rect"), screen(tab)
    drawn = seen[rect["y"] : rect["y"] + rect["h"], rect["x"] : rect["x"] + rect["w"]]
    assert np.array_equal(np.unique(drawn.reshape(-1, 3), axis=0), [[0, 0, 4]])
    assert ask(tab, "[v.measured().largest, v.measured().share, v.measured().mean]") == [0, 0, 0]
    assert "Identical: no pixel differs" in tab.locator(".prompted").inner_text()
    assert tab.locator(".ring").is_hidden() and tab.get_by_role("button", name="To the largest").is_disabled()


def test_one_pixel_that_differs_is_found_placed_and_coloured_by_the_gain(opened):
    tab = opened("#pair=0:3&arm=2&mode=difference&zoom=4")
    told = tab.locator(".prompted strong").inner_text()
    assert told.startswith(f"Largest {STEP} of 255 at ({SPOT[0]}, {SPOT[1]})") and "< 0.1 % of pixels" in told
    table = ask(tab, "v.colours")
    for gain in (1, 2, 4, 8, 16, 32):
        ask(tab, f"v.set({{gain: {gain}}})")
        rect, seen = ask(ready(tab), "v.rect"), screen(tab)
        drawn = seen[rect["y"] : rect["y"] + rect["h"] : 4, rect["x"] : rect["x"] + rect["w"] : 4]
        assert drawn[SPOT[1], SPOT[0]].tolist() == table[min(STEP * gain, 255)] != table[0]
        assert (drawn == table[0]).all(-1).sum() == SIZE * SIZE - 1
    ring, canvas = tab.locator(".ring").bounding_box(), tab.locator("canvas").bounding_box()
    middle = [ring["x"] + ring["width"] / 2 - canvas["x"], ring["y"] + ring["height"] / 2 - canvas["y"]]
    assert middle == pytest.approx([rect["x"] + 4 * SPOT[0] + 2, rect["y"] + 4 * SPOT[1] + 2], abs=0.6)
    tab.keyboard.press("z")
    tab.keyboard.press("l")
    view = ask(ready(tab), "v.view()")
    assert view["zoom"] >= 8 and (view["x"], view["y"]) == pytest.approx([(c + 0.5) / SIZE for c in SPOT], abs=0.04)


def test_the_maps_colours_are_perceptually_even(opened):
    """Lightness (CIE L*) grows all the way, in steps that are much alike."""
    table = np.array(ask(opened(), "v.colours")) / 255
    linear = np.where(table <= 0.04045, table / 12.92, ((table + 0.055) / 1.055) ** 2.4)
    y = linear @ [0.2126, 0.7152, 0.0722]
    lightness = np.where(y > 0.008856, 116 * np.cbrt(y) - 16, 903.3 * y)
    steps = np.diff(lightness[::15])
    assert steps.min() > 2.5 and steps.max() < 8 and lightness[0] < 1 and lightness[-1] > 97


def test_pictures_beside_a_page_opened_from_disk_are_shown_though_not_measured(chromium, site):
    context = chromium.new_context()
    tab = context.new_page()
    tab.goto((site[0] / "index.html").as_uri() + "#pair=0:3&arm=2&mode=flicker&zoom=2")
    rect, seen = ask(ready(tab), "v.rect"), screen(tab)
    assert np.array_equal(seen[rect["y"], rect["x"] : rect["x"] + rect["w"] : 2], scene(0, 3)[0])
    tab.keyboard.press("m")
    ready(tab)
    assert "No difference map" in tab.locator(".prompted").inner_text()
    context.close()
