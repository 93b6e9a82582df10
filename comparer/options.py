"""Options of the installation: each flag, its variable, default and meaning, in one table.

``--help`` and the documents are generated from ``OPTIONS``.
"""

import argparse
import os
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from comparer.config import Config, Limits
from comparer.errors import ComparerError


@dataclass(frozen=True)
class Option:
    """One option of the installation.

    Attributes:
        name: the flag without its dashes; its variable is ``COMPARER_`` and the name in capitals.
        read: parses the text; the message of a ValueError says what is wrong with the text.
        default: the default, as displayed.
        help: one line.
        metavar: placeholder of the value; not needed with ``choices``.
        choices: all allowed values, if they can be listed.
        split: separator of several values in the variable; the flag is then repeatable.
        also: another variable with the same meaning.
        serving: whether the option is for the page only.
    """

    name: str
    read: Callable[[str], Any]
    default: str
    help: str
    metavar: str = ""
    choices: tuple[str, ...] = ()
    split: str = ""
    also: str = ""
    serving: bool = False

    @property
    def flag(self) -> str:
        """Return the flag, e.g. ``--max-size``."""
        return f"--{self.name}"

    @property
    def variable(self) -> str:
        """Return the environment variable, e.g. ``COMPARER_MAX_SIZE``."""
        return f"COMPARER_{self.key.upper()}"

    @property
    def key(self) -> str:
        """Return the Python name, e.g. ``max_size``."""
        return self.name.replace("-", "_")

    @property
    def takes(self) -> str:
        """Return the placeholder of the value, as shown in ``--help`` and docs/options.md."""
        return self.metavar or "|".join(self.choices)

    def value(self, text: str, source: str) -> Any:
        """Parse a text from ``source``, the flag or the variable."""
        if self.choices and text not in self.choices:
            raise ComparerError(f"{source} '{text}' is not a choice: choose one of {', '.join(self.choices)}.")
        try:
            return self.read(text)
        except ValueError as error:
            raise ComparerError(f"{source} {error}.") from None


def _whole(low: int, high: int = 10**6) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"-?\d{1,9}", text):
            raise ValueError(f"'{text}' is not a whole number: {low} to {high} is allowed")
        if not low <= int(text) <= high:
            raise ValueError(f"{text} is out of range: {low} to {high} is allowed")
        return int(text)

    return read


def _device(text: str) -> str:
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", text):
        raise ValueError(f"'{text}' is not a device: choose auto, cpu, mps, cuda or cuda:0, cuda:1, …")
    return text


def _folder(text: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError as error:  # an unknown user such as ~nobody
        raise ValueError(f"'{text}' is not a folder: {error}") from None


def _named_folder(text: str) -> Path:
    """Read a folder that its checkpoints are named after: "." has no name, but the folder that it is has."""
    folder = _folder(text).resolve()
    if not folder.name:
        raise ValueError(f"'{text}' has no name: give a folder inside it")
    try:
        there = folder.is_dir()
    except OSError:  # one above it may not be read
        there = False
    if not there:
        raise ValueError(f"'{text}' is not a folder")
    return folder


def _user(text: str) -> tuple[str, str]:
    user, colon, password = text.partition(":")
    if not (user and colon and password):
        raise ValueError("is not written as user:password")  # never the text, which may contain the password
    return user, password


def _users(text: str) -> tuple[tuple[str, str], ...]:
    try:
        lines = _folder(text).read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(f"'{text}' cannot be read: {reason}") from None
    users = tuple(_user(line.strip()) for line in lines if line.strip())
    if not users:
        raise ValueError(f"'{text}' contains no user:password")
    return users


def _yes(text: str) -> bool:
    return text == "yes"


def _mcp(text: str) -> bool:
    if text == "yes" and find_spec("mcp") is None:
        raise ValueError("needs the package mcp: install it with pip install 'gradio[mcp]'")
    return text == "yes"


_YES_NO = ("yes", "no")
_LIMITS = Limits()
OPTIONS: tuple[Option, ...] = (
    Option(
        "checkpoints", _named_folder, "none",
        "A folder of checkpoints: diffusers folders, files, training outputs; several are allowed.", "DIR",
        split=os.pathsep,
    ),
    Option("runs", _folder, "runs", "Folder for run folders.", "DIR"),
    Option(
        "hub", _yes, "yes", "Whether models of the Hub may be used and downloaded.",
        choices=_YES_NO,
    ),
    Option(
        "device", _device, "auto", "auto (the GPU if there is one), cpu, mps, cuda, or cuda:1 for the second GPU.",
        "DEVICE",
    ),
    Option(
        "dtype", str, "auto", "Number format of the weights; auto is float16 on a GPU and float32 on a CPU.",
        choices=("auto", "float32", "float16", "bfloat16"),
    ),
    Option(
        "offload", str, "none", "Keep weights in main memory: model by component, sequential by layer (slow).",
        choices=("none", "model", "sequential"),
    ),
    Option(
        "vae", str, "whole", "Decode whole batches, single images (slicing) or tiles (tiling, the least memory).",
        choices=("whole", "slicing", "tiling"),
    ),
    Option("keep", _whole(1, 100), "1", "Number of loaded models that stay in memory.", "N"),
    Option("max-pictures", _whole(1), str(_LIMITS.pictures), "Images per run, all arms together.", "N"),
    Option("max-size", _whole(64, 16384), str(_LIMITS.size), "Longest side of an image, in pixels.", "N"),
    Option("max-steps", _whole(1, 10000), str(_LIMITS.steps), "Denoising steps.", "N"),
    Option("max-prompts", _whole(1), str(_LIMITS.prompts), "Prompts per run.", "N"),
    Option(
        "max-repeat-seconds", _whole(0), str(_LIMITS.repeat_seconds),
        "Seconds per run for extra timed turns of a short call; 0 allows none.", "N",
    ),
    Option(
        "max-queue", _whole(0, 1000), str(_LIMITS.queue), "Comparisons that may wait in the queue.", "N",
        serving=True,
    ),
    Option(
        "host", str, Config.host, "Address to listen on; 0.0.0.0 for every network.", "ADDRESS",
        also="GRADIO_SERVER_NAME", serving=True,
    ),
    Option(
        "port", _whole(1, 65535), str(Config.port), "Port to listen on; if it is taken, the next free one.", "N",
        also="GRADIO_SERVER_PORT", serving=True,
    ),
    Option(
        "auth", _user, "everybody", "Who may open the page; several are allowed, one per line in the variable.",
        "USER:PASSWORD", split="\n", serving=True,
    ),
    Option("auth-file", _users, "none", "A file with one user:password per line.", "FILE", serving=True),
    Option(
        "public", _yes, "no", "For visitors who are strangers: each sees only their own runs.", choices=_YES_NO,
        serving=True,
    ),
    Option(
        "mcp", _mcp, "no", "Also serve the API to agents (MCP), at /gradio_api/mcp/.", choices=_YES_NO, serving=True
    ),
)  # fmt: skip


def add_arguments(
    parser: argparse.ArgumentParser, serving: bool = False, matter: Collection[str] | None = None
) -> None:
    """Add the options shared by the page and the command line, and with ``serving`` those of the page only.

    If ``matter`` is given, options not in it are accepted but hidden from the help.
    """
    group = parser.add_argument_group("options of the installation")
    for option in OPTIONS:
        if option.serving and not serving:
            continue
        names = " or ".join(filter(None, (option.variable, option.also)))
        # A bare --public or --mcp means yes; not so for --hub, which a prompt could follow.
        optional: dict[str, Any] = {"nargs": "?", "const": "yes"} if option.serving and option.choices else {}
        group.add_argument(
            option.flag,
            metavar=option.takes,
            action="append" if option.split else "store",
            help=argparse.SUPPRESS
            if matter is not None and option.name not in matter
            else f"{option.help} Default: {option.default}. Variable: {names}.",
            **optional,
        )


def from_arguments(options: argparse.Namespace, environment: Mapping[str, str] = os.environ) -> Config:
    """Build the configuration: a flag overrides its variable; an empty variable counts as unset.

    Raises:
        ComparerError: a value is not allowed; the sentence names the flag or the variable it came from.
    """
    values: dict[str, Any] = {}
    for option in OPTIONS:
        if not hasattr(options, option.key):
            continue  # not an option of this command
        given, source = getattr(options, option.key), option.flag
        if given is None:
            source = next((name for name in (option.variable, option.also) if environment.get(name)), "")
            given = environment.get(source)
            if given and option.split:
                given = [part.strip() for part in given.split(option.split) if part.strip()]
        if given is None:
            continue
        if isinstance(given, list):
            values[option.key] = tuple(option.value(text, source) for text in given)
        else:
            values[option.key] = option.value(str(given), source)
    limits = {key.removeprefix("max_"): values.pop(key) for key in list(values) if key.startswith("max_")}
    users = values.pop("auth_file", ())
    if users:
        values["auth"] = (*values.get("auth", ()), *users)
    if values.get("mcp") and values.get("auth"):
        raise ComparerError("--mcp and --auth exclude each other: agents cannot log in.")
    values |= {"cached_pipelines": values.pop("keep")} if "keep" in values else {}
    return Config(**values, limits=replace(Limits(), **limits))


def read_arguments(parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None) -> Config:
    """Parse a program's arguments; on an error, print one line and exit with code 2."""
    add_arguments(parser, serving=True)
    try:
        return from_arguments(parser.parse_args(arguments))
    except ComparerError as error:
        parser.exit(2, f"comparer: {error}\n")
