"""Images whose numbers are NaN or infinite: found after the clock has stopped, for each image of a batch."""

import json
from dataclasses import replace
from shutil import copytree

import pytest
import torch
from diffusers import AutoencoderTiny
from PIL import Image
from safetensors.torch import load_file, save_file

from comparer.cli import main
from comparer.engine import finite
from comparer.engine.clock import Clock
from comparer.engine.compare import compare
from comparer.engine.finite import KeptTensors, kept_tensors, single_colour
from comparer.engine.generate import generate
from comparer.request.extend import extended
from comparer.runs import store
from helpers import small
from helpers.runs import finish
from helpers.tiny_pipelines import ask, loaded

NAN, INFINITY = float("nan"), float("inf")


def images(*values):
    """Return a batch of small images, each with one of these values in it."""
    made = torch.zeros(len(values), 3, 4, 4)
    made[:, 1, 2, 3] = torch.tensor(values)
    return made


@pytest.mark.parametrize("spoilt", [NAN, INFINITY, -INFINITY])
def test_only_the_image_with_the_value_is_found(spoilt):
    whole = KeptTensors([images(0, 1, 2)], [images(0, spoilt, 0)])
    assert whole.not_finite(3) == ("", "decoded", "")
    tiled = KeptTensors([images(0, 1)] * 2, [images(0, 0), images(spoilt, 0)])
    assert tiled.not_finite(2) == ("decoded", "")
    sliced = KeptTensors([images(0), images(0)], [images(0), images(spoilt)])
    assert sliced.not_finite(2) == ("", "decoded")
    both = KeptTensors([images(spoilt, 1)], [images(spoilt, spoilt)])
    assert both.not_finite(2) == ("latents", "decoded")


def test_an_infinity_that_the_decoder_limits_is_in_the_latents():
    vae = AutoencoderTiny(encoder_block_out_channels=(8, 8), decoder_block_out_channels=(8, 8), latent_channels=4,
                          num_encoder_blocks=(1, 1), num_decoder_blocks=(1, 1)).eval()  # fmt: skip
    latents = torch.zeros(2, 4, 8, 8)
    latents[1, 0, 0, 0] = INFINITY
    with torch.no_grad(), kept_tensors(vae) as kept:
        assert vae.decode(latents).sample.isfinite().all()
    assert kept.not_finite(2) == ("", "latents")
    assert not vae.decoder._forward_hooks and not vae.decoder._forward_pre_hooks


@pytest.mark.parametrize("family", ["sd1", "sdxl", "pixart-sigma"])
def test_it_is_looked_for_when_the_clock_has_stopped(family, monkeypatch):
    order = []
    stop, look = Clock.stop, finite._spoilt
    monkeypatch.setattr(Clock, "stop", lambda self: (stop(self), order.append("stopped"))[0])
    monkeypatch.setattr(finite, "_spoilt", lambda *given: (order.append("looked"), look(*given))[1])
    output = generate(loaded(family), ask(steps=2), [(0, 1), (0, 2)])
    assert order == ["stopped", "looked", "looked"] and output.not_finite == ("", "")
    assert not loaded(family).pipe.vae.decoder._forward_hooks


def test_one_colour_is_told():
    assert single_colour(Image.new("RGB", (4, 4), (1, 2, 255))) == "#0102ff"
    two = Image.new("RGB", (4, 4))
    two.putpixel((3, 3), (0, 0, 1))
    assert single_colour(two) == ""


@pytest.fixture
def one_word(checkpoints, tmp_path):
    """A checkpoint whose text encoder holds NaN for one word, "star": of other prompts it makes numbers."""
    home = copytree(checkpoints, tmp_path / "m") / "small"
    words = json.loads((home / "tokenizer" / "vocab.json").read_text())
    file = home / "text_encoder" / "model.safetensors"
    content = load_file(file)
    name = next(name for name in content if name.endswith("token_embedding.weight"))
    content[name][words["star</w>"]] = NAN
    save_file(content, file, {"format": "pt"})
    return small.installed(home.parent, tmp_path / "runs")


PROMPTS = ("a large red star on a blue background", "a small green circle on a white background")


def test_a_run_voids_one_image_of_a_batch_and_stays_so_when_resumed(one_word):
    request = small.ask("DeepCache(interval=2)", prompts=PROMPTS, batch_size=2, steps=3)
    done = finish(request, one_word)
    found = {(shot.arm, shot.prompt): shot for shot in done.comparison.shots}
    assert {key: shot.not_finite for key, shot in found.items()} == {
        (0, 0): "latents", (1, 0): "latents", (0, 1): "", (1, 1): ""
    }  # fmt: skip
    assert found[0, 0].clip_score is None and found[1, 0].similarity is None
    assert found[0, 1].clip_score is not None and found[1, 1].similarity is not None
    assert found[0, 0].single_colour == "#000000"
    record = json.loads((done.folder / "run.json").read_text(), parse_constant=pytest.fail)
    assert record["verdicts"]["1"]["headline"] == "Not comparable" and record["figures"][1]["speed_up"] is None
    (*_, more) = compare(extended(store.load(done.folder).request, 1), one_word, into=done.folder)
    again = more.comparison
    assert [shot.not_finite for shot in again.shots if shot.prompt == 0] == ["latents"] * 4
    assert again.has_void and len(again.pairs(1)) == 2 and len(again.pairs(1, void=True)) == 4


def test_the_noise_floor_leaves_void_images_out(one_word):
    request = replace(small.ask(prompts=PROMPTS, steps=2), extras=("noise-floor",))
    done = finish(request, one_word).comparison
    assert {shot.prompt: len(shot.again) for shot in done.shots} == {0: 0, 1: 1}


@pytest.mark.parametrize("command", ["compare", "evaluate"])
def test_a_vae_that_overflows_ends_with_exit_code_3_and_what_helps(command, checkpoints, tmp_path, capsys):
    home = copytree(checkpoints, tmp_path / "m") / "small"
    file = home / "vae" / "diffusion_pytorch_model.safetensors"
    content = {name: value.float() for name, value in load_file(file).items()}
    for name in ("decoder.conv_in.weight", "decoder.mid_block.resnets.0.conv1.weight"):
        content[name] = content[name] * 3e4
    save_file(content, file, {"format": "pt"})
    rest = ["--steps", "2", "--size", "64", "--warmups", "0", "--quiet", "--hub", "no", "--checkpoints"]
    rest += [str(home.parent), "--runs", str(tmp_path / "runs"), "--accelerator", "DeepCache"]
    text = ["a red star"] if command == "compare" else ["--prompts", str(tmp_path / "prompts.txt"), "--repeats", "1"]
    (tmp_path / "prompts.txt").write_text("a red star\n")
    for dtype, code in (("float16", 3), ("float32", 0)):
        rest[rest.index("--quiet") : rest.index("--quiet")] = ["--checkpoint", f"m/small; dtype={dtype}"]
        assert main.main([command, *text, *rest]) == code
        said = capsys.readouterr().out
        assert ("Not comparable: 1 of 1 pictures are not numbers" in said) == (code == 3)
        assert ("try dtype=bfloat16 or dtype=float32" in said) == (code == 3)
        assert code == 0 or not any(text in said for text in ("the same pictures", "No effect", "SSIM 1"))
