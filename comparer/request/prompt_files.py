"""Read files of prompts: one per line, CSV or TSV with a column of prompts, JSON, JSON Lines. No torch."""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.request.parse import one_line, read_prompts, split_lines
from comparer.text import counted, printable, quote

COLUMNS = ("prompt", "caption", "text")
"""Names of the column or key with the prompts, the first one that is there; upper and lower case are the same.

A column's name can also be in the plural.
"""
SMALL, LARGE = 1 << 20, 64 << 20  # bytes; COCO's captions of 2014 have 32 MB
TABLES = (".csv", ".tsv", ".json", ".jsonl", ".ndjson")
TYPES = (".txt", *TABLES)
OTHERS = {".xlsx": "an Excel workbook", ".xls": "an Excel workbook", ".ods": "a spreadsheet of OpenDocument",
          ".parquet": "a Parquet table", ".yaml": "a YAML file", ".yml": "a YAML file",
          ".toml": "a TOML file"}  # fmt: skip
SHAPES = (
    'a list of texts, a list of objects with "prompt", "caption" or "text", {"prompts": […]}, and COCO\'s '
    '{"annotations": [{"caption": …}]} are read'
)
HELP = (
    "one prompt per line; CSV or TSV (comma, semicolon or tab) with a column prompt, caption or text; JSON "
    '(a list of texts or of objects with such a key, {"prompts": […]}, COCO captions); or JSON Lines'
)


@dataclass(frozen=True)
class PromptFile:
    """Prompts of a file, each on one line and once, in the file's order.

    Attributes:
        name: the file's name.
        prompts: at least one.
        duplicates, empty: numbers of entries that were left out.
    """

    name: str
    prompts: tuple[str, ...]
    duplicates: int = 0
    empty: int = 0

    @property
    def sentence(self) -> str:
        """Say how many prompts were read, and what was left out: "2 prompts read; left out: 1 duplicate"."""
        left = [
            counted(number, noun)
            for number, noun in ((self.duplicates, "duplicate"), (self.empty, "empty row"))
            if number
        ]
        return f"{counted(len(self.prompts), 'prompt')} read" + (f"; left out: {' and '.join(left)}" if left else "")


def first_two(prompts: Sequence[str]) -> str:
    """Quote the first two prompts for a terminal.

    >>> first_two(["a cat", "a dog", "a fox"])
    "'a cat', 'a dog', …"
    """
    told = ", ".join(f"'{printable(quote(prompt))}'" for prompt in prompts[:2])
    return told + (", …" if len(prompts) > 2 else "")


def read_prompt_file(path: Path, limit: int = SMALL) -> PromptFile:
    """Read a file of prompts, in UTF-8, or UTF-16 with a byte order mark.

    The format is told by the file's ending: .csv, .tsv, .json, .jsonl, .ndjson, in upper or lower case. A file with
    another ending is text with a prompt per line, unless all of it is JSON of one of the shapes that are read, or its
    first line is a header: with tabs and a column of prompts, or with one that is called prompt. In a CSV, line feeds
    within quotes are spaces of the prompt.

    Args:
        path: the file.
        limit: maximum size in bytes.

    Raises:
        ComparerError: the file cannot be read, is too large, holds no prompt, or does not say which prompts it holds.
    """
    name, ending = f"'{quote(path.name)}'", path.suffix.lower()
    if ending in OTHERS and path.is_file():
        raise ComparerError(f"{name} is {OTHERS[ending]}, which cannot be read as a prompt file: {HELP}.")
    text = read_prompts(path, limit)
    if ending in (".csv", ".tsv"):
        entries = _column(text, name, "\t" if ending == ".tsv" else "")
    elif ending in (".jsonl", ".ndjson"):
        entries = _json_lines(text, name)
    elif ending == ".json":
        entries = _json(text, name)
    else:
        entries = _plain(text, name)
    told = [one_line(entry) for entry in entries]
    kept = [prompt for prompt in told if prompt]
    prompts = tuple(dict.fromkeys(kept))
    if not prompts:
        raise ComparerError(f"{name} has no prompts.")
    return PromptFile(path.name, prompts, len(kept) - len(prompts), len(told) - len(kept))


def _plain(text: str, name: str) -> list[str]:
    """Take lines, unless the text is JSON, JSON Lines, a CSV, or a table as Excel's "Text (tab delimited)" is."""
    lines = split_lines(text.strip())
    if "\t" in lines[0] and any(cell.strip().lower() in COLUMNS for cell in lines[0].split("\t")):
        return _column(text, name, "\t")
    if len(lines) > 1 and any("prompt" in _head(lines[0], mark) for mark in ",;"):  # nobody asks for "prompt"
        return _column(text, name, "")
    if lines[0][0] not in "[{":
        return lines
    # A prompt may begin with a bracket, but does not end as JSON does.
    for start, read in ((text, _json), (lines[0], _json_lines)):
        try:
            is_json = isinstance(json.loads(start), dict | list)
        except (ValueError, RecursionError):
            continue
        if is_json:
            return read(text, name)
    return lines


def _column(text: str, name: str, delimiter: str) -> list[str]:
    """Return the cells of a table's column of prompts; "" where a row has none."""
    text = text.strip("\r\n")
    if text[:4].lower() == "sep=" and text[5:6] in ("\r", "\n"):  # written by Excel for itself
        delimiter, text = text[4], text[5:].lstrip("\r\n")
    heads = {mark: _head(text, mark) for mark in ([delimiter] if delimiter else [",", ";", "\t"])}
    found = [(COLUMNS.index(column), mark) for mark, head in heads.items() for column in COLUMNS if column in head]
    if not found:
        _, names = max((len(names), names) for names in heads.values())
        raise ComparerError(
            f"{name} has no column {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}: its first row is "
            f"{quote(', '.join(names))}."
        )
    column, mark = COLUMNS[min(found)[0]], min(found)[1]
    head = heads[mark]
    # One column alone needs no quotes around a prompt with commas.
    rows = _rows(text, mark if len(head) > 1 else "\x1f", name)
    which, cells = head.index(column), []
    for number, row in enumerate(rows[1:], 2):
        if any(cell.strip() for cell in row[len(head) :]):
            raise ComparerError(
                f"Row {number} of {name} has {len(row)} cells, and the header {len(head)}: put a prompt that contains "
                f"{'a tab' if mark == chr(9) else repr(mark)} in double quotes."
            )
        cells.append(row[which] if which < len(row) else "")
    return cells


def _head(text: str, mark: str) -> list[str]:
    """Return the names of a table's columns if this mark separates them, in the singular: DrawBench has "Prompts"."""
    try:
        first = next(csv.reader(io.StringIO(text, newline=""), delimiter=mark, skipinitialspace=True), [])
    except csv.Error:
        first = split_lines(text)[0].split(mark)
    names = [one_line(cell).lower() for cell in first]
    return [name.removesuffix("s") if name.removesuffix("s") in COLUMNS else name for name in names]


def _rows(text: str, mark: str, name: str) -> list[list[str]]:
    """Parse a table with a strict CSV reader; one with tabs may have no quoting at all, and quotes are characters."""
    tidy = re.sub(r'"[ \t]+(?=[,;\r\n]|\Z)', '"', text) if mark != "\t" else text
    reader = csv.reader(io.StringIO(tidy, newline=""), delimiter=mark, skipinitialspace=True, strict=True)
    try:
        return list(reader)
    except csv.Error as error:
        if mark == "\t":
            return [line.split(mark) for line in split_lines(text)]
        why = (
            "a double quote is not closed"
            if "end of data" in str(error)
            else "a double quote within quotes is written twice"
            if "expected after" in str(error)
            else quote(error)
        )
        raise ComparerError(f"{name} is not a table that can be read: at line {reader.line_num}, {why}.") from error


def _json_lines(text: str, name: str) -> list[str]:
    entries = []
    for number, line in enumerate(text.split("\n"), 1):  # U+2028 may stand within a text of JSON
        if line.strip():
            entries.append(_entry(_parsed(line, f"Line {number} of {name}"), f"Line {number} of {name}"))
    return entries


def _json(text: str, name: str) -> list[str]:
    try:
        data = _parsed(text, name)
    except ComparerError:
        if len(lines := [line for line in text.split("\n") if line.strip()]) > 1 and lines[0].lstrip()[:1] == "{":
            return _json_lines(text, name)  # JSON Lines with another ending
        raise
    keys = {key.lower(): value for key, value in data.items()} if isinstance(data, dict) else {}
    if any(isinstance(keys.get(column), str) for column in COLUMNS):
        return [_entry(data, name)]  # JSON Lines of one line
    rows = data if isinstance(data, list) else keys.get("prompts", keys.get("annotations"))
    if not isinstance(rows, list):
        held = f"an object with {quote(', '.join(data)) or 'nothing'}" if isinstance(data, dict) else "no list"
        raise ComparerError(f"{name} contains {held}: {SHAPES}.")
    return [_entry(row, f"Entry {number} of {name}") for number, row in enumerate(rows, 1)]


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ComparerError(f"{where} is not JSON that can be read: {quote(error)}.") from error


def _entry(row: Any, where: str) -> str:
    """Return the prompt of a text or an object; "" for null."""
    if isinstance(row, dict):
        keys = {key.lower(): value for key, value in row.items()}
        column = next((column for column in COLUMNS if column in keys), None)
        if column is None:
            raise ComparerError(f"{where} has no {', '.join(COLUMNS[:-1])} or {COLUMNS[-1]}: {SHAPES}.")
        row = keys[column]
    if row is not None and not isinstance(row, str):
        raise ComparerError(f"{where} is not text: {SHAPES}.")
    return row or ""
