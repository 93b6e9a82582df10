"""More seeds at a press, in a real browser."""

import re
from types import SimpleNamespace

from comparer import history
from comparer.results import Comparison
from comparer.resume import more_seeds
from comparer.verdict import DEFAULT
from helpers.equal_time_runs import pairs, seen


def test_a_press_runs_the_seeds_that_would_settle_it(chromium, tmp_path):
    from helpers.pages import serving

    with serving(tmp_path) as address:
        tab = chromium.new_context().new_page()
        tab.set_default_timeout(90_000)
        tab.goto(address)
        tab.get_by_role("spinbutton", name=re.compile("Steps")).fill("3")
        tab.get_by_role("textbox", name=re.compile("^Seed")).fill("1")
        tab.get_by_role("button", name="Generate").click()
        tab.get_by_role("button", name="Run 3 more seeds").click()  # one call shows no spread
        tab.locator("#status", has_text="8 pictures made").wait_for()
        tab.context.close()
    (record,) = tmp_path.glob("*/run.json")
    comparison = history.load(record.parent)
    assert comparison.request.settings.seeds == (1, 2, 3, 4) and comparison.looks == 2


def test_an_arm_with_fewer_steps_asks_for_no_seeds(monkeypatch):
    offers = {1: SimpleNamespace(more_seeds=7), 2: SimpleNamespace(more_seeds=3)}
    monkeypatch.setattr(Comparison, "verdict", lambda comparison, arm, thresholds: offers[arm])
    assert more_seeds(seen(pairs(25, 24), pairs(0.9, 0.8)), DEFAULT) == 7  # what the arm's card says
