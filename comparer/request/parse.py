"""Parse typed prompts, seeds and sizes."""

import codecs
import random
import re
from pathlib import Path

from comparer.errors import ComparerError
from comparer.text import quote


def split_lines(text: str) -> list[str]:
    """Split at line feeds and carriage returns alone: U+2028, form feeds and the like are characters of a line.

    >>> split_lines("a\\r\\nb\\u2028c\\rd")
    ['a', 'b\\u2028c', 'd']
    """
    return re.split(r"\r\n|\r|\n", text)


def one_line(text: str) -> str:
    """Put a prompt on one line: white space of any length and kind becomes a space."""
    return " ".join(text.split())


def parse_prompts(text: str) -> tuple[str, ...]:
    """Parse one prompt per line; blank lines are skipped."""
    return tuple(line.strip() for line in split_lines(text) if line.strip())


def read_prompts(path: Path, limit: int = 2**20) -> str:
    """Return the text of a file of prompts, in UTF-8, or UTF-16 with a byte order mark.

    Args:
        path: the file.
        limit: maximum size in bytes.

    Raises:
        ComparerError: the file cannot be read, is too large, is not text, or contains no prompt.
    """
    name = f"'{quote(path.name)}'"
    try:
        with path.open("rb") as file:
            content = file.read(limit + 1)  # a device or a pipe has no size
        if len(content) > limit:
            raise ComparerError(f"{name} is too large for a prompt file: at most {limit} bytes are allowed.")
        marked = content[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        text = content.decode("utf-16" if marked else "utf-8-sig")
        if "\0" in text:
            raise UnicodeError("UTF-16 without a byte order mark, UTF-32, or not text")
    except UnicodeError as error:
        raise ComparerError(f"{name} is not a text file in UTF-8.") from error
    except OSError as error:
        raise ComparerError(f"{name} cannot be read: {error.strerror}.") from error
    if not text.strip():
        raise ComparerError(f"{name} has no prompts: write one prompt per line.")
    return text


def parse_seeds(text: str, limit: int = 1000) -> tuple[int, ...]:
    """Parse seeds: ``7``, a list ``1,2,3``, a range ``1-8``, or ``-1`` for a random one.

    Raises:
        ComparerError: a part is none of these, or there are more than ``limit`` seeds.
    """
    seeds: list[int] = []
    for part in (part.strip() for part in str(text).split(",", limit)):
        if len(seeds) >= limit:
            break
        if part == "-1":
            seeds.append(random.SystemRandom().randrange(2**31))
        elif re.fullmatch(r"\d{1,12}", part):
            seeds.append(int(part))
        elif match := re.fullmatch(r"(\d{1,12})\s*-\s*(\d{1,12})", part):
            first, last = int(match[1]), int(match[2])
            if last < first:
                raise ComparerError(f"The seed range {part} is reversed: write {last}-{first}.")
            if last - first >= limit:
                raise ComparerError(f"{part} has {last - first + 1} seeds: at most {limit} are allowed.")
            seeds += range(first, last + 1)
            if len(seeds) > limit:
                break
        else:
            raise ComparerError(
                f"'{quote(part)}' is not a seed: write a whole number, a list such as 1,2,3, a range such as 1-8, "
                "or -1 for a random one."
            )
    else:
        return tuple(seeds)
    raise ComparerError(f"There are more than {limit} seeds: at most {limit} are allowed.")


def parse_size(text: str | int) -> tuple[int, int]:
    """Parse ``512`` or ``512x768`` (width × height), in pixels.

    Raises:
        ComparerError: the text is neither.
    """
    match = re.fullmatch(r"\s*(\d{1,6})(?:\s*[x×]\s*(\d{1,6}))?\s*", str(text))
    if not match:
        raise ComparerError(f"'{quote(text)}' is not a size: write it as 512 or 512x768, in pixels.")
    return int(match[1]), int(match[2] or match[1])
