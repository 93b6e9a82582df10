"""Void images count in no figure, and every place that shows a run says so in the same words."""

import csv
import io
import json
from dataclasses import replace

import pytest

from comparer.blind import sessions
from comparer.cli import history
from comparer.cli.tables import table
from comparer.errors import ComparerError
from comparer.evaluation import assertions
from comparer.reporting.grid import labels
from comparer.reporting.html.tables import arms_table, pairs_table
from comparer.reporting.html.verdict_cards import headline
from comparer.reporting.report.report import report
from comparer.reporting.tables import body, rows
from comparer.reporting.viewer import viewer
from comparer.results import run_json, void
from comparer.results.analysis import Analysis
from comparer.results.marks import marks
from comparer.results.notes import judged, notes
from comparer.results.side_by_side import parts
from comparer.results.sorting import LIKENESS, SCORE, ordered
from comparer.runs import card, index
from comparer.ui.history import entry
from helpers.run_folders import kept
from helpers.viewer_runs import comparison_in

SAID = "Not comparable: 1 of 4 pictures are not numbers"
WHERE = "not numbers: NaN or infinity in the latents"


def spoil(seen, arm, prompt=0, seed=17, where="latents"):
    """Let one shot's numbers be NaN, as a run records it."""
    shots = [
        replace(shot, not_finite=where, clip_score=None, similarity=None)
        if (shot.arm, shot.prompt, shot.seed) == (arm, prompt, seed)
        else shot
        for shot in seen.shots
    ]
    return replace(seen, shots=shots)


@pytest.fixture
def whole(tmp_path):
    return comparison_in(tmp_path / "run", arms=3)


def test_a_void_shot_voids_its_own_pair_and_no_other(whole):
    seen = spoil(whole, 1)
    assert len(seen.pairs(1)) == 3 and len(seen.pairs(1, void=True)) == 4 and len(seen.pairs(2)) == 4
    assert len(seen.call_pairs(1)) == 3 and len(seen.call_pairs(2)) == 4
    one, other = (Analysis(each).arms[2] for each in (whole, seen))
    assert one.figures == other.figures and one.verdict == other.verdict


def test_figures_are_of_the_other_pairs(whole):
    slow = [replace(call, seconds=900.0) if (call.arm, call.batch) == (1, 1) else call for call in whole.calls]
    seen = spoil(replace(whole, calls=slow), 1)  # the void call is the slow one
    found = Analysis(seen).arms[1]
    assert found.figures.slowest < 2 and found.figures.scored == 3 and found.figures.pictures == 4
    assert found.speed_up.n == found.clip_difference.n == 3 and found.similarity.pairs == 3


def test_no_verdict_is_computed(whole):
    for arm in (1, 2):
        found = Analysis(spoil(whole, arm)).arms[arm]
        assert found.verdict.headline == "Not comparable" and found.verdict.sentence.startswith(SAID)
        assert found.verdict.quality is found.verdict.speed is None and found.no_effect_reasons == []
        told = assertions.parse("ssim>=0").miss(spoil(whole, arm), arm)
        assert SAID in told


def test_a_void_baseline_is_said_of_it_and_of_the_arms_beside_it(whole):
    analysis = Analysis(spoil(whole, 0))
    assert analysis.arms[0].not_comparable.startswith(SAID)
    told = "Not comparable: 1 of 4 pictures of Baseline are not numbers"
    assert all(each.verdict.sentence.startswith(told) for each in analysis.arms[1:])
    assert f"Baseline: {SAID}" in "\n".join(notes(analysis))
    assert "Baseline" in table(analysis) and SAID in table(analysis)
    assert f"| Baseline | {SAID}" in "\n".join(body(analysis, ""))
    assert [line.text for line in labels.head(analysis.arms[0]).name] == ["Baseline", SAID]
    assert set(run_json.to_json(analysis.comparison)["verdicts"]) == {"0", "1", "2"}


def test_every_place_says_it_in_the_same_words(whole, tmp_path):
    seen = spoil(whole, 1)
    analysis, shot = Analysis(seen), seen.shot(1, 0, 17)
    page = arms_table(analysis)
    assert SAID in page and SAID in headline(analysis) and SAID in table(analysis)
    assert SAID in "\n".join(body(analysis, "")) and SAID in judged(analysis.arms[1])[0]
    assert [line.text for line in labels.head(analysis.arms[1]).name] == ["Same", SAID]
    assert "NaN or infinity in the latents" in labels.head(analysis.arms[1]).small[0].text
    assert labels.caption(seen, shot) == WHERE and WHERE in pairs_table(seen)
    written = report(seen, tmp_path / "run")
    assert SAID in written and WHERE in written
    shown = viewer.data(seen, ".")
    assert shown["arms"][1]["mark"] == SAID and ("Picture", WHERE) in shown["pairs"][1]["shots"][1]["facts"]
    told = {row.title: row.other for part in parts(whole, seen) for row in part.rows if part.title == "Same"}
    assert told["Verdict"] == "Not comparable" and not told["Speed-up"]


def test_the_table_of_pairs_has_a_void_pair_without_figures(whole):
    lines = list(csv.DictReader(io.StringIO(rows([("", spoil(whole, 1))]))))
    (line,) = [line for line in lines if line["void"]]
    assert line["void"] == f"Same: {WHERE}" and line["arm"] == "Same" and line["seed"] == "17"
    empty = ("baseline_seconds", "arm_seconds", "speed_up", "clip_difference", "identical", "ssim", "psnr")
    assert {line[name] for name in empty} == {""} and len(lines) == 8


def test_a_blind_test_leaves_void_pairs_out(tmp_path):
    folder = kept(tmp_path / "runs")
    seen = spoil(comparison_in(tmp_path / "again"), 1)
    session = sessions.begin(folder, seen, 1, 0, "0" * 16)
    assert len(session.trials) == 3 and (0, 17) not in {(each.prompt, each.seed) for each in session.trials}
    for prompt, seed in ((0, 3), (1, 3), (1, 17)):
        seen = spoil(seen, 1, prompt, seed)
    with pytest.raises(ComparerError, match="no pair to judge"):
        sessions.begin(folder, seen, 1, 0, "0" * 16)


def test_void_pairs_come_last_in_every_order(whole):
    assert all(ordered(spoil(whole, 2), 2, order)[-1] == (0, 17) for order in (SCORE, LIKENESS))


def test_the_history_shows_it(tmp_path):
    seen = spoil(comparison_in(tmp_path / "images"), 1)
    folder = kept(tmp_path / "runs", shots=seen.shots)
    (found,) = index.entries(tmp_path / "runs")
    arm = found.card.arms[1]
    assert (arm.headline, arm.look) == ("Not comparable", "bad")
    assert card.read(folder, card.key((folder / "run.json").stat()))
    assert f"Same: {SAID}" in "\n".join(history.describe(found))
    drawn = entry.draw([found], tmp_path / "runs", [], set())
    assert "<i>Not comparable</i>" in drawn and '<li class="bad"' in drawn and SAID in drawn


def test_the_record_keeps_it_and_older_records_open(whole):
    data = json.loads(json.dumps(run_json.to_json(spoil(whole, 1, where="decoded"))))
    again = run_json.from_json(data)
    assert again.shot(1, 0, 17).not_finite == "decoded" and again.has_void
    for shot in data["shots"]:
        del shot["not_finite"], shot["single_colour"]
    assert not run_json.from_json(data).has_void
    data["shots"][0]["not_finite"] = "somewhere"
    with pytest.raises(ValueError, match="not_finite"):
        run_json.from_json(data)


def test_a_repeat_that_is_void_voids_its_shot_and_what_was_laid_beside_it(whole):
    whole.mark_void(2, 0, 17, "")
    assert not whole.has_void
    whole.mark_void(0, 0, 17, "decoded")
    assert whole.shot(0, 0, 17).not_finite == "decoded" and whole.shot(0, 0, 17).clip_score is None
    assert whole.shot(1, 0, 17).similarity is None and whole.shot(1, 0, 17).clip_score is not None
    assert whole.shot(1, 0, 3).similarity is not None and not whole.shot(1, 0, 17).not_finite


@pytest.mark.parametrize(
    ("where", "dtype", "health", "told"),
    [
        ("decoded", "float16", {}, "what the VAE decoded: its VAE overflows in float16, so try dtype=bfloat16 or"),
        ("latents", "float16", {}, "the latents: probably an overflow of float16, so try dtype=bfloat16 or"),
        ("latents", "bfloat16", {}, "the latents: the baseline's pictures are numbers, so try other parameters of the"),
        ("latents", "float16", {"x": 1}, "the weights of its unet contain such values, so use another file"),
    ],
)
def test_the_remedy_fits(whole, where, dtype, health, told):
    seen = spoil(whole, 1, where=where)
    seen.checkpoint = {"dtype": dtype, "components": {"unet": {"health": {"not_finite": health}}, "vae": {}}}
    assert told in void.reason(seen, 1)


def test_without_a_wider_dtype_the_checkpoint_is_named(whole):
    seen = spoil(whole, 0, where="decoded")
    seen.environment = {"dtype": "float32"}
    told = "no dtype has a wider range than float32, so check the checkpoint, or another VAE (vae=NAME)."
    assert void.reason(seen, 0).endswith(told)
    seen.environment = {"dtype": "bfloat16"}
    assert "try dtype=float32" in void.reason(seen, 0)


def test_a_picture_of_one_colour_is_remarked(whole):
    shots = [replace(shot, single_colour="#808080") if shot.arm == 2 else shot for shot in whole.shots]
    grey = replace(whole, shots=shots)
    assert "One pixel: 4 of 4 pictures have one single colour (#808080)." in notes(Analysis(grey))
    assert [marks(grey, arm) for arm in (1, 2)] == [[], ["4 of 4 pictures have one single colour (#808080)"]]
    black = replace(spoil(whole, 2), shots=[replace(shot, single_colour="") for shot in whole.shots])
    assert not any("one single colour" in line for line in notes(Analysis(black)))
