"""PixArt-α."""

from typing import Any

from comparer.models.families import pixart
from comparer.models.families.base import Family, Model
from comparer.models.families.pixart import SHARED, TRANSFORMER


def tiny(denoiser: dict[str, Any]) -> Any:
    """Build a tiny pipeline; at sample_size 128 it takes the size conditions that the 1024 model takes."""
    conditions = {"use_additional_conditions": denoiser.get("sample_size") == 128}
    return pixart.tiny(PIXART_ALPHA.pipeline, PIXART_ALPHA.vae_scaling, conditions | denoiser)


PIXART_ALPHA = Family(
    name="pixart-alpha",
    title="PixArt-α",
    pipeline="PixArtAlphaPipeline",
    models=(
        Model(
            "pixart-alpha-512", "PixArt-α 512", "PixArt-alpha/PixArt-XL-2-512x512", "pixart-alpha", 512, 4.5,
            sampler="DPM++ 2M", min_size=256, gigabytes=10.9, denoiser=TRANSFORMER | {"sample_size": 64},
        ),
        Model(
            "pixart-alpha-1024", "PixArt-α 1024", "PixArt-alpha/PixArt-XL-2-1024-MS", "pixart-alpha", 1024, 4.5,
            sampler="DPM++ 2M", min_size=256, gigabytes=10.9,
            denoiser=TRANSFORMER | {"use_additional_conditions": True},
        ),
    ),
    tiny=tiny,
    evaluation=pixart.evaluation,
    made_size=pixart.binned,
    context=120,
    min_steps=2,  # the pipeline treats a single step as a model distilled for it, and fails with other models
    **SHARED,
)  # fmt: skip
