"""What is dropped fills every control: Generate then asks for the very same request, or the page says what differs."""

import json
from dataclasses import replace
from shutil import copytree

import pytest
import torch
from safetensors.torch import save_file

from comparer.accelerators.registry import parse
from comparer.config import Config, Limits
from comparer.models.catalog import DEMO
from comparer.request.build import FIVE, build_request
from comparer.request.request import Arm, Settings
from comparer.request.restore import FOREIGN, restore
from comparer.ui.app import Page

ALL = ("equal-time", "noise-floor", "divergence", "memory")
EVERYTHING = {
    "prompt": "a small green ring\n<b>a</b> \"large\" 'red' star, \u200fא 🐱", "negative_prompt": "a hexagon: =1+1",
    "sampler": "Euler a", "steps": 12, "guidance": 25.5, "size": (136, 144), "seeds": "9,4,4294967295", "batch_size": 2,
    "warmups": 3, "noise": "device", "guidance_rescale": 0.25, "repeats": 4, "repeat_seconds": 2.5,
    "scorer": "demo",
}  # fmt: skip
REQUESTS = {
    "every field": {**EVERYTHING, "accelerators": ["DeepCache(interval=2, branch=1)", "T-GATE(gate_step=5)"],
                    "also": ALL, "checkpoint": "demo; weights=raw; dtype=bfloat16; vae=m/other; prediction=v; "
                                                  "lora=m/a.safetensors:0.25; incomplete=yes"},
    "all five": {"accelerators": FIVE},
    "a stack": {"accelerators": ["ToMe(ratio=0.25)+Guidance cutoff(after=0.75)"]},
    "alone and a stack": {"accelerators": ["ToMe", "T-GATE(gate_step=7)", "ToMe+T-GATE(gate_step=7)"]},
    "every accelerator": {"accelerators": ["DeepCache(interval=5)", "ToMe(ratio=0.3)", "T-GATE(gate_step=9)",
                                           "Guidance cutoff(after=0.6)"]},
    "two LoRAs": {"checkpoint": "demo; lora=m/a.safetensors:0.5; lora=m/b.safetensors:-1"},
    "checkpoints": {**EVERYTHING, "also": ["divergence"], "checkpoint": "demo; weights=raw",
                    "variants": ["m/other", "demo; weights=ema; lora=m/a.safetensors:0.5",
                                 "m/step.safetensors; base=demo", "vae=m/other", "dtype=float16"]},
    "checkpoints with a stack": {"variants": ["weights=raw"], "accelerators": ["DeepCache(interval=4)+ToMe"]},
}  # fmt: skip


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """Have a checkpoint, a training output over the demo, and two LoRAs."""
    folder = tmp_path_factory.mktemp("drop") / "m"
    for part in ("unet", "vae", "text_encoder", "tokenizer", "scheduler"):
        copytree(DEMO / part, folder / "other" / part)
    (folder / "other" / "model_index.json").write_text((DEMO / "model_index.json").read_text())
    (folder / "step.safetensors").write_bytes((DEMO / "unet" / "diffusion_pytorch_model.safetensors").read_bytes())
    for name in ("a", "b"):
        pair = {f"unet.x.lora_{side}.weight": torch.ones(4, 4) for side in "AB"}
        save_file(pair, folder / f"{name}.safetensors")
    return Config((folder,), folder.parent / "runs")


@pytest.fixture(scope="module")
def page(config):
    """Build the page, which no handler changes."""
    page = Page(config)
    page.build()
    return page


def dropped(tmp_path, request, more=None):
    (tmp_path / "run.json").write_text(json.dumps({"request": request.to_json()} | (more or {})))
    return tmp_path / "run.json"


def filled(page, found, present=None):
    """Fill the controls as gradio does, and return what they hold and what is said."""
    parts = page.controls.inputs()
    present = present or [part.value for part in parts]
    updates, said = page.drop.updates(found, {}, present)
    values = []
    for part, before in zip(parts, present, strict=True):
        new = {key: value for key, value in updates.get(part, {}).items() if key != "__type__"}
        value = new.pop("value", before)
        now = type(part)(**part.constructor_args | new, render=False) if new else part
        values.append(now.preprocess(value))
    return tuple(values), said


@pytest.mark.parametrize("name", REQUESTS)
def test_generate_asks_for_the_very_same_request(page, config, tmp_path, name):
    request = build_request(config, **{"prompt": "a red star"} | REQUESTS[name])
    found = restore(dropped(tmp_path, request), config)
    assert found.missing == ()
    values, said = filled(page, found)
    assert said == []
    assert page.controls.asked(values) == request
    # A second file leaves nothing of the first.
    other = build_request(config, "a blue ring", accelerators=["T-GATE(gate_step=3)"])
    values, said = filled(page, restore(dropped(tmp_path, other), config), values)
    assert page.controls.asked(values) == other and said == []


def test_no_field_of_the_settings_is_left_at_its_default(config):
    request = build_request(config, **REQUESTS["every field"])
    usual = Settings(("x",))
    alike = {name for name, value in vars(request.settings).items() if getattr(usual, name) == value}
    assert alike == {"checkpoint", "base"}  # each of which the checkpoints have
    plain = build_request(config, "x")
    fields = ("warmups", "noise", "repeats", "repeat_seconds", "extras", "scorer", "arms")
    assert all(getattr(request, name) != getattr(plain, name) for name in fields)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"arms": ["DeepCache(interval=3)", "DeepCache(interval=5)"]},
         "The controls cannot show DeepCache(interval=3): use the command line with --from."),
        ({"arms": ["ToMe(ratio=0.3)", "DeepCache(interval=3)"]}, "The arms are in another order."),
        ({"arms": []}, "The controls have DeepCache(interval=3) instead."),
        ({"scorer": "ViT-B-16=clip.safetensors"},
         "The controls cannot show the score that decides ViT-B-16=clip.safetensors."),
    ],
)  # fmt: skip
def test_what_the_controls_cannot_hold_is_said(page, config, tmp_path, change, told):
    arms = tuple(Arm(text, (parse(text),)) for text in change.pop("arms", ["DeepCache(interval=3)"]))
    request = replace(build_request(config, "a red star"), arms=(Arm("Baseline"), *arms), **change)
    assert told in filled(page, restore(dropped(tmp_path, request), config))[1]


def test_a_checkpoint_that_is_not_here_leaves_its_control_and_fills_the_others(page, config, tmp_path):
    request = build_request(config, "a red star", sampler="Heun", seeds="5")
    request = replace(request, settings=replace(request.settings, checkpoint="ck/gone", vae="ck/vae"))
    values, said = filled(page, restore(dropped(tmp_path, request), config))
    assert "Checkpoint was not changed: ck/gone is not listed." in said
    assert "VAE was not changed: ck/vae is not listed." in said
    settings = page.controls.asked(values).settings
    assert (settings.checkpoint, settings.sampler, settings.seeds, settings.vae) == ("demo", "Heun", (5,), "")


def test_what_a_slider_cannot_take_leaves_it(tmp_path, config):
    narrow = Page(replace(config, limits=Limits(steps=30)))
    narrow.build()
    found = restore(dropped(tmp_path, build_request(config, "a red star", steps=60)), narrow.config)
    values, said = filled(narrow, found)
    assert "Steps was not changed: 60 is not in 1 to 30." in said
    assert found.missing == ("Steps 60 is out of range: 1 to 30 is allowed.",)
    assert narrow.controls.asked(values).settings.steps == 25


def test_another_programs_settings_leave_the_arms_as_they_are(page, config, tmp_path):
    (tmp_path / "p.txt").write_text(
        "a fox\nSteps: 7, Sampler: Euler a, CFG scale: 5, Seed: 3, Size: 64x96, Model: other"
    )
    found = restore(tmp_path / "p.txt", config)
    values, said = filled(page, found)
    assert found.kind == FOREIGN and said == [] and found.missing == ()
    asked = page.controls.asked(values)
    assert asked.settings == found.request.settings and asked.settings.checkpoint == "m/other"
    assert [arm.name for arm in asked.arms] == ["Baseline", "DeepCache(interval=3)"]
    (tmp_path / "p.txt").write_text("a fox\nSteps: 9, Model: gone")
    again, said = filled(page, restore(tmp_path / "p.txt", config), list(values))
    assert said == ["Checkpoint was not changed: gone is not listed."]
    assert page.controls.asked(again).settings.checkpoint == "m/other"


def test_a_file_is_gone_once_it_was_read_and_what_it_says_is_escaped(page, config, tmp_path):
    parts = [part.value for part in page.controls.inputs()]
    request = replace(
        build_request(config, "x"), arms=(Arm("Baseline"), Arm("<b>x</b>", (parse("DeepCache(interval=9)"),)))
    )
    shot = {"shot": {"arm": 1, "prompt": 0, "seed": 0}}
    request = replace(request, settings=replace(request.settings, checkpoint="<img src=x>", seeds=(0, 1)))
    for number, content in enumerate([json.dumps(request.to_json() | shot), "<script>", ""]):
        (folder := tmp_path / f"{number}").mkdir()
        path = folder / "<i>a.json"
        path.write_text(content)
        update = page.drop.fill(str(path), {}, *parts)
        told = update[page.drop.told]
        assert not folder.exists() and update[page.drop.file] is None
        assert not any(mark in told for mark in ("<img", "<b>x", "<i>", "<script>"))
        assert ("it is &lt;b&gt;x&lt;/b&gt;, seed 0" in told) == (number == 0)
        assert ('role="alert"' in told) == (number > 0)
