"""A checkpoint of SD 1 that is quicker than the demo: the demo's words and schedule, a small U-Net, random weights.

It is read by the program's own loader, has an averaged and a raw half as the demo has, and its pictures of noise are
scored by the demo's scorer. For tests of runs, not of pictures.
"""

from dataclasses import replace
from functools import partial
from shutil import copy, copytree

from comparer.config import Config
from comparer.models.catalog import DEMO
from helpers import runs

NAME = "m/small"
SIZE = 64
LEVELS = {
    "block_out_channels": (32, 32),
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "layers_per_block": 1,
    "cross_attention_dim": 96,
}

ask = partial(runs.ask, checkpoint=NAME, width=SIZE, height=SIZE)


def save_small(folder):
    """Write the checkpoint; return the folder of checkpoints that it is in."""
    import torch

    from comparer.models.tiny import tiny

    home = folder / NAME
    for part in ("text_encoder", "tokenizer", "scheduler"):
        copytree(DEMO / part, home / part)
    copy(DEMO / "model_index.json", home)
    pipe = tiny("sd1", **LEVELS)
    pipe.vae.half().save_pretrained(home / "vae")
    pipe.unet.half().save_pretrained(home / "unet")
    with torch.no_grad():
        for value in pipe.unet.parameters():
            value.mul_(1.1)
    pipe.unet.save_pretrained(home / "unet", variant="non_ema")
    return home.parent


def installed(checkpoints, runs):
    """Return the configuration of an installation that has the checkpoint."""
    return Config(checkpoints=(checkpoints,), runs=runs)


def kept(done, config):
    """Copy a finished run, which others read, to this installation; return what finished it."""
    folder = copytree(done.folder, config.runs / done.folder.name)
    return replace(done, folder=folder, grid=folder / done.grid.name)
