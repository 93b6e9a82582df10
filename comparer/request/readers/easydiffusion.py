"""Read Easy Diffusion's settings: a PNG text for each, JSON in EXIF, or a file of JSON or of lines.

A PNG's values are those of Python, as text: ``None``, ``['ink']``.
"""

import json
import re
from collections.abc import Mapping
from itertools import zip_longest
from typing import Any

from comparer.errors import ComparerError
from comparer.request.parse import one_line, split_lines
from comparer.request.readers.base import (
    LONGEST,
    Parameters,
    Reader,
    as_object,
    as_text,
    as_weight,
    pairs_of,
    sampler_pairs,
    without_equivalent,
)

# Names in its files of lines, and in JSON.
TITLES = {
    "Prompt": "prompt", "Negative Prompt": "negative_prompt", "Seed": "seed", "Width": "width", "Height": "height",
    "Stable Diffusion model": "use_stable_diffusion_model", "Clip Skip": "clip_skip", "Sampler": "sampler_name",
    "ControlNet model": "use_controlnet_model", "ControlNet Filter": "control_filter_to_apply",
    "VAE model": "use_vae_model", "Steps": "num_inference_steps", "Guidance Scale": "guidance_scale",
    "Prompt Strength": "prompt_strength", "LoRA model": "use_lora_model", "LoRA Strength": "lora_alpha",
    "Hypernetwork model": "use_hypernetwork_model", "Hypernetwork Strength": "hypernetwork_strength",
    "Embedding models": "use_embeddings_model", "Seamless Tiling": "tiling",
    "Use Face Correction": "use_face_correction", "Use Upscaling": "use_upscale", "Upscale By": "upscale_amount",
    "Latent Upscaler Steps": "latent_upscaler_steps",
}  # fmt: skip
MARK = "use_stable_diffusion_model"
KNOWN = (
    "prompt", "negative_prompt", "seed", MARK, "sampler_name", "width", "height", "num_inference_steps",
    "guidance_scale", "use_vae_model", "use_lora_model", "lora_alpha",
)  # fmt: skip
LINE = re.compile(r"([A-Z][A-Za-z ]{1,30}): ?(.*)")


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the settings; None if Easy Diffusion did not write them."""
    comment = texts.get("UserComment", "")
    found = (_named(each) for each in (texts, as_object(comment), as_object(texts.get("parameters")), _lines(comment)))
    data = next((data for data in found if MARK in data), None)
    if data is None:
        return None
    prompt = as_text(data.get("prompt"))
    if not prompt:
        raise ComparerError("its prompt is empty")
    pairs = pairs_of(
        Steps=data.get("num_inference_steps"), CFG_scale=data.get("guidance_scale"), Seed=data.get("seed"),
        Size=(data.get("width"), data.get("height")), Model=data.get(MARK), VAE=data.get("use_vae_model"),
    )  # fmt: skip
    pairs |= sampler_pairs(data.get("sampler_name"))
    others = {name: value for name, value in data.items() if name in TITLES.values()}
    names, weights = (_list(data.get(name)) for name in ("use_lora_model", "lora_alpha"))
    loras = [(as_text(name), as_weight(weight)) for name, weight in zip_longest(names, weights[: len(names)])]
    return Parameters(
        prompt, as_text(data.get("negative_prompt")), pairs | without_equivalent(others, KNOWN), READER.program,
        tuple(each for each in loras if each[0])[:16],
    )  # fmt: skip


def _named(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by their names in JSON, without those that are none."""
    named = ((TITLES.get(name, name), value) for name, value in data.items())
    return {name: value for name, value in named if name == "prompt" or value not in ("None", "False", "[]")}


def _lines(text: str) -> dict[str, str]:
    """Return the settings of a file of lines; a prompt may have several."""
    found: dict[str, str] = {}
    last = ""
    for line in split_lines(text[:LONGEST]):
        match = LINE.fullmatch(line)
        if match and match[1] in TITLES:
            last = match[1]
            found[last] = match[2]
        elif last:
            found[last] += f" {line}"
    return {name: one_line(value) for name, value in found.items()}


def _list(value: Any) -> list[Any]:
    """Return the values of a list, in JSON or as Python writes it, or of one value."""
    if isinstance(value, str) and value[:1] == "[":
        try:
            value = json.loads(value.replace("'", '"'))
        except (ValueError, RecursionError):
            return [value]
    return value if isinstance(value, list) else [value] if as_text(value) else []


READER = Reader("Easy Diffusion", (*TITLES, *TITLES.values()), read)
