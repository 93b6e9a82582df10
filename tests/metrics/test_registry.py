"""A metric is one file and a line of the registry: everything that shows metrics takes it from there."""

import csv
import io
import json
from dataclasses import replace

import pytest

from comparer.evaluation import assertions
from comparer.metrics.base import PairMetric
from comparer.metrics.registry import METRICS
from comparer.metrics.similarity_data import Similarity, mean
from comparer.reporting.html.details import likeness
from comparer.reporting.tables import rows
from comparer.reporting.viewer import viewer
from comparer.results import run_json, run_schema
from comparer.results.analysis import Analysis
from helpers.equal_time_runs import pairs, seen

TOY = PairMetric("toy", "Toy distance", "a toy", 2, False, 0.0, lambda pair: 0.5, unit=" toys", low=0)


@pytest.fixture
def comparison(monkeypatch):
    """Register one more metric, as a contributor's line does; return a comparison in which every pair has it."""
    monkeypatch.setitem(METRICS, TOY.name, TOY)
    found = seen(pairs(25, 24), pairs(0.9, 0.8))

    def measured(shot):
        values = {**shot.similarity.values, "toy": 0.5 + shot.seed / 10}
        return replace(shot, similarity=Similarity(False, values))

    return replace(found, shots=[measured(shot) if shot.arm else shot for shot in found.shots])


def test_it_is_in_every_table(comparison):
    drawn = likeness(Analysis(comparison))
    assert "Toy distance" in drawn and "0.85 toys" in drawn  # the mean of 0.5 to 1.2
    (first, *_) = csv.DictReader(io.StringIO(rows([("", comparison)])))
    assert first["toy"] == "0.5000"
    shown = json.dumps(viewer.data(comparison, "runs/x"))
    assert "Toy distance" in shown and "0.50 toys" in shown


def test_it_is_in_the_record_and_in_its_schema(comparison):
    data = json.loads(json.dumps(run_json.to_json(comparison)))
    assert data["shots"][-1]["similarity"]["toy"] == 1.2
    assert run_json.from_json(data).shots[-1].similarity.toy == 1.2
    assert run_schema.schema()["$defs"]["similarity"]["properties"]["toy"]["description"] == "Toy distance: a toy"


def test_it_can_be_asserted(comparison):
    assert assertions.parse("toy<=2").miss(comparison, 1) == ""
    assert assertions.parse("toy<=0.5").miss(comparison, 1).startswith("toy<=0.5 missed: 0.850 (")


def test_a_pair_that_lacks_it_is_no_number(comparison):
    shots = [
        replace(shot, similarity=Similarity(False, {"ssim": 0.9})) if shot.arm else shot for shot in comparison.shots
    ]
    lacking = replace(comparison, shots=shots)
    assert "is not available, or infinite, for 8 of 8 pairs" in assertions.parse("toy<=2").miss(lacking, 1)
    assert mean([Similarity(False, {"toy": 1.0}), Similarity(False, {})]).toy is None


def test_every_metric_says_what_the_documents_need():
    for name, metric in METRICS.items():
        assert metric.name == name and metric.title and metric.about and metric.digits >= 0
        assert metric.low is not None or metric.high is not None
