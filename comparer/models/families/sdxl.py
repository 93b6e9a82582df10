"""Stable Diffusion XL: a tiny pipeline."""

from typing import Any

from comparer.models.families.parts import SCHEDULE, clip, clip_tokenizer, vae


def sdxl(denoiser: dict) -> Any:
    """Build a tiny Stable Diffusion XL pipeline."""
    from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

    unet = UNet2DConditionModel(
        **{
            "sample_size": 16,
            "block_out_channels": (32, 64, 64),
            "layers_per_block": 2,
            "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
            "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
            "transformer_layers_per_block": (1, 1, 2),
            "cross_attention_dim": 32 + 48,
            "attention_head_dim": (2, 4, 4),
            "norm_num_groups": 8,
            "use_linear_projection": True,
            "addition_embed_type": "text_time",
            "addition_time_embed_dim": 8,
            "projection_class_embeddings_input_dim": 48 + 6 * 8,
        }
        | denoiser
    )
    return StableDiffusionXLPipeline(
        vae=vae(0.13025),
        text_encoder=clip(32, "quick_gelu"),
        text_encoder_2=clip(48, "gelu", projection=True),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(pad="!"),
        unet=unet,
        scheduler=EulerDiscreteScheduler(**SCHEDULE, timestep_spacing="leading", steps_offset=1),
        add_watermarker=False,
    )
