"""InvokeAI, NovelAI, SwarmUI and Fooocus: their pictures fill a request, and what is not served is named."""

import json

import pytest

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.restore import restore
from helpers.foreign_pictures import png, with_comment

INVOKE = {
    "app_version": "5.6.0", "generation_mode": "txt2img", "positive_prompt": "a cat", "negative_prompt": "blurry",
    "width": 64, "height": 96, "seed": 77, "rand_device": "cpu", "cfg_scale": 6.5, "cfg_rescale_multiplier": 0.0,
    "steps": 12, "scheduler": "dpmpp_2m_k", "clip_skip": 0,
    "model": {"key": "1", "hash": "blake3:1", "name": "demo", "base": "sd-1", "type": "main"},
}  # fmt: skip
INVOKE_2 = {
    "model": "stable diffusion", "model_weights": "demo", "app_version": "2.3.0",
    "image": {"prompt": [{"prompt": "a cat [blurry]", "weight": 1.0}], "steps": 12, "cfg_scale": 6.5, "type": "txt2img",
              "sampler": "k_dpmpp_2m_karras", "seed": 77, "width": 64, "height": 96},
}  # fmt: skip
NOVEL = {
    "prompt": "a cat", "steps": 12, "height": 96, "width": 64, "scale": 6.5, "uncond_scale": 1.0, "cfg_rescale": 0.0,
    "seed": 77, "n_samples": 1, "noise_schedule": "karras", "sampler": "k_dpmpp_2m", "uc": "blurry", "sm": False,
    "request_type": "PromptGenerateRequest", "signed_hash": "x" * 80,
}  # fmt: skip
SWARM = {"sui_image_params": {
    "prompt": "a cat", "negativeprompt": "blurry", "model": "demo", "seed": 77, "steps": 12, "cfgscale": 6.5,
    "aspectratio": "Custom", "width": 64, "height": 96, "sampler": "dpmpp_2m", "scheduler": "karras",
    "swarm_version": "0.9.4.0",
}, "sui_extra_data": {"date": "2025-01-01"}}  # fmt: skip
FOOOCUS = {
    "base_model": "demo", "base_model_hash": "aeb7e9e689", "full_prompt": ["a cat"], "full_negative_prompt": ["blurry"],
    "guidance_scale": 6.5, "loras": [], "metadata_scheme": "fooocus", "negative_prompt": "blurry", "prompt": "a cat",
    "resolution": "(64, 96)", "sampler": "dpmpp_2m", "scheduler": "karras", "seed": "77", "steps": 12, "styles": "[]",
    "vae": "Default (model)", "version": "Fooocus v2.5.5",
}  # fmt: skip
LOG = {
    "Prompt": "a cat", "Negative Prompt": "blurry", "Resolution": "(64, 96)", "Guidance Scale": 6.5,
    "Base Model": "demo", "Sampler": "dpmpp_2m", "Scheduler": "karras", "Seed": "77", "Steps": 12,
    "Version": "Fooocus v2.3",
}  # fmt: skip
DREAM = '"a cat [blurry]" -s 12 -S 77 -W 64 -H 96 -C 6.5 -A k_dpmpp_2m_karras'


def novel(data):
    return {"Title": "NovelAI generated image", "Description": "a cat", "Software": "NovelAI", "Source": "demo",
            "Comment": json.dumps(data)}  # fmt: skip


FILES = {
    "InvokeAI 5": ("InvokeAI", {"invokeai_metadata": json.dumps(INVOKE), "invokeai_graph": "{}"}),
    "InvokeAI 2": ("InvokeAI", {"sd__metadata": json.dumps(INVOKE_2)}),
    "InvokeAI 1": ("InvokeAI", {"Dream": DREAM}),
    "NovelAI": ("NovelAI", novel(NOVEL)),
    "NovelAI with fractions": ("NovelAI", novel(NOVEL | {"seed": 77.0, "steps": 12.0})),
    "SwarmUI": ("SwarmUI", {"parameters": json.dumps(SWARM)}),
    "Fooocus": ("Fooocus", {"parameters": json.dumps(FOOOCUS), "fooocus_scheme": "fooocus"}),
    "Fooocus before": ("Fooocus", {"Comment": json.dumps(LOG)}),
}


@pytest.mark.parametrize("name", FILES)
def test_a_picture_fills_a_request(tmp_path, name):
    program, texts = FILES[name]
    found = restore(png(tmp_path / "x.png", **texts), Config(runs=tmp_path))
    settings = found.request.settings
    assert (found.program, settings.prompts, settings.negative_prompt) == (program, ("a cat",), "blurry")
    assert (settings.sampler, settings.steps, settings.guidance) == ("DPM++ 2M Karras", 12, 6.5)
    assert (settings.seeds, settings.width, settings.height, settings.checkpoint) == ((77,), 64, 96, "demo")
    unnamed = "It names no model that is here: the demo is used instead."
    assert found.missing == ((unnamed,) if name == "InvokeAI 1" else ()) and found.notes == ()


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"invokeai_metadata": json.dumps(INVOKE | {
            "controlnets": [{}], "generation_mode": "img2img", "strength": 0.5})},
         ["controlnets present", "Generation mode img2img", "strength 0.5"]),
        ({"invokeai_metadata": json.dumps(INVOKE | {"loras": [{"model": {"name": "ink"}, "weight": 0.5}],
                                                    "model": {"model_name": "dreams"}})},
         ["There is no LoRA 'ink' here.", "There is no checkpoint 'dreams' here."]),
        (novel(NOVEL | {"strength": 0.7, "v4_prompt": {"caption": {"char_captions": [{"char_caption": "x"}]}}}),
         ["strength 0.7", "Prompts of single characters are not read."]),
        ({"parameters": json.dumps({"sui_image_params": SWARM["sui_image_params"] | {
            "loras": ["ink", "oil"], "loraweights": ["0.5"], "refinerupscale": 2.0}})},
         ["There is no LoRA 'ink' here.", "There is no LoRA 'oil' here.", "refinerupscale 2"]),
        ({"parameters": json.dumps(FOOOCUS | {"loras": [["ink.safetensors", 0.1, "ab"]], "performance": "Speed",
                                              "styles": "['Fooocus V2']", "refiner_model": "r.safetensors"})},
         ["no LoRA 'ink.safetensors'", "performance Speed", "Fooocus V2", "refiner_model r.safetensors"]),
        ({"Comment": json.dumps(LOG | {"LoRA 1": "ink.safetensors : 0.25"})}, ["no LoRA 'ink.safetensors'"]),
    ],
)  # fmt: skip
def test_what_has_no_equivalent_is_named(tmp_path, texts, told):
    missing = " ".join(restore(png(tmp_path / "x.png", **texts), Config(runs=tmp_path)).missing)
    assert [each for each in told if each not in missing] == []


def test_a_value_that_is_absent_or_odd_is_not_a_default_without_a_word(tmp_path):
    data = {key: value for key, value in NOVEL.items() if key not in ("seed", "width", "sampler")} | {"steps": [12]}
    found = restore(png(tmp_path / "x.png", **novel(data)), Config(runs=tmp_path))
    assert found.notes == (
        "These are defaults, because the file does not give them in a readable form: steps 25, sampler DDIM, seed 0, "
        "size 128x128.",
    )
    found = restore(
        png(tmp_path / "y.png", **novel(NOVEL | {"sampler": "k_dpm_fast", "seed": 2**40})), Config(runs=tmp_path)
    )
    assert "The sampler k_dpm_fast Karras is not supported" in found.missing[1]
    assert found.missing[0].startswith("Seed 1099511627776 is out of range")
    assert found.notes[0].endswith("a readable form: sampler DDIM, seed 0.")


def test_a_noise_schedule_that_is_not_here_is_named_and_the_sampler_is_taken(tmp_path):
    odd = novel(NOVEL | {"sampler": "k_euler_ancestral"})
    found = restore(png(tmp_path / "x.png", **odd), Config(runs=tmp_path))
    assert found.request.settings.sampler == "Euler a"
    assert found.missing == ("Comparer has no control for Noise schedule karras.",)


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        ({"invokeai_metadata": "{}"}, "was made by InvokeAI, but its metadata has no prompt."),
        ({"sd__metadata": '{"image": 5}'}, "was made by InvokeAI, but its metadata has no image."),
        ({"Software": "NovelAI", "Comment": "[]"}, "was made by NovelAI, but its metadata has no prompt."),
        ({"parameters": '{"sui_image_params": {"prompt": [1]}}'}, "was made by SwarmUI, but its prompt is empty."),
        ({"parameters": '{"prompt": {}, "version": "Fooocus v2"}'}, "was made by Fooocus, but its prompt is empty."),
        ({"parameters": '{"inference": 1, "x": 2}'}, "its parameters 'JSON with inference, x' is not from"),
        ({"prompt": "a cat", "Software": "Else"}, "because its prompt and Software cannot be read: choose a picture"),
        ({"parameters": "{" * 50_000}, "is not from a supported program"),
    ],
)  # fmt: skip
def test_what_is_not_read_is_named_and_nothing_is_invented(tmp_path, texts, told):
    with pytest.raises(ComparerError) as refused:
        restore(png(tmp_path / "x.png", **texts), Config(runs=tmp_path))
    assert told in str(refused.value) and len(str(refused.value)) < 340


def test_their_json_is_read_from_other_containers_and_files(tmp_path):
    for suffix in ("jpg", "webp"):
        comment = b"UNICODE\0" + json.dumps(SWARM).encode("utf-16-be")
        assert restore(with_comment(tmp_path / f"s.{suffix}", comment), Config(runs=tmp_path)).program == "SwarmUI"
        comment = json.dumps(FOOOCUS).encode()
        found = restore(with_comment(tmp_path / f"f.{suffix}", comment, software="Fooocus v2.5"), Config(runs=tmp_path))
        assert found.program == "Fooocus" and found.request.settings.seeds == (77,)
    for program, data in (("SwarmUI", SWARM), ("Fooocus", LOG), ("InvokeAI", INVOKE)):
        (tmp_path / "x.json").write_text(json.dumps(data))
        assert restore(tmp_path / "x.json", Config(runs=tmp_path)).program == program
