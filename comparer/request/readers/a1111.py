"""Read the ``parameters`` text that A1111's web UI, Forge and others write into their images.

The text is the prompt, the lines from ``Negative prompt:`` on, and a line of ``Name: value`` pairs, as in
``modules/infotext_utils.py`` of AUTOMATIC1111/stable-diffusion-webui. Other programs and extensions put lines and JSON
before, between and after the pairs.
"""

import json
import re
from collections.abc import Mapping

from comparer.errors import ComparerError
from comparer.request.parse import one_line
from comparer.request.png_write import NEGATIVE
from comparer.request.readers.base import LONGEST, Parameters, Reader
from comparer.text import quote

MOST = 1 << 16  # characters of the pairs
MOST_JSON = 50  # values of JSON among the pairs
NAME = re.compile(r"(\w[\w \-/]{0,60}):[ \t]*")
QUOTED = re.compile(r'"((?:\\.|[^\\"]){0,20000})"[ \t]*(?=,|\n|$)', re.DOTALL)
PLAIN = re.compile(r"[^,\n]*")
VARIANTS = ("Fooocus", "ComfyUI", "SD.Next")  # programs that write this format and say so
TEMPLATE = re.compile(r"(?:Negative )?Template:")  # of the extension Dynamic Prompts
# A pair on a line of its own, above the steps.
EARLY = re.compile(
    r"(Sampler|Schedule type|CFG scale|Seed|Size|Model|Model hash|VAE|VAE hash|Clip skip|Denoising strength): ([^,]*)$"
)
DATA = re.compile(r'\{\s*["}]|\[\s*[{"\]]')  # JSON begins so, and no prompt with "{a|b}" or "[a|b]"
STEPS = re.compile(r"(?:^|,)\s*Steps:\s*\d")


def read(texts: Mapping[str, str]) -> Parameters | None:
    """Read the text ``parameters``, or that of EXIF; a PNG's may be a prompt alone.

    >>> read({"parameters": "a cat\\nNegative prompt: blurry\\nSteps: 20, Sampler: Euler a, Size: 512x768"}).pairs
    {'Steps': '20', 'Sampler': 'Euler a', 'Size': '512x768'}
    """
    text = texts.get("parameters", "")
    for key in ("parameters", "UserComment", "Comment"):
        if found := parse(texts.get(key, "")):
            if not found.prompt:
                raise ComparerError("its prompt is empty")
            return found
    plain = one_line(text[:LONGEST])
    alone = re.search(r"\w", plain) and not DATA.match(plain) and "prompt" not in texts
    return Parameters(plain, "", {}, READER.program) if alone else None


def parse(text: str) -> Parameters | None:
    """Parse a text; None if it has neither steps nor a negative prompt, or more than 2²⁰ characters."""
    if len(text) > LONGEST:
        return None
    lines, blocks = _without_json(text.strip())
    where = _settings(lines)
    marked = [number for number, line in enumerate(lines[:where]) if line.strip().lower().startswith(NEGATIVE.lower())]
    if where == len(lines) and not marked:
        return None
    pairs, rest = _pairs("\n".join(lines[where:])[:MOST])
    while where > 1 and (early := EARLY.match(lines[where - 1])) and early[1] not in pairs:
        pairs[early[1]] = early[2].strip()
        where -= 1
    begin = marked[0] if marked else where
    said = {False: lines[:begin], True: lines[begin:where]}
    rest = [*blocks, *(line for part in said.values() for line in part if TEMPLATE.match(line)), *rest]
    prompt, negative = (one_line(" ".join(each for each in part if not TEMPLATE.match(each))) for part in said.values())
    notes = tuple(f"Not read among the settings: '{quote(each, 60)}'." for each in rest[:5])
    version = f"{pairs.get('Version', '')} {pairs.get('App', '')}".lower()
    program = next((name for name in VARIANTS if name.lower() in version), READER.program)
    return Parameters(prompt, negative[len(NEGATIVE) :].strip(), pairs, program, notes=notes)


def _without_json(text: str) -> tuple[list[str], list[str]]:
    """Split a text into lines, and take out objects and lists of objects that stand on lines of their own."""
    lines: list[str] = []
    blocks: list[str] = []
    position, tried = 0, 0
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    while position <= len(text):
        end = text.find("\n", position)
        end = len(text) if end < 0 else end
        if text[position : position + 1] in ("{", "[") and tried < MOST_JSON and lines:
            tried += 1
            try:
                data, stop = json.JSONDecoder().raw_decode(text, position)
            except (ValueError, RecursionError):
                data, stop = None, position
            objects = data if isinstance(data, list) else [data]
            if objects and all(isinstance(each, dict) for each in objects) and text[stop : stop + 1] in ("", "\n"):
                blocks.append(text[position:stop])
                position = stop + 1
                continue
        lines.append(text[position:end])
        position = end + 1
    return lines, blocks


def _settings(lines: list[str]) -> int:
    """Return the number of the line where the pairs begin; that of lines if there is none.

    A prompt may hold "Steps: 20" as well: the last such line is meant, best one that begins with it.
    """
    found = [
        number
        for number, line in enumerate(lines)
        if STEPS.search(line[:MOST]) and not line.strip().lower().startswith(NEGATIVE.lower())
    ]
    first = [number for number in found if lines[number].lstrip().startswith("Steps:")]
    return next(iter([*first[-1:], *found[-1:]]), len(lines))


def _pairs(text: str) -> tuple[dict[str, str], list[str]]:
    """Parse ``Name: value`` pairs, one behind the other or on lines of their own; also return what is none."""
    pairs: dict[str, str] = {}
    rest: list[str] = []
    position, tried = 0, 0
    while position < len(text):
        if text[position] in ", \t\n":
            position += 1
            continue
        name = NAME.match(text, position)
        begin = name.end() if name else position
        if text[begin : begin + 1] in ("{", "[") and tried < MOST_JSON:
            tried += 1
            value, position = _json(text, begin)
        elif quoted := QUOTED.match(text, begin):
            value, position = _unquoted(quoted[0].strip()), quoted.end()
        else:
            plain = PLAIN.match(text, begin)
            assert plain is not None
            value, position = plain[0].strip(), plain.end()
        if name:
            pairs.setdefault(name[1].strip(), value)
        elif value:
            rest.append(value)
    return pairs, rest


def _json(text: str, begin: int) -> tuple[str, int]:
    """Return the JSON that begins here, and its end; what comes before the next comma if it is none."""
    try:
        _, end = json.JSONDecoder().raw_decode(text, begin)
    except (ValueError, RecursionError):
        plain = PLAIN.match(text, begin)
        assert plain is not None
        end = plain.end()
    return text[begin:end].strip(), end


def _unquoted(value: str) -> str:
    try:
        return str(json.loads(value, strict=False))
    except ValueError:
        return value


READER = Reader("A1111's web UI", ("parameters", "Comment"), read)
