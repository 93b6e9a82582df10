"""Restore a Request from an image, a grid page, run.json, or another program's settings. No torch.

The file is untrusted and may come from another installation: everything unavailable here is listed, never guessed.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from math import prod
from pathlib import Path
from typing import Any

from comparer.accelerators.registry import from_json as accelerator_from_json
from comparer.checkpoints.find import resolve, resolve_path
from comparer.checkpoints.spec import Weights
from comparer.config import UNLIMITED, Config
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.request import a1111 as other_programs
from comparer.request import image_texts
from comparer.request.png_write import CHUNK
from comparer.request.readers import a1111 as a1111_text
from comparer.request.readers import registry
from comparer.request.request import EXTRA_MEASUREMENTS, Arm, Request, Settings, fewer, unchosen
from comparer.request.validate import validate
from comparer.text import quote

LARGEST = 64 << 20  # bytes of a run.json; a run of 10,000 images has about 20 MB
LONGEST_OF_OTHERS = 8 << 20  # characters of another program's JSON
MOST_PICTURES, MOST_ARMS = 1_000_000, 1_000
SAID = 20
PICTURE, GRID, RECORD, FOREIGN = "picture", "grid", "record", "foreign"


@dataclass(frozen=True)
class Restored:
    """A request restored from a file.

    Attributes:
        request: the whole comparison, or only a baseline for another program's settings. Without limits: the request
            may exceed what this installation allows.
        kind: ``PICTURE`` or ``GRID`` of Comparer, ``RECORD`` for a run.json, ``FOREIGN`` for another program's.
        missing: what is unavailable here or could not be read, one sentence each; () if nothing.
        shot: the (arm, prompt number, seed) of a single image; None otherwise.
        notes: what was taken in another form or set to a default because the file does not say it, one sentence each.
        program: the name of the other program; "" for a file of Comparer.
    """

    request: Request
    kind: str
    missing: tuple[str, ...] = ()
    shot: tuple[int, int, int] | None = None
    notes: tuple[str, ...] = ()
    program: str = ""


def restore(path: Path, config: Config) -> Restored:
    """Restore the request of a file; a single image of Comparer restores the whole comparison it belongs to.

    Args:
        path: a PNG of Comparer, a run.json, a PNG, JPEG or WebP of another program (``readers.registry``), or its
            settings in a file of their own.
        config: what this installation has and allows.

    Raises:
        ComparerError: the file is none of these, too large or damaged, in one sentence.
    """
    name = f"'{quote(path.name)}'"
    try:
        if kind := image_texts.kind(path):
            texts = image_texts.texts(path, (CHUNK, *registry.KEYS))
            if CHUNK in texts:
                return _ours(_parsed(texts[CHUNK], name), config, name, GRID)
            why = registry.unknown(texts)
            return _foreign(texts, config, name, f"{name} is a {kind} and contains no settings that can be read", why)
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
    except OSError as error:
        raise ComparerError(f"{name} cannot be read: {error.strerror or error}.") from error
    if len(content) > LARGEST:
        raise ComparerError(f"{name} is too large: at most {LARGEST >> 20} MiB are allowed.")
    text = content.decode("utf-8-sig", "replace")
    if a1111_text.parse(text) is None and text.lstrip().startswith("{"):
        data = _parsed(text, name)
        if "request" in data or "settings" in data or len(text) > LONGEST_OF_OTHERS:
            return _ours(data, config, name, RECORD)
        # The same JSON lies in pictures under these names.
        texts = {"parameters": text, "prompt": text, "workflow": text, "invokeai_metadata": text}
        if not {"positive_prompt", "app_version"} & set(data):
            del texts["invokeai_metadata"]
        return _foreign(texts, config, name, f"{name} contains no settings saved by Comparer")
    return _foreign({"UserComment": text}, config, name, f"{name} is neither a PNG nor a run.json, JPEG or WebP")


def _parsed(text: str, name: str) -> dict:
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ComparerError(f"{name} is damaged: its settings are not JSON that can be read.") from error
    return data if isinstance(data, dict) else {}


def _ours(data: dict, config: Config, name: str, kind: str) -> Restored:
    asked = data.get("request", data)
    if not isinstance(asked, dict) or "settings" not in asked:
        raise ComparerError(f"{name} contains no settings saved by Comparer.")
    missing: list[str] = []
    _bounded(asked, name)
    try:
        request = Request.from_json(asked)
    except ComparerError as error:
        request = _what_can_be_read(asked, missing, error)
    shot = _shot(data["shot"], request) if isinstance(data.get("shot"), dict) else None
    # Steps matched to another arm's time are chosen again: they were not requested.
    places, arms = _both_sides(unchosen(request.arms))
    request = _changed(request, missing, arms=lambda _: arms)
    shot = (places[shot[0]], *shot[1:]) if shot else None
    kind = PICTURE if "shot" in data else kind
    return Restored(request, kind, _few(missing + unserved(request, config)), shot)


def _both_sides(arms: tuple[Arm, ...]) -> tuple[list[int], tuple[Arm, ...]]:
    """Put two equal-time arms in the place of the one of earlier versions; return every arm's new place, and all."""
    places: list[int] = []
    found: list[Arm] = []
    for arm in arms:
        places.append(len(found))
        like = None if arm.matches_time_of is None else places[arm.matches_time_of]
        one = like is not None and not arm.side
        found += fewer(like, found[like]) if like is not None and one else [replace(arm, matches_time_of=like)]
    return places, tuple(found)


def _bounded(asked: dict, name: str) -> None:
    """Refuse what would take long to look at."""
    settings = asked["settings"] if isinstance(asked["settings"], dict) else {}
    counts = [len(part) if isinstance(part, list) else 1 for part in (
        settings.get("prompts"), settings.get("seeds"), asked.get("arms")
    )]  # fmt: skip
    if counts[2] > MOST_ARMS or prod(counts) > MOST_PICTURES:
        raise ComparerError(f"{name} asks for {prod(counts):,} pictures and {counts[2]:,} arms, which is too many.")


def _shot(data: dict, request: Request) -> tuple[int, int, int] | None:
    found = (data.get("arm"), data.get("prompt"), data.get("seed"))
    known = found[0] in range(len(request.arms)) and found[1:] in request.items()
    return found if known else None  # type: ignore[return-value]


def _foreign(texts: dict[str, str], config: Config, name: str, otherwise: str, why: str = "") -> Restored:
    """Restore another program's settings; ``otherwise`` begins the error if no reader knows them, ``why`` ends it."""
    found = registry.read(texts, name)
    if found is None:
        what = "choose a picture, a grid or a run.json that Comparer made, or a picture of "
        because = f", because {why}" if why else ""
        raise ComparerError(f"{otherwise}{because}: {what}{', '.join(registry.PROGRAMS)}.")
    request, missing, notes = other_programs.ask(found, config)
    told = [config.redact(ComparerError(each)) for each in missing]
    missed = _few(told + unserved(request, config))
    return Restored(request, FOREIGN, missed, None, _few(notes), found.program)


def _few(said: list[str]) -> tuple[str, ...]:
    """Leave out what is said twice, and what nobody would read to its end."""
    said = list(dict.fromkeys(said))
    return tuple(said if len(said) <= SAID else [*said[:SAID], f"And {len(said) - SAID:,} more."])


def unserved(request: Request, config: Config) -> list[str]:
    """List what this request needs that is unavailable in this installation, one sentence each."""
    said: list[str] = []

    def attempt(act: Callable[..., Any], *arguments: Any) -> None:
        try:
            act(*arguments)
        except ComparerError as error:
            said.append(config.redact(error))

    attempt(lambda: replace(request, limits=config.limits))
    before = len(said)
    wanted = dict.fromkeys(request.settings_of(arm).weights for arm in range(len(request.arms)))
    for what, name in dict.fromkeys(each for weights in wanted for each in _files(weights)):
        try:
            resolve_path(name, config)
        except ComparerError:
            said.append(f"There is no {what} '{quote(name)}' here.")
    for weights in wanted if len(said) == before else ():
        attempt(resolve, weights, config)
    if len(said) == before:
        attempt(validate, request, config)
    return list(dict.fromkeys(said))


def _files(weights: Weights) -> list[tuple[str, str]]:
    """List (what, name) of everything local that weights are made of."""
    named = [("checkpoint", weights.checkpoint), ("base", weights.base), ("VAE", weights.vae)]
    named += [("LoRA", file) for file, _ in weights.loras]
    return [(what, name) for what, name in named if name and name not in CATALOG]


def _what_can_be_read(data: dict, missing: list[str], error: ComparerError) -> Request:
    """Read field by field what is not whole: of a newer version, or with an accelerator that is not here."""
    settings = data["settings"] if isinstance(data["settings"], dict) else {}
    try:
        request = Request(Settings(tuple(settings["prompts"])), limits=UNLIMITED)
    except (KeyError, TypeError, AttributeError):
        raise error from None
    known = {item.name for item in fields(Settings)} - {"prompts"}
    for name, value in settings.items():
        if name in known:

            def with_setting(asked: Request, name: str = name, value: Any = value) -> Settings:
                return replace(asked.settings, **_setting(name, value))

            request = _changed(request, missing, settings=with_setting)
        elif name != "prompts":
            missing.append(f"This version of Comparer does not know the setting '{quote(name)}'.")
    request = _changed(request, missing, arms=lambda r: _arms(data.get("arms", []), missing))
    for name in ("warmups", "noise", "repeats", "repeat_seconds", "scorer"):
        if name in data:
            request = _changed(request, missing, **{name: lambda r, n=name: data[n]})
    for name in data.get("also", ()):
        if isinstance(name, str) and name in EXTRA_MEASUREMENTS:
            request = replace(request, extras=(*request.extras, name))
        else:
            missing.append(f"'{quote(name)}' cannot be measured here.")
    return request


def _changed(request: Request, missing: list[str], **changes: Callable[[Request], Any]) -> Request:
    try:
        return replace(request, **{name: make(request) for name, make in changes.items()})
    except ComparerError as error:
        missing.append(str(error))
    except (KeyError, TypeError, AttributeError, ValueError):
        missing.append(f"{', '.join(changes).capitalize()} cannot be read.")
    return request


def _setting(name: str, value: Any) -> dict[str, Any]:
    if name == "loras":
        value = tuple((file, weight) for file, weight in value)
    return {name: tuple(value) if name == "seeds" else value}


def _arms(data: list, missing: list[str]) -> tuple[Arm, ...]:
    """Build the arms that are known here, and the rivals of those."""
    built: list[Arm] = []
    places: dict[int, int] = {}
    for number, arm in enumerate(data):
        try:
            accelerators = tuple(accelerator_from_json(each) for each in arm["accelerators"])
            weights = Weights.from_json(arm["weights"]) if arm.get("weights") else None
            like = None if arm.get("like") is None else places[arm["like"]]
            side = arm.get("side", "")
        except ComparerError as error:
            missing.append(f"The arm {quote(arm.get('name', number))} is left out: {error}")
        except (KeyError, TypeError, AttributeError, ValueError):
            missing.append(f"The arm {number + 1} is left out: it cannot be read.")
        else:
            places[number] = len(built)
            built.append(Arm(str(arm["name"]), accelerators, None, like, weights, side))
    return tuple(built)
