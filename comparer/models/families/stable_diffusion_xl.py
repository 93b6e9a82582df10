"""Stable Diffusion XL."""

from typing import Any

from comparer.models.families.base import Argument, Family, Model
from comparer.models.families.parts import SCHEDULE, UNET, clip, clip_tokenizer, unet, unet_evaluation, vae


def tiny(denoiser: dict[str, Any]) -> Any:
    """Build a tiny pipeline."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline

    config = {
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 1, 2),
        "cross_attention_dim": 32 + 48,
        "attention_head_dim": (2, 4, 4),
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 48 + 6 * 8,
    }
    return StableDiffusionXLPipeline(
        unet=unet(**config | denoiser),
        vae=vae(STABLE_DIFFUSION_XL.vae_scaling),
        text_encoder=clip(32, "quick_gelu"),
        text_encoder_2=clip(48, "gelu", projection=True),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(pad="!"),
        scheduler=EulerDiscreteScheduler(**SCHEDULE, timestep_spacing="leading", steps_offset=1),
        **{argument.name: argument.value for argument in STABLE_DIFFUSION_XL.load},
    )


STABLE_DIFFUSION_XL = Family(
    name="sdxl",
    title="Stable Diffusion XL",
    pipeline="StableDiffusionXLPipeline",
    models=(
        Model(
            "sdxl", "Stable Diffusion XL 1.0", "stabilityai/stable-diffusion-xl-base-1.0", "sdxl", 1024, 5.0,
            sampler="Euler", min_size=256, gigabytes=6.9, single_file="sd_xl_base_1.0",
            denoiser=UNET | {
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
        ),
    ),
    tiny=tiny,
    evaluation=unet_evaluation,
    guidance=5.0,
    text=("text_encoder", "text_encoder_2"),
    embeddings=("prompt_embeds", "add_text_embeds", "add_time_ids"),
    load=(Argument("add_watermarker", False, "it would write into the pixels if its package is installed"),),
    vae_scaling=0.13025,
    original="SDXL",
)  # fmt: skip
