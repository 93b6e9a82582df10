"""Text helpers for all packages: quoting, counting, short names."""

import re
from typing import Any


def quote(value: Any, most: int = 80) -> str:
    """Format a user's value for a sentence: on one line, truncated, and with invalid Unicode replaced.

    >>> quote(3.0), quote(10**11), quote(0.25), quote("x" * 100, 3)
    ('3', '100000000000', '0.25', 'xxx…')
    """
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"
    text = value if isinstance(value, str) else str(value)
    text = " ".join(text[: 2 * most + 2].encode("utf-8", "replace").decode().split("\n"))
    return text if len(text) <= most else f"{text[:most]}…"


def slug(text: str) -> str:
    """Convert a text to a short name that every file system accepts.

    >>> slug("DeepCache(interval=3, branch=0)")
    'deepcache-interval-3-branch-0'
    """
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:48] or "x"


def signed(score: float) -> str:
    """Format a difference in points of CLIP score: "+0.30", "−0.12", "0.00"."""
    return "0.00" if abs(score) < 0.005 else f"{score:+.2f}".replace("-", "−")


def counted(number: int, noun: str) -> str:
    """Format a number with its noun: "1 pair", "2 pairs"."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def printable(line: str) -> str:
    """Replace non-printable characters, which could control a terminal: names come from files."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)
