"""Stable Diffusion 1.x."""

from typing import Any

from comparer.models.families.base import Family, Model
from comparer.models.families.parts import NO_CHECKER, SCHEDULE, UNET, clip, clip_tokenizer, unet, unet_evaluation, vae


def tiny(denoiser: dict[str, Any]) -> Any:
    """Build a tiny pipeline."""
    from diffusers import PNDMScheduler, StableDiffusionPipeline

    config = {"cross_attention_dim": 32, "attention_head_dim": 4, "use_linear_projection": False}
    return StableDiffusionPipeline(
        unet=unet(**config | denoiser),
        vae=vae(STABLE_DIFFUSION_1.vae_scaling),
        text_encoder=clip(32, "quick_gelu"),
        tokenizer=clip_tokenizer(),
        scheduler=PNDMScheduler(**SCHEDULE, skip_prk_steps=True, steps_offset=1),
        **{argument.name: argument.value for argument in NO_CHECKER},
    )


STABLE_DIFFUSION_1 = Family(
    name="sd1",
    title="Stable Diffusion 1.x",
    pipeline="StableDiffusionPipeline",
    models=(
        Model(
            "sd-1.5", "Stable Diffusion 1.5", "stable-diffusion-v1-5/stable-diffusion-v1-5", "sd1", 512, 7.5,
            sampler="PNDM", min_size=256, gigabytes=2.1, denoiser=UNET, single_file="v1-5-pruned-emaonly",
        ),
    ),
    tiny=tiny,
    evaluation=unet_evaluation,
    load=NO_CHECKER,
    original="SD 1.x",
)  # fmt: skip
