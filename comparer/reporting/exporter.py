"""What an export of a run states about itself; ``exporters`` lists all of them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comparer.results.comparison import Comparison

Export = Callable[[Comparison, Path, Mapping[str, Any]], list[Path]]


@dataclass(frozen=True)
class Exporter:
    """One export of a run: a button of the page and a flag of ``comparer export``.

    Attributes:
        name: of the flag, in lower case: "tables" is ``--tables``.
        title: on the button.
        formats: what kind of files it writes: "CSV, Markdown".
        summary: what it holds, in one sentence; the help of the flag and the tooltip of the button.
        files: regular expression of the complete names of the files that it writes. A run may be deleted with files of
            such names in its folder, so it must not match a name that a person might choose.
        export: writes the files of a run into its folder and returns their paths. Its arguments are the comparison,
            the folder, and a mapping of options; an option that is missing has its default. It raises
            ``ComparerError`` for options that the run cannot serve.
        default: whether ``comparer export`` without flags writes it.
        flag: argparse settings of the flag where it takes a value, which is the option of the exporter's name.
        arguments: further flags with their argparse settings; ``dest`` is the name of the option.
    """

    name: str
    title: str
    formats: str
    summary: str
    files: str
    export: Export
    default: bool = False
    flag: Mapping[str, Any] = field(default_factory=lambda: {"action": "store_true"})
    arguments: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
