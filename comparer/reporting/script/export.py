"""The script of a pair as an export; its option ``script`` is the arm, the prompt's number from 0 and the seed."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.reporting.exporter import Exporter
from comparer.results.comparison import Comparison
from comparer.text import quote


def export(comparison: Comparison, folder: Path, options: Mapping[str, Any]) -> list[Path]:
    """Save the script of a pair; by default the first arm's first picture."""
    from comparer.reporting.script.script import save_script

    first = comparison.shots[0]
    arm, prompt, seed = options.get("script") or (min(1, len(comparison.request.arms) - 1), first.prompt, first.seed)
    return [save_script(comparison, folder, arm, prompt, seed)]


def _pair(text: str) -> tuple[int, int, int]:
    if not re.fullmatch(r"\d{1,4}:[1-9]\d{0,5}:\d{1,10}", text):
        raise ComparerError(f"'{quote(text)}' is not a pair: write the arm, prompt number and seed, as in 1:1:42.")
    arm, prompt, seed = map(int, text.split(":"))
    return arm, prompt - 1, seed


EXPORTER = Exporter(
    name="script",
    title="Script",
    formats="Python",
    summary="Makes the pair that the viewer shows again, with diffusers alone, and checks it",
    files=r"reproduce-\d+-[a-z0-9.-]+_p\d{3,}_s\d+\.py",
    export=export,
    flag={
        "type": _pair,
        "metavar": "ARM:PROMPT:SEED",
        "help": "a Python file that makes this pair again; numbers from 1, arm 1 is the first beside the baseline",
    },
)
