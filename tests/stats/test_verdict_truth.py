"""Simulated comparisons: the answers keep their promises, and the document has the printed counts."""

import re
from functools import partial

import numpy as np
import pytest

from comparer.stats.quality import BETTER, KEPT, LOSES
from helpers.benchmark_output import benchmark, rows
from helpers.runs import ROOT


@pytest.fixture
def truth(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import truth_verdicts

    return truth_verdicts


def share(trial, runs=200):
    rng = np.random.default_rng(0)
    return sum(bool(trial(rng)) for _ in range(runs)) / runs


def test_a_loss_in_few_pairs_is_not_called_kept(truth):
    """8 % of the pairs lose a quarter: 2 % on average, which is the threshold. A t interval alone says "kept"."""
    assert share(truth.said((KEPT, BETTER), truth.Pairs(bad=0.08))) <= 0.025


def test_an_arm_without_loss_is_called_kept_in_a_fair_test_of_five_arms(truth):
    assert share(truth.said((KEPT, BETTER), truth.Pairs(1.0), arms=5)) >= 0.85


def test_images_that_are_only_different_do_not_lose(truth):
    assert share(truth.said((LOSES,), truth.Pairs(2.0))) == 0
    assert share(truth.said((LOSES,), truth.Pairs(loss=0.05))) > 0.95


def test_automatic_repeats_keep_the_promises_of_speed(truth):
    assert share(partial(truth.covers, machine=truth.Machine(arm=3))) >= 0.92
    assert share(partial(truth.faster, machine=truth.Machine(), ratio=1.05, looks=2)) <= 0.03
    assert share(truth.two_calls, 50) > 0.95


@pytest.mark.full
def test_the_document_has_what_the_command_prints_and_the_promises_are_kept():
    parts = [benchmark("truth_verdicts", "--part", part).strip() for part in ("speed", "quality")]
    parts.append(benchmark("truth_verdicts", "--part", "offers", "--runs", "400").strip())
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    (tables,) = re.findall(r"<!-- verdicts -->\n(.*?)\n<!-- /verdicts -->", text, re.DOTALL)
    assert tables == "\n\n".join(parts), "run benchmarks/truth_verdicts.py"
    promised = [
        (float(limit.split(" %")[0]), limit.endswith("less"), float(counted.split(" %")[0]))
        for _, limit, counted in rows("\n".join(parts[:2]))
        if limit.endswith(("less", "more"))
    ]
    assert len(promised) >= 12 and all(found <= limit if less else found >= limit for limit, less, found in promised)
    for _, chance, settled in rows(parts[2])[2:]:
        assert abs(float(chance.split(" %")[0]) - float(settled.split(" %")[0])) <= 5
