"""Export a comparison as tables for other programs and for people: ``pairs.csv`` and ``summary.md``.

Prompts and names are visitor input: a spreadsheet must not evaluate them, and Markdown must not format them.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from comparer.atomic import write_text
from comparer.reporting.chip import chip
from comparer.reporting.exporter import Exporter
from comparer.results import notes
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.columns import MARKDOWN, Pair, pair_columns, pairs, result_table
from comparer.results.comparison import Comparison

INTERVALS = "Ranges in brackets are the intervals that decide; the notes of each part give their levels."


def save_tables(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Save ``pairs.csv`` and ``summary.md`` in a run's folder; return their paths.

    Args:
        comparison: finished or not.
        folder: the run's folder; the summary shows its grid if there is one.
    """
    every_pair, summary = folder / "pairs.csv", folder / "summary.md"
    grid = "grid.png" if (folder / "grid.png").is_file() else ""
    write_text(every_pair, rows([("", comparison)]))
    lines = [f"# {line(folder.name)}", "", *card(about(comparison)), *body(Analysis(comparison), grid)]
    write_text(summary, "\n".join(lines) + "\n")
    return every_pair, summary


def rows(made: Iterable[tuple[str, Comparison]]) -> str:
    """Return a CSV row per pair; seconds are an image's share of its call, the mean over repeats.

    A text that begins with = + - @, a tab or a line break is prefixed with an apostrophe, so that no spreadsheet
    evaluates it as a formula. Numbers stay numbers.

    Args:
        made: (cell's name, comparison), in order.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, ("cell", *pair_columns()), lineterminator="\n")
    writer.writeheader()
    for cell, comparison in made:
        for pair in pairs(comparison):
            writer.writerow(
                {"cell": harmless(cell)} | {name: _cell(pair, *each) for name, each in pair_columns().items()}
            )
    return text.getvalue()


def harmless(text: str) -> str:
    """Put an apostrophe before what a spreadsheet would take for a formula.

    >>> harmless("=1+1"), harmless("a = b")
    ("'=1+1", 'a = b')
    """
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) else text


def line(text: str) -> str:
    """Write any text on one line of Markdown, as it is and not as what it would mean there.

    >>> line("a <b>[c](d)</b>")
    'a &lt;b&gt;\\\\[c\\\\](d)&lt;/b&gt;'
    """
    text = re.sub("[\u202a-\u202e\u2066-\u2069]", "", " ".join(text.split()))  # they would turn the rest of the line
    text = re.sub(r"[\\`*\[\]~]", r"\\\g<0>", text)
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def cell(text: str) -> str:
    """Return any text as a cell of a Markdown table."""
    return line(text).replace("|", "\\|")


def card(facts: dict[str, str]) -> list[str]:
    """Render facts as a table; empty ones are left out."""
    return ["| | |", "| --- | --- |", *(f"| {name} | {cell(value)} |" for name, value in facts.items() if value)]


def about(comparison: Comparison) -> dict[str, str]:
    """Describe the settings and conditions of a comparison."""
    request, environment, checkpoint = comparison.request, comparison.environment, comparison.checkpoint
    s, arms = request.settings, "; ".join(arm.name for arm in request.arms[1:])
    counts = f"{len(s.prompts)} prompts × {len(s.seeds)} seeds × {request.repeats} repeats"
    return {
        "key differences": f"{request.arms[0].name} against {arms}" if arms else "the baseline alone",
        "data": f"{counts}, batches of {s.batch_size}",
        "checkpoint": " ".join(str(checkpoint.get(key, "")) for key in ("title", "revision")).strip()
        or s.weights.text(),
        "hardware": str(environment.get("device_name") or environment.get("device") or "not run yet"),
        "versions": ", ".join(f"{name} {version}" for name, version in environment.get("versions", {}).items()),
        "commit": str(environment.get("comparer", "")),
        "core parameters": f"{s.sampler}, {s.steps} steps, guidance {s.guidance:g}, {s.width}×{s.height}",
        "made": comparison.created,
        "state": comparison.state,
    }


def body(analysis: Analysis, grid: str, plots: Iterable[str] = (), title: str = "") -> list[str]:
    """Render the results of a comparison: the headlines, the grid, the figures, what they rest on.

    Args:
        analysis: of a comparison, finished or not.
        grid: file of the grid, "" for none.
        plots: files that are shown before the grid.
        title: title of this part.
    """
    lines = ["", f"## {line(title or 'Figures')}", "", *map(_headline, analysis.arms[1:])]
    for path in plots:
        lines += ["", f"![{Path(path).stem.rpartition('-')[2]}]({path})"]
    lines += ["", f"![grid]({grid})"] if grid else []
    lines += ["", *_table(analysis), ""]
    lines += [INTERVALS, ""] if len(analysis.arms) > 1 else []
    for each in analysis.arms[1:]:
        lines += [f"- {line(text)}" for text in notes.judged(each)[1:]]
    return [*lines, "", *(f"- {line(text)}" for text in (*notes.notes(analysis), *notes.measured(analysis)))]


def _headline(each: ArmAnalysis) -> str:
    """Say of an arm what its chip says in large type."""
    told = chip(each)
    figure = f"{told.figure}. " if told.figure != "–" else ""
    return f"- **{line(each.arm.name)}**: {line(figure + told.words)}"


def _cell(pair: Pair, value: Callable[[Pair], Any], write: Callable[[Any], str]) -> str:
    found = value(pair)
    return "" if found is None else harmless(found) if isinstance(found, str) else write(found)


def _table(analysis: Analysis) -> list[str]:
    head, *rows = result_table(analysis, MARKDOWN)
    return [f"| {' | '.join(map(cell, row))} |" for row in (head, ["---"] * len(head), *rows)]


def _export(comparison: Comparison, folder: Path, options: Mapping[str, Any]) -> list[Path]:
    return list(save_tables(comparison, folder))


EXPORTER = Exporter(
    name="tables",
    title="Tables",
    formats="CSV, Markdown",
    summary="Every pair, and a summary with figures and verdicts",
    files=r"pairs\.csv|summary\.md",
    export=_export,
    default=True,
)
