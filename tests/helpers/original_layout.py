"""The original layout of Stable Diffusion: a diffusers pipeline's weights under the names of the first code.

Written from the naming of that code, for networks of any depth; diffusers' own converters read it back (tests assert).
"""

import re

import torch

RESNET = {"norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0", "conv2": "out_layers.3",
          "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection"}  # fmt: skip
OUTSIDE = {"conv_in": "input_blocks.0.0", "conv_norm_out": "out.0", "conv_out": "out.2",
           "time_embedding.linear_1": "time_embed.0", "time_embedding.linear_2": "time_embed.2",
           "add_embedding.linear_1": "label_emb.0.0", "add_embedding.linear_2": "label_emb.0.2"}  # fmt: skip
VAE = {"conv_norm_out": "norm_out", "conv_shortcut": "nin_shortcut", "downsamplers.0": "downsample",
       "upsamplers.0": "upsample", "mid_block.attentions.0": "mid.attn_1", "group_norm": "norm", "to_q": "q",
       "to_k": "k", "to_v": "v", "to_out.0": "proj_out", "mid_block.resnets.0": "mid.block_1",
       "mid_block.resnets.1": "mid.block_2"}  # fmt: skip
OPEN_CLIP = {"encoder.layers": "transformer.resblocks", "layer_norm1": "ln_1", "layer_norm2": "ln_2",
             "self_attn": "attn", "mlp.fc1": "mlp.c_fc", "mlp.fc2": "mlp.c_proj", "final_layer_norm": "ln_final",
             "embeddings.token_embedding": "token_embedding",
             "embeddings.position_embedding.weight": "positional_embedding",
             "text_projection.weight": "text_projection"}  # fmt: skip


def unet_name(name, layers=2, attended=(1, 2, 3)):
    """Return what the original code calls a tensor of a diffusers U-Net.

    ``layers`` are those of each block; ``attended`` are the up-blocks with attention.
    """
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
    index = {"resnets": 0, "attentions": 1, "upsamplers": 2 if block in attended else 1}[kind]
    return f"output_blocks.{place}.{index}.{rest}"


def original(weights):
    """Return a diffusers U-Net's weights in the original layout."""
    attended = {int(found[1]) for name in weights if (found := re.match(r"up_blocks\.(\d+)\.attentions", name))}
    return {f"model.diffusion_model.{unet_name(name, attended=attended)}": value for name, value in weights.items()}


def vae(weights):
    """Return a diffusers VAE's weights in the original layout: attention as 1x1 convolutions, up-blocks reversed."""
    ups = 1 + max(int(found[1]) for name in weights if (found := re.search(r"up_blocks\.(\d+)", name)))
    content = {}
    for name, value in weights.items():
        if re.search(r"to_(q|k|v|out\.0)\.weight", name):
            value = value[:, :, None, None]
        for ours, theirs in VAE.items():
            name = re.sub(rf"(^|\.){re.escape(ours)}\.", rf"\1{theirs}.", name)
        name = re.sub(r"down_blocks\.(\d+)\.resnets", r"down.\1.block", name).replace("down_blocks", "down")
        name = re.sub(r"up_blocks\.(\d+)", lambda found: f"up.{ups - 1 - int(found[1])}", name)
        content[f"first_stage_model.{name.replace('resnets', 'block')}"] = value
    return content


def clip(weights, prefix):
    """Return the weights of OpenAI's text encoder as transformers named them then, with their prefix."""
    return {f"{prefix}text_model.{name.removeprefix('text_model.')}": value for name, value in weights.items()}


def open_clip(weights, prefix):
    """Return a text encoder's weights as OpenCLIP names them: query, key and value joined, projection transposed."""
    content = {}
    for name, value in weights.items():
        name = name.removeprefix("text_model.")
        for ours, theirs in OPEN_CLIP.items():
            name = name.replace(ours, theirs)
        if found := re.search(r"\.([qkv])_proj\.(weight|bias)", name):
            joined = name.replace(found[0], f".in_proj_{found[2]}")
            content.setdefault(prefix + joined, {})["qkv".index(found[1])] = value
        else:
            content[prefix + name] = value.T if name == "text_projection" else value
    return {name: torch.cat([value[i] for i in range(3)]) if isinstance(value, dict) else value
            for name, value in content.items()}  # fmt: skip


def last_layer(content):
    """Return an OpenCLIP encoder's content with one more layer and a projection, as files of SD 2.x have them."""
    marks = [found for name in content if (found := re.match(r"(.*)transformer\.resblocks\.(\d+)\.(.*)", name))]
    last, prefix = max(int(found[2]) for found in marks), marks[0][1]
    more = {f"{prefix}transformer.resblocks.{last + 1}.{found[3]}": content[found[0]] + 1
            for found in marks if int(found[2]) == last}  # fmt: skip
    width = content[f"{prefix}positional_embedding"].shape[-1]
    return content | more | {f"{prefix}text_projection": torch.eye(width), f"{prefix}logit_scale": torch.tensor(4.6)}


def checkpoint(pipe):
    """Return all weights of a tiny Stable Diffusion pipeline (SD 1.x, SD 2.x or SDXL) in the original layout."""
    unet_, vae_, text = (getattr(pipe, name).state_dict() for name in ("unet", "vae", "text_encoder"))
    content = original(unet_) | vae(vae_)
    if hasattr(pipe, "text_encoder_2"):
        content |= clip(text, "conditioner.embedders.0.transformer.")
        content |= open_clip(pipe.text_encoder_2.state_dict(), "conditioner.embedders.1.model.")
    elif pipe.unet.config.use_linear_projection:
        content |= last_layer(open_clip(text, "cond_stage_model.model."))
    else:
        content |= clip(text, "cond_stage_model.transformer.")
        length = pipe.text_encoder.config.max_position_embeddings
        content["cond_stage_model.transformer.text_model.embeddings.position_ids"] = torch.arange(length)[None]
    content |= {"alphas_cumprod": torch.linspace(1, 0, 1000), "betas": torch.linspace(0, 1, 1000)}
    return {name: value.clone().contiguous() for name, value in content.items()}


def with_ema(content, scale=0.5):
    """Add an EMA half as the original code keeps it: the U-Net's alone, names without dots, two counters."""
    whole = "model.diffusion_model."
    shadow = {f"model_ema.{name.removeprefix('model.').replace('.', '')}": value * scale
              for name, value in content.items() if name.startswith(whole)}  # fmt: skip
    return content | shadow | {"model_ema.decay": torch.tensor(0.9999), "model_ema.num_updates": torch.tensor(7)}
