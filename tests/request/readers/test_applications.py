"""Draw Things and Easy Diffusion: their settings in every container that they write."""

import json

import pytest

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.image_texts import XMP
from comparer.request.restore import restore
from helpers.foreign_pictures import PIXELS, png, with_comment, xmp

DRAW = {
    "c": "a fox & a crow <3", "uc": "blurry", "model": "demo", "sampler": "DPM++ 2M Karras", "scale": 6.5, "seed": 77,
    "size": "64x96", "steps": 12, "strength": 1, "seed_mode": "Scale Alike", "lora": [], "v2": {"width": 64},
}  # fmt: skip
EASY = {
    "prompt": "a fox & a crow <3", "negative_prompt": "blurry", "seed": 77, "width": 64, "height": 96,
    "use_stable_diffusion_model": "C:\\models\\demo.safetensors", "clip_skip": False, "use_vae_model": None,
    "sampler_name": "dpmpp_2m_sde", "num_inference_steps": 12, "guidance_scale": 6.5, "use_face_correction": None,
}  # fmt: skip
LINES = """Prompt: a fox &
a crow <3
Negative Prompt: blurry
Seed: 77
Stable Diffusion model: demo
Sampler: euler_a
Width: 64
Height: 96
Steps: 12
Guidance Scale: 6.5
Use Upscaling: RealESRGAN_x4plus
"""


def drawn(path, data=DRAW):
    """Write Draw Things' settings as XMP into a picture."""
    comment = xmp(json.dumps(data))
    if path.suffix == ".png":
        return png(path, **{XMP: comment.decode()})
    PIXELS.save(path, xmp=comment)
    return path


def easy(path, data=EASY):
    """Write Easy Diffusion's settings as it embeds them."""
    if path.suffix == ".png":
        return png(path, **{name: str(value) for name, value in data.items()})
    return with_comment(path, b"UNICODE\0" + json.dumps(data).encode("utf-16-be"))


@pytest.mark.parametrize("suffix", ["png", "jpg", "webp"])
@pytest.mark.parametrize(("write", "program"), [(drawn, "Draw Things"), (easy, "Easy Diffusion")])
def test_a_picture_fills_a_request(tmp_path, write, program, suffix):
    found = restore(write(tmp_path / f"x.{suffix}"), Config(runs=tmp_path))
    settings = found.request.settings
    assert (found.program, settings.prompts, settings.negative_prompt) == (program, ("a fox & a crow <3",), "blurry")
    assert (settings.steps, settings.guidance, settings.seeds) == (12, 6.5, (77,))
    assert (settings.width, settings.height, settings.checkpoint) == (64, 96, "demo")
    if program == "Draw Things":
        assert settings.sampler == "DPM++ 2M Karras" and found.missing == found.notes == ()
    else:  # without Karras it is not here
        assert "The sampler DPM++ 2M SDE is not supported" in found.missing[0]
        assert found.notes[0].startswith("These are defaults") and found.notes[0].endswith(": sampler DDIM.")


def test_easy_diffusions_files_are_read(tmp_path):
    (tmp_path / "x.txt").write_text(LINES)
    (tmp_path / "x.json").write_text(json.dumps(EASY))
    found = restore(tmp_path / "x.txt", Config(runs=tmp_path))
    settings = found.request.settings
    assert (found.program, settings.prompts, settings.sampler) == ("Easy Diffusion", ("a fox & a crow <3",), "Euler a")
    assert (settings.steps, settings.seeds, settings.width, settings.height) == (12, (77,), 64, 96)
    assert found.missing == ("Comparer has no control for use_upscale RealESRGAN_x4plus.",)
    assert restore(tmp_path / "x.json", Config(runs=tmp_path)).program == "Easy Diffusion"


@pytest.mark.parametrize(
    ("write", "more", "told"),
    [
        (drawn, {"strength": 0.7, "lora": [{"model": "ink.ckpt", "weight": 0.5}]},
         ["There is no LoRA 'ink.ckpt' here.", "strength 0.7"]),
        (easy, {"use_lora_model": ["ink", "oil"], "lora_alpha": [0.5, 0.1], "tiling": "x", "clip_skip": True},
         ["There is no LoRA 'ink' here.", "There is no LoRA 'oil' here.", "tiling x", "clip_skip"]),
    ],
)  # fmt: skip
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_what_has_no_equivalent_is_named(tmp_path, write, more, told, suffix):
    data = (DRAW if write is drawn else EASY) | more
    missing = " ".join(restore(write(tmp_path / f"x.{suffix}", data), Config(runs=tmp_path)).missing)
    assert [each for each in told if each not in missing] == []


@pytest.mark.parametrize(("write", "empty"), [(drawn, {"c": ""}), (easy, {"prompt": ""})])
def test_an_empty_prompt_is_named(tmp_path, write, empty):
    data = (DRAW if write is drawn else EASY) | empty
    with pytest.raises(ComparerError, match="'x.jpg' was made by .*, but its prompt is empty"):
        restore(write(tmp_path / "x.jpg", data), Config(runs=tmp_path))
