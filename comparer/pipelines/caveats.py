"""Unexpected effects of a request on a model, listed once with the figures."""

import inspect
from collections.abc import Sequence
from typing import Any

from comparer.models import samplers
from comparer.pipelines.loader import Loaded

MOVED = "Resumed under other conditions than before"
EARLIER = (MOVED, "Gone on with under other conditions than it began")  # as older runs have it


def remarks(loaded: Loaded, settings: Any) -> list[str]:
    """List what its files say otherwise, the words that the model does not read, and the size it actually works at.

    Args:
        loaded: the pipeline, whose tokenizers are used.
        settings: the request's ``Settings``.
    """
    family, said = loaded.checkpoint.family, list(loaded.built.notes) if loaded.built else []
    named = [(f"Prompt {number + 1}", text) for number, text in enumerate(settings.prompts)]
    context = min(family.context, loaded.pipe.tokenizer.model_max_length)
    for name, text in [*named, ("The negative prompt", settings.negative_prompt)]:
        if lost := unread(loaded.pipe.tokenizer, text, context):
            said.append(f"{name} is longer than the model's {context} tokens: the model ignored “{lost}”.")
    made = family.made_size(getattr(loaded.pipe, family.denoiser).config, settings.width, settings.height)
    if made != (settings.width, settings.height):
        said.append(
            f"{family.title} generates {settings.width} × {settings.height} at {made[0]} × {made[1]}, the "
            "nearest size that it was trained on, and resizes the result."
        )
    kind = type(samplers.scheduler(settings.sampler, loaded.scheduler_config))
    taken = inspect.signature(kind.__init__).parameters
    if loaded.scheduler_config.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in taken:
        said.append(
            f"The checkpoint was trained to no signal at all (ztsnr), and {settings.sampler} cannot start from it: "
            "choose DDIM or Euler."
        )
    return said


def moved(before: dict, now: dict, said: Sequence[str] = ()) -> list[str]:
    """List how the conditions of a resumed run differ: device, dtype, threads or versions; [] if they are equal.

    Earlier remarks of this kind in ``said`` are kept.

    >>> moved({"device": "cpu", "versions": {"torch": "2.6"}}, {"device": "cuda:0", "versions": {"torch": "2.6"}})
    ['Resumed under other conditions than before: device cuda:0 instead of cpu.']
    """
    differ = differences(before, now)
    new = [f"{MOVED}: {'; '.join(differ)}."] if differ else []
    return [*(each for each in said if each.startswith(EARLIER) and each not in new), *new]


def differences(before: dict, now: dict) -> list[str]:
    """List the conditions of two processes that differ: "dtype float16 instead of float32"."""
    flat = [{**each, **each.get("versions", {})} for each in (before, now)]
    names = ["device", "device_name", "dtype", "threads", "offload", "vae", "python", *now.get("versions", {})]
    return [f"{name} {flat[1].get(name)} instead of {flat[0][name]}" for name in names
            if name in flat[0] and flat[0][name] != flat[1].get(name)]  # fmt: skip


def unread(tokenizer: Any, text: str, context: int) -> str:
    """Return the end of a text that a tokenizer truncates at ``context`` tokens, "" if it reads everything."""
    read = tokenizer(text, return_offsets_mapping=True, verbose=False)
    if len(read.input_ids) <= context:
        return ""
    first, _ = read["offset_mapping"][context - 1]  # the last token of the context ends the text
    return text[first:].strip()
