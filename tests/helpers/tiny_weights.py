"""Weights of a tiny pipeline, changed, saved and compared."""

from comparer.checkpoints.find import resolve
from comparer.checkpoints.spec import parse
from comparer.pipelines import loader


def load(text, config):
    return loader.load(resolve(parse(text), config), config)


def unet(home, name="other"):
    from safetensors.torch import load_file

    return load_file(home / name / "unet" / "diffusion_pytorch_model.safetensors")


def moved(weights, by):
    return {name: value + by for name, value in weights.items()}


def holds(module, weights):
    """Say whether a module holds exactly these tensors."""
    import torch

    state = module.state_dict()
    return state.keys() == weights.keys() and all(torch.equal(state[name], weights[name]) for name in state)


def save(weights, path):
    import torch
    from safetensors.torch import save_file

    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".safetensors":
        save_file({name: value.contiguous() for name, value in weights.items()}, path)
    else:
        torch.save(weights, path)
    return path


def prefixed(weights, prefix):
    return {prefix + name: value for name, value in weights.items()}
