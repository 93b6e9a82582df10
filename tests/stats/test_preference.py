"""What is said of arms with other weights: which scores higher, what would settle it, what they held and lack."""

from dataclasses import replace
from statistics import fmean, stdev

import gradio as gr
import pytest

from comparer.checkpoints.listing import listing
from comparer.checkpoints.spec import Weights, parse
from comparer.engine.resume import more_seeds
from comparer.reporting.html.verdict_cards import headline
from comparer.reporting.plots.curves import curve
from comparer.request.build import build_request
from comparer.request.extend import extended
from comparer.results.analysis import Analysis
from comparer.results.loaded_weights import as_baseline, incomplete
from comparer.results.notes import judged, notes
from comparer.runs import store
from comparer.stats.evidence import Evidence
from comparer.stats.intervals import t_quantile
from comparer.stats.power import level_at, more_values
from comparer.stats.preference import HIGHER, LOWER, OPEN, prefer
from comparer.stats.verdict import NO_DIFFERENCE
from comparer.ui.request.checkpoints import Which
from comparer.ui.results.details import details
from helpers.runs import PROMPT, finish


def evidence(changes, prompts=1, **more):
    """Make evidence of an arm whose scores differ so from the baseline's 25, and which takes half of its time."""
    pairs = [(i % prompts, 25.0, 25.0 + change) for i, change in enumerate(changes)]
    calls = [([1.0], [0.5])] * len(changes)
    return Evidence(calls, pairs, prompt_count=prompts, seed_count=len(changes) // prompts or 1, **more)


def bounds(changes, look=1):
    """Return the ends of Student's interval at the look's level, from the textbook."""
    half = t_quantile((1 + level_at(look)) / 2, len(changes) - 1) * stdev(changes) / len(changes) ** 0.5
    return fmean(changes) - half, fmean(changes) + half


@pytest.mark.parametrize(
    ("changes", "kind"),
    [((0.9, 1.0, 1.1, 1.0), HIGHER), ((-0.9, -1.0, -1.1, -1.0), LOWER), ((-1.0, 2.0, 1.0, 0.5), OPEN)],
)
def test_the_verdict_is_where_the_whole_interval_lies(changes, kind):
    low, high = bounds(changes)
    assert {HIGHER: low > 0, LOWER: high < 0, OPEN: low < 0 < high}[kind]
    found = prefer(evidence(changes))
    assert found.kind == kind and found.sentence.startswith(kind)
    assert (found.clip.interval.low, found.clip.interval.high) == pytest.approx((low, high))
    assert f"{abs(fmean(changes)):.2f}" in found.sentence
    assert (found.more_seeds is None) == (kind != OPEN)


def test_twice_as_fast_is_no_argument():
    slow = prefer(evidence((-1.0, 2.0, 1.0, 0.5)))
    fast = prefer(replace(evidence((-1.0, 2.0, 1.0, 0.5)), calls=[([1.0], [0.01])] * 4))
    assert slow.sentence == fast.sentence and "×" not in fast.sentence


def test_so_many_more_seeds_would_settle_it_on_either_side():
    changes = [-1.0, 2.0, 1.0, 0.5]
    wanted = more_values(changes, 0, level_at(2))
    for sign in (1, -1):
        found = prefer(evidence([sign * change for change in changes]))
        assert found.more_seeds == wanted and f"{wanted} more seeds would probably settle it" in found.sentence
    assert prefer(evidence(changes, interim_looks=2)).more_seeds == more_values(changes, 0, level_at(3)) > wanted


def test_what_no_interval_can_be_drawn_from():
    one = prefer(evidence([1.0]))
    assert (one.kind, one.more_seeds) == (OPEN, 3)
    assert "one pair is not enough to judge; run 3 more seeds." in one.sentence
    none = prefer(replace(evidence([1.0]), pairs=[(0, None, None)], not_scored="no scorer is there"))
    assert (none.kind, none.more_seeds) == (OPEN, None) and "no scorer is there" in none.sentence
    same = prefer(evidence([0.0, 0.0], same_pictures=True))
    assert (same.kind, same.sentence) == (NO_DIFFERENCE, "No difference: the same pictures in 2 pairs")
    level = prefer(evidence([1.0, -1.0, 1.0, -1.0]))
    assert level.more_seeds is None and "too near to each other" in level.sentence


@pytest.fixture(scope="module")
def seen(tmp_path_factory):
    """Run EMA, raw and bfloat16 of the demo beside each other."""
    from comparer.config import Config

    config = Config(runs=tmp_path_factory.mktemp("runs"))
    lines = ["weights=raw", "dtype=bfloat16"]
    return finish(build_request(config, PROMPT, steps=2, seeds="1-3", size="64", warmups=0, variants=lines), config)


def test_a_run_of_checkpoints_is_judged_by_its_scores(seen):
    found = seen.comparison
    arm = Analysis(found).arms[1].verdict
    assert arm.kind in (HIGHER, LOWER, OPEN) and judged(Analysis(found).arms[1])[0] == f"demo, raw: {arm.sentence}"
    assert all(
        "Speed-up" not in line and "Worth it" not in line
        for line in (*notes(Analysis(found)), *judged(Analysis(found).arms[1]))
    )
    wanted = [Analysis(found).arms[number].verdict.more_seeds for number in (1, 2)]
    assert more_seeds(Analysis(found)) == min(number for number in wanted if number)
    assert extended(found.request, 2).arms == found.request.arms
    assert "CLIP" in headline(Analysis(found)) and "worth" not in headline(Analysis(found)).lower()


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


@pytest.mark.parametrize(
    "line",
    ["demo", "a/b; weights=ema; base=demo; vae=a/c; dtype=float16", "a/b; lora=a/x.safetensors:-0.8; incomplete=yes",
     "a/b; lora=a/x.safetensors:0.5; lora=a/y.pt:0.5", "a/b; lora=a/x.safetensors:0.5; lora=a/y.pt:1"],
)  # fmt: skip
def test_the_controls_say_what_they_are_filled_with(config, line):
    asked = parse(line)
    with gr.Blocks():
        which = Which(config)
        which.build_half()
        which.build(listing(config))
    filled = which.filled(asked)
    values = [filled[part] for part in which.inputs()]
    values = [value["value"] if isinstance(value, dict) else value for value in values]
    assert which.read(asked.checkpoint, tuple(values), asked.incomplete) == asked.text() == line
    assert Weights() == parse(which.read("demo", ("", "", "", [], 1, "", ""), False))


def test_a_curve_breaks_where_a_value_is_not_finite():
    broken = curve("w<", [1.0, float("nan"), 0.25, 0.0])
    path = [part.split('"')[0] for part in broken.split('<path d="')[1:]][-1]
    assert path.count("M") == 2 and path.count("L") == 1 and "w&lt;" in broken
    assert curve("w", [float("nan")] * 3) == ""
