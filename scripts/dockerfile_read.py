"""Read a Dockerfile and its .dockerignore, as far as Comparer's use them."""

import json
import re
import shlex
from dataclasses import dataclass
from pathlib import Path


class Broken(Exception):
    """The Dockerfile does not work; the message says which line and why."""


@dataclass(frozen=True)
class Instruction:
    """One instruction: the line it starts at, its word, its ``--options`` and the rest."""

    line: int
    word: str
    options: dict[str, str]
    rest: str

    def words(self) -> list[str]:
        """Return the exec form's list, or the rest cut as a shell cuts it."""
        return json.loads(self.rest) if self.rest.startswith("[") else shlex.split(self.rest)


def parse(text: str) -> list[Instruction]:
    """Read a Dockerfile.

    >>> parse("FROM a\\nHEALTHCHECK --timeout=9s \\\\\\n  CMD b")[1]
    Instruction(line=2, word='HEALTHCHECK', options={'timeout': '9s'}, rest='CMD b')

    Raises:
        Broken: it does not begin with FROM, or an exec form is no JSON list.
    """
    found, began, held = [], 0, ""
    for number, line in enumerate(text.splitlines(), 1):
        if line.lstrip().startswith("#") or not line.strip():
            continue
        began = began or number
        held += line.strip()
        if held.endswith("\\"):
            held = held[:-1].rstrip() + " "
            continue
        word, _, rest = held.partition(" ")
        options = {}
        while match := re.match(r"\s*--([a-z-]+)=(\S+)\s*", rest):
            options[match[1]] = match[2]
            rest = rest[match.end() :]
        instruction = Instruction(began, word.upper(), options, rest.strip())
        if instruction.rest.startswith("["):
            try:
                json.loads(instruction.rest)
            except ValueError as error:
                raise Broken(f"line {began}: no JSON list: {error}") from error
        found.append(instruction)
        began, held = 0, ""
    if not found or found[0].word != "FROM":
        raise Broken("the first instruction is not FROM")
    return found


def context(folder: Path) -> list[str]:
    """List the files of a folder that its .dockerignore lets through, as docker sends them."""
    ignore = folder / ".dockerignore"
    rules = []
    for line in ignore.read_text(encoding="utf-8").splitlines() if ignore.is_file() else []:
        if line.strip() and not line.startswith("#"):
            rules.append((line.startswith("!"), _pattern(line.strip().lstrip("!").strip("/"))))
    kept = []
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        lines = [let for let, pattern in rules if pattern.match(name)]
        if path.is_file() and (not lines or lines[-1]):  # the last line that matches decides
            kept.append(name)
    return kept


def _pattern(glob: str) -> re.Pattern:
    """Translate a line of .dockerignore; a folder's name stands for all that is in it."""
    parts = {"**/": "(.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", glob)
    return re.compile("".join(parts.get(piece, re.escape(piece)) for piece in pieces) + "(/.*)?$")
