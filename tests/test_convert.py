"""Checkpoints in the original layout: every tensor as it was, what is refused, and what builds a pipeline of them."""

import json

import original
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import pipeline

from comparer.checkpoints import convert
from comparer.checkpoints.layout import choose
from comparer.checkpoints.look import look
from comparer.checkpoints.tensors import reading

UNETS = {"sd1": "SD 1.x", "sd2": "SD 2.x", "sdxl": "SDXL"}


def models(pipe):
    return {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}


def config_of(model):
    """Return a module's configuration as its folder has it."""
    kind = type(model).__name__
    if hasattr(model.config, "to_dict"):
        return json.loads(json.dumps(model.config.to_dict() | {"architectures": [kind]}, default=str))
    return json.loads(json.dumps(dict(model.config) | {"_class_name": kind}))


def write(content, path):
    if path.suffix == ".safetensors":
        save_file(content, path)
    else:
        torch.save({"state_dict": content, "global_step": 7}, path)
    return path


def converted(part, config):
    with reading(part.tensors) as read:
        return dict(convert.state(part, config, read))


def equal(found, wanted):
    """Assert that two sets of weights are equal bit for bit, by name."""
    assert set(found) == set(wanted)
    assert [name for name, value in wanted.items() if not torch.equal(found[name], value)] == []


@pytest.mark.parametrize("with_ema", [False, True])
@pytest.mark.parametrize("ending", [".safetensors", ".ckpt"])
@pytest.mark.parametrize("family", UNETS)
def test_every_tensor_of_the_original_layout_comes_back(family, ending, with_ema, tmp_path):
    pipe = pipeline(family)
    content = original.checkpoint(pipe)
    found = look(write(original.with_ema(content) if with_ema else content, tmp_path / f"x{ending}"))
    assert (found.kind, found.about) == ("original layout", UNETS[family])
    assert {part.component for part in found.parts} == set(models(pipe))
    for name, model in models(pipe).items():
        part = choose(found, name, "raw" if with_ema and name == "unet" else "")[0]
        clip = name == "text_encoder" and family != "sd2"
        assert convert.is_original(part) == (not clip)
        equal(converted(part, config_of(model)), model.state_dict())
    if with_ema:
        halved = {name: value * 0.5 for name, value in pipe.unet.state_dict().items()}
        ema = choose(found, "unet")[0]
        assert ema.half == "ema"
        equal(converted(ema, config_of(pipe.unet)), halved)


@pytest.mark.parametrize("family", UNETS)
def test_it_gives_what_diffusers_single_file_loading_gives(family, tmp_path):
    pipe = pipeline(family)
    pipe.save_pretrained(tmp_path / "configs")
    path = write(original.checkpoint(pipe), tmp_path / "x.safetensors")
    if family == "sd2":  # diffusers leaves out layer 23, whatever the number of layers is
        content = load_file(path)
        for name in [name for name in content if "resblocks.3." in name]:
            del content[name]
        write(content, path)
    theirs = type(pipe).from_single_file(str(path), config=str(tmp_path / "configs"), local_files_only=True)
    found = look(path)
    for name, model in models(theirs).items():
        equal(converted(choose(found, name)[0], config_of(model)), model.state_dict())
