"""Guidance cutoff: the prompt alone after a share of the steps, in every family and batch."""

import pytest

from comparer.accelerators.cutoff import GuidanceCutoff
from comparer.accelerators.registry import Report, parse_stack
from comparer.request.request import Request
from helpers import tiny_pipelines as tiny
from helpers.tiny_pipelines import FAMILIES, PROMPTS, ask, run, same


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_its_pictures_are_those_of_diffusers_callback(family):
    """Where that callback works: one picture. Its index is the last guided step."""
    from diffusers.callbacks import SDCFGCutoffCallback, SDXLCFGCutoffCallback

    callback = SDXLCFGCutoffCallback if family == "sdxl" else SDCFGCutoffCallback
    settings = ask(negative_prompt="blurred", width=96)
    theirs = run(
        family, "", settings, callback_on_step_end=callback(cutoff_step_ratio=None, cutoff_step_index=1),
        callback_on_step_end_tensor_inputs=callback().tensor_inputs,
    )  # fmt: skip
    assert same(run(family, "GuidanceCutoff(after=0.5)", settings), theirs)


@pytest.mark.parametrize("family", FAMILIES)
def test_after_no_step_it_is_the_pipeline_without_guidance(family):
    """A batch of three, which diffusers' callback cannot serve, and PixArt, which calls none."""
    settings = ask(prompts=PROMPTS[:3], negative_prompt="blurred", height=96)
    alone = run(family, "", ask(prompts=PROMPTS[:3], guidance=1.0, height=96))
    cut = run(family, "GuidanceCutoff(after=0)", settings)
    assert same(cut, alone)
    assert not same(cut, run(family, "", settings))


def test_after_every_step_it_is_the_baseline_and_says_so():
    reports = {}
    assert same(run("sd1", "GuidanceCutoff(after=1)", reports=reports), run("sd1"))
    assert "after 1 guides every step" in GuidanceCutoff(after=1.0).no_effect(reports["Guidance cutoff"])
    assert GuidanceCutoff().no_effect(Report({"with guidance": 2, "without guidance": 2})) is None


@pytest.mark.parametrize(
    ("sampler", "schedule"),
    [("DDIM", "FFF..."), ("PNDM", "FFFF..."), ("Heun", "FFFFFF.....")],
)
def test_it_cuts_at_a_step_whatever_the_sampler_makes_of_one(sampler, schedule):
    reports = {}
    run("sd1", "GuidanceCutoff(after=0.5)", ask(sampler=sampler, steps=6), reports)
    report = reports["Guidance cutoff"]
    assert report.schedule == schedule
    assert report.counts == {"with guidance": schedule.count("F"), "without guidance": schedule.count(".")}


@pytest.mark.parametrize("more", [{}, {"num_images_per_prompt": 2}])
def test_T33_several_pictures_with_which_diffusers_callback_crashes(more):
    """It keeps the last prompt alone, for any number of pictures."""
    from diffusers.callbacks import SDCFGCutoffCallback

    settings = ask(prompts=PROMPTS[: 1 if more else 2], negative_prompt="blurred")
    callback = SDCFGCutoffCallback(cutoff_step_ratio=None, cutoff_step_index=1)
    with pytest.raises(RuntimeError):
        run(
            "sd1", "", settings, callback_on_step_end=callback,
            callback_on_step_end_tensor_inputs=callback.tensor_inputs, **more,
        )  # fmt: skip
    made = run("sd1", "GuidanceCutoff(after=0.5)", settings, **more)
    assert len(made) == 2 and not same(made, run("sd1", "", settings, **more))
    first = run("sd1", "GuidanceCutoff(after=0.5)", ask(negative_prompt="blurred"))
    assert (made[:1] - first).abs().max() < 1e-4


def test_several_images_per_prompt():
    settings = ask(prompts=PROMPTS[:2])
    made = run("sd1", "GuidanceCutoff(after=0)", settings, num_images_per_prompt=2)
    assert same(made, run("sd1", "", ask(prompts=PROMPTS[:2], guidance=0.0), num_images_per_prompt=2))


def test_the_denoiser_runs_half_the_batch_after_the_cut():
    sizes = []
    handle = tiny.pipeline("sd1").unet.conv_in.register_forward_hook(lambda _, args, __: sizes.append(len(args[0])))
    run("sd1", "GuidanceCutoff(after=0.5)", ask(prompts=PROMPTS[:3]))
    handle.remove()
    assert sizes == [6, 6, 3, 3]


def test_why_not():
    reason = GuidanceCutoff().why_not(Request(ask(guidance=1.0)), "sd1", {})
    assert reason == "Guidance cutoff needs guidance, but guidance 1 turns it off: set more than 1."
    assert "family 'flux'" in GuidanceCutoff().why_not(Request(ask()), "flux", {})


@pytest.mark.parametrize("stack", ["T-GATE(gate_step=2)", "Guidance cutoff"])
def test_a_checkpoint_that_takes_guidance_as_an_input_is_refused(stack):
    """It is not evaluated in two halves: dropping one would drop a prompt."""
    from comparer.accelerators.stack import why_not
    from comparer.models.tiny import native_config
    from comparer.request.request import Request, Settings

    request = Request(Settings(("x",), guidance=7.5, steps=8))
    _, config = native_config("sd-1.5")
    assert why_not(parse_stack(stack), request, "sd1", config) is None
    assert "distilled" in why_not(parse_stack(stack), request, "sd1", config | {"time_cond_proj_dim": 256})
