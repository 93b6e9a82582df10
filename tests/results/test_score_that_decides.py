"""The score that was used is named everywhere, and the loss is also told above the floor of wrong prompts."""

import json
from dataclasses import replace

import pytest

from comparer.blind.sessions import judged
from comparer.cli.tables import table
from comparer.engine import scoring
from comparer.evaluation import summary
from comparer.reporting.grid import labels
from comparer.reporting.html import details
from comparer.reporting.html.tables import arms_table, notes_list, pairs_table
from comparer.reporting.html.verdict_cards import headline
from comparer.reporting.report.sections import experiment
from comparer.reporting.tables import body
from comparer.reporting.viewer import viewer
from comparer.request.request import Arm
from comparer.results import run_json, side_by_side
from comparer.results.analysis import Analysis
from comparer.results.equal_time import rivalry
from comparer.results.notes import measured
from comparer.results.records import Scorer
from comparer.runs import card
from comparer.stats.fieller import clip_loss
from comparer.stats.intervals import Interval
from comparer.ui.history.entry import figure
from helpers.equal_time_runs import pairs, seen
from helpers.runs import ROOT

HPS = Scorer("ViT-H-14/HPSv2.1", title="HPSv2.1 score", licence="Apache-2.0", floor=9.1)


def run(scorer=HPS, **more):
    return seen(pairs(24, 23), pairs(0.9, 0.8), state="finished", scorer=scorer, **more)


def told(comparison):
    """Return the text of every place that names the score."""
    analysis = Analysis(comparison)
    each = analysis.arms[1]
    grid = [*labels.head(each).lines, labels.footer(comparison, [0, 1])]
    return {
        "page": arms_table(analysis), "terminal": table(analysis), "Markdown": "\n".join(body(analysis, "")),
        "grid": " ".join(line.text for line in grid), "pairs": pairs_table(comparison),
        "caption": labels.caption(comparison, comparison.shots[0]), "details": details.uncertainty(analysis),
        "notes": "\n".join(measured(analysis)), "experiment": experiment(comparison),
        "viewer": json.dumps(viewer.data(comparison, ".")), "fewer steps": rivalry(comparison, 1).sentence,
        "votes": judged(comparison, [], 1).clip_sentence,
        "two runs": "".join(row.title for part in side_by_side.parts(comparison, comparison) for row in part.rows),
        "evaluation": summary._scorer([None, comparison]).loss,
    }  # fmt: skip


def test_every_place_names_the_score_that_was_used():
    clip, hps = told(run(Scorer("ViT-B-32/openai"))), told(run())
    for place, text in hps.items():
        assert "CLIP" in clip[place] and "HPSv2.1" not in clip[place], place
        assert "HPSv2.1" in text and "CLIP score" not in text and "CLIP difference" not in text, place
        assert "CLIP loss" not in text.replace("its CLIP loss", ""), place  # the verdict's own sentence
    assert "context of 77 tokens, Apache-2.0" in hps["experiment"]
    assert "HPSv2.1 score by ViT-H-14/HPSv2.1" in hps["notes"]


def test_a_card_of_two_checkpoints_names_the_score():
    base = run()
    arms = (Arm("Baseline"), Arm("Mine", weights=replace(base.request.settings.weights, checkpoint="other")))
    base.request = replace(base.request, arms=arms)
    base.calls, base.shots = ([each for each in many if each.arm < 2] for many in (base.calls, base.shots))
    assert "<em>HPSv2.1</em>" in headline(Analysis(base))
    shown = card.made(base).arms[1]
    assert figure(shown).startswith("HPSv2.1 −") and figure(replace(shown, score="CLIP")).startswith("CLIP −")
    (bar,) = labels.head(Analysis(base).arms[1]).bars
    assert (bar.label, bar.text) == ("HPSv2.1", "−4.0 %")


@pytest.mark.parametrize(
    ("title", "short"),
    [("CLIP score", "CLIP"), ("PickScore", "PickScore"), ("DINOv2 similarity", "DINOv2")],
)
def test_the_names_of_differences_and_losses_come_from_the_title(title, short):
    scorer = Scorer("x", title=title)
    assert (scorer.short, scorer.difference, scorer.loss) == (short, f"{short} difference", f"{short} loss")


def test_a_name_from_a_foreign_record_is_escaped():
    wild = "<img src=x onerror=alert(1)>|{0} score"
    found = told(run(replace(HPS, title=wild, licence="<b>x", name="<i>y")))
    for place in ("page", "pairs", "details", "experiment"):
        assert "<img" not in found[place] and "<b>x" not in found[place] and "&lt;img" in found[place], place
    assert "<img" not in found["Markdown"] and "onerror=alert(1)&gt;\\|" in found["Markdown"]
    assert "<i>" not in notes_list(Analysis(run(replace(HPS, name="<i>y"))))


def test_the_loss_above_the_floor_is_a_figure_and_a_note():
    comparison = run()
    each = Analysis(comparison).arms[1]
    base, arm, prompts = each.evidence.scored()
    expected = (sum(base) - sum(arm)) / (sum(base) - 9.1 * len(base))
    found = each.loss_above_floor
    assert found.value == pytest.approx(expected) and found.value > 1.5 * each.clip_loss.value
    above = clip_loss([b - 9.1 for b in base], [a - 9.1 for a in arm], prompts)
    assert found.interval == above.interval
    assert isinstance(found.interval, Interval)
    drawn = details.uncertainty(Analysis(comparison))
    assert "HPSv2.1 loss above wrong prompts" in drawn and f"{100 * expected:.1f} %" in drawn
    two = f"DeepCache loses {100 * expected:.1f} %, Fewer loses "
    assert any(
        text.startswith(f"Of the score above that of wrong prompts (9.1), {two}")
        for text in measured(Analysis(comparison))
    )
    comparison.request = replace(comparison.request, arms=comparison.request.arms[:2])
    comparison.calls, comparison.shots = ([e for e in m if e.arm < 2] for m in (comparison.calls, comparison.shots))
    said = f"Of the score above that of wrong prompts (9.1), {100 * expected:.1f} % is lost."
    assert said in measured(Analysis(comparison))
    comparison.shots = [replace(shot, clip_score=26.0) if shot.arm else shot for shot in comparison.shots]
    assert said.replace(f"{100 * expected:.1f} % is lost", "6.3 % is gained") in measured(Analysis(comparison))


@pytest.mark.parametrize("floor", [None, 24.5])
def test_without_a_floor_below_the_baseline_nothing_is_told_of_it(floor):
    analysis = Analysis(run(replace(HPS, floor=floor)))
    assert analysis.arms[1].loss_above_floor.value is None
    assert "wrong prompts" not in details.uncertainty(analysis) + "".join(measured(analysis))


def test_the_floor_takes_the_next_prompt_with_another_text():
    assert scoring._wrong_prompts(("a", "b", "c")) == ["b", "c", "a"]
    assert scoring._wrong_prompts(("a", "a", "b", "a")) == ["b", "b", "a", "b"]
    assert scoring._wrong_prompts(("a",)) == [] == scoring._wrong_prompts(("a", "a"))


def test_an_earlier_record_has_a_clip_score_and_no_floor():
    path = ROOT / "tests" / "data" / "earlier_runs" / "verdicts.json"
    data = json.loads(path.read_text(encoding="utf-8"))
    assert not {"title", "licence", "floor"} & set(data["scorer"])
    found = run_json.from_json(data).scorer
    assert (found.title, found.licence, found.floor, found.context) == (
        "CLIP score",
        "",
        None,
        data["scorer"]["context"],
    )
    assert run_json.from_json(run_json.to_json(run())).scorer == HPS


def test_a_void_baseline_takes_the_similarities_to_it_along():
    for context, kept in ((None, False), (77, True)):
        comparison = run(replace(HPS, context=context, floor=None))
        comparison.mark_void(0, 0, 3, "latents")
        shot = comparison.shot(1, 0, 3)
        assert shot.similarity is None and (shot.clip_score is not None) == kept
