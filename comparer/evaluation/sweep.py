"""Settings of a batch evaluation: a request file or flags, with lists expanded to their product."""

import inspect
import itertools
import json
import tomllib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.build import build_request
from comparer.request.parse import one_line, parse_prompts
from comparer.request.prompt_files import LARGE, SMALL, TABLES, first_two, read_prompt_file
from comparer.request.prompt_sets import FAIR_TEST, PromptSet
from comparer.request.request import Request
from comparer.text import printable, quote

SWEPT = ("checkpoint", "sampler", "steps", "guidance", "size", "batch_size", "guidance_rescale")
"""Arguments of ``build_request`` that may be lists."""


@dataclass(frozen=True)
class Cell:
    """One request of a product, with its values of the swept settings."""

    values: dict[str, Any]
    request: Request

    @property
    def name(self) -> str:
        """Name of the cell: "guidance 4, steps 20"; "" if nothing is swept."""
        return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in self.values.items())


def cells(config: Config, given: dict[str, Any]) -> list[Cell]:
    """Build every request of the product; equal requests are merged.

    Args:
        config: folders and limits.
        given: arguments of ``build_request``; those of ``SWEPT`` may be lists.

    Raises:
        ComparerError: an argument is unknown, a list is empty, or a request is not allowed.
    """
    known = set(inspect.signature(build_request).parameters) - {"config", "thresholds"}
    for name in given:
        if name not in known:
            raise ComparerError(f"There is no setting '{quote(name)}': choose among {', '.join(sorted(known))}.")
        if given[name] == []:
            raise ComparerError(f"The list of '{name}' is empty: leave it out, or give it a value.")
    swept = {name: given[name] for name in SWEPT if isinstance(given.get(name), list)}
    fixed = {name: value for name, value in given.items() if name not in swept}
    made: list[Cell] = []
    for values in itertools.product(*swept.values()):
        chosen = dict(zip(swept, values, strict=True))
        request = build_request(config, **fixed | chosen)
        if all(request != cell.request for cell in made):
            made.append(Cell({name: value for name, value in chosen.items() if len(swept[name]) > 1}, request))
    return made


def read_file(path: Path) -> dict[str, Any]:
    """Read a request file: TOML or JSON with arguments of ``build_request``, or the ``run.json`` of an earlier run.

    Raises:
        ComparerError: the file cannot be read, or is in neither format.
    """
    try:
        text = path.read_text(encoding="utf-8")
        data = tomllib.loads(text) if path.suffix == ".toml" else json.loads(text)
    except OSError as error:
        raise ComparerError(f"'{quote(path.name)}' cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise ComparerError(f"'{quote(path.name)}' is not a request file: {quote(error)}.") from error
    if not isinstance(data, dict):
        raise ComparerError(f"'{path.name}' is not a request file: it has no settings.")
    if "request" in data:
        return _arguments(Request.from_json(data["request"]))
    if isinstance(prompts := data.get("prompt"), list):
        if not all(isinstance(prompt, str) for prompt in prompts):
            raise ComparerError(
                f"'{quote(path.name)}' has a prompt that is not text: write a string or a list of strings."
            )
        data["prompt"] = "\n".join(map(one_line, prompts))
    return data


def _arguments(request: Request) -> dict[str, Any]:
    """Return the arguments that ``build_request`` builds this request from."""
    s, others = request.settings, [arm.weights for arm in request.arms if arm.weights]
    applied = [arm.accelerators for arm in request.arms[1:] if arm.matches_time_of is None]
    return {
        "prompt": "\n".join(s.prompts),
        "checkpoint": s.weights.text(),
        "accelerators": tuple(each for each in applied[:1] if each) if others else applied,
        "variants": tuple(weights.text() for weights in others),
        "negative_prompt": s.negative_prompt,
        "sampler": s.sampler,
        "steps": s.steps,
        "guidance": s.guidance,
        "size": (s.width, s.height),
        "seeds": ",".join(map(str, s.seeds)),
        "batch_size": s.batch_size,
        "warmups": request.warmups,
        "noise": request.noise,
        "guidance_rescale": s.guidance_rescale,
        "repeats": request.repeats,
        "repeat_seconds": request.repeat_seconds,
        "also": request.wanted(),
        "scorer": request.scorer,
    }


def prompts_of(
    source: Path | PromptSet, number: int | None = None, tell: Callable[[str], object] = lambda said: None
) -> str:
    """Read the first ``number`` prompts of a file, as ``read_prompt_file`` reads it, or of a set, on a line each.

    Args:
        source: a set, or a file, of 1 MiB at most; CSV and JSON of 64 MiB at most.
        number: how many; None for all of a file, and for a set's fair test.
        tell: is told how many prompts were read, what was left out, and the first two.

    Raises:
        ComparerError: the file cannot be read, holds no prompt, or fewer than ``number``.
    """
    if isinstance(source, PromptSet):
        every, number = source.prompts(), FAIR_TEST if number is None else number
        taken = first("\n".join(every), number)
        tell(f"Set {source.name}: the first {number} of {len(every)} prompts: {first_two(every[:number])}")
        return taken
    found = read_prompt_file(source, LARGE if source.suffix.lower() in TABLES else SMALL)
    tell(f"{printable(quote(source.name))}: {found.sentence}. First: {first_two(found.prompts)}")
    prompts = "\n".join(found.prompts)
    return prompts if number is None else first(prompts, number)


def first(prompts: str, number: int) -> str:
    """Return the first ``number`` prompts of a multi-line text.

    Raises:
        ComparerError: there are fewer prompts.
    """
    lines = parse_prompts(prompts)
    if not 1 <= number <= len(lines):
        raise ComparerError(f"There are only {len(lines)} prompts, not {number}: use more seeds instead.")
    return "\n".join(lines[:number])
