"""Detect which pipeline component a set of tensors belongs to, from the tensor names alone. No torch."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from comparer.checkpoints.files.tensors import Tensor
from comparer.text import quote

UNKNOWN = "network"
DENOISERS = ("unet", "transformer", "prior", UNKNOWN)
COMPONENTS = (
    "unet", "transformer", "transformer_2", "vae", "vqvae", "movq", "text_encoder", "text_encoder_2", "text_encoder_3",
    "image_encoder", "safety_checker", "prior", "controlnet", "adapter",
)  # fmt: skip
# Helper networks that training saves beside the denoiser.
_HELPER = re.compile(r"(?:^|_)(?:critic|discriminator|fake|real|teacher|guidance_model)(?:$|_)", re.IGNORECASE)

# The original layout of Stable Diffusion: what a name begins with, and the component.
_ORIGINAL = {
    "model.diffusion_model.": "unet",
    "first_stage_model.": "vae",
    "cond_stage_model.transformer.": "text_encoder",
    "cond_stage_model.model.": "text_encoder",
    "conditioner.embedders.0.transformer.": "text_encoder",
    "conditioner.embedders.0.model.": "text_encoder_2",
    "conditioner.embedders.1.model.": "text_encoder_2",
}
_UNET = {
    "conv_in", "time_proj", "time_embedding", "down_blocks", "mid_block", "up_blocks", "conv_norm_out", "conv_out",
    "add_embedding", "add_time_proj", "class_embedding", "encoder_hid_proj", "time_embed_act", "position_net",
}  # fmt: skip
_ORIGINAL_UNET = {"input_blocks", "middle_block", "output_blocks", "out", "time_embed", "label_emb"}
# Component, what marks it, and all heads of names that it can have; an empty set: any.
_SIGNATURES: tuple[tuple[str, set[str], set[str]], ...] = (
    ("unet", {"conv_in", "down_blocks", "up_blocks"}, _UNET),
    ("unet", {"input_blocks", "output_blocks"}, _ORIGINAL_UNET),
    ("vae", {"encoder", "decoder", "quant_conv"}, {"encoder", "decoder", "quant_conv", "post_quant_conv"}),
    ("text_encoder", {"text_model"}, {"text_model", "text_projection", "logit_scale", "visual_projection"}),
    ("text_encoder", {"embeddings", "encoder", "final_layer_norm"}, {"embeddings", "encoder", "final_layer_norm"}),
    ("text_encoder", {"shared", "encoder"}, {"shared", "encoder", "decoder", "lm_head"}),
    ("transformer", {"transformer_blocks"}, set()),
    ("transformer", {"blocks"}, set()),
    ("transformer", {"double_blocks"}, set()),
)

_LORA = re.compile(r"(?:^|[._])lora(?:_linear_layer)?[._](down|up|A|B)(?:\.|$)")
_ALPHA = re.compile(r"(?:[._]lora(?:_linear_layer)?)?\.alpha$")
_KOHYA = {"lora_unet_": "unet", "lora_te_": "text_encoder", "lora_te1_": "text_encoder", "lora_te2_": "text_encoder_2",
          "lora_te3_": "text_encoder_3", "lora_transformer_": "transformer"}  # fmt: skip


@dataclass(frozen=True)
class Lora:
    """What a LoRA file changes.

    Attributes:
        naming: "kohya" or "diffusers".
        ranks: per component, each rank with its number of layers.
        alphas: number of scale factors; 0 where alpha equals the rank by convention.
        unpaired: names of matrices whose counterpart is missing.
        others: names of tensors that are neither matrices nor scale factors, as in DoRA and LyCORIS.
    """

    naming: str
    ranks: dict[str, dict[int, int]]
    alphas: int
    unpaired: tuple[str, ...]
    others: tuple[str, ...] = ()


def original(tensors: Iterable[Tensor]) -> str:
    """Return which original Stable Diffusion layout the names match: "SD 1.x", "SD 2.x", "SDXL", or ""."""
    names = [tensor.name for tensor in tensors]
    if not any(name.startswith("model.diffusion_model.") for name in names):
        return ""
    if any(name.startswith("conditioner.") for name in names):
        return "SDXL"
    if any(name.startswith("cond_stage_model.model.") for name in names):
        return "SD 2.x"
    if any(name.startswith("cond_stage_model.transformer.") for name in names):
        return "SD 1.x"
    return "Stable Diffusion"


def split(tensors: tuple[Tensor, ...]) -> dict[str, tuple[Tensor, ...]]:
    """Group tensors by component and strip the component prefix from their names; "" collects unmatched tensors.

    Sets of unknown kind become one component, ``network``, so they can still be inspected.
    """
    names = [tensor.name for tensor in tensors]
    prefixes = {f"{name}.": name for name in COMPONENTS}
    if any(name.startswith(tuple(_ORIGINAL)) for name in names):
        prefixes = _ORIGINAL
    elif not any(name.startswith(("unet.", "vae.", "text_encoder.")) for name in names):
        return _one(tensors)
    found: dict[str, list[Tensor]] = {}
    for tensor in tensors:
        prefix = next((prefix for prefix in prefixes if tensor.name.startswith(prefix)), "")
        component = prefixes.get(prefix, "")
        found.setdefault(component, []).append(replace(tensor, name=tensor.name.removeprefix(prefix)))
    return {component: tuple(inside) for component, inside in found.items()}


def _one(tensors: tuple[Tensor, ...]) -> dict[str, tuple[Tensor, ...]]:
    heads = {head(tensor.name) for tensor in tensors}
    for component, marks, known in _SIGNATURES:
        if marks <= heads:
            extra = tuple(tensor for tensor in tensors if known and head(tensor.name) not in known)
            inside = tuple(tensor for tensor in tensors if not known or head(tensor.name) in known)
            return {component: inside} | ({"": extra} if extra else {})
    return {UNKNOWN: tensors}


def head(name: str) -> str:
    """Return the first word of a name."""
    return name.partition(".")[0]


def helper(key: str) -> str:
    """Return the word of a dictionary key that marks a network as a training helper only; "" if there is none.

    >>> helper("critic"), helper("guidance_model.unet"), helper("unet_teacher"), helper("realistic")
    ('critic', 'guidance_model', 'unet_teacher', '')
    """
    return next((word for word in key.split(".") if _HELPER.search(word)), "")


def block_of(name: str) -> str:
    """Return the block of a tensor: its name up to the first number, or its first word.

    >>> block_of("down_blocks.0.resnets.1.conv1.weight"), block_of("conv_in.weight"), block_of("mid_block.x.0.y")
    ('down_blocks.0', 'conv_in', 'mid_block')
    >>> block_of("text_model.encoder.layers.11.mlp.fc1.bias"), block_of("input_blocks.4.1.norm.weight")
    ('text_model.encoder.layers.11', 'input_blocks.4')
    """
    words = name.split(".")
    number = next((place for place, word in enumerate(words) if word.isdigit()), 0)
    if not number or words[0] in ("mid_block", "middle_block"):
        return words[0]
    return ".".join(words[: number + 1])


def lora(tensors: Iterable[Tensor]) -> Lora | None:
    """Describe what a LoRA changes; None if the names are not those of a LoRA."""
    sides: dict[str, dict[str, Tensor]] = {}
    alphas = kohya = 0
    tensors, others = list(tensors), []
    for tensor in tensors:
        layer, side = lora_place(tensor.name)
        if side in ("down", "up"):
            sides.setdefault(layer, {})[side] = tensor
            kohya += kohya_component(tensor.name) is not None
        elif tensor.name.endswith("alpha") and tensor.elements == 1:
            alphas += 1
        else:
            others.append(tensor.name)
    if 2 * (sum(map(len, sides.values())) + alphas) <= len(tensors):  # a whole model may hold some
        return None
    ranks: dict[str, Counter[int]] = {}
    for layer, pair in sides.items():
        if "down" in pair and pair["down"].shape:
            ranks.setdefault(_target(layer), Counter())[pair["down"].shape[0]] += 1
    unpaired = tuple(tensor.name for pair in sides.values() if len(pair) == 1 for tensor in pair.values())
    plain = {component: dict(sorted(counted.items())) for component, counted in ranks.items()}
    return Lora("kohya" if kohya else "diffusers", plain, alphas, unpaired, tuple(others))


def kohya_component(name: str) -> tuple[str, str] | None:
    """Return the prefix of a key that is named as kohya's scripts do, and the component; None for other keys.

    >>> kohya_component("lora_te1_text_model_x.alpha"), kohya_component("unet.x.lora_A.weight")
    (('lora_te1_', 'text_encoder'), None)
    """
    return next((each for each in _KOHYA.items() if name.startswith(each[0])), None)


def lora_place(name: str) -> tuple[str, str]:
    """Return the layer that a tensor of a LoRA names, and its side: "down", "up" or "alpha"; ("", "") for others.

    >>> lora_place("unet.to_q.lora_A.default.weight"), lora_place("lora_unet_to_q.alpha")
    (('unet.to_q', 'down'), ('lora_unet_to_q', 'alpha'))
    """
    if found := _LORA.search(name):
        return name[: found.start()], "down" if found[1] in ("down", "A") else "up"
    if found := _ALPHA.search(name):
        return name[: found.start()], "alpha"
    return "", ""


def _target(layer: str) -> str:
    for prefix, component in _KOHYA.items():
        if layer.startswith(prefix):
            return component
    first = head(layer.removeprefix("base_model.model."))
    return first if first in COMPONENTS else "unet"


def class_of(config: dict[str, Any]) -> str:
    """Return the class named in a component's config, in the format of diffusers or transformers; "" if none.

    >>> class_of({"_class_name": "AutoencoderKL"}), class_of({"architectures": ["CLIPTextModel"]}), class_of({})
    ('AutoencoderKL', 'CLIPTextModel', '')
    """
    architectures = config.get("architectures")
    first = architectures[0] if isinstance(architectures, list) and architectures else ""
    return quote(config.get("_class_name") or first)


def component_of(class_name: str) -> str:
    """Return the component that usually has this class; "" if unknown.

    >>> component_of("UNet2DConditionModel"), component_of("T5EncoderModel"), component_of("X")
    ('unet', 'text_encoder', '')
    """
    known = {"UNet": "unet", "Autoencoder": "vae", "Transformer": "transformer", "Text": "text_encoder",
             "T5Encoder": "text_encoder"}  # fmt: skip
    return next((component for word, component in known.items() if word in class_name), "")
