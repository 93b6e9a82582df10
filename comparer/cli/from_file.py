"""``python -m comparer compare --from FILE``: run the request of an image, a grid or a run.json."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.readers.registry import PROGRAMS
from comparer.request.request import Request
from comparer.request.restore import restore
from comparer.text import printable, quote

EXCLUDED = (
    "prompt", "prompts", "accelerator", "all_five", "checkpoint", "variant", "negative_prompt", "sampler", "steps",
    "guidance", "guidance_rescale", "size", "seeds", "batch_size", "warmups", "repeats", "repeat_seconds", "noise",
    "also", "scorer",
)  # fmt: skip


def add(parser: argparse.ArgumentParser) -> None:
    """Add the option, after those it excludes."""
    parser.add_argument(
        "--from",
        dest="source",
        metavar="FILE",
        help="use the request in this file: an image, a grid page or a run.json of Comparer, or a "
        f"PNG, JPEG or WebP with the settings of {', '.join(PROGRAMS)}; excludes the prompt and every option of the "
        "settings, arms and measuring",
    )
    parser.set_defaults(usual={name: parser.get_default(name) for name in EXCLUDED})


def ask(options: argparse.Namespace, config: Config) -> Request:
    """Return the request of the file.

    Raises:
        ComparerError: another option sets part of the request, the file cannot be read, or part of the request is
            unavailable in this installation.
    """
    given = [name for name in EXCLUDED if getattr(options, name) not in (options.usual[name], [])]
    if given:
        told = given[0] if given[0] == "prompt" else f"--{given[0].replace('_', '-')}"
        raise ComparerError(f"--from takes all settings from the file: leave {told} out.")
    path = Path(options.source)
    found = restore(path, config)
    if found.missing:
        raise ComparerError(f"'{quote(path.name)}' needs what is not available here: {' '.join(found.missing)}")
    for note in found.notes:
        print(f"comparer: {printable(note)}", file=sys.stderr)
    return replace(found.request, limits=config.limits)
