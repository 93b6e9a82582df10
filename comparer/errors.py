"""The two kinds of failure: what a person can mend, told in one sentence; and everything else, a bug."""

from typing import Any


class ComparerError(Exception):
    """Something a person can mend. The message is one sentence, shown as it is on the page, in the API and on
    the command line (exit code 2).
    """


class Incomplete(ComparerError):
    """Weights lack tensors of their module, or have them in another shape."""


class Refused(ComparerError):
    """A file was not read because reading it could run code."""


class Stopped(Exception):
    """Someone pressed Stop. Raised inside a pipeline call; never shown."""


def shown(value: Any, most: int = 80) -> str:
    """Write what somebody gave, to be said in a sentence: on one line, cut, and without what is no Unicode.

    >>> shown(3.0), shown(10**11), shown(0.25), shown("x" * 100, 3)
    ('3', '100000000000', '0.25', 'xxx…')
    """
    if isinstance(value, float):
        value = int(value) if value.is_integer() and abs(value) < 1e15 else f"{value:g}"
    text = value if isinstance(value, str) else str(value)
    text = " ".join(text[: 2 * most + 2].encode("utf-8", "replace").decode().split("\n"))
    return text if len(text) <= most else f"{text[:most]}…"
