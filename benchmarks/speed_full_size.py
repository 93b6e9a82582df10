"""The published models' architectures at full size with random weights: their speed without a download.

The accelerators of this program follow fixed schedules, so that time does not depend on what the weights mean.
The denoiser, the text encoders and the VAE have the configurations of the published ones; the tokenizer of
PixArt knows single characters, and its pipeline pads every prompt to the same length anyway.
"""

from pathlib import Path
from typing import Any

from comparer.checkpoints.read import Checkpoint
from comparer.models.catalog import CATALOG
from comparer.models.families.parts import SCHEDULE
from comparer.models.tiny import native_config, tiny
from comparer.pipelines import loader
from comparer.pipelines.device import choose_device, choose_dtype

TOKENS = {"bos_token_id": 49406, "eos_token_id": 49407, "pad_token_id": 1}
CLIP_L = TOKENS | {
    "hidden_size": 768, "intermediate_size": 3072, "num_hidden_layers": 12, "num_attention_heads": 12,
    "projection_dim": 768, "hidden_act": "quick_gelu",
}  # fmt: skip
CLIP_H = TOKENS | {
    "hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 23, "num_attention_heads": 16,
    "projection_dim": 512, "hidden_act": "gelu",
}  # fmt: skip
CLIP_BIG_G = TOKENS | {
    "hidden_size": 1280, "intermediate_size": 5120, "num_hidden_layers": 32, "num_attention_heads": 20,
    "projection_dim": 1280, "hidden_act": "gelu",
}  # fmt: skip
T5_LAYERS = 24
T5 = {
    "vocab_size": 32128, "d_model": 4096, "d_ff": 10240, "d_kv": 64, "num_layers": T5_LAYERS, "num_heads": 64,
    "feed_forward_proj": "gated-gelu",
}  # fmt: skip
TEXT_ENCODERS: dict[str, dict[str, tuple[str, dict[str, Any]]]] = {
    "sd1": {"text_encoder": ("CLIPTextModel", CLIP_L)},
    "sd2": {"text_encoder": ("CLIPTextModel", CLIP_H)},
    "sdxl": {
        "text_encoder": ("CLIPTextModel", CLIP_L),
        "text_encoder_2": ("CLIPTextModelWithProjection", CLIP_BIG_G),
    },
    "pixart-alpha": {"text_encoder": ("T5EncoderModel", T5)},
    "pixart-sigma": {"text_encoder": ("T5EncoderModel", T5)},
}
"""The published text encoders of the families that can be measured: class and configuration by component."""
NAMES = tuple(name for name, model in CATALOG.items() if name != "demo" and model.family in TEXT_ENCODERS)


def native(name: str, device: str, dtype: str) -> loader.Loaded:
    """Build a published model's pipeline with random weights, on the device and in its usual type there.

    Args:
        name: a model of the catalogue but the demo.
        device: "auto" or a torch device.
        dtype: "auto" or a torch type's name.
    """
    import diffusers
    import torch

    kind, config = native_config(name)
    checkpoint = Checkpoint(CATALOG[name], Path(), config, None, ())
    device, reason = choose_device(device)
    dtype, why = choose_dtype(checkpoint, device, dtype)
    pipe, usual = tiny(checkpoint.family.name), torch.get_default_dtype()
    torch.manual_seed(0)
    torch.set_default_dtype(getattr(torch, dtype))
    try:
        with torch.device(device):
            parts = {
                checkpoint.family.denoiser: getattr(diffusers, kind)(**config),
                "vae": _vae(checkpoint.family.vae_scaling),
                **_text_encoders(checkpoint.family.name, device),
            }
    finally:
        torch.set_default_dtype(usual)
    pipe.register_modules(**{part: module.eval() for part, module in parts.items()})
    pipe.set_progress_bar_config(disable=True)
    scheduler = dict(diffusers.DDIMScheduler(**SCHEDULE, clip_sample=False, steps_offset=1).config)
    return loader.Loaded(checkpoint, pipe, scheduler, device, reason, dtype, why, "none", "whole")


def remark(name: str, device: str) -> str:
    """Say what differs from the published model but for the weights."""
    if device == "cpu" and any(config is T5 for _, config in TEXT_ENCODERS[CATALOG[name].family].values()):
        return f"random weights; T5 with 1 of its {T5_LAYERS} layers, to fit into memory"
    return "random weights"


def _vae(scaling: float) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(128, 256, 512, 512),
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        layers_per_block=2,
        latent_channels=4,
        sample_size=512,
        scaling_factor=scaling,
    )


def _text_encoders(family: str, device: str) -> dict[str, Any]:
    import torch
    import transformers

    found = {}
    for component, (name, config) in TEXT_ENCODERS[family].items():
        kind = getattr(transformers, name)
        layers = {"num_layers": 1} if config is T5 and device == "cpu" else {}
        model = found[component] = kind(kind.config_class(**config | layers))
        if config is T5 and model.dtype == torch.float16:  # as transformers loads it: these layers overflow
            for block in model.encoder.block:
                block.layer[-1].DenseReluDense.wo.float()
    return found
