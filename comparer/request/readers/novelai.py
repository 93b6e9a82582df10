"""Read NovelAI's PNG: ``Software`` is NovelAI, ``Comment`` has the settings as JSON, ``Description`` the prompt."""

from collections.abc import Mapping
from typing import Any

from comparer.errors import ComparerError
from comparer.request.parse import one_line
from comparer.request.readers.base import (
    Parameters,
    Reader,
    as_object,
    as_text,
    pairs_of,
    sampler_pairs,
    without_equivalent,
)

KNOWN = (
    "prompt", "uc", "steps", "scale", "seed", "width", "height", "sampler", "noise_schedule", "cfg_rescale",
    "n_samples", "signed_hash", "version", "request_type", "uncond_scale",
    "controlnet_strength",
)  # fmt: skip


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the settings; None if NovelAI did not write them."""
    inner = as_object(texts.get("UserComment"))  # of its WebP files
    texts = {**{key: text for key, text in inner.items() if isinstance(text, str)}, **texts}
    if texts.get("Software", "").strip() != READER.program:
        return None
    data = as_object(texts.get("Comment"))
    new = _captions(data.get("v4_prompt"))
    prompt = as_text(data.get("prompt")) or new[0] or one_line(texts.get("Description", ""))
    if not prompt:
        raise ComparerError("its metadata has no prompt")
    negative = as_text(data.get("uc")) or _captions(data.get("v4_negative_prompt"))[0]
    pairs = pairs_of(
        Steps=data.get("steps"), CFG_scale=data.get("scale"), Seed=data.get("seed"),
        Size=(data.get("width"), data.get("height")), Model=texts.get("Source"),
        Guidance_rescale=data.get("cfg_rescale") or None,
    )  # fmt: skip
    pairs |= sampler_pairs(data.get("sampler"), _schedule(data.get("noise_schedule")))
    unread = ("Prompts of single characters are not read.",) if new[1] else ()
    return Parameters(prompt, negative, pairs | without_equivalent(data, KNOWN), READER.program, unread=unread)


def _schedule(name: Any) -> str:
    return "" if name == "native" else as_text(name)


def _captions(data: Any) -> tuple[str, bool]:
    """Return the base caption of version 4, and whether there are characters' captions beside it."""
    caption = data.get("caption") if isinstance(data, dict) else None
    if not isinstance(caption, dict):
        return "", False
    return as_text(caption.get("base_caption")), bool(caption.get("char_captions"))


READER = Reader("NovelAI", ("Software", "Comment", "Description", "Source"), read)
