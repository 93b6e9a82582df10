"""The notes: three at most, the gravest first; how it was measured: pairs, not calls, and all further notes."""

from dataclasses import replace

from comparer.reporting.html.tables import notes_list
from comparer.reporting.tables import body, line
from comparer.results.analysis import Analysis
from comparer.results.notes import MOST_NOTES, loss, measured, notes
from comparer.results.records import NotRun, Scorer
from helpers.equal_time_runs import pairs, seen
from helpers.runs import ask, finish


def test_a_call_that_has_no_partner_is_left_out_and_said(config):
    whole = finish(ask("DeepCache", seeds=(1, 2, 3)), config).comparison
    assert "n = 3 calls per arm" in measured(Analysis(whole))[0]
    last = next(call for call in whole.calls if call.arm == 0 and call.batch == 2)
    stopped = replace(whole, calls=[call for call in whole.calls if call is not last], state="stopped")
    assert "n = 2 paired calls; one unpaired call left out, " in measured(Analysis(stopped))[0]


def test_a_gain_is_a_negative_loss():
    assert [loss(share) for share in (0.0063, -0.0212, -0.0001)] == ["0.6 %", "−2.1 %", "0.0 %"]


def warned():
    """Build a comparison of which there is more to warn than there is room for."""
    made = seen(pairs(25, 24), pairs(0.9, 0.8), state="finished", scorer=Scorer(why_not="no scorer is there"))
    made.not_run.append(NotRun(2, "out of memory"))
    made.remarks += ["The sixth.", "The seventh.", "<The eighth>."]
    made.request = replace(made.request, settings=replace(made.request.settings, prompts=("a (very:2) red x",)))
    return Analysis(made)


def test_at_most_three_notes_stand_beside_the_figures_and_the_others_are_not_lost():
    analysis = warned()
    first, rest = notes(analysis), measured(analysis)
    assert len(first) == MOST_NOTES == 3 and first[0] == "Fewer was not run: out of memory."
    assert {"The sixth.", "The seventh.", "<The eighth>."} <= {*first, *rest} and len({*first, *rest}) > 6
    assert not set(first) & set(rest) and any(text.startswith("Speed-up of whole calls") for text in rest)
    assert rest.index("The sixth.") < next(n for n, text in enumerate(rest) if text.startswith("Speed-up of"))


def test_how_it_was_measured_is_no_note():
    analysis = Analysis(seen(pairs(25, 24), pairs(0.9, 0.8), state="finished", scorer=Scorer("ViT-B-32/openai")))
    request = analysis.comparison.request
    analysis.comparison.request = replace(request, settings=replace(request.settings, checkpoint="mine"))
    analysis.comparison.calls = [replace(each, seconds=2.0 - each.arm / 2) for each in analysis.comparison.calls]
    assert notes(analysis) == []
    said = "\n".join(measured(analysis))
    for text in ("n = 8 calls per arm", "Intervals that decide: 97.5 % for speed, 99 % for quality. ", "Peak memory",
                 "CLIP score by ViT-B-32/openai, n = 8 pairs."):  # fmt: skip
        assert text in said
    running = Analysis(replace(analysis.comparison, state="running"))
    assert "Intervals that decide" not in "\n".join(measured(running))  # nothing is decided yet


def test_every_place_shows_the_notes_first_and_folds_the_rest():
    analysis = warned()
    page, first, rest = notes_list(analysis), notes(analysis), measured(analysis)
    before, inside = page.split("<details><summary>How it was measured</summary>")
    assert before.count("<li>") == 3 and inside.count("<li>") == len(rest) and "&lt;The eighth&gt;" in page
    summary = "\n".join(body(analysis, ""))
    places = [summary.index(f"- {line(text)}") for text in (*first, *rest)]
    assert places == sorted(places)
