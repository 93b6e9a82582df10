"""Parse the ``parameters`` text that A1111's web UI, Forge and others write into their images.

The text is the prompt, the lines from ``Negative prompt:`` on, and a last line of ``Name: value`` pairs, as in
``modules/infotext_utils.py`` of AUTOMATIC1111/stable-diffusion-webui.
"""

import json
import re
from dataclasses import dataclass

from comparer.request.png_write import NEGATIVE

LONGEST = 1 << 20  # characters
# A1111's own pattern, with bounds to limit the parsing time.
PAIR = re.compile(r'\s*(\w[\w \-/]{0,60}):\s*("(?:\\.|[^\\"]){1,2000}"|[^,]*)(?:,|$)')


@dataclass(frozen=True)
class Parameters:
    """Parsed parameters: the prompts, each on one line, and the pairs as written."""

    prompt: str
    negative_prompt: str
    pairs: dict[str, str]


def read(text: str) -> Parameters | None:
    """Parse a text; None if it has no steps or more than 2²⁰ characters, and so is not of this format.

    >>> read("a cat\\nNegative prompt: blurry\\nSteps: 20, Sampler: Euler a, Size: 512x768")
    Parameters(prompt='a cat', negative_prompt='blurry', pairs={'Steps': '20', 'Sampler': 'Euler a', 'Size': '512x768'})
    """
    *lines, last = text[: LONGEST + 1].strip().split("\n")
    pairs = {name.strip(): _plain(value) for name, value in PAIR.findall(last[:20_000])}
    if "Steps" not in pairs or len(text) > LONGEST:
        return None
    begin = next((number for number, line in enumerate(lines) if line.strip().startswith(NEGATIVE)), len(lines))
    negative = " ".join(lines[begin:]).strip().removeprefix(NEGATIVE)
    return Parameters(_line(" ".join(lines[:begin])), _line(negative), pairs)


def _line(text: str) -> str:
    return " ".join(text.split())


def _plain(value: str) -> str:
    value = value.strip()
    if len(value) > 1 and value.startswith('"') and value.endswith('"'):
        try:
            return str(json.loads(value))
        except ValueError:
            return value
    return value
