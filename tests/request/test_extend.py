"""An earlier request with more seeds, or with one more arm whose parameters are what is usual."""

import pytest

from comparer.config import Config
from comparer.request import build
from comparer.request.extend import extended
from helpers.runs import PROMPT, ask


@pytest.mark.parametrize(("seeds", "after"), [((9, 4), (10, 11)), ((0, 7, 3), (8, 9)), ((5,), (6, 7))])
def test_more_seeds_are_counted_on_from_the_largest(seeds, after):
    more = extended(ask("DeepCache", seeds=seeds), 2)
    assert more.settings.seeds == (*seeds, *after)
    assert more == ask("DeepCache", seeds=(*seeds, *after))


@pytest.mark.parametrize("steps", [12, 25, 50])
def test_a_later_arm_has_the_parameters_that_it_would_have_had_at_first(steps, config):
    """T-GATE's gate lies at two fifths of the steps."""
    text = "DeepCache+T-GATE"
    first = build.build_request(config, PROMPT, accelerators=["DeepCache", text], steps=steps)
    later = build.with_arm(config, build.build_request(config, PROMPT, accelerators=["DeepCache"], steps=steps), text)
    assert later == first
    _, gate = later.arms[2].accelerators
    assert gate.gate_step == round(steps * 2 / 5)


def test_a_later_arm_has_what_is_usual_for_the_family(tmp_path):
    from comparer.models.tiny import save_tiny

    save_tiny("pixart-alpha", tmp_path / "models" / "tiny")
    config = Config(checkpoints=(tmp_path / "models",), runs=tmp_path / "runs")
    asked = build.build_request(config, PROMPT, "models/tiny", ["T-GATE(gate_step=5)"], steps=20)
    (gate,) = build.with_arm(config, asked, "T-GATE").arms[2].accelerators
    assert (gate.gate_step, gate.sp_interval) == (12, 3)


def test_a_later_arm_keeps_the_parameters_that_it_names(config):
    asked = build.build_request(config, PROMPT, accelerators=["DeepCache"], steps=20)
    (gate,) = build.with_arm(config, asked, "T-GATE(gate_step=5)").arms[2].accelerators
    assert gate.gate_step == 5
