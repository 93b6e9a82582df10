"""What every reader of another program's settings returns, and how untrusted JSON is read."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from comparer.models.samplers import SAMPLERS
from comparer.request.parse import one_line
from comparer.text import quote

LONGEST = 1 << 20  # characters of a text in A1111's format
MOST_NOTES = 12


@dataclass(frozen=True)
class Parameters:
    """Settings of an image, by the names that A1111 gives them.

    Attributes:
        prompt, negative_prompt: on one line each.
        pairs: "Steps", "Sampler", "Schedule type", "CFG scale", "Guidance rescale", "Seed", "Size", "Model", "VAE" as
            text, each only if the file says it; other names are settings that have no equivalent.
        program: the name of the program that wrote them.
        loras: (name, weight) of LoRAs that no tag of the prompt names.
        unread: what the file asks for and cannot be served, one sentence each.
        notes: what the file has besides and is not read, one sentence each.
    """

    prompt: str
    negative_prompt: str
    pairs: dict[str, str]
    program: str = "another program"
    loras: tuple[tuple[str, float], ...] = ()
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reader:
    """A reader of one program's settings.

    Attributes:
        program: the program's name.
        keys: names of the PNG texts that it looks at.
        read: from texts by name to parameters; None if they are not this program's. Raises ``ComparerError`` with the
            end of a sentence, "its prompt …", if they are, and have no prompt that stands plainly.
    """

    program: str
    keys: tuple[str, ...]
    read: Callable[[Mapping[str, str]], Parameters | None]


def as_object(text: str | None) -> dict[str, Any]:
    """Parse a JSON object; {} if the text is none."""
    if not text or text.lstrip()[:1] != "{":
        return {}
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def as_text(value: Any) -> str:
    """Return a scalar as text, a float without trailing zeros; "" for anything else, and for true and false.

    >>> as_text(3021412345.0), as_text(7.5), as_text("a"), as_text(None), as_text([1])
    ('3021412345', '7.5', 'a', '', '')
    """
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    try:
        if isinstance(value, float):
            return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"
        return one_line(str(value))
    except ValueError:  # an integer of more digits than Python converts
        return ""


def as_weight(value: Any) -> float:
    """Return a LoRA's weight; 1 if it is no number."""
    try:
        return float(as_text(value) or 1)
    except ValueError:
        return 1.0


def pairs_of(**values: Any) -> dict[str, str]:
    """Return A1111's pairs for those values that are there; underscores in names become spaces.

    >>> pairs_of(Steps=20, CFG_scale=7.5, Seed=None, Size=(512, 768))
    {'Steps': '20', 'CFG scale': '7.5', 'Size': '512x768'}
    """
    size = values.get("Size")
    if size is not None:
        known = isinstance(size, tuple | list) and len(size) == 2 and all(map(as_text, size))
        values["Size"] = "x".join(map(as_text, size)) if known else None
    return {name.replace("_", " "): text for name, value in values.items() if (text := as_text(value))}


def without_equivalent(data: Mapping[str, Any], known: Iterable[str]) -> dict[str, str]:
    """Return the scalar entries of an object that no reader takes, to be named; empty and false ones are left out."""
    taken = set(known)
    return {
        one_line(str(key))[:60]: quote(text, 60)
        for key, value in list(data.items())[:200]
        if key not in taken and (text := "on" if value is True else as_text(value)) and value not in (0, *NOTHING)
    }


NOTHING = ("", "None", "none")
DEFAULT = ("", "automatic", "normal", "uniform")
"""Noise schedules that are the sampler's default."""
_LISTED = {name.lower() for name in SAMPLERS}
# Samplers of k-diffusion and diffusers, by the names that A1111 gives them.
_SAMPLERS = {
    "ddim": "DDIM", "plms": "PLMS", "pndm": "PNDM", "lcm": "LCM", "euler": "Euler", "euler_a": "Euler a",
    "euler_ancestral": "Euler a", "heun": "Heun", "lms": "LMS", "unipc": "UniPC", "uni_pc": "UniPC",
    "dpm_2": "DPM2", "dpm_2_ancestral": "DPM2 a", "dpmpp_2m": "DPM++ 2M", "dpmpp_2m_sde": "DPM++ 2M SDE",
    "dpmpp_sde": "DPM++ SDE", "dpmpp_3m_sde": "DPM++ 3M SDE", "dpmpp_2s_ancestral": "DPM++ 2S a",
}  # fmt: skip


def sampler_pairs(name: Any, schedule: Any = "") -> dict[str, str]:
    """Return the pairs of a sampler that is named as in ComfyUI, InvokeAI or NovelAI.

    >>> sampler_pairs("dpmpp_2m", "karras"), sampler_pairs("k_euler_ancestral"), sampler_pairs("dpmpp_2m_sde_k")
    ({'Sampler': 'DPM++ 2M', 'Schedule type': 'karras'}, {'Sampler': 'Euler a'}, {'Sampler': 'DPM++ 2M SDE', \
'Schedule type': 'karras'})
    >>> sampler_pairs("ddim", "ddim_uniform"), sampler_pairs("magic", "beta")
    ({'Sampler': 'DDIM'}, {'Sampler': 'magic', 'Schedule type': 'beta'})

    A schedule that Comparer does not have for the sampler is a setting of its own, to be named.

    >>> sampler_pairs("k_euler_ancestral", "karras")
    {'Sampler': 'Euler a', 'Noise schedule': 'karras'}
    """
    name, schedule = as_text(name), as_text(schedule)
    plain = re.sub(r"^(k|sample_k)_|_gpu$|_cfg_pp$", "", name.lower().replace("-", "_").replace(" ", "_"))
    if "cfg_pp" in name.lower():
        return pairs_of(Sampler=name, Schedule_type=schedule)
    if plain.endswith("_k") or plain.endswith("_karras"):
        plain, schedule = plain.rsplit("_", 1)[0], "karras"
    if plain == "ddim" and schedule == "ddim_uniform":
        schedule = ""
    named = _SAMPLERS.get(plain, name)
    if named in SAMPLERS and schedule.lower() not in DEFAULT and f"{named} {schedule}".lower() not in _LISTED:
        return pairs_of(Sampler=named, Noise_schedule=schedule)
    return pairs_of(Sampler=named, Schedule_type=schedule)
