"""DeepCache: the package's pictures bit for bit where it is right, the right schedule where it is not."""

import copy

import numpy as np
import pytest

from comparer.accelerators.deepcache import DeepCache, branches
from comparer.accelerators.guard import guarded
from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.models import samplers
from comparer.pipelines import loader
from helpers import tiny_pipelines as tiny
from helpers.runs import PROMPT, ask, finish, pixels


@pytest.fixture(scope="module")
def loaded():
    return loader.load(resolve("demo", Config()), Config(device="cpu"))


@pytest.mark.parametrize(
    ("sampler", "interval", "branch"),
    [
        pytest.param(sampler, *given, marks=() if (given == (2, 3)) == (sampler == "Euler") else pytest.mark.full)
        for sampler in ("DDIM", "Euler", "DPM++ 2M")
        for given in ((3, 0), (2, 3))
    ],
)
def test_its_pictures_are_those_of_the_readme(config, loaded, sampler, interval, branch):
    """As DeepCache's README says: helper.set_params, helper.enable, pipe(...)."""
    import torch
    from DeepCache import DeepCacheSDHelper

    ours = pixels(finish(ask(f"DeepCache(interval={interval}, branch={branch})", sampler=sampler, steps=7), config))
    pipe = copy.deepcopy(loaded.pipe)
    pipe.scheduler = samplers.scheduler(sampler, loaded.scheduler_config)
    helper = DeepCacheSDHelper(pipe=pipe)
    helper.set_params(cache_interval=interval, cache_branch_id=branch)
    helper.enable()
    made = pipe(
        PROMPT,
        num_inference_steps=7,
        guidance_scale=4.0,
        height=128,
        width=128,
        generator=[torch.Generator("cpu").manual_seed(0)],
    )
    assert np.array_equal(np.asarray(made.images[0]), ours[1, 0, 0])


@pytest.mark.parametrize(
    ("sampler", "schedule"),
    [
        ("DDIM", "F..F..F"),
        ("PNDM", "F..F..F."),  # 8 evaluations in 7 steps; the package's own look-up gives another
        ("Euler", "F..F..F"),
        ("Euler a", "F..F..F"),
        ("DPM++ 2M", "F..F..F"),
        ("DPM++ 2M Karras", "F..F..F"),
    ],
)
def test_the_schedule_is_counted(sampler, schedule):
    """Of a full and of a short batch: each begins anew."""
    for prompts in (tiny.PROMPTS[:2], tiny.PROMPTS[:1]):
        reports = {}
        tiny.run("sd1", "DeepCache(interval=3)", tiny.ask(sampler=sampler, steps=7, prompts=prompts), reports)
        assert reports["DeepCache"].schedule == schedule
        assert reports["DeepCache"].counts == {"full": schedule.count("F"), "shallow": schedule.count(".")}


def test_interval_1_is_the_baseline_bit_for_bit(config):
    seen = pixels(finish(ask("DeepCache(interval=1)"), config))
    assert np.array_equal(seen[0, 0, 0], seen[1, 0, 0])


def test_where_it_skipped_nothing_it_says_why():
    def why(interval, steps):
        reports = {}
        tiny.run("sd1", [DeepCache(interval)], tiny.ask(steps=steps), reports)
        return DeepCache(interval).no_effect(reports["DeepCache"])

    assert "interval 1" in why(1, steps=4)
    assert "too few steps" in why(3, steps=1)
    assert why(3, steps=2) is None


@pytest.mark.parametrize(
    ("levels", "layers", "expected"),
    [(4, 2, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]), (3, 1, [0, 1, 3, 4, 6])],
)
def test_branches_are_those_of_the_u_net(levels, layers, expected):
    assert branches({"block_out_channels": [32] * levels, "layers_per_block": layers}) == expected


def test_every_branch_of_the_demo_skips_something(config, loaded):
    """A branch that does not exist would run all blocks and save nothing, silently."""
    arms = [f"DeepCache(interval=4, branch={branch})" for branch in branches(loaded.checkpoint.denoiser)]
    seen = pixels(finish(ask(*arms), config))
    assert all(not np.array_equal(seen[0, 0, 0], seen[arm, 0, 0]) for arm in range(1, len(arms) + 1))


@pytest.mark.parametrize(
    ("denoiser", "family", "words"),
    [({}, "pixart", "needs a U-Net"), ({"mid_block_type": None}, "sd1", "mid block")],
)
def test_why_not(denoiser, family, words):
    assert words in DeepCache().why_not(None, family, denoiser)


def test_the_guard_undoes_what_an_accelerator_forgot(loaded):
    unet = loaded.pipe.unet
    attention = unet.mid_block.attentions[0]
    before = {name: dict(part.__dict__) for name, part in unet.named_modules()}
    kind = attention.__class__
    with pytest.raises(KeyError), guarded(unet):
        attention.forward = lambda *args: None
        attention.__class__ = type("Patched", (kind,), {})
        attention.register_forward_hook(lambda *args: None)
        unet.conv_in.leftover = 1
        unet.mid_block.training = not unet.mid_block.training
        raise KeyError
    assert attention.__class__ is kind and not attention._forward_hooks
    assert {name: dict(part.__dict__) for name, part in unet.named_modules()} == before
