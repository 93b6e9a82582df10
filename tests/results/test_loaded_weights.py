"""Arms with other weights: judged by their scores, with what they hold, what they lack, and when they were timed."""

from dataclasses import replace

import pytest

from comparer.engine.resume import more_seeds
from comparer.reporting.html.verdict_cards import headline
from comparer.request.build import build_request
from comparer.request.extend import extended
from comparer.results.analysis import Analysis
from comparer.results.loaded_weights import as_baseline, incomplete
from comparer.results.notes import judged, measured, notes
from comparer.runs import store
from comparer.stats.verdict import judge
from comparer.ui.results.details import details
from helpers.runs import PROMPT, finish


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Run EMA, raw and bfloat16 of the demo beside each other."""
    from comparer.config import Config

    config = Config(runs=tmp_path_factory.mktemp("runs"))
    lines = ["weights=raw", "dtype=bfloat16"]
    return finish(build_request(config, PROMPT, steps=2, seeds="1-3", size="64", warmups=0, variants=lines), config)


def test_a_run_of_checkpoints_is_judged_by_its_scores(seen):
    found = Analysis(seen.comparison)
    for arm in found.arms[1:]:
        assert arm.verdict == judge(arm.evidence, weights=True) and arm.verdict.speed is None
        assert judged(arm)[0] == f"{arm.arm.name}: {arm.verdict.sentence}"
    said = [*notes(found), *measured(found), *judged(found.arms[1])]
    assert not any("Speed-up" in line or "aster" in line for line in said)
    assert more_seeds(found) == 0, "more turns answer nothing"
    assert extended(seen.comparison.request, 2).arms == seen.comparison.request.arms
    drawn = headline(found)
    assert found.arms[1].verdict.headline in ("Loss seen in these 3 images", "No loss seen in these 3 images")
    assert f"<b>{found.arms[1].verdict.headline}</b>" in drawn and "CLIP" in drawn and "×" not in drawn


def test_what_the_arms_held_is_laid_beside_each_other(seen):
    found = seen.comparison
    assert as_baseline(found, 1, "vae") and not as_baseline(found, 1, "unet")
    assert not as_baseline(found, 2, "vae"), "in another number format it is another"
    drawn = details(Analysis(found))
    assert all(each["fingerprint"] in drawn for each in found.variants[1]["components"].values())
    assert drawn.count("the same as the baseline&#x27;s") + drawn.count("the same as the baseline's") == 1


def test_tensors_that_are_missing_mark_every_arm_that_has_these_weights(seen):
    found = store.load(seen.folder)
    found.variants[1]["components"]["unet"] |= {"missing": ["a", "b"], "misshaped": ["<c>"]}
    assert [incomplete(found, arm) for arm in range(3)] == ["", "incomplete: 3 tensors random", ""]
    assert any(line.startswith("demo, raw is incomplete: 3 tensors random.") for line in notes(Analysis(found)))
    assert headline(Analysis(found)).count("incomplete: 3 tensors random") == 1
    found.checkpoint["components"]["vae"]["missing"] = ["a"]
    assert incomplete(found, 0) == "incomplete: 1 tensor random"


def test_arms_that_had_the_machine_alone_are_named(seen):
    found = store.load(seen.folder)
    assert not any("interleaved" in line for line in notes(Analysis(replace(found, blocks=[[0, 1, 2]]))))
    said = "The times of demo, bfloat16 were not interleaved with the baseline's: their weights did not fit in memory"
    assert any(line.startswith(said) for line in notes(Analysis(replace(found, blocks=[[0, 1], [2]]))))


def test_records_of_before_components_were_counted_still_open(seen):
    found = store.load(seen.folder)
    old = replace(found, checkpoint={"name": "demo", "title": "Demo", "files": {"a": {"sha256": "1"}}}, variants={})
    drawn = details(Analysis(old))
    assert incomplete(old, 0) == "" and "Which weights" not in drawn and "Times" in drawn
