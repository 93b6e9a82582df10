"""Read InvokeAI's PNG: ``invokeai_metadata`` (from version 3), ``sd-metadata`` (2) and ``Dream`` (1 and 2)."""

import re
from collections.abc import Mapping
from typing import Any

from comparer.errors import ComparerError
from comparer.request.parse import one_line
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

KNOWN = (
    "positive_prompt", "negative_prompt", "width", "height", "seed", "cfg_scale", "cfg_rescale_multiplier", "steps",
    "scheduler", "model", "loras", "vae", "app_version", "generation_mode", "rand_device", "created_by", "prompt",
    "sampler", "type", "height", "postprocessing", "positive_style_prompt", "negative_style_prompt", "clip_skip",
)  # fmt: skip
FLAGS = {"-s": "steps", "-S": "seed", "-W": "width", "-H": "height", "-C": "cfg_scale", "-A": "sampler"}
FLAG = re.compile(r"(-[A-Za-z])[ \t]*([^\s-]\S*)")
BRACKETS = re.compile(r"\[([^\[\]]*)\]")  # what the image should not show, in versions 1 and 2


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the settings; None if InvokeAI did not write them."""
    if data := as_object(texts.get("invokeai_metadata")):
        return _parameters(data, as_text(data.get("positive_prompt")), as_text(data.get("negative_prompt")))
    if data := as_object(texts.get("sd-metadata")):
        image = data.get("image")
        image = image[0] if isinstance(image, list) and image else image
        if not isinstance(image, dict):
            raise ComparerError("its metadata has no image")
        return _parameters(image | {"model": data.get("model_weights")}, *_bracketed(_first(image.get("prompt"))))
    dream = texts.get("Dream", "").strip()[:LONGEST]
    if dream.startswith('"') and (end := dream.rfind('"')):
        flags = FLAG.findall(dream[end + 1 :][:2000])
        return _parameters({FLAGS[flag]: value for flag, value in flags if flag in FLAGS}, *_bracketed(dream[1:end]))
    if any(key in texts for key in READER.keys):
        raise ComparerError("its metadata has no prompt")
    return None


def _parameters(data: dict[str, Any], prompt: str, negative: str) -> Parameters:
    if not prompt:
        raise ComparerError("its metadata has no prompt")
    pairs = pairs_of(
        Steps=data.get("steps"), CFG_scale=data.get("cfg_scale"), Seed=data.get("seed"),
        Size=(data.get("width"), data.get("height")), Model=_name(data.get("model")), VAE=_name(data.get("vae")),
        Guidance_rescale=data.get("cfg_rescale_multiplier") or None, Clip_skip=data.get("clip_skip") or None,
    )  # fmt: skip
    pairs |= sampler_pairs(data.get("scheduler") or data.get("sampler"))
    mode = as_text(data.get("generation_mode") or data.get("type"))
    pairs |= {} if mode.endswith("txt2img") else pairs_of(Generation_mode=mode)
    listed = data.get("loras")
    loras = [
        (_name(row.get("model") or row.get("lora")), as_weight(row.get("weight")))
        for row in (listed if isinstance(listed, list) else [])
        if isinstance(row, dict)
    ]
    more = without_equivalent(data, KNOWN)
    more |= {name: "present" for name in ("controlnets", "ipAdapters", "t2iAdapters", "regions") if data.get(name)}
    for sign in ("positive", "negative"):
        style = as_text(data.get(f"{sign}_style_prompt"))
        if style and style != (prompt if sign == "positive" else negative):
            more[f"{sign} style prompt"] = style
    return Parameters(prompt, negative, pairs | more, READER.program, tuple(each for each in loras if each[0])[:16])


def _name(model: Any) -> str:
    """Return a model's name: of a text, or of an object as versions 3 and 4 write it."""
    if isinstance(model, dict):
        return next((text for key in ("name", "model_name") if (text := as_text(model.get(key)))), "")
    return as_text(model)


def _first(prompt: Any) -> str:
    first = prompt[0] if isinstance(prompt, list) and prompt else prompt
    return as_text(first.get("prompt") if isinstance(first, dict) else first)


def _bracketed(prompt: str) -> tuple[str, str]:
    """Split a prompt of versions 1 and 2 into what is wanted, and what is not.

    >>> _bracketed("a cat [blurry] on a mat")
    ('a cat on a mat', 'blurry')
    """
    return one_line(BRACKETS.sub(" ", prompt)), one_line(" ".join(BRACKETS.findall(prompt)))


READER = Reader("InvokeAI", ("invokeai_metadata", "sd-metadata", "Dream", "invokeai_graph"), read)
