"""PixArt-Σ."""

from typing import Any

from comparer.models.families import pixart
from comparer.models.families.base import Family, Model
from comparer.models.families.pixart import SHARED, TRANSFORMER

_HUB = "PixArt-alpha/PixArt-Sigma-XL-2"


def tiny(denoiser: dict[str, Any]) -> Any:
    """Build a tiny pipeline."""
    return pixart.tiny(PIXART_SIGMA.pipeline, PIXART_SIGMA.vae_scaling, denoiser)


PIXART_SIGMA = Family(
    name="pixart-sigma",
    title="PixArt-Σ",
    pipeline="PixArtSigmaPipeline",
    models=(
        # This repository holds the transformer alone; its authors load the rest from the 1024 model's.
        Model(
            "pixart-sigma-512", "PixArt-Σ 512", f"{_HUB}-512-MS", "pixart-sigma", 512, 4.5, sampler="DPM++ 2M",
            min_size=256, base="PixArt-alpha/pixart_sigma_sdxlvae_T5_diffusers", gigabytes=10.9,
            denoiser=TRANSFORMER | {"sample_size": 64},
        ),
        Model(
            "pixart-sigma-1024", "PixArt-Σ 1024", f"{_HUB}-1024-MS", "pixart-sigma", 1024, 4.5, sampler="DPM++ 2M",
            min_size=256, gigabytes=10.9, denoiser=TRANSFORMER,
        ),
    ),
    tiny=tiny,
    evaluation=pixart.evaluation,
    made_size=pixart.binned,
    context=300,
    gpu_dtype="bfloat16",  # its VAE is SDXL's, which overflows in float16, and the pipeline does not upcast it
    vae_scaling=0.13025,
    **SHARED,
)  # fmt: skip
