"""Folders as training programs write them, with tiny real weights: a writer per layout, and what is to be listed.

Written from the programs' own code for saving: diffusers' example scripts, accelerate's ``save_state`` with and without
DeepSpeed, kohya's sd-scripts, OneTrainer's saver.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from shutil import copytree

from helpers import original_layout
from helpers.tiny_weights import save


@dataclass
class Weights:
    """Tiny weights that the writers save: a pipeline's folder, its U-Net, a LoRA, a whole file, a ControlNet."""

    folder: Path
    unet: dict
    whole: dict
    lora: dict = field(default_factory=dict)
    controlnet: object = None


def tiny_weights(folder):
    import torch

    from comparer.models.tiny import save_tiny, tiny

    pipe = tiny("sd1", seed=1)  # it prepares the libraries, which must come first
    from diffusers import ControlNetModel

    save_tiny("sd1", folder, seed=1)
    layer = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q"
    width = pipe.unet.state_dict()[f"{layer}.weight"].shape[0]
    lora = {f"unet.{layer}.lora_A.weight": torch.ones(2, width), f"unet.{layer}.lora_B.weight": torch.ones(width, 2)}
    control = ControlNetModel.from_unet(pipe.unet, conditioning_embedding_out_channels=(8, 8))
    return Weights(folder, pipe.unet.state_dict(), original_layout.checkpoint(pipe), lora, control)


def kohya_lora(weights):
    """Return the LoRA under kohya's names."""
    import torch

    found = {}
    for name, value in weights.lora.items():
        layer, side = name.removeprefix("unet.").removesuffix(".weight").rsplit(".", 1)
        key = "lora_unet_" + layer.replace(".", "_")
        found[f"{key}.{'lora_down' if side == 'lora_A' else 'lora_up'}.weight"] = value
        found[f"{key}.alpha"] = torch.tensor(2.0)
    return found


def state(folder):
    """Write what accelerate saves for going on: it is no checkpoint."""
    import torch

    folder.mkdir(parents=True, exist_ok=True)
    for name in ("optimizer.bin", "scheduler.bin"):
        torch.save({"state": {0: torch.ones(3)}}, folder / name)
    (folder / "random_states_0.pkl").write_bytes(b"state")


def samples(folder):
    """Write sample images."""
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(3):
        (folder / f"sample_{number:06d}.png").write_bytes(b"\x89PNG")


def ema_config(folder):
    """Add to a U-Net's config what diffusers' EMAModel saves."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"decay": 0.9999, "optimization_step": 500}))


def diffusers_unet(top, weights):
    for step in (9000, 24000):
        here = top / "output" / f"checkpoint-{step}"
        copytree(weights.folder / "unet", here / "unet")
        copytree(weights.folder / "unet", here / "unet_ema")
        ema_config(here / "unet_ema")
        state(here)
    copytree(weights.folder, top / "output", dirs_exist_ok=True)
    samples(top / "output" / "samples")


def diffusers_lora(top, weights):
    for step in (9000, 24000):
        here = top / "output" / f"checkpoint-{step}"
        save(weights.lora, here / "pytorch_lora_weights.safetensors")
        state(here)
        wrapped = {re.sub(r"(to_[qkv])\.", r"\1.base_layer.", name): value for name, value in weights.unet.items()}
        save(wrapped, here / "model.safetensors")  # the script for text to image saves the whole U-Net with the state
    save(weights.lora, top / "output" / "pytorch_lora_weights.safetensors")


def diffusers_controlnet(top, weights):
    for step in (9000, 24000):
        here = top / "output" / f"checkpoint-{step}"
        weights.controlnet.save_pretrained(here / "controlnet")
        state(here)
    weights.controlnet.save_pretrained(top / "output")


def accelerate(top, weights):
    for step, name in ((9, "model.safetensors"), (24, "pytorch_model.bin")):
        here = top / "run" / "checkpoints" / f"checkpoint_{step}"
        save(weights.unet, here / name)
        state(here)
    (here / "custom_checkpoint_0.pkl").write_bytes(b"state")
    samples(top / "run" / "samples")


def deepspeed(top, weights):
    import torch

    for step in (9, 24):
        here = top / "run" / f"checkpoint_{step}"
        content = {"module": weights.unet, "lr_scheduler": None, "dp_world_size": 1, "ds_version": "0.15.4"}
        save(content, here / "pytorch_model" / "mp_rank_00_model_states.pt")
        torch.save({"optimizer_state_dict": {}}, here / "pytorch_model" / "zero_pp_rank_0_mp_rank_00_optim_states.pt")
        (here / "latest").write_text("pytorch_model")
        (here / "zero_to_fp32.py").write_text("")
        (here / "random_states_0.pkl").write_bytes(b"state")


def kohya(top, weights):
    output = top / "project" / "output"
    for name in ("style-000004", "style-000010", "style"):
        save(
            original_layout.with_ema(weights.whole) if name == "style" else weights.whole,
            output / f"{name}.safetensors",
        )
        save(weights.unet, output / f"{name}-state" / "model.safetensors")
        state(output / f"{name}-state")
        (output / f"{name}-state" / "train_state.json").write_text("{}")
    for step in (900, 12000):
        save(kohya_lora(weights), output / f"lora-step{step:08d}.safetensors")
    samples(output / "sample")


def onetrainer(top, weights):
    import torch

    backup = "2024-05-01_12-00-00-backup"
    for step in (900, 2000):
        here = top / "backup" / f"{backup}-{step}-10-0"
        copytree(weights.folder, here)
        trained(here)
        torch.save({"decay": 0.999, "ema_parameters": [torch.ones(3)]}, here / "ema" / "ema.pt")
        save(weights.whole, top / "save" / f"2024-05-01_12-00-00-save-{step}-10-0.safetensors")
    here = top / "backup" / f"{backup}-lora-5-0-0"
    save(kohya_lora(weights), here / "lora" / "lora.safetensors")
    trained(here)
    samples(top / "samples")


def trained(here):
    """Write what OneTrainer saves beside the weights."""
    import torch

    (here / "meta.json").write_text(json.dumps({"train_progress": {"epoch": 10}}))
    for name in ("optimizer", "ema"):
        (here / name).mkdir()
    torch.save({"state": {}}, here / "optimizer" / "optimizer.pt")


BOTH = ("ema", "raw")
BACKUP, SAVE = "backup/2024-05-01_12-00-00-backup", "save/2024-05-01_12-00-00-save"
# By layout: its writer, the folder of one step, and what is listed, in order: path, kind, weight sets.
LAYOUTS = {
    "diffusers": (diffusers_unet, "output/checkpoint-24000", [
        ("output/checkpoint-9000", "weights", BOTH), ("output/checkpoint-24000", "weights", BOTH),
        ("output", "pipeline", ()),
    ]),
    "diffusers LoRA": (diffusers_lora, "output/checkpoint-9000", [
        ("output/checkpoint-9000", "LoRA", ()),
        ("output/checkpoint-24000", "LoRA", ()), ("output", "LoRA", ()),
    ]),
    "diffusers ControlNet": (diffusers_controlnet, "output/checkpoint-24000", [
        ("output/checkpoint-9000", "ControlNet", ()), ("output/checkpoint-24000", "ControlNet", ()),
        ("output", "ControlNet", ()),
    ]),
    "accelerate": (accelerate, "run/checkpoints/checkpoint_24", [
        ("run/checkpoints/checkpoint_9", "weights", ()), ("run/checkpoints/checkpoint_24", "weights", ()),
    ]),
    "DeepSpeed": (deepspeed, "run/checkpoint_24", [
        ("run/checkpoint_9", "weights", ()), ("run/checkpoint_24", "weights", ()),
    ]),
    "kohya": (kohya, "project/output", [
        ("project/output/style-000004.safetensors", "single file", ()),
        ("project/output/style-000010.safetensors", "single file", ()),
        ("project/output/style.safetensors", "single file", BOTH),
        ("project/output/lora-step00000900.safetensors", "LoRA", ()),
        ("project/output/lora-step00012000.safetensors", "LoRA", ()),
    ]),
    "OneTrainer": (onetrainer, f"{BACKUP}-2000-10-0", [
        (f"{SAVE}-900-10-0.safetensors", "single file", ()), (f"{SAVE}-2000-10-0.safetensors", "single file", ()),
        (f"{BACKUP}-900-10-0", "pipeline", ()), (f"{BACKUP}-2000-10-0", "pipeline", ()),
        (f"{BACKUP}-lora-5-0-0", "LoRA", ()),
    ]),
}  # fmt: skip
