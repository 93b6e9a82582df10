"""The original layout of Stable Diffusion 1: a diffusers U-Net's weights under the names of the first code.

Written from the naming of that code, for U-Nets of any depth; diffusers' own converter reads it back (a test asserts).
"""

import re

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
          "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}  # fmt: skip
OUTSIDE = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
           "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2"}  # fmt: skip


def unet_name(name, layers=2):
    """Return what the original code calls a tensor of a diffusers U-Net with this many layers a block."""
    for ours, theirs in OUTSIDE.items():
        if name.startswith(f"{ours}."):
            return theirs + name.removeprefix(ours)
    for ours, theirs in RESNET.items():
        name = re.sub(rf"(resnets\.\d+)\.{ours}\.", rf"\1.{theirs}.", name)
    if found := re.match(r"mid_block\.(resnets|attentions)\.(\d)\.(.*)", name):
        kind, number, rest = found.groups()
        return f"middle_block.{2 * int(number) if kind == 'resnets' else 1}.{rest}"
    side, block, kind, number, rest = re.match(r"(down|up)_blocks\.(\d+)\.(\w+)\.(\d+)\.(.*)", name).groups()
    block, number = int(block), int(number)
    if side == "down":
        place = 1 + block * (layers + 1) + (layers if kind == "downsamplers" else number)
        if kind == "downsamplers":
            return f"input_blocks.{place}.0.op.{rest.removeprefix('conv.')}"
        return f"input_blocks.{place}.{1 if kind == 'attentions' else 0}.{rest}"
    place = block * (layers + 1) + (layers if kind == "upsamplers" else number)
    # An upsampler is the last of its place, after the attention where there is one.
    index = {"resnets": 0, "attentions": 1, "upsamplers": 1 if block == 0 else 2}[kind]
    return f"output_blocks.{place}.{index}.{rest}"


def original(weights):
    """Return a diffusers U-Net's weights in the original layout."""
    return {f"model.diffusion_model.{unet_name(name)}": value for name, value in weights.items()}
