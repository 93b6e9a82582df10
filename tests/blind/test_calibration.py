"""Simulated blind tests: nobody preferred is seldom called a preference, and the document has the printed counts."""

import re

import numpy as np
import pytest

from helpers.benchmark_output import benchmark, rows
from helpers.runs import ROOT


@pytest.fixture
def truth(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import truth_blind

    return truth_blind


@pytest.mark.parametrize("peeking", [False, True])
def test_five_people_on_eight_prompts_do_not_call_what_nobody_prefers(truth, peeking):
    """200 tests: by votes a third is called; 12 is more than two standard errors above 2.5 %."""
    design, rng = truth.Design(5, 8, 3, peeking), np.random.default_rng(0)
    drawn = [truth.votes(rng, design, 0.0) for _ in range(200)]
    wrong, by_votes = (sum(truth.called(cast, design, test) != 0 for cast in drawn)
                       for test in (truth.by_prompts, truth.by_votes))  # fmt: skip
    assert wrong <= 12 and by_votes >= 50


def test_a_true_preference_is_called_for_the_right_side(truth):
    design, rng = truth.Design(5, 12, 1, False), np.random.default_rng(0)
    said = [truth.called(truth.votes(rng, design, 2.0), design, truth.by_prompts) for _ in range(100)]
    assert said.count(1) >= 50 and said.count(-1) == 0


def test_peeking_looks_after_every_fifth_and_stops_at_the_first_preference(truth):
    asked = []

    def test(cast, people, look):
        asked.append((len(cast), people, look))
        return -1 if look == 3 else 0

    assert truth.called([None] * 120, truth.Design(5, 8, 3, True), test) == -1
    assert asked == [(24, 5, 1), (48, 5, 2), (72, 5, 3)]


@pytest.mark.full
def test_the_document_has_what_the_command_prints_and_five_per_cent_are_kept():
    printed = benchmark("truth_blind")
    text = (ROOT / "docs" / "blind.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- simulated -->\n(.*?)\n<!-- /simulated -->", text, re.DOTALL)
    assert table == printed.strip(), "run benchmarks/truth_blind.py"
    _, _, *found = rows(printed)
    assert len(found) == 8 and all(float(wrong.split(" %")[0]) <= 5 for _, wrong, _, _ in found)
