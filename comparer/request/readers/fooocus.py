"""Read Fooocus' JSON: ``parameters`` with ``fooocus_scheme``, ``Comment`` of its older versions, its log's JSON."""

import re
from collections.abc import Mapping
from typing import Any

from comparer.errors import ComparerError
from comparer.request.readers.base import (
    Parameters,
    Reader,
    as_object,
    as_text,
    as_weight,
    pairs_of,
    sampler_pairs,
    without_equivalent,
)
from comparer.text import quote

KNOWN = (
    "prompt", "negative_prompt", "steps", "guidance_scale", "cfg", "cfg_scale", "seed", "resolution", "width", "height",
    "sampler", "sampler_name", "scheduler", "base_model", "base_model_name", "vae", "version", "metadata_scheme",
    "created_by", "base_model_hash", "full_prompt", "full_negative_prompt", "real_prompt", "real_negative_prompt",
    "software", "refiner_model_hash",
)  # fmt: skip

OWN = ("performance", "sharpness", "adm_guidance", "styles", "base_model", "base_model_name", "real_prompt")


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the settings; None if Fooocus did not write them."""
    found = (_settings(texts, key) for key in ("parameters", "UserComment", "Comment"))
    data = next((data for data in found if data), None)
    if data is None:
        return None
    prompt = as_text(data.get("prompt"))
    if not prompt:
        raise ComparerError("its prompt is empty")
    size = re.fullmatch(r"\(?\s*(\d{1,6})\s*[,x×]\s*(\d{1,6})\s*\)?", _resolution(data.get("resolution")))
    pairs = pairs_of(
        Steps=data.get("steps"),
        CFG_scale=next((data[key] for key in ("guidance_scale", "cfg_scale", "cfg") if key in data), None),
        Seed=data.get("seed"),
        Size=size.groups() if size else (data.get("width"), data.get("height")),
        Model=data.get("base_model") or data.get("base_model_name"),
        VAE="" if as_text(data.get("vae")).startswith("Default") else data.get("vae"),
    )
    pairs |= sampler_pairs(data.get("sampler") or data.get("sampler_name"), data.get("scheduler"))
    left = {key: value for key, value in data.items() if not key.startswith("lora")}
    styles = left.pop("styles", None)
    left["styles"] = ", ".join(map(as_text, styles[:9])) if isinstance(styles, list) else as_text(styles).strip("[]")
    return Parameters(
        prompt, as_text(data.get("negative_prompt")), pairs | without_equivalent(left, KNOWN), READER.program,
        tuple(_loras(data))[:16],
    )  # fmt: skip


def _settings(texts: Mapping[str, str], key: str) -> dict[str, Any]:
    """Return the object under a key, with names as the scheme writes them; {} if it is not Fooocus'."""
    data = {name.lower().replace(" ", "_"): value for name, value in as_object(texts.get(key)).items()}
    said = [
        texts.get("Software", ""),
        *(as_text(data.get(name)) for name in ("version", "software", "metadata_scheme")),
    ]
    own = "fooocus_scheme" in texts or "fooocus" in " ".join(said).lower() or any(name in data for name in OWN)
    return data if "prompt" in data and own else {}


def _resolution(value: Any) -> str:
    return f"{value[0]}x{value[1]}" if isinstance(value, list) and len(value) == 2 else as_text(value)


def _loras(data: Mapping[str, Any]) -> list[tuple[str, float]]:
    """List LoRAs: ``[[name, weight, hash]]``, or ``"lora_1": "name : weight"`` of the log."""
    listed = data.get("loras")
    rows = [row for row in listed if isinstance(row, list) and len(row) > 1] if isinstance(listed, list) else []
    found = [(as_text(row[0]), as_weight(row[1])) for row in rows]
    for key, value in list(data.items())[:200]:
        name, _, weight = as_text(value).rpartition(":")
        if re.fullmatch(r"lora_(combined_)?\d+", key) and name:
            found.append((name.strip(), as_weight(weight.strip())))
    return [(quote(name, 200), weight) for name, weight in dict(found).items() if name and name != "None"]


READER = Reader("Fooocus", ("parameters", "fooocus_scheme", "Comment"), read)
