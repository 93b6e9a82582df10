"""Multiply-accumulates: what a real run does, and the published architectures' known figures."""

import sys
import time

import pytest

from comparer.accelerators.registry import parse
from comparer.accelerators.tome import ToMe
from comparer.engine.generate import generate
from comparer.engine.macs import macs, ratio
from comparer.models.catalog import CATALOG
from comparer.models.tiny import native_config
from comparer.request.request import Settings
from helpers.tiny_pipelines import loaded


def settings(size, steps=50, sampler="DDIM", guidance=7.5, height=None):
    return Settings(("x",), width=size, height=height or size, steps=steps, sampler=sampler, guidance=guidance)


def native(name, accelerator=None, steps=50, size=None):
    """Return 10¹² multiply-accumulates an evaluation, or an accelerator's ratio, of a published model."""
    model = CATALOG[name]
    given = (*native_config(name), settings(size or model.size, steps))
    if accelerator:
        return ratio(*given, (parse(accelerator),), model.family)
    return macs(*given, (), model.family) / steps / 1e12


@pytest.mark.parametrize(
    ("name", "size", "expected"),
    [
        ("sd-1.5", 512, 0.803),
        ("sd-1.5", 1024, 4.674),
        ("sd-2.1", 768, 2.149),
        ("sdxl", 1024, 6.761),
        ("pixart-alpha-1024", 1024, 6.510),
        ("pixart-sigma-1024", 1024, 6.634),
    ],
)
def test_an_evaluation_of_the_published_models(name, size, expected):
    assert native(name, size=size) == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize(
    ("name", "accelerator", "expected"),
    [
        ("sd-1.5", "DeepCache(interval=2)", 1.85),
        ("sd-1.5", "DeepCache(interval=3)", 2.55),
        ("sd-1.5", "DeepCache(interval=5)", 3.80),
        ("sd-2.1", "DeepCache(interval=3)", 2.49),
    ],
)
def test_DeepCache_on_the_published_models(name, accelerator, expected):
    assert native(name, accelerator) == pytest.approx(expected, abs=0.005)


@pytest.mark.parametrize(
    ("name", "size", "limit", "expected"),
    [
        ("sd-1.5", 512, 1, 1.11),
        ("sd-1.5", 512, 4, 1.15),
        ("sd-1.5", 1024, 1, 1.33),
        ("sd-2.1", 768, 1, 1.21),
        ("sdxl", 1024, 1, 1.00),
        ("sdxl", 1024, 2, 1.05),
    ],
)
def test_T19_ToMe_gives_little_at_512_and_nothing_to_sdxl_at_its_package_s_default(name, size, limit, expected):
    assert native(name, f"ToMe(max_downsample={limit})", steps=2, size=size) == pytest.approx(expected, rel=0.005)


def test_its_own_default_is_the_finest_attention():
    assert native("sdxl", "ToMe", steps=2) == native("sdxl", "ToMe(max_downsample=2)", steps=2) > 1.05


@pytest.mark.parametrize(
    ("family", "sampler", "guidance", "accelerators"),
    [
        ("sd1", "PNDM", 7.5, ("DeepCache(interval=3, branch=1)", "ToMe(max_downsample=2)")),
        ("sd2", "Euler", 1.0, ("ToMe(merge_mlp=True)",)),
        ("sdxl", "DDIM", 5.0, ("ToMe(ratio=0.7)",)),
        ("sdxl", "DPM++ 2M", 0.0, ()),
    ],
)
def test_it_counts_what_a_real_call_does(family, sampler, guidance, accelerators):
    """The pipeline's own call on real tensors, its denoiser watched by torch's FlopCounterMode."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    ready = loaded(family)
    unet = ready.pipe.unet
    stack = tuple(map(parse, accelerators))
    asked = settings(96, 4, sampler, guidance, height=136)
    counter = FlopCounterMode(display=False)
    total = 0

    def begin(*_):
        counter.__enter__()

    def end(*_):
        nonlocal total
        counter.__exit__(None, None, None)
        total += counter.get_total_flops()

    handles = [unet.register_forward_pre_hook(begin), unet.register_forward_hook(end)]
    with sdpa_kernel(SDPBackend.MATH):  # torch has no formula for the CPU's fused attention
        generate(ready, asked, [(0, 0)], stack)
    for handle in handles:
        handle.remove()
    counted = macs("UNet2DConditionModel", dict(unet.config), asked, stack, family)
    assert counted == total // 2 > 0


def test_guidance_evaluates_twice_and_prompts_and_seeds_do_not_count():
    given = native_config("sd-1.5")
    twice, once = (macs(*given, settings(512, 10, guidance=g), (), "sd1") for g in (1.1, 1.0))
    assert twice == 2 * once
    many = Settings(("a", "b"), width=512, height=512, steps=10, seeds=(1, 2, 3), batch_size=3, guidance=1.0)
    assert macs(*given, many, (), "sd1") == once


def test_a_configuration_read_from_a_file_is_as_good():
    import json

    kind, config = native_config("pixart-alpha-512")
    read = json.loads(json.dumps(config | {"_class_name": kind, "_diffusers_version": "0.42.1"}))
    asked = settings(512, 3)
    assert macs(kind, read, asked, (), "pixart-alpha") == macs(kind, config, asked, (), "pixart-alpha")


@pytest.mark.full
def test_it_is_quick_enough_for_the_page():
    """A real SD 1.5 with 25 steps: CPU seconds, so that a busy machine does not matter."""
    start = time.process_time()
    ratio(*native_config("sd-1.5"), settings(512, 25), (ToMe(max_downsample=8, seed=99),), "sd1")
    assert time.process_time() - start < 5


def test_the_module_imports_without_torch():
    import subprocess

    script = "import sys, comparer.engine.macs, comparer.accelerators.tome; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


@pytest.mark.parametrize(("width", "height"), [(64, 64), (96, 256)])
def test_pixart_is_counted_at_the_size_it_is_made_in(width, height):
    """It makes every picture in one of the shapes that it was trained on, and resizes it."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    asked, one = settings(width, steps=2, height=height, guidance=4.5), loaded("pixart-sigma")
    pipe = one.pipe
    with FlopCounterMode(pipe.transformer, display=False) as real, sdpa_kernel(SDPBackend.MATH):
        generate(one, asked, [(0, 1)])
    counted = macs("PixArtTransformer2DModel", dict(pipe.transformer.config), asked, (), "pixart-sigma")
    total = sum(real.get_flop_counts()["PixArtTransformer2DModel"].values())
    assert counted == total // 2


def test_counting_ends_when_it_is_told_to():
    from comparer.errors import Stopped

    asked = iter(range(10**9))
    with pytest.raises(Stopped):
        macs(*native_config("sdxl"), settings(1000, 37), (parse("ToMe"),), "sdxl", lambda: next(asked) > 100)
    assert next(asked) < 200


def test_a_distilled_unet_is_evaluated_once_whatever_the_guidance():
    kind, config = native_config("sd-1.5")
    plain, distilled = (
        macs(kind, config | more, settings(512, 4), (), "sd1") for more in ({}, {"time_cond_proj_dim": 256})
    )
    assert distilled == pytest.approx(plain / 2, rel=0.001)
