"""What an arm's head says of its weights, in every place."""

from dataclasses import replace

import pytest

from comparer.checkpoints.spec import parse
from comparer.cli.tables import table
from comparer.reporting.grid import labels
from comparer.reporting.html.tables import arms_table
from comparer.reporting.report.report import report
from comparer.reporting.viewer import viewer
from comparer.results.analysis import Analysis
from comparer.results.marks import marks
from comparer.results.notes import notes
from helpers.viewer_runs import comparison_in


@pytest.fixture
def seen(tmp_path):
    made = comparison_in(tmp_path / "run", arms=2)
    arm = replace(made.request.arms[1], accelerators=(), weights=parse("demo; weights=raw"))
    made = replace(made, request=replace(made.request, arms=(made.request.arms[0], arm)))
    made.checkpoint = card("ema", "1")
    made.variants = {1: card("raw", "1")}
    return made


def card(half, named, **more):
    unet = {"half": half, "how": "", "named": named, "fingerprint": named, "dtype": "float32", "files": []}
    return {"title": "Demo", "components": {"unet": unet | more}}


def test_identical_weights_stand_in_the_head_everywhere(seen, tmp_path):
    said = "identical weights: unet, EMA and raw"
    assert marks(seen, 1) == [said] and marks(seen, 0) == []
    analysis = Analysis(seen)
    assert said in arms_table(analysis) and said in table(analysis) and said in report(seen, tmp_path / "run")
    assert (
        said in [line.text for line in labels.head(analysis.arms[1]).name]
        and viewer.data(seen, ".")["arms"][1]["mark"] == said
    )
    seen.variants = {1: card("raw", "2")}
    assert marks(seen, 1) == []
    seen.variants[1]["identical"] = ["its own VAE", "without LoRA x × 0"]
    assert marks(seen, 1) == ["identical weights: its own VAE, without LoRA x × 0"]


def test_tensors_that_are_not_used_are_named_and_bookkeeping_is_not(seen):
    seen.variants = {1: card("raw", "2", unexpected=["a.weight", "x.position_ids", "b", "c", "num_updates", "d"])}
    assert "Same: 4 tensors of its unet not used (a.weight, b, c, …)." in notes(Analysis(seen))
    seen.variants = {1: card("raw", "2", unexpected=["x.position_ids", "bn.num_batches_tracked"])}
    assert not any("not used" in line for line in notes(Analysis(seen)))
