"""ComfyUI's graphs: what stands plainly is read, what does not is named."""

import json

import pytest

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.readers.comfyui import read
from comparer.request.restore import restore
from helpers.foreign_pictures import png, with_comment


def plain(**changes):
    """Return the graph of ComfyUI's first example, with nodes changed or added."""
    graph = {
        "3": {"class_type": "KSampler", "inputs": {
            "seed": 15668, "steps": 12, "cfg": 6.5, "sampler_name": "dpmpp_2m", "scheduler": "karras", "denoise": 1.0,
            "model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "latent_image": ["5", 0]}},
        "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "dreams.safetensors"}},
        "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 64, "height": 96, "batch_size": 1}},
        "6": {"class_type": "CLIPTextEncode", "inputs": {"text": "a cat,\nred", "clip": ["4", 1]}},
        "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "blurry", "clip": ["4", 1]}},
        "8": {"class_type": "VAEDecode", "inputs": {"samples": ["3", 0], "vae": ["4", 2]}},
        "9": {"class_type": "SaveImage", "inputs": {"filename_prefix": "x", "images": ["8", 0]}},
    }  # fmt: skip
    for key, (kind, inputs) in changes.items():
        key = key.strip("_")
        before = graph.get(key, {"inputs": {}})
        graph[key] = {"class_type": kind or before["class_type"], "inputs": before["inputs"] | inputs}
    return graph


def found(graph):
    return read({"prompt": json.dumps(graph), "workflow": '{"nodes": [], "links": []}'})


PAIRS = {"Steps": "12", "CFG scale": "6.5", "Seed": "15668", "Size": "64x96", "Model": "dreams.safetensors",
         "Sampler": "DPM++ 2M", "Schedule type": "karras"}  # fmt: skip


def test_the_plain_graph_is_read_whole():
    made = found(plain())
    assert (made.prompt, made.negative_prompt, made.pairs) == ("a cat, red", "blurry", PAIRS)
    assert made.unread == () and made.loras == ()


@pytest.mark.parametrize("suffix", ["png", "webp"])
def test_a_file_fills_a_request(tmp_path, suffix):
    path, text = tmp_path / f"x.{suffix}", json.dumps(plain(_4=("", {"ckpt_name": "demo"})))
    if suffix == "png":
        png(path, prompt=text, workflow="{}")
    else:
        with_comment(path, b"", make="workflow:{}", model=f"prompt:{text}")
    settings = (restored := restore(path, Config(runs=tmp_path))).request.settings
    assert (settings.prompts, settings.negative_prompt, settings.sampler) == (
        ("a cat, red",),
        "blurry",
        "DPM++ 2M Karras",
    )
    assert (settings.steps, settings.guidance, settings.seeds) == (12, 6.5, (15668,))
    assert (settings.width, settings.height) == (64, 96)
    assert (restored.program, restored.missing, restored.notes) == ("ComfyUI", (), ())


def test_links_are_followed_to_plain_values():
    made = found(plain(
        _3=("", {"seed": ["20", 0], "steps": ["21", 0], "positive": ["22", 0], "model": ["24", 0]}),
        _6=("CLIPTextEncodeSDXL", {"text_g": "a dog", "text_l": "a dog", "text": ["23", 0]}),
        _20=("Seed (rgthree)", {"seed": 4}), _21=("PrimitiveInt", {"value": 8}), _22=("Reroute", {"": ["6", 0]}),
        _23=("PrimitiveStringMultiline", {"value": "a dog"}),
        _24=("LoraLoader", {"lora_name": "b.safetensors", "strength_model": 0.5, "strength_clip": 0.5,
                            "model": ["25", 0]}),
        _25=("LoraLoaderModelOnly", {"lora_name": "a.safetensors", "strength_model": 1, "model": ["4", 0]}),
    ))  # fmt: skip
    assert made.prompt == "a dog" and made.pairs == PAIRS | {"Seed": "4", "Steps": "8"}
    assert made.loras == (("a.safetensors", 1.0), ("b.safetensors", 0.5)) and made.unread == ()


def test_the_sampler_in_parts_of_its_own():
    graph = plain(
        _30=("RandomNoise", {"noise_seed": 5}),
        _31=("CFGGuider", {"model": ["4", 0], "positive": ["6", 0], "negative": ["7", 0], "cfg": 3}),
        _32=("KSamplerSelect", {"sampler_name": "euler"}),
        _33=("BasicScheduler", {"model": ["4", 0], "scheduler": "normal", "steps": 9, "denoise": 1}),
    )  # fmt: skip
    parts = {"noise": ["30", 0], "guider": ["31", 0], "sampler": ["32", 0], "sigmas": ["33", 0]}
    graph["3"] = {"class_type": "SamplerCustomAdvanced", "inputs": {**parts, "latent_image": ["5", 0]}}
    made = found(graph)
    assert (made.prompt, made.negative_prompt) == ("a cat, red", "blurry")
    assert made.pairs == PAIRS | {"Seed": "5", "CFG scale": "3", "Steps": "9", "Sampler": "Euler",
                                  "Schedule type": "normal"}  # fmt: skip
    graph["33"] = {"class_type": "AlignYourStepsScheduler", "inputs": {"model_type": "SD1", "steps": 9}}
    assert found(graph).pairs["Noise schedule"] == "AlignYourStepsScheduler"


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"_3": ("", {"positive": ["40", 0]}), "_40": ("ControlNetApply", {"conditioning": ["6", 0], "strength": 1})},
         "The node ControlNetApply has no equivalent."),
        ({"_3": ("", {"model": ["41", 0]}), "_41": ("FreeU", {"model": ["4", 0], "b1": 1.1})},
         "The node FreeU has no equivalent."),
        ({"_3": ("", {"latent_image": ["42", 0]}), "_42": ("VAEEncode", {"pixels": ["43", 0]}),
          "_43": ("LoadImage", {"image": "x.png"})}, "The picture starts from an image (VAEEncode)"),
        ({"_5": ("", {"batch_size": 4})}, "The picture is one of a batch of 4"),
        ({"_3": ("", {"negative": ["44", 0]}), "_44": ("StringFunction", {"a": "x", "b": "y"})},
         "The graph does not contain the negative prompt"),
        ({"_50": ("KSampler", {"seed": 1, "steps": 5, "positive": ["6", 0], "negative": ["7", 0], "model": ["4", 0],
                               "latent_image": ["51", 0]}), "_51": ("LatentUpscale", {"samples": ["3", 0]})},
         "Only the first of 2 samplers is read"),
    ],
)  # fmt: skip
def test_what_has_no_equivalent_is_named(changes, told):
    made = found(plain(**changes))
    assert made.prompt == "a cat, red" and made.pairs["Steps"] == "12"
    assert any(told in each for each in made.unread)


def test_other_settings_go_by_their_names():
    made = found(plain(
        _3=("KSamplerAdvanced", {"denoise": 0.4, "start_at_step": 2, "end_at_step": 10}),
        _60=("CLIPSetLastLayer", {"stop_at_clip_layer": -2, "clip": ["4", 1]}), _61=("VAELoader", {"vae_name": "v.pt"}),
    ))  # fmt: skip
    assert made.pairs.items() >= {"Denoising strength": "0.4", "start at step": "2", "end at step": "10",
                                  "Clip skip": "2", "VAE": "v.pt"}.items()  # fmt: skip


@pytest.mark.parametrize(
    ("graph", "told"),
    [
        (plain(_3=("", {"positive": ["70", 0]}),
               _70=("ConditioningCombine", {"conditioning_1": ["6", 0], "conditioning_2": ["7", 0]})),
         "but its graph does not contain the prompt as one text."),
        (plain(_6=("", {"text": ["71", 0]}), _71=("StringReplace", {"string": "a", "find": "a", "replace": "b"})),
         "but its graph does not contain the prompt as one text."),
        (plain(_6=("", {"text": ["6", 0]})), "but its graph does not contain the prompt as one text."),
        (plain(_80=("KSampler", {"seed": 1, "steps": 5, "positive": ["6", 0], "latent_image": ["5", 0]})),
         "but it is not clear which of the 2 samplers of its graph made the picture."),
        ({"1": {"class_type": "LoadImage", "inputs": {}}},
         "but no sampler of its graph has steps or a seed with a prompt."),
    ],
)  # fmt: skip
def test_a_prompt_that_does_not_stand_plainly_is_not_invented(tmp_path, graph, told):
    png(tmp_path / "x.png", prompt=json.dumps(graph))
    with pytest.raises(ComparerError) as refused:
        restore(tmp_path / "x.png", Config(runs=tmp_path))
    assert str(refused.value) == f"'x.png' was made by ComfyUI, {told}"


def test_the_editors_workflow_is_named_in_a_picture_and_in_a_file(tmp_path):
    text = json.dumps({"nodes": [{"id": 1, "type": "KSampler", "widgets_values": [1, 2]}], "links": []})
    png(tmp_path / "x.png", workflow=text)
    (tmp_path / "x.json").write_text(text)
    for name in ("x.png", "x.json"):
        with pytest.raises(
            ComparerError, match=f"'{name}' was made by ComfyUI, but it contains only the editor's workflow"
        ):
            restore(tmp_path / name, Config(runs=tmp_path))
    (tmp_path / "api.json").write_text(json.dumps(plain()))
    assert restore(tmp_path / "api.json", Config(runs=tmp_path)).request.settings.prompts == ("a cat, red",)


def test_hostile_graphs_come_to_an_end():
    circle = plain(_6=("", {"text": ["7", 0]}), _7=("", {"text": ["6", 0]}), _5=("", {"samples": ["5", 0]}))
    many = {str(n): {"class_type": "KSampler", "inputs": {"positive": ["0", 0], "steps": 1, "samples": [str(n + 1), 0]}}
            for n in range(20_000)}  # fmt: skip
    odd = {"1": {"class_type": ["x"], "inputs": {"positive": [[], 0], "steps": {}, "latent_image": [None, 0]}}}
    for graph in (circle, many, odd):
        with pytest.raises(ComparerError):
            found(graph)
    assert read({"prompt": "a plain text of another program"}) is None and read({"prompt": "[1]"}) is None


def test_the_graph_in_the_comment_of_civitais_generator_is_read(tmp_path):
    graph = plain() | {"extra": {"airs": []}, "extraMetadata": '{"prompt": "a cat"}'}
    path = with_comment(tmp_path / "x.jpg", b"UNICODE\0" + json.dumps(graph).encode("utf-16-be"))
    found = restore(path, Config(runs=tmp_path))
    assert (found.program, found.request.settings.seeds) == ("ComfyUI", (15668,))
