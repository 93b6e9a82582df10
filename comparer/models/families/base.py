"""What a family's file states: the family, its published models, and how its pipeline is called. No torch."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


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
        factor: pixels per latent along a side; sides are multiples of it.
        base: the repository of the other components where ``source`` holds the denoiser alone.
        gigabytes: approximate size of a float16 copy (parameters × 2 bytes); 0 if unknown. The Hub reports the
            exact size before a download.
        denoiser: config of the published denoiser; empty for the demo and for models outside the catalogue.
        prediction: what the denoiser predicts, as in a scheduler's config.
        single_file: name, without ending, of its published single file; A1111's settings name the model so. "" if none.
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
    factor: int = 8
    base: str = ""
    gigabytes: float = 0
    denoiser: dict[str, Any] = field(default_factory=dict, repr=False, hash=False)
    prediction: str = "epsilon"
    single_file: str = ""


@dataclass(frozen=True)
class Argument:
    """A fixed argument, and why it has this value."""

    name: str
    value: Any
    why: str


@dataclass(frozen=True)
class Twin:
    """A second published model of a family, whose single file looks like the first's but predicts something else.

    Attributes:
        prediction: what it predicts.
        size: native image size, pixels per side.
        global_step: the step counter that its single file contains.
    """

    prediction: str
    size: int
    global_step: str


def same_size(denoiser: Mapping[str, Any], width: int, height: int) -> tuple[int, int]:
    """Return the requested (width, height): most pipelines generate an image at its own size."""
    return width, height


@dataclass(frozen=True, kw_only=True)
class Family:
    """A model family: its diffusers classes, its defaults, its published models and how its pipeline is called.

    Attributes:
        name, title: ``name`` in files, ``title`` on the page.
        group: common name of related families, as in "PixArt has no U-Net"; the title by default.
        pipeline: the diffusers pipeline class.
        matches: whether a denoiser's config is this family's, where several families have the same pipeline class;
            None for the one of them that has all other configs.
        denoiser: the pipeline's component that the accelerators change, "unet" or "transformer".
        denoiser_class: the diffusers class of the denoiser.
        models: the published models, in the catalogue's order.
        tiny: builds a tiny pipeline with random weights from changes to the denoiser's config; native size 128 pixels,
            or the smallest that the pipeline can make.
        evaluation: returns a function that evaluates the denoiser at a time step as the pipeline calls it, on torch's
            meta device. Takes the denoiser, the batch (2 per guided image), width and height in latents, and the number
            of prompt tokens.
        guidance: default classifier-free guidance scale.
        text: the components that read the prompt.
        context: prompt tokens, start and end included, that the pipeline reads by default.
        fixed_context: whether the pipeline always reads ``context`` tokens; else the tokenizer's ``model_max_length``
            limits them, which must then be a whole number.
        embeddings: the tensors of the pipeline's step callback that hold both halves of a guided batch.
        rescale: whether the pipeline accepts ``guidance_rescale``.
        on_step_end: whether the pipeline calls ``callback_on_step_end``; else it calls ``callback``.
        load: arguments of ``from_pretrained`` beside the components.
        call: arguments of every call.
        gpu_dtype: dtype on a GPU.
        min_steps: fewest steps that the pipeline makes.
        made_size: returns the (width, height) in pixels at which the pipeline works, from the denoiser's config and the
            requested width and height in pixels; a remark says so where they differ.
        vae_scaling: scaling factor of the published VAE; a checkpoint with another one is suspicious.
        original: name of its original layout (``files.components.original``), whose single files are loaded with the
            configs in ``assets/configs``; "" if there are none.
        twin: a second published model with the same original layout.
    """

    name: str
    title: str
    group: str = ""
    pipeline: str
    matches: Callable[[dict[str, Any]], bool] | None = None
    denoiser: str = "unet"
    denoiser_class: str = "UNet2DConditionModel"
    models: tuple[Model, ...]
    tiny: Callable[[dict[str, Any]], Any]
    evaluation: Callable[[Any, int, int, int, int], Callable[[Any], Any]]
    guidance: float = 7.5
    text: tuple[str, ...] = ("text_encoder",)
    context: int = 77
    fixed_context: bool = False
    embeddings: tuple[str, ...] = ("prompt_embeds",)
    rescale: bool = True
    on_step_end: bool = True
    load: tuple[Argument, ...] = ()
    call: tuple[Argument, ...] = ()
    gpu_dtype: str = "float16"
    min_steps: int = 1
    made_size: Callable[[Mapping[str, Any], int, int], tuple[int, int]] = same_size
    vae_scaling: float = 0.18215
    original: str = ""
    twin: Twin | None = None

    @property
    def largest(self) -> Model:
        """The published model of the largest native size, which the compatibility matrix is about."""
        return max(self.models, key=lambda model: model.size)

    def prediction(self, width: int | None) -> str:
        """Return what the published model with this latent width predicts; "epsilon" if none has it."""
        return next((m.prediction for m in self.models if m.denoiser["sample_size"] == width), "epsilon")
