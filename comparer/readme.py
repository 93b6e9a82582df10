"""Keep what documents repeat from the code as the code has it: ``python -m comparer.readme README.md ...``.

A document has each part between two marks, ``<!-- options -->`` and ``<!-- /options -->`` say.
"""

import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from pathlib import Path

from comparer.accelerators import REGISTRY, Accelerator, matrix
from comparer.config import OPTIONS
from comparer.models.catalog import CATALOG


def options() -> str:
    """Write the options as a Markdown table."""
    rows = ["| flag | variable | default | |", "| --- | --- | --- | --- |"]
    for option in OPTIONS:
        takes = option.takes.replace("|", "\\|")
        names = ", ".join(f"`{name}`" for name in (option.variable, option.also) if name)
        rows.append(f"| `{option.flag} {takes}` | {names} | {option.default} | {option.help} |")
    return "\n".join(rows)


def models() -> str:
    """Write the catalogue as a Markdown table, with the accelerators that serve each model."""
    rows = ["| name | | pixels | float16 weights | accelerators |", "| --- | --- | --- | --- | --- |"]
    for model in CATALOG.values():
        serve = ", ".join(kind.title for kind in REGISTRY.values() if model.family in kind.families)
        size = f"about {model.gigabytes:g} GB" if model.gigabytes else "in the repository"
        rows.append(f"| `{model.name}` | {model.title} | {model.size} | {size} | {serve} |")
    return "\n".join(rows)


def parameters(kind: type[Accelerator]) -> str:
    """Write an accelerator's parameters as a Markdown table."""
    rows = ["| parameter | default | range | |", "| --- | --- | --- | --- |"]
    for item in fields(kind):
        low, high, default = item.metadata["low"], item.metadata["high"], _say(item.default)
        if item.name in kind.stacked:
            default += f"; {_say(kind.stacked[item.name])} in a stack"
        allowed = "yes or no" if low is None else f"{low:g} to {high:g}"
        rows.append(f"| `{item.name}` | {default} | {allowed} | {item.metadata['help']} |")
    return "\n".join(rows)


def _say(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def multiply_accumulates() -> str:
    """Write the table of what the stacks save; it takes half a minute."""
    from comparer.accelerators.macs import table

    return table()


PARTS: dict[str, Callable[[], str]] = {
    "options": options,
    "models": models,
    "matrix": lambda: f"```text\n{matrix.text()}\n```",
    **{kind.__name__: partial(parameters, kind) for kind in REGISTRY.values()},
    "macs": multiply_accumulates,
}


def up_to_date(text: str, names: Iterable[str] = PARTS) -> str:
    """Return a document's text with today's parts, of those that it has."""
    for name in names:
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin in text:
            today = f"{begin}\n{PARTS[name]()}\n{end}"
            text = re.sub(f"{begin}.*?{end}", lambda _, today=today: today, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    for path in map(Path, sys.argv[1:]):
        path.write_text(up_to_date(path.read_text(encoding="utf-8")), encoding="utf-8")
