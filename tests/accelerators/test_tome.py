"""ToMe: the package's pictures bit for bit where it is right, and its traps (T12 to T19) avoided or refused."""

from contextlib import contextmanager

import numpy as np
import pytest

from comparer.accelerators.guard import guarded
from comparer.accelerators.registry import REGISTRY, Report, parse
from comparer.accelerators.stack import accelerated
from comparer.accelerators.tome import ToMe
from comparer.engine.generate import generate
from comparer.errors import ComparerError
from comparer.models.tiny import native_config
from comparer.request.request import Arm, Request, Settings
from helpers.tiny_pipelines import UNETS, loaded, pipeline, scheduler

PROMPTS = ("a red star", "two blue circles beside a lamp", "green")
BASE = {"steps": 3, "sampler": "DDIM", "guidance": 5.0}


def settings(**changes):
    return Settings(**{"prompts": PROMPTS} | BASE | changes)


def run(family, *accelerators, items=((0, 0),), stop=lambda: False, **changes):
    return generate(loaded(family), settings(**changes), list(items), accelerators, stop=stop)


def pixels(output):
    return np.stack([np.asarray(picture) for picture in output.pictures]).astype(int)


def evaluate(pipe, times=2, batch=2, seed=0):
    """Evaluate a Stable Diffusion U-Net on fixed inputs, several times over."""
    import torch

    numbers = torch.Generator().manual_seed(seed)
    latents = torch.randn(1, 4, 16, 16, generator=numbers).repeat(batch, 1, 1, 1)
    prompt = torch.randn(batch, 77, pipe.unet.config.cross_attention_dim, generator=numbers)
    with torch.no_grad():
        return [pipe.unet(latents, 500, encoder_hidden_states=prompt, return_dict=False)[0] for _ in range(times)]


def request(**changes):
    return Request(settings(**changes), (Arm("Baseline"), Arm("ToMe", (ToMe(),))))


def test_it_is_registered_and_read():
    assert REGISTRY["ToMe"] is ToMe
    assert parse("tome(ratio=0.4, max_downsample=2, merge_mlp=True)") == ToMe(0.4, 2, merge_mlp=True)


@pytest.mark.parametrize("family", UNETS)
@pytest.mark.parametrize("rand", [True, False])
def test_T13_its_pictures_are_those_of_the_readme(family, rand):
    """As tomesd's README says: apply_patch(pipe, ratio=0.5); its global generator is made ours."""
    import tomesd
    import torch

    pipe = pipeline(family)
    ours = run(family, ToMe(use_rand=rand, seed=7), items=[(0, 3), (1, 4)])
    pipe.scheduler = scheduler(family, "DDIM")
    torch.manual_seed(7)
    with guarded(pipe.unet):  # remove_patch leaves its _tome_info behind
        tomesd.apply_patch(pipe, ratio=0.5, max_downsample=2 if family == "sdxl" else 1, use_rand=rand)
        theirs = pipe(
            prompt=list(PROMPTS[:2]),
            num_inference_steps=3,
            guidance_scale=5.0,
            width=128,
            height=128,
            generator=[torch.Generator().manual_seed(seed) for seed in (3, 4)],
        ).images
    assert np.array_equal(pixels(ours), np.stack([np.asarray(picture) for picture in theirs]))
    assert not np.array_equal(pixels(ours), pixels(run(family, items=[(0, 3), (1, 4)])))


def test_T12_a_call_depends_on_nothing_before_it():
    import torch

    pipe = pipeline("sd1")

    def call(global_seed, **parameters):
        torch.manual_seed(global_seed)
        state = torch.get_rng_state()
        with accelerated(pipe, (ToMe(**parameters),), settings()):
            made = evaluate(pipe)
        assert torch.equal(torch.get_rng_state(), state)
        return made

    first, second = call(1)
    assert not torch.equal(first, second)  # a new pattern in each evaluation: the randomness is real
    for again in (call(1), call(2)):
        assert torch.equal(again[0], first) and torch.equal(again[1], second)
    assert not torch.equal(call(1, seed=1)[0], first)


@pytest.mark.parametrize("family", UNETS)
def test_T14_a_batch_is_its_single_pictures_without_the_random_pattern(family):
    items = [(0, 1), (1, 2), (2, 3), (0, 4)]
    together = pixels(run(family, ToMe(use_rand=False), items=items, steps=2))
    for picture, item in zip(together, items, strict=True):
        alone = pixels(run(family, ToMe(use_rand=False), items=[item], steps=2))[0]
        assert abs(picture - alone).max() <= 2


def test_T14_an_odd_model_batch_has_no_random_pattern_and_the_report_says_so():
    without_guidance = run("sd1", ToMe(), guidance=1.0)
    counts = without_guidance.reports["ToMe"]["counts"]
    assert counts["merges"] > 0 and counts["random patterns"] == 0
    assert np.array_equal(pixels(without_guidance), pixels(run("sd1", ToMe(use_rand=False), guidance=1.0)))
    even = run("sd1", ToMe()).reports["ToMe"]["counts"]
    assert even["random patterns"] == even["merges"] > 0


def test_the_tokens_are_counted():
    """The tiny U-Net has 2 + 3 blocks at full resolution and 2 + 3 at half; 128 pixels are 256 tokens."""
    evaluations, batch, blocks = 3, 2, 5
    full = evaluations * batch * blocks * 256
    counts = run("sd1", ToMe(ratio=0.25)).reports["ToMe"]["counts"]
    assert (counts["tokens merged"], counts["tokens before"], counts["merges"]) == (full // 4, full, evaluations * 5)
    both = run("sd1", ToMe(ratio=0.25, max_downsample=2)).reports["ToMe"]["counts"]
    assert both["tokens before"] == full + full // 4
    everywhere = run("sd1", ToMe(merge_crossattn=True, merge_mlp=True)).reports["ToMe"]["counts"]
    assert everywhere["merges"] == 3 * counts["merges"] == 3 * everywhere["random patterns"]


def test_T15_sdxl_has_no_attention_at_full_resolution():
    assert run("sdxl", ToMe()).reports["ToMe"]["counts"]["merges"] > 0
    _, config = native_config("sdxl")
    assert ToMe().why_not(request(), "sdxl", config) is None
    assert "choose 2 or more" in ToMe(max_downsample=1).why_not(request(), "sdxl", config)
    assert ToMe(max_downsample=1).why_not(request(), "sd1", native_config("sd-1.5")[1]) is None
    assert run("sdxl", ToMe(max_downsample=1)).reports["ToMe"]["counts"]["merges"] == 0  # why it is refused


@pytest.mark.parametrize("bad", ["ratio=0", "ratio=-0.5", "ratio=0.76", "ratio=1.5", "max_downsample=3", "seed=-1"])
def test_T16_what_the_package_clamps_or_ignores_is_refused(bad):
    with pytest.raises(ComparerError, match=bad.split("=")[0]):
        parse(f"ToMe({bad})")


@pytest.mark.parametrize(
    ("width", "height", "limit"),
    [(32, 32, 1), (72, 104, 1), (72, 104, 2), (88, 40, 2), (224, 160, 2), (120, 120, 4), (24, 128, 1), (40, 56, 4)],
)
def test_T16_odd_and_non_square_latents(width, height, limit):
    """Whatever is allowed merges the asked share; whatever is refused could not be laid out."""
    tome, size = ToMe(max_downsample=limit), {"width": width, "height": height}
    config = dict(pipeline("sd1").unet.config)
    if tome.why_not(request(**size), "sd1", config) is None:
        counts = run("sd1", tome, steps=1, **size).reports["ToMe"]["counts"]
        assert 0.4 < counts["tokens merged"] / counts["tokens before"] <= 0.5
    else:
        with pytest.raises((RuntimeError, IndexError)):
            run("sd1", tome, steps=1, **size)


@pytest.mark.parametrize(
    ("size", "limit", "allowed"),
    [((512, 512), 8, True), ((520, 1032), 8, True), ((72, 104), 4, False), ((72, 104), 2, True), ((64, 128), 8, False)],
)
def test_T16_sizes_of_which_the_package_infers_a_wrong_layout_are_refused(size, limit, allowed):
    asked = request(width=size[0], height=size[1])
    reason = ToMe(max_downsample=limit).why_not(asked, "sd1", native_config("sd-1.5")[1])
    assert (reason is None) == allowed and (allowed or f"{size[0]}×{size[1]}" in reason)


@contextmanager
def untouched(pipe):
    """Assert that the U-Net's modules have the same classes, attributes and hooks afterwards."""

    def state():
        return {
            name: (type(part), dict(part.__dict__), len(part._forward_pre_hooks))
            for name, part in pipe.unet.named_modules()
        }

    before = state()
    yield
    assert state() == before


@pytest.mark.parametrize("family", UNETS)
def test_T17_undone_without_a_trace_by_itself(family):
    """Without the guard, which ``test_guard`` and ``test_invariants`` try with errors and Stops at every step."""
    import torch

    pipe = pipeline(family)
    with untouched(pipe), torch.no_grad(), ToMe().apply(pipe, settings()):
        assert pipe.unet._tome_info


@pytest.mark.parametrize("how", ["AttnProcessor", "sliced", "fused"])
def test_T17_other_attention_processors_give_the_same_picture(how):
    """They compute the same in another order, and are in place again afterwards."""
    from diffusers.models.attention_processor import AttnProcessor

    unet = pipeline("sd1").unet
    usual = pixels(run("sd1", ToMe()))
    own = unet.attn_processors
    with guarded(unet):
        if how == "AttnProcessor":
            unet.set_attn_processor(AttnProcessor())
        elif how == "sliced":
            unet.set_attention_slice("max")
        else:
            unet.fuse_qkv_projections()
        chosen = unet.attn_processors
        assert chosen != own
        made = pixels(run("sd1", ToMe()))
        assert unet.attn_processors == chosen
        assert abs(made - usual).max() <= 2
    assert np.array_equal(pixels(run("sd1", ToMe())), usual)


def test_T17_applied_inside_itself_it_is_undone_all_the_same():
    pipe, baseline, once = pipeline("sd1"), pixels(run("sd1")), pixels(run("sd1", ToMe()))
    with untouched(pipe), accelerated(pipe, (ToMe(),), settings()):
        assert np.array_equal(pixels(run("sd1", ToMe())), once)
    assert np.array_equal(pixels(run("sd1")), baseline)


@pytest.mark.parametrize("family", UNETS)
def test_T18_the_packages_copy_of_the_block_is_todays(family):
    """With a ratio of less than a token nothing is merged, and its block must compute what diffusers' does."""
    size = {"width": 64, "height": 64, "items": [(0, 0), (1, 1)], "negative_prompt": "blurry"}
    made = run(family, ToMe(ratio=0.01), **size)
    assert made.reports["ToMe"]["counts"]["merges"] == 0
    assert np.array_equal(pixels(made), pixels(run(family, **size)))


def test_T18_gligen_and_other_families_are_refused():
    config = native_config("sd-1.5")[1]
    assert "GLIGEN" in ToMe().why_not(request(), "sd1", config | {"attention_type": "gated"})
    assert "U-Net" in ToMe().why_not(request(), "pixart-alpha", native_config("pixart-alpha-512")[1])


def test_a_ratio_of_less_than_a_token_had_no_effect_and_says_so():
    made = run("sd1", ToMe(ratio=0.01), width=64, height=64)
    assert np.array_equal(pixels(made), pixels(run("sd1", width=64, height=64)))
    report = Report(**made.reports["ToMe"])
    assert "ratio 0.01" in ToMe(ratio=0.01).no_effect(report) and "larger size" in ToMe(0.01).no_effect(report)
    assert "max_downsample 1 " in ToMe(max_downsample=1).no_effect(report)
    assert ToMe().no_effect(Report(**run("sd1", ToMe()).reports["ToMe"])) is None
