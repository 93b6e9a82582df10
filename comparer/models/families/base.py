"""Model families and their defaults. No torch."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Family:
    """A model family: its diffusers classes and its defaults.

    Attributes:
        name, title: ``name`` in files, ``title`` on the page.
        pipeline: the diffusers pipeline class.
        denoiser: the pipeline's component that the accelerators change, "unet" or "transformer".
        guidance: default classifier-free guidance scale.
        text: the components that read the prompt.
        context: prompt tokens, start and end included, that the pipeline reads by default.
        checker: whether the pipeline accepts a safety checker (which must then be disabled explicitly).
        rescale: whether the pipeline accepts ``guidance_rescale``.
        on_step_end: whether the pipeline calls ``callback_on_step_end``; PixArt's pipelines ignore it silently.
        gpu_dtype: dtype on a GPU; SDXL's VAE, which PixArt-Σ shares, overflows in float16, and PixArt's pipeline
            does not upcast it as SDXL's does.
        min_steps: PixArt-α's pipeline treats a single step as a model distilled for it, and fails with other models.
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
    gpu_dtype: str = "float16"
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
            on_step_end=False, gpu_dtype="bfloat16",
        ),
    )
}  # fmt: skip
