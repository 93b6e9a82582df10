"""Map another program's settings, with A1111's names of samplers and settings, onto a Request. No torch."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from comparer.accelerators import stack
from comparer.accelerators.registry import parse_stack
from comparer.checkpoints.find import loose_names, names, resolve
from comparer.checkpoints.inspection.fingerprint import Hashes
from comparer.checkpoints.spec import parse as parse_weights
from comparer.config import UNLIMITED, Config
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG, DEMO
from comparer.models.samplers import SAMPLERS, canonical
from comparer.request.parse import one_line, parse_size
from comparer.request.prompt_syntax import LORA, find_lora, lora_offer, stem
from comparer.request.readers.base import DEFAULT, Parameters
from comparer.request.request import Arm, Request, Settings, usual_repeat_seconds
from comparer.text import quote

READ = (
    "Steps", "Sampler", "Schedule type", "CFG scale", "Guidance rescale", "Seed", "Size", "Model", "Model hash", "VAE",
    "Accelerator", "Weights",
)  # fmt: skip
# Pairs that do not describe how the image was made, or repeat another pair.
SILENT = re.compile(r".*\bhash(es)?|Version|User|Created Date|Civitai .*|(Negative )?Template", re.IGNORECASE)
OWN_VAE = re.compile(r"None|Automatic|Default \(model\)|Baked VAE", re.IGNORECASE)  # the checkpoint's


def ask(found: Parameters, config: Config) -> tuple[Request, list[str], list[str]]:
    """Build a request with only a baseline; list settings that have no equivalent.

    Args:
        found: the settings of the other program.
        config: the available checkpoints.

    Returns:
        the request, without limits; one sentence per setting that is left out; and one per thing that is known to be
        otherwise: LoRAs taken from tags, defaults in the place of what the file does not say.

    Raises:
        ComparerError: there is no prompt.
    """
    missing: list[str] = list(found.unread)
    notes: list[str] = list(found.notes)
    pairs, offer = found.pairs, lora_offer(found.prompt, config)
    prompt = one_line(LORA.sub(" ", found.prompt))
    checkpoint = _checkpoint(pairs, config, missing)
    try:
        model = resolve(checkpoint, config).model
    except ComparerError:  # reported elsewhere
        model = CATALOG.get(checkpoint, CATALOG["demo"])
    settings = Settings((prompt,), checkpoint, found.negative_prompt, model.sampler, model.steps, model.guidance,
                        model.size, model.size)  # fmt: skip
    repeat_seconds = usual_repeat_seconds(config.limits)
    request, taken = Request(settings, repeat_seconds=repeat_seconds, limits=UNLIMITED), set()

    def take(name: str, read: Callable[[str], dict[str, Any]]) -> None:
        nonlocal request
        if name in pairs:
            try:
                request = replace(request, settings=replace(request.settings, **read(pairs[name])))
                taken.add(name)
            except ComparerError as error:
                missing.append(str(error))
            except ValueError:
                missing.append(f"{name} '{quote(pairs[name])}' is not a number.")

    take("Weights", lambda text: {**vars(parse_weights(text))})
    take("Steps", lambda text: {"steps": int(text)})
    take("CFG scale", lambda text: {"guidance": float(text)})
    take("Guidance rescale", lambda text: {"guidance_rescale": float(text)})
    take("Seed", lambda text: {"seeds": (int(text),)})
    take("Size", lambda text: dict(zip(("width", "height"), parse_size(text), strict=True)))
    take("Sampler", lambda text: {"sampler": _sampler(text, pairs.get("Schedule type", ""), missing)})
    if not OWN_VAE.fullmatch(pairs.get("VAE", "")):
        take("VAE", lambda text: {"vae": _here(text, config, "VAE")})
    added = [(file, tag.weight) for tag, file in offer.found]
    notes += offer.sentences[: len(offer.found)]
    missing += offer.missing
    for name, weight in found.loras:
        try:
            added.append((find_lora(name, config), weight))
        except ComparerError as error:
            missing.append(str(error))
    try:
        request = replace(request, settings=replace(request.settings, loras=request.settings.loras + tuple(added)))
    except ComparerError as error:
        missing.append(str(error))
    try:
        if "Accelerator" in pairs:
            built = parse_stack(pairs["Accelerator"])
            request = replace(request, arms=(*request.arms, Arm(stack.label(built), built)))
    except ComparerError as error:
        missing.append(str(error))
    others = [
        quote(f"{name} {value}", 60) for name, value in pairs.items()
        if name not in READ and not SILENT.fullmatch(name) and (name, value) != ("Clip skip", "1")
    ]  # fmt: skip
    if others:
        missing.append(f"Comparer has no control for {', '.join(others[:12])}.")
    if usual := _usual(request.settings, taken):
        notes.append(f"These are defaults, because the file does not give them in a readable form: {', '.join(usual)}.")
    return request, missing, notes


def _usual(settings: Settings, taken: set[str]) -> list[str]:
    """List the settings that are defaults because the file's were not taken."""
    said = {
        "Steps": f"steps {settings.steps}",
        "Sampler": f"sampler {settings.sampler}",
        "CFG scale": f"guidance {settings.guidance:g}",
        "Seed": f"seed {settings.seeds[0]}",
        "Size": f"size {settings.width}x{settings.height}",
    }
    return [text for name, text in said.items() if name not in taken]


def sampler(name: str, schedule: str = "") -> str:
    """Return the local name of an A1111 sampler, with its noise schedule if given separately.

    Raises:
        ComparerError: no such sampler is available.

    >>> sampler("DPM++ 2M", "Karras"), sampler("DPM++ 2M", "Automatic"), sampler("PLMS"), sampler("euler A")
    ('DPM++ 2M Karras', 'DPM++ 2M Karras', 'PNDM', 'Euler a')
    """
    name, schedule = name.strip(), schedule.strip().lower()
    if schedule == "automatic" and name.lower() == "dpm++ 2m":
        schedule = "karras"  # A1111's automatic choice for this sampler
    full = {"PLMS": "PNDM"}.get(name, name)
    if schedule not in DEFAULT and not full.lower().endswith(f" {schedule}"):
        full = f"{full} {schedule.capitalize()}"
    try:
        return canonical(full)
    except ComparerError:
        raise ComparerError(f"The sampler {quote(full)} is not supported: choose {', '.join(SAMPLERS)}.") from None


def _sampler(name: str, schedule: str, missing: list[str]) -> str:
    """Return a sampler; where only its noise schedule is unavailable, that one is named, and the sampler is taken."""
    try:
        return sampler(name, schedule)
    except ComparerError:
        try:
            plain = sampler(name)
        except ComparerError:
            plain = ""
        if not plain:
            raise
    missing.append(f"Comparer has no control for Schedule type {quote(schedule, 40)}.")
    return plain


def _checkpoint(pairs: dict[str, str], config: Config, missing: list[str]) -> str:
    """Find a model by its name, else by its hash where that is known; one that is not here keeps its name."""
    name = pairs.get("Model", "")
    try:
        return _here(name, config, "checkpoint")
    except ComparerError as error:
        if found := _by_hash(pairs.get("Model hash", ""), config):
            return found
        missing.append(str(error) if name else "It names no model that is here: the demo is used instead.")
        return name or "demo"


def _here(name: str, config: Config, what: str) -> str:
    """Return what is called so here: by its name, or its file's without its ending, upper and lower case alike."""
    name = PurePath(name.strip().replace("\\", "/")).name
    known = {**{n: n for n in loose_names(config)}, **{n: n for n in names(config)}}
    plain = stem(name)
    listed = [n for n in known if n.lower() == name.lower() or stem(PurePath(n).name) == plain]
    if what == "checkpoint":
        listed += [n for n, model in CATALOG.items() if n in known and model.single_file == plain]
    if not plain or not listed:
        raise ComparerError(f"There is no {what} '{quote(name)}' here.")
    return listed[0]


def _by_hash(digits: str, config: Config) -> str:
    """Find a checkpoint by the first digits of a file's SHA-256, among those that were hashed before; "" for none."""
    if not re.fullmatch(r"[0-9a-fA-F]{10,64}", digits):
        return ""
    known, listed = Hashes(config.runs / "cache" / "hashes.json").known, {*names(config), *loose_names(config)}
    for file, state in known.items():
        if not isinstance(state, list) or not str(state[-1:]).startswith(f"['{digits.lower()}"):
            continue
        if Path(file).is_relative_to(DEMO):
            return "demo"
        for root in config.checkpoints:
            if Path(file).is_relative_to(root.resolve()):
                inside = PurePath(root.name) / Path(file).relative_to(root.resolve())
                for each in (inside, *inside.parents):
                    if str(each) in listed:
                        return str(each)
    return ""
