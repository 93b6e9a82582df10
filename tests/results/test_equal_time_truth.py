"""Simulated comparisons: what is called equal time is equal, and the document has the printed counts."""

import re
from dataclasses import replace

import numpy as np
import pytest

from comparer.results.equal_time import AS_WELL, BETTER, WORSE
from helpers.benchmark_output import benchmark, rows
from helpers.runs import ROOT


@pytest.fixture
def truth(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import truth_equal_time

    return truth_equal_time


@pytest.mark.parametrize("of", [8, 25, 50])
def test_what_is_called_equal_time_is_within_three_per_cent(truth, of):
    """In 150 runs with bursts, as in 150 with 5 % of noise, at most one in twenty may be further off."""
    rng = np.random.default_rng(0)
    for noise in truth.NOISES[1:]:
        called = [each for each in (truth.drawn(rng, truth.Row(of, noise), 0.0) for _ in range(150)) if each.called]
        assert len(called) > 20 and sum(each.within for each in called) >= 0.95 * len(called)


def test_conclusions_are_seldom_wrong_and_often_right(truth):
    rng, row = np.random.default_rng(0), replace(truth.ROWS[3], repeats=1)
    same, lost = ([truth.drawn(rng, row, loss).kind for _ in range(150)] for loss in (0.0, 0.02))
    as_well = (AS_WELL, BETTER)
    assert sum(kind in as_well for kind in same) > 75 and same.count(WORSE) <= 6
    assert sum(kind in as_well for kind in lost) <= 6 and lost.count(WORSE) > 75


@pytest.mark.full
def test_the_document_has_what_the_command_prints_and_the_promises_are_kept():
    printed = benchmark("truth_equal_time")
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- equal time -->\n(.*?)\n<!-- /equal time -->", text, re.DOTALL)
    assert table == printed.strip(), "run benchmarks/truth_equal_time.py"
    _, _, *found = rows(printed)
    shares = [[float(cell.split(" %")[0]) for cell in cells] for _, *cells in found if ", 48 calls, " in _]
    assert len(shares) == 9
    for _, within, as_well, worse, _ in shares:
        assert within >= 95 and as_well <= 2.5 and worse <= 2.5
