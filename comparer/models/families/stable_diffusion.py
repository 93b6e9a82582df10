"""Stable Diffusion 1.x and 2.x: a tiny pipeline, and the config of the published denoiser."""

from typing import Any

from comparer.models.families.parts import SCHEDULE, clip, clip_tokenizer, vae


def stable_diffusion(denoiser: dict, second: bool = False) -> Any:
    """Build a tiny Stable Diffusion 1 pipeline, or Stable Diffusion 2 (v-prediction) with ``second``."""
    from diffusers import DDIMScheduler, PNDMScheduler, StableDiffusionPipeline, UNet2DConditionModel

    width = 48 if second else 32
    unet = UNet2DConditionModel(
        **{
            "sample_size": 16,
            "block_out_channels": (32, 64, 64),
            "layers_per_block": 2,
            "down_block_types": ("CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"),
            "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D", "CrossAttnUpBlock2D"),
            "cross_attention_dim": width,
            "attention_head_dim": (2, 4, 4) if second else 4,
            "norm_num_groups": 8,
            "use_linear_projection": second,
        }
        | denoiser
    )
    if second:
        scheduler: Any = DDIMScheduler(
            **SCHEDULE, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1
        )
    else:
        scheduler = PNDMScheduler(**SCHEDULE, skip_prk_steps=True, steps_offset=1)
    return StableDiffusionPipeline(
        vae=vae(0.18215),
        text_encoder=clip(width, "gelu" if second else "quick_gelu"),
        tokenizer=clip_tokenizer(),
        unet=unet,
        scheduler=scheduler,
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


UNET = {
    "sample_size": 64,
    "block_out_channels": (320, 640, 1280, 1280),
    "layers_per_block": 2,
    "down_block_types": (*("CrossAttnDownBlock2D",) * 3, "DownBlock2D"),
    "up_block_types": ("UpBlock2D", *("CrossAttnUpBlock2D",) * 3),
    "cross_attention_dim": 768,
    "attention_head_dim": 8,
    "norm_num_groups": 32,
}
