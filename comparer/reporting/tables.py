"""Export a comparison as tables for other programs and for people: ``pairs.csv`` and ``summary.md``.

Prompts and names are visitor input: a spreadsheet must not evaluate them, and Markdown must not format them.
"""

import csv
import io
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from comparer.atomic import write_text
from comparer.metrics.registry import METRICS
from comparer.reporting.exporter import Exporter
from comparer.results import notes
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.figures import average
from comparer.results.records import Call
from comparer.text import optional, percent, signed

HEAD = (
    "arm", "verdict", "speed-up", "s/picture", "of baseline", "least / median / most", "it/s", "CLIP",
    "CLIP difference", "CLIP loss", "SSIM", "peak GiB", "calls",
)  # fmt: skip
COLUMNS = (
    "cell", "arm", "prompt_number", "prompt", "seed", "baseline_seconds", "arm_seconds", "speed_up", "baseline_clip",
    "arm_clip", "clip_difference", "identical", *METRICS, "baseline_file", "arm_file",
)  # fmt: skip


def save_tables(comparison: Comparison, folder: Path) -> tuple[Path, Path]:
    """Save ``pairs.csv`` and ``summary.md`` in a run's folder; return their paths.

    Args:
        comparison: finished or not.
        folder: the run's folder; the summary shows its grid if there is one.
    """
    pairs, summary = folder / "pairs.csv", folder / "summary.md"
    grid = "grid.png" if (folder / "grid.png").is_file() else ""
    write_text(pairs, rows([("", comparison)]))
    lines = [f"# {line(folder.name)}", "", *card(about(comparison)), *body(Analysis(comparison), grid)]
    write_text(summary, "\n".join(lines) + "\n")
    return pairs, summary


def rows(made: Iterable[tuple[str, Comparison]]) -> str:
    """Return a CSV row per pair; seconds are an image's share of its call, the mean over repeats.

    A text that begins with = + - @, a tab or a line break is prefixed with an apostrophe, so that no spreadsheet
    evaluates it as a formula. Numbers stay numbers.

    Args:
        made: (cell's name, comparison), in order.
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for cell, comparison in made:
        for arm in range(1, len(comparison.request.arms)):
            writer.writerows(_pairs(cell, comparison, arm))
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
    """Render the results of a comparison: its figures, the verdicts in words, the grid, the notes.

    Args:
        analysis: of a comparison, finished or not.
        grid: file of the grid, "" for none.
        plots: files that are shown before the grid.
        title: title of this part.
    """
    lines = ["", f"## {line(title or 'Figures')}", "", *_table(analysis), ""]
    for each in analysis.arms[1:]:
        lines += [f"- {line(text)}" for text in notes.judged(each)[1:]]
    for path in plots:
        lines += ["", f"![{Path(path).stem.rpartition('-')[2]}]({path})"]
    lines += ["", f"![grid]({grid})"] if grid else []
    return [*lines, "", *(f"- {line(text)}" for text in notes.notes(analysis))]


def _pairs(name: str, comparison: Comparison, arm: int) -> list[dict[str, Any]]:
    found = []
    for base, other in comparison.pairs(arm):
        mine = _seconds(comparison, arm, comparison.calls[other.call])
        theirs = _seconds(comparison, 0, comparison.calls[other.call])
        scores = (base.clip_score, other.clip_score)
        found.append(
            {
                "cell": harmless(name),
                "arm": harmless(comparison.request.arms[arm].name),
                "prompt_number": base.prompt + 1,
                "prompt": harmless(comparison.request.settings.prompts[base.prompt]),
                "seed": base.seed,
                "baseline_seconds": "" if theirs is None else f"{theirs:.6f}",
                "arm_seconds": "" if mine is None else f"{mine:.6f}",
                "speed_up": "" if theirs is None or mine is None else f"{theirs / mine:.6f}",
                "baseline_clip": _number(scores[0]),
                "arm_clip": _number(scores[1]),
                "clip_difference": "" if None in scores else _number(scores[1] - scores[0]),  # type: ignore[operator]
                "identical": "yes" if base.pixels and base.pixels == other.pixels else "no",
                **{name: _number(other.similarity.values.get(name) if other.similarity else None) for name in METRICS},
                "baseline_file": harmless(base.file),
                "arm_file": harmless(other.file),
            }
        )
    return found


def _seconds(comparison: Comparison, arm: int, beside: Call) -> float | None:
    """Average the arm's calls of a call's batch in the same process; None where it was stopped before."""
    which = arm, beside.batch, beside.process
    return average([c.seconds / c.pictures for c in comparison.calls if (c.arm, c.batch, c.process) == which])


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _table(analysis: Analysis) -> list[str]:
    lines = [f"| {' | '.join(HEAD)} |", f"| {' | '.join(['---'] * len(HEAD))} |"]
    for each in analysis.arms:
        number, figures = each.number, each.figures
        verdict = "" if number == 0 else each.verdict.sentence
        if why := analysis.comparison.skip_reason(number):
            verdict = f"Not run: {why}"
        cells = (
            each.arm.name,
            verdict or "baseline",
            "1" if number == 0 else notes.interval(each.speed_up, notes.ratio),
            optional(figures.seconds, "{:.3f}"),
            percent(each.time_share),
            " / ".join(optional(x, "{:.3f}") for x in (figures.fastest, figures.median_seconds, figures.slowest)),
            optional(figures.steps_per_second, "{:.1f}"),
            optional(figures.clip_score, "{:.2f}"),
            "" if number == 0 else notes.interval(each.clip_difference, signed),
            "" if number == 0 else notes.interval(each.clip_loss, notes.loss),
            optional(alike.ssim if (alike := each.similarity) else None, "{:.3f}"),
            optional((peak := each.peak) and peak / 2**30, "{:.2f}"),
            str(len({call.batch for call in analysis.comparison.calls if call.arm == number})),
        )
        lines.append(f"| {' | '.join(map(cell, cells))} |")
    return lines


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
