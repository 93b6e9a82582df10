"""Text helpers for all packages: quoting, counting, numbers with their units, short names."""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

MOST = 16  # decimals of a number: a double has no more


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


def signed(score: float, digits: int = 2) -> str:
    """Format a difference in points of CLIP score.

    >>> signed(0.3), signed(-0.12), signed(0.004), signed(0.004, 3)
    ('+0.30', '−0.12', '0.00', '+0.004')
    """
    said = f"{score:+.{digits}f}".replace("-", "−")
    return said if float(f"{score:.{digits}f}") else said[1:]


def counted(number: int, noun: str) -> str:
    """Format a number with its noun.

    >>> counted(0, "pair"), counted(1, "pair"), counted(1500, "pair")
    ('0 pairs', '1 pair', '1,500 pairs')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def few(names: Iterable[str], most: int = 3) -> str:
    """List the first few names, and the number of the others.

    >>> few("abc"), few("abcde")
    ('a, b, c', 'a, b, c, and 2 more')
    """
    listed = list(names)
    more = f", and {len(listed) - most} more" if len(listed) > most else ""
    return ", ".join(quote(name) for name in listed[:most]) + more


def optional(value: float | None, form: str) -> str:
    """Format a number by a format string; "" for None.

    >>> optional(1.5, "{:.2f}×"), optional(None, "{:.2f}×")
    ('1.50×', '')
    """
    return "" if value is None else form.format(value)


def decimals(values: Iterable[float], limit: float, fewest: int) -> int:
    """Return how many decimals tell every value apart from a limit that is printed beside it.

    A value that is equal to the limit gets the limit's own decimals.

    Args:
        values: numbers to be printed.
        limit: the number they are compared with.
        fewest: decimals where the limit is far away.

    >>> decimals([1.7], 1.05, 2), decimals([1.0496], 1.05, 2), decimals([1.04996, 1.7], 1.05, 2)
    (2, 4, 5)
    """

    def apart(value: float, digits: int) -> bool:
        if math.isclose(value, limit, rel_tol=1e-9, abs_tol=1e-12):
            return math.isclose(round(value, digits), float(f"{limit:g}"), rel_tol=1e-9, abs_tol=1e-12)
        return round(value, digits) != round(limit, digits)

    known = list(values)
    return next((digits for digits in range(fewest, MOST) if all(apart(value, digits) for value in known)), MOST)


def digits(value: float, least: int = 0) -> int:
    """Return how many decimals give a number three significant digits, but at least so many.

    >>> digits(1.94), digits(0.914), digits(12.3), digits(123), digits(0.0123), digits(123, 1)
    (2, 3, 1, 0, 4, 1)
    """
    return min(max(2 - math.floor(math.log10(abs(value))), least), MOST) if value else max(2, least)


def percent(share: float | None) -> str:
    """Format a share as whole percent; "" for None.

    >>> percent(0.448), percent(None)
    ('45 %', '')
    """
    return "" if share is None else f"{100 * share:.0f} %"


def gib(number: float | None) -> str:
    """Format bytes of memory in GiB (2³⁰ bytes); "" for None.

    >>> gib(3 * 2**30), gib(None)
    ('3.00 GiB', '')
    """
    return "" if number is None else f"{number / 2**30:.2f} GiB"


def file_size(number: int) -> str:
    """Format bytes of files in kB or MB (powers of ten).

    >>> file_size(48_200), file_size(1_260_000)
    ('48 kB', '1.3 MB')
    """
    return f"{number / 1e6:,.1f} MB" if number >= 1e5 else f"{number / 1000:.0f} kB"


def duration(seconds: float) -> str:
    """Format seconds as people say them.

    >>> duration(7.2), duration(200)
    ('7 s', '3 min 20 s')
    """
    whole = max(round(seconds), 0)
    return f"{whole} s" if whole < 90 else f"{whole // 60} min {whole % 60} s"


def printable(line: str) -> str:
    """Replace non-printable characters, which could control a terminal: names come from files."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in line)


def aligned(rows: Iterable[Sequence[str]], indent: str = "  ") -> Iterator[str]:
    """Format rows of equal length as lines of a terminal with aligned columns.

    >>> list(aligned([("arm", "CLIP"), ("DeepCache", "25.1")], indent=""))
    ['arm        CLIP', 'DeepCache  25.1']
    """
    table = list(rows)
    widths = [max(map(len, column)) for column in zip(*table, strict=True)] if table else []
    for row in table:
        yield indent + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
