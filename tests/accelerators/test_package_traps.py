"""The traps of the packages DeepCache and tgate, each reproduced with them elsewhere: our layer is free of it.

T20, T26 and T27, a model that is left modified after a call or an error: ``test_guard`` and ``test_invariants``.
"""

import copy
import gc
import weakref

import pytest

from comparer.accelerators.base import denoiser_of
from comparer.accelerators.deepcache import DeepCache
from comparer.accelerators.registry import build, parse_stack
from comparer.accelerators.stack import accelerated, why_not
from comparer.accelerators.tgate import TGATE
from comparer.errors import ComparerError
from comparer.request.request import Request
from helpers import tiny_pipelines as tiny
from helpers.tiny_pipelines import FAMILIES, PROMPTS, UNETS, ask, run, same

REUSING = "T-GATE(gate_step=3, sp_interval=2, fi_interval=2, warm_up=0)"
BOTH = "DeepCache(interval=2)+T-GATE(gate_step=2)"


def deep_evaluations(family, stack, settings):
    """Count how often the deepest block was really computed."""
    calls = []
    handle = tiny.pipeline(family).unet.mid_block.resnets[0].register_forward_hook(lambda *_: calls.append(1))
    run(family, stack, settings)
    handle.remove()
    return len(calls)


def test_T01_no_features_of_another_picture_when_the_strength_changes():
    import torch
    from diffusers import StableDiffusionImg2ImgPipeline

    pipe = StableDiffusionImg2ImgPipeline(**tiny.pipeline("sd1").components, requires_safety_checker=False)
    settings, image = ask(steps=10), torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    def change(strength):
        pipe.scheduler = tiny.scheduler("sd1", "DDIM")
        with accelerated(pipe, (DeepCache(interval=3),), settings) as live:
            made = pipe(
                "a cat", image=image, strength=strength, num_inference_steps=10, output_type="latent",
                generator=torch.Generator().manual_seed(0),
            ).images  # fmt: skip
        return made, live["DeepCache"].schedule

    alone, schedule = change(0.5)
    assert schedule == "F..F."
    change(0.9)
    assert same(change(0.5)[0], alone)


def test_T02_model_offload_takes_no_part_of_it_away():
    import torch

    pipe, settings = copy.deepcopy(tiny.pipeline("sd1")), ask(steps=5)
    pipe.enable_model_cpu_offload(device=torch.device("cpu"))
    for stack in ("DeepCache(interval=2)", BOTH):
        expected = run("sd1", stack, settings)
        for _ in range(2):
            pipe.scheduler = tiny.scheduler("sd1", "DDIM")
            with accelerated(pipe, parse_stack(stack), settings):
                assert same(pipe(**tiny.arguments(pipe, settings)).images, expected)
    pipe.scheduler = tiny.scheduler("sd1", "DDIM")
    assert same(pipe(**tiny.arguments(pipe, settings)).images, run("sd1", "", settings))


@pytest.mark.parametrize(
    ("sampler", "full", "evaluations"), [("DDIM", 5, 10), ("PNDM", 6, 11), ("Heun", 10, 19), ("DPM++ 2M Karras", 5, 10)]
)
def test_T03_repeated_time_steps_do_not_confuse_the_schedule(sampler, full, evaluations):
    settings, reports = ask(sampler=sampler, steps=10), {}
    assert deep_evaluations("sd1", "DeepCache(interval=2)", settings) == full
    run("sd1", "DeepCache(interval=2)", settings, reports)
    assert reports["DeepCache"].counts == {"full": full, "shallow": evaluations - full}


def test_T04_applying_twice_breaks_nothing():
    assert "twice" in why_not((DeepCache(), DeepCache()), Request(ask()), "sd1", {})
    baseline, once = run("sd1"), run("sd1", "DeepCache(interval=2)")
    with accelerated(tiny.pipeline("sd1"), (DeepCache(interval=2),), ask()):
        assert same(run("sd1", "DeepCache(interval=2)"), once)
    assert same(run("sd1"), baseline)


def test_T05_undoing_what_was_never_applied_breaks_nothing(monkeypatch):
    """The package fails half way through wrapping; whatever it had wrapped is undone."""
    baseline, pipe = run("sd1"), tiny.pipeline("sd1")
    monkeypatch.setattr(pipe.unet, "up_blocks", None)
    with pytest.raises(TypeError), accelerated(pipe, (DeepCache(),), ask()):
        pass
    monkeypatch.undo()
    assert same(run("sd1"), baseline)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        pytest.param({"skip_mode": "quad"}, "no parameter 'skip_mode'", id="T06"),
        pytest.param({"interval": 0}, "interval 0 is out of range: 1 to 20", id="T07 zero"),
        pytest.param({"interval": -1}, "interval -1 is out of range", id="T07 negative"),
        pytest.param({"branch": -1}, "branch -1 is out of range", id="T07 negative branch"),
    ],
)
def test_T06_T07_values_that_the_package_takes_and_breaks_with(parameters, words):
    with pytest.raises(ComparerError) as told:
        build("DeepCache", parameters)
    assert words in str(told.value)


@pytest.mark.parametrize("family", UNETS)
def test_T07_branches_that_save_nothing_are_refused(family):
    denoiser = dict(tiny.pipeline(family).unet.config)
    served = [b for b in range(21) if DeepCache(branch=b).why_not(None, family, denoiser) is None]
    assert served == [0, 1, 2, 3, 4, 5, 6, 7]
    settings = ask(steps=2)
    assert all(deep_evaluations(family, f"DeepCache(interval=2, branch={b})", settings) == 1 for b in served)


def test_T08_a_u_net_without_a_mid_block_is_refused():
    assert "mid block" in DeepCache().why_not(None, "sd1", {"mid_block_type": None})


def test_T09_a_u_net_that_two_pipelines_share():
    from diffusers import StableDiffusionPipeline

    expected = run("sd1", "DeepCache(interval=2)", ask(sampler="Euler"))
    first = tiny.pipeline("sd1")
    second = StableDiffusionPipeline(**first.components, requires_safety_checker=False)
    second.scheduler, first.scheduler = tiny.scheduler("sd1", "Euler"), tiny.scheduler("sd1", "DDIM")
    with accelerated(first, (DeepCache(interval=2),), ask()):
        assert same(second(**tiny.arguments(second, ask())).images, expected)


@pytest.mark.parametrize("stack", ["DeepCache(interval=2)", "GuidanceCutoff(after=0)", "T-GATE(gate_step=1)"])
def test_T10_keyword_arguments_and_whole_time_steps(stack):
    import torch

    unet = tiny.pipeline("sd1").unet
    sample = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    text = torch.randn(2, 77, 32, generator=torch.Generator().manual_seed(1))
    tiny.pipeline("sd1").scheduler.set_timesteps(4)

    def evaluate(keywords):
        with torch.no_grad(), accelerated(tiny.pipeline("sd1"), parse_stack(stack), ask()):
            for step in (9, 5):
                if keywords:
                    (out,) = unet(sample=sample, timestep=step, encoder_hidden_states=text, return_dict=False)
                else:
                    (out,) = unet(sample, torch.tensor(step), text, return_dict=False)
        return out

    assert same(evaluate(True), evaluate(False))


@pytest.mark.parametrize("stack", ["DeepCache(interval=2)", REUSING, BOTH])
def test_T11_nothing_is_kept_in_memory_after_the_call(stack):
    unet, seen = tiny.pipeline("sd1").unet, []
    parts = [unet.mid_block, *(part for name, part in unet.named_modules() if name.endswith(("attn1", "attn2")))]
    handles = [part.register_forward_hook(lambda _, __, out: seen.append(weakref.ref(out))) for part in parts]
    run("sd1", stack)
    for handle in handles:
        handle.remove()
    gc.collect()
    assert seen and not [reference for reference in seen if reference() is not None]


@pytest.mark.parametrize(("gate", "steps"), [(4, 4), (5, 4), (10, 10)])
def test_T21_gates_that_do_nothing_are_refused(gate, steps):
    assert "out of range" in TGATE(gate_step=gate).why_not(Request(ask(steps=steps)), "sd1", {})


@pytest.mark.parametrize("guidance", [0.0, 1.0])
@pytest.mark.parametrize("prompts", [PROMPTS[:1], PROMPTS[:2]])
def test_T22_no_guidance_is_refused_whatever_the_batch(guidance, prompts):
    request = Request(ask(guidance=guidance, prompts=prompts))
    assert "needs guidance" in TGATE(gate_step=2).why_not(request, "sd1", {})


@pytest.mark.parametrize("gate", [2, 3])
def test_T23_second_order_samplers_are_refused_for_even_and_odd_gates(gate):
    assert "Heun makes two" in TGATE(gate_step=gate).why_not(Request(ask(sampler="heun")), "sd1", {})


def test_T24_after_the_gate_the_negative_prompt_runs_alone():
    """As the authors have it; each picture of a batch has its own."""
    import torch

    seen = []
    pipe, settings = tiny.pipeline("sd1"), ask(prompts=PROMPTS[:2], negative_prompt="x")
    handle = (
        pipe.unet.down_blocks[0]
        .attentions[0]
        .register_forward_pre_hook(lambda _, __, kwargs: seen.append(kwargs["encoder_hidden_states"]), with_kwargs=True)
    )
    run("sd1", "T-GATE(gate_step=2)", settings)
    handle.remove()
    assert [len(text) for text in seen] == [4, 4, 2, 2]
    (negative,) = pipe.text_encoder(
        pipe.tokenizer(["x"], padding="max_length", max_length=77, return_tensors="pt").input_ids, return_dict=False
    )[:1]
    assert torch.equal(seen[3], seen[0][:2])
    assert torch.allclose(seen[3], negative.expand(2, -1, -1), atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_T25_the_pipelines_own_call_runs_with_callbacks_and_processors(family):
    from diffusers.models.attention_processor import AttnProcessor2_0

    class Counted(AttnProcessor2_0):
        calls = 0

        def __call__(self, *args, **kwargs):
            Counted.calls += 1
            return super().__call__(*args, **kwargs)

    steps, reports = [], {}
    denoiser = denoiser_of(tiny.pipeline(family))
    own = denoiser.attn_processors
    denoiser.set_attn_processor(Counted())
    name = "callback" if family.startswith("pixart") else "callback_on_step_end"
    run(family, "T-GATE(gate_step=2)", None, reports, **{name: lambda *told: steps.append(told) or {}})
    denoiser.set_attn_processor(own)
    assert len(steps) == 4
    assert Counted.calls == reports["T-GATE"].counts["attention computed"] > 0


@pytest.mark.parametrize("gate", [1, 2, 3, 4, 5])
def test_T28_the_gate_need_not_be_a_multiple_of_the_interval(gate):
    reports = {}
    run("sd1", f"DeepCache(interval=4)+T-GATE(gate_step={gate})", ask(steps=6), reports)
    schedule = reports["DeepCache"].schedule
    assert schedule[gate - 1 : gate + 1] == "FF"
    assert reports["T-GATE"].counts["with guidance"] == gate
