"""What is in sight of a finished run, in a real browser: on a wide screen and on a phone."""

import pytest

from comparer.config import Config
from helpers.pages import opened, too_wide, view
from helpers.runs import ask, finish

FIRST = """() => { const seen = [...document.querySelectorAll('#all img, #compare canvas')];
  const tops = seen.map(e => e.getBoundingClientRect()).filter(box => box.height > 20).map(box => box.top);
  return tops.length ? Math.min(...tops) : null }"""
BOXES = """() => [...document.querySelectorAll('#all .chip')].map(chip => {
  const box = chip.getBoundingClientRect(), inner = [...chip.querySelectorAll('*')].map(e => e.getBoundingClientRect());
  return [box.left, box.right, Math.max(...inner.map(each => each.right)), Math.max(...inner.map(each => each.bottom)),
    box.bottom] })"""


@pytest.fixture(scope="module")
def five(served_runs):
    """Make a run of five arms that the served page can open."""
    arms = ("DeepCache(interval=3)", "ToMe(ratio=0.5)", "T-GATE(gate_step=2)", "DeepCache(interval=2)")
    return finish(ask(*arms, seeds=(1, 2), steps=4), Config(runs=served_runs))


@pytest.fixture(params=[2, 5])
def run(request):
    """Return a run of two and of five arms."""
    return request.getfixturevalue("recorded" if request.param == 2 else "five")


def first_picture(tab):
    """Return the top of the first picture in sight, once it is there."""
    tab.wait_for_function(FIRST)
    return tab.evaluate(FIRST)


def test_the_first_picture_and_generate_are_in_sight_and_the_chips_keep_apart(blank, server, run):
    blank.set_viewport_size({"width": 1440, "height": 900})
    tab = opened(blank, server, run)
    assert first_picture(tab) <= 520
    view(tab, "Images")
    assert first_picture(tab) <= 520 and too_wide(tab) <= 0
    generate = tab.get_by_role("button", name="Generate").bounding_box()
    assert generate["y"] >= 0 and generate["y"] + generate["height"] <= 900
    chips = tab.evaluate(BOXES)
    assert len(chips) == len(run.comparison.request.arms)
    assert all(one[1] <= other[0] for one, other in zip(chips, chips[1:], strict=False))
    assert all(inner <= right + 0.5 and bottom <= below + 0.5 for _, right, inner, bottom, below in chips)


def test_a_phone_shows_the_results_and_the_first_picture_in_the_first_screen(blank, server, run):
    blank.set_viewport_size({"width": 390, "height": 844})
    tab = opened(blank, server, run)
    pressed = tab.locator("#columns [aria-pressed=true]")
    assert pressed.inner_text() == "Results" and tab.locator("#controls").is_hidden()
    assert first_picture(tab) < 844
    for name in ("Images", "Viewer", "Evidence", "Extend this run", "Export"):
        view(tab, name)
        assert too_wide(tab) <= 0, name
    view(tab, "Images")
    assert first_picture(tab) < 844


def test_the_name_on_a_chip_opens_the_evidence_where_its_view_is_in_the_menu_too(blank, server, run):
    for width in (1440, 390):
        blank.set_viewport_size({"width": width, "height": 844})
        tab = opened(blank, server, run)
        view(tab, "Images")
        tab.locator("#all .chip button").first.click()
        tab.locator("#headline .card").first.wait_for()
