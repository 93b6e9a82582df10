"""HTML and SVG built from Python: what is put into markup is escaped unless it is markup itself."""

from collections.abc import Iterable
from html import escape
from typing import Any

import markupsafe


class Markup(markupsafe.Markup):
    """A text that is markup already; every other text is escaped where it is put into one, also by + and ``join``.

    Only constants of the source, and what this module returns, may be made ``Markup`` by hand.
    """

    __slots__ = ()

    @classmethod
    def escape(cls, s: Any) -> "Markup":
        """Return markup as it is, and anything else with &, <, >, and quotes escaped as ``html.escape`` does."""
        return cls(s.__html__() if hasattr(s, "__html__") else escape(str(s)))


def markup(template: str, *values: Any) -> Markup:
    """Fill the places {} of a template; format specifications are allowed, and values are escaped.

    >>> markup("<b>{}</b> {:.2f}", "<i>", 1.5), markup("<b>{}</b>", markup("<i>{}</i>", "&"))
    (Markup('<b>&lt;i&gt;</b> 1.50'), Markup('<b><i>&amp;</i></b>'))
    """
    return Markup(template).format(*values)


def join(parts: Iterable[Any], between: str = "") -> Markup:
    """Join parts; those that are not markup are escaped, and so is the text between them.

    >>> join(["<", markup("<br>")])
    Markup('&lt;<br>')
    """
    return Markup.escape(between).join(parts)
