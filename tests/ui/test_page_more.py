"""More seeds at a press, in a real browser."""

from types import SimpleNamespace

from comparer.config import Config
from comparer.engine.resume import more_seeds
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.runs import store
from comparer.stats.offers import Offer
from helpers.equal_time_runs import pairs, seen
from helpers.pages import opened, view
from helpers.runs import ask, finish


def test_a_press_runs_the_seeds_that_would_settle_it(blank, server, served_runs):
    run = finish(ask("DeepCache(interval=3)", seeds=(1,), steps=3), Config(runs=served_runs))
    page = opened(blank, server, run)
    view(page, "Evidence")
    page.get_by_role("button", name="Run 4 more seeds").click()  # one turn has no spread
    page.locator("#status", has_text="10 pictures made").wait_for()
    comparison = store.load(run.folder)
    assert comparison.request.settings.seeds == (1, 2, 3, 4, 5) and comparison.interim_looks == 2


def test_an_arm_with_fewer_steps_asks_for_no_seeds(monkeypatch):
    offers = {arm: SimpleNamespace(more_turns=Offer("turn", more, 0.9)) for arm, more in ((1, 7), (2, 3))}
    monkeypatch.setattr(ArmAnalysis, "verdict", property(lambda each: offers[each.number]))
    assert more_seeds(Analysis(seen(pairs(25, 24), pairs(0.9, 0.8)))) == 7  # what the arm's card says
