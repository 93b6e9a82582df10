"""T-GATE: the tgate package's pictures bit for bit, by the pipeline's own call, and what it refuses."""

import pytest

from comparer.accelerators.registry import Report
from comparer.accelerators.tgate import TGATE
from comparer.errors import ComparerError
from comparer.request.request import Request
from helpers import tiny_pipelines as tiny
from helpers.tgate_package import by_the_package
from helpers.tiny_pipelines import FAMILIES, PROMPTS, ask, run, same

BATCH, TWICE = "batch of three, negative prompt, not square", ("sd1", "pixart-sigma")
CALLS = {  # several circumstances at once
    BATCH: {"prompts": PROMPTS[:3], "negative_prompt": "x", "width": 96},
    "one, Euler": {"sampler": "Euler", "steps": 5},
}


@pytest.mark.parametrize(
    ("family", "call"),
    [
        pytest.param(family, call, marks=() if call == BATCH or family in TWICE else pytest.mark.full)
        for family in FAMILIES
        for call in CALLS
    ],
)
def test_its_pictures_are_those_of_the_package(family, call):
    settings = ask(**CALLS[call])
    parameters = {"gate_step": 3, "sp_interval": 2, "fi_interval": 2, "warm_up": 0}
    ours = run(family, [TGATE(**parameters)], settings)
    assert same(ours, by_the_package(family, settings, **parameters))
    assert not same(ours, run(family, "", settings))


@pytest.mark.parametrize("sampler", ["DPM++ 2M Karras", "Euler a", "UniPC", "PNDM"])
def test_with_every_kind_of_sampler(sampler):
    """PNDM makes an evaluation beforehand, and the gate comes one evaluation later, as in the package."""
    settings = ask(sampler=sampler, steps=5)
    reports = {}
    ours = run("sd1", "T-GATE(gate_step=2, sp_interval=1)", settings, reports)
    assert same(ours, by_the_package("sd1", settings, gate_step=2, sp_interval=1))
    assert reports["T-GATE"].schedule == ("FFF..." if sampler == "PNDM" else "FF...")


@pytest.mark.parametrize(
    ("gate", "sp", "fi", "warm_up", "steps"),
    [(1, 1, 1, 0, 2), (1, 5, 3, 2, 5), (5, 3, 1, 2, 6), (3, 1, 2, 0, 6), (2, 5, 1, 50, 4)],
)
def test_every_phase_is_that_of_the_package(gate, sp, fi, warm_up, steps):
    settings = ask(steps=steps)
    parameters = {"gate_step": gate, "sp_interval": sp, "fi_interval": fi, "warm_up": warm_up}
    assert same(run("sd1", [TGATE(**parameters)], settings), by_the_package("sd1", settings, **parameters))


def test_several_images_per_prompt():
    settings = ask(prompts=PROMPTS[:2])
    ours = run("sd1", "T-GATE(gate_step=2)", settings, num_images_per_prompt=2)
    assert len(ours) == 4
    assert same(ours, by_the_package("sd1", settings, gate_step=2, num_images_per_prompt=2))


def test_pixart_alpha_1024_halves_its_size_conditions_too():
    """The dictionary of conditions: resolution and aspect ratio."""
    import tgate

    from comparer.accelerators.stack import accelerated
    from comparer.models.tiny import tiny as build

    pipe = build("pixart-alpha", sample_size=128, attention_head_dim=24, cross_attention_dim=48)
    settings = ask(prompts=PROMPTS[:2], width=96)
    pipe.scheduler = tiny.scheduler("pixart-alpha", "DDIM")
    with accelerated(pipe, (TGATE(gate_step=2),), settings):
        ours = pipe(**tiny.arguments(pipe, settings)).images
    theirs = tgate.TgatePixArtAlphaLoader(pipe).tgate(**tiny.arguments(pipe, settings), gate_step=2).images
    assert same(ours, theirs)


def test_what_it_did_is_counted():
    reports = {}
    run("sd1", "T-GATE(gate_step=2, sp_interval=1)", ask(steps=5, prompts=PROMPTS[:2]), reports)
    attentions = len(tiny.pipeline("sd1").unet.attn_processors)
    report = reports["T-GATE"]
    assert report.schedule == "FF..."
    assert report.counts == {
        "with guidance": 2,
        "without guidance": 3,
        "attention reused": 3 * attentions // 2,  # cross-attention after the gate
        "attention computed": 2 * attentions + 3 * attentions // 2,
    }
    assert TGATE(gate_step=2).no_effect(report) is None


def test_a_call_that_ended_before_the_gate_had_no_effect():
    report = Report({"with guidance": 4, "without guidance": 0, "attention reused": 0, "attention computed": 40})
    assert "gate_step 10 was not reached" in TGATE(sp_interval=1).no_effect(report)


@pytest.mark.parametrize(
    ("parameters", "settings", "words"),
    [
        ({}, {"steps": 10}, ["gate_step 10", "10 steps", "1 to 9", "4 is usual"]),
        ({"gate_step": 2}, {"steps": 1}, ["2 steps or more, not 1"]),
        ({"gate_step": 2}, {"guidance": 1.0}, ["needs guidance", "guidance 1 turns it off", "more than 1"]),
        ({"gate_step": 2}, {"sampler": "Heun"}, ["Heun makes two", "first-order sampler"]),
    ],
)
def test_why_not(parameters, settings, words):
    reason = TGATE(**parameters).why_not(Request(ask(**settings)), "sd1", {})
    assert all(word in reason for word in words), reason
    assert TGATE(gate_step=1).why_not(Request(ask(steps=2)), "sd1", {}) is None


@pytest.mark.parametrize("gate", [0, -1, 150])
def test_gates_that_no_call_has(gate):
    with pytest.raises(ComparerError, match=f"gate_step {gate} is out of range: 1 to 149"):
        TGATE(gate_step=gate)


def test_the_usual_gate_follows_the_steps_and_the_family():
    assert [TGATE.usual("sdxl", steps)["gate_step"] for steps in (2, 4, 25, 50)] == [1, 2, 10, 20]
    assert TGATE.usual("pixart-alpha", 25) == {"gate_step": 15, "sp_interval": 3}
