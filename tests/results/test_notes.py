"""What the notes count: pairs, not calls."""

from dataclasses import replace

from comparer.results.analysis import Analysis
from comparer.results.notes import loss, notes
from helpers.runs import ask, finish


def test_a_call_that_has_no_partner_is_left_out_and_said(config):
    seen = finish(ask("DeepCache", seeds=(1, 2, 3)), config).comparison
    assert "n = 3 calls per arm" in notes(Analysis(seen))[0]
    last = next(call for call in seen.calls if call.arm == 0 and call.batch == 2)
    stopped = replace(seen, calls=[call for call in seen.calls if call is not last], state="stopped")
    assert "n = 2 paired calls; one unpaired call left out, " in notes(Analysis(stopped))[0]


def test_a_gain_is_a_negative_loss():
    assert [loss(share) for share in (0.0063, -0.0212, -0.0001)] == ["0.6 %", "−2.1 %", "0.0 %"]
