"""Components of a tiny pipeline, written to files and read back."""

import json

import torch
from safetensors.torch import save_file

from comparer.checkpoints import convert
from comparer.checkpoints.files.tensors import reading

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


def fitted(part, config):
    target = convert.module(config)
    return target, convert.fit(part, config, target)


def filled(part, config):
    """Return a configuration's module, filled by a component that fits it exactly."""
    target, fit = fitted(part, config)
    assert not (fit.missing or fit.unexpected or fit.misshaped)
    with reading(part.tensors) as read:
        target.load_state_dict(dict(fit.values(read, target.state_dict())), strict=False, assign=True)
    return convert.tied(target)
