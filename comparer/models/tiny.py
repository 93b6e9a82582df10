"""Real architectures at toy size with random weights: every family for tests and benchmarks, no download.

``save_tiny`` saves a diffusers folder as the real tools do, so that the real loader can load it. The images are
noise; mechanics, equality and multiply-accumulates are those of the family.
"""

from pathlib import Path
from typing import Any

from comparer.models.families.pixart import TRANSFORMER, pixart
from comparer.models.families.sdxl import sdxl
from comparer.models.families.stable_diffusion import UNET, stable_diffusion
from comparer.models.libraries import prepare


def tiny(family: str, seed: int = 0, **denoiser: Any) -> Any:
    """Build a tiny pipeline of a family with random weights.

    Args:
        family: a name of ``FAMILIES``.
        seed: seed of the weights.
        denoiser: changes to the denoiser's config, such as ``sample_size=128``.

    Returns:
        A diffusers pipeline on the CPU, float32; native size 128 pixels (PixArt 256, its smallest with bins).
    """
    prepare()
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return _BUILDERS[family](denoiser)


def save_tiny(family: str, folder: Path, seed: int = 0, **denoiser: Any) -> Path:
    """Save a tiny pipeline as a diffusers folder with safetensors weights; return the folder."""
    pipe = tiny(family, seed, **denoiser)
    pipe.save_pretrained(folder)
    return folder


_BUILDERS = {
    "sd1": stable_diffusion,
    "sd2": lambda denoiser: stable_diffusion(denoiser, second=True),
    "sdxl": sdxl,
    "pixart-alpha": pixart,
    "pixart-sigma": lambda denoiser: pixart(denoiser, sigma=True),
}


_NATIVE = {
    "sd-1.5": UNET,
    "sd-2.1": UNET
    | {
        "sample_size": 96,
        "cross_attention_dim": 1024,
        "attention_head_dim": (5, 10, 20, 20),
        "use_linear_projection": True,
        "upcast_attention": True,
    },
    "sdxl": UNET
    | {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "cross_attention_dim": 2048,
        "attention_head_dim": (5, 10, 20),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    },
    "pixart-alpha-512": TRANSFORMER | {"sample_size": 64},
    "pixart-alpha-1024": TRANSFORMER | {"use_additional_conditions": True},
    "pixart-sigma-512": TRANSFORMER | {"sample_size": 64},
    "pixart-sigma-1024": TRANSFORMER,
}


def native_config(model: str) -> tuple[str, dict]:
    """Return the class name and the config of a published model's denoiser, without its weights.

    Args:
        model: a name of ``CATALOG`` except the demo.
    """
    config = _NATIVE[model]
    return ("PixArtTransformer2DModel" if "num_layers" in config else "UNet2DConditionModel"), dict(config)
