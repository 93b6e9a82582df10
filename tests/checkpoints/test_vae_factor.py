"""A VAE that reduces images 16 times: sizes are multiples of 16, counts fit, and a VAE of another factor is refused."""

from dataclasses import replace

import pytest
from PIL import Image

from comparer.accelerators.registry import parse
from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.engine import macs
from comparer.errors import ComparerError
from comparer.request.validate import validate
from helpers.runs import ask, finish
from helpers.small import NAME, save_small

FIVE = {"block_out_channels": (8, 8, 8, 8, 16), "norm_num_groups": 4, "layers_per_block": 1}


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Return an installation with a checkpoint of factor 16, and a VAE of factor 8 beside it."""
    import diffusers

    folder = tmp_path_factory.mktemp("checkpoints")
    checkpoints = save_small(folder)
    home = folder / NAME
    (home / "vae").rename(checkpoints / "vae")
    blocks = {
        f"{way}_block_types": [f"{name}Block2D"] * 5 for way, name in (("down", "DownEncoder"), ("up", "UpDecoder"))
    }
    diffusers.AutoencoderKL(**FIVE, **blocks, sample_size=256).half().save_pretrained(home / "vae")
    return Config(checkpoints=(checkpoints,), runs=tmp_path_factory.mktemp("runs"))


def test_sizes_are_multiples_of_its_factor(config):
    checkpoint = resolve(NAME, config)
    assert checkpoint.model.factor == 16
    asked = ask(checkpoint=NAME, width=136, height=128)
    with pytest.raises(ComparerError, match=f"Size 136 is not a multiple of 16, as {NAME} needs: try 128."):
        validate(asked, config)
    done = finish(ask("ToMe", checkpoint=NAME, width=80, height=112, steps=1), config)
    (shot, _) = done.comparison.shots
    assert Image.open(done.folder / shot.file).size == (80, 112)


def test_evaluations_are_counted_for_its_latents(config):
    """They are those of factor 8 at half the size."""
    (checkpoint,) = validate(ask(checkpoint=NAME, width=128, height=128), config)
    of_eight = replace(checkpoint, model=replace(checkpoint.model, factor=8))
    large, small = (ask(checkpoint=NAME, width=side, height=side) for side in (128, 64))
    assert macs.count((checkpoint,), large) == macs.count((of_eight,), small)


def test_tome_lays_out_the_tokens_of_its_latents(config):
    """128 × 64 pixels are 8 × 4 latents, of which two levels down one row is left."""
    found = {}
    denoiser = resolve("demo", config).denoiser
    for factor in (8, 16):
        found[factor] = parse("ToMe(max_downsample=4)").why_not(ask(width=128, height=64), "sd1", denoiser, factor)
    assert found[8] is None and "128×64 at 1/4" in found[16]


def test_a_vae_of_another_factor_is_refused(config):
    with pytest.raises(ComparerError, match="The VAE 'vae' reduces images 8 times, but that of m/small 16 times"):
        validate(ask(checkpoint=NAME, vae="m/vae"), config)
