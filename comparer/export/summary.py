"""An evaluation for a lab log: ``summary.md`` with a card, figures and verdicts, and ``pairs.csv`` with every pair."""

import csv
import io
from pathlib import Path
from typing import Any

from comparer import notes
from comparer.evaluate import Evaluation
from comparer.export import plots
from comparer.results import Comparison
from comparer.shots import Call
from comparer.verdict import Thresholds, signed

SPEED, CLIP, TIMES, LATENTS = "speed-up.svg", "clip.svg", "times.svg", "latents.svg"

HEAD = (
    "arm", "verdict", "speed-up", "s/picture", "of baseline", "least / median / most", "it/s", "CLIP",
    "CLIP difference", "CLIP loss", "SSIM", "peak GiB", "calls",
)  # fmt: skip
MEASURES = ("max_difference", "mean_difference", "psnr", "ssim", "ms_ssim", "lpips", "clip_cosine")
COLUMNS = (
    "cell", "arm", "prompt_number", "prompt", "seed", "baseline_seconds", "arm_seconds", "speed_up", "baseline_clip",
    "arm_clip", "clip_difference", "identical", *MEASURES, "baseline_file", "arm_file",
)  # fmt: skip


def write(evaluation: Evaluation) -> tuple[Path, Path]:
    """Write both files, and the plots that the summary shows, from what has been made so far; return their paths."""
    summary, pairs = evaluation.folder / "summary.md", evaluation.folder / "pairs.csv"
    made = evaluation.comparisons()
    drawn = {evaluation.folder / name: text for name, text in _plots(evaluation, made).items()}
    for path, text in {summary: markdown(evaluation, made), pairs: rows(evaluation, made), **drawn}.items():
        partial = path.with_name(path.name + ".partial")
        partial.write_text(text, encoding="utf-8")
        partial.replace(path)
    return summary, pairs


def markdown(evaluation: Evaluation, made: list[Comparison | None]) -> str:
    """Write the summary."""
    lines = [f"# {evaluation.card.title or 'Evaluation ' + evaluation.folder.name}", "", *_card(evaluation, made)]
    drawn = _plots(evaluation, made)
    for name, title in ((SPEED, "Speed-up by arm"), (CLIP, "Difference in CLIP score by arm")):
        lines += ["", f"![{title}]({name})"] if drawn.get(name) else []
    lines += _overview(evaluation, made) if len(made) > 1 else []
    for number, comparison in enumerate(made):
        cell = evaluation.cells[number]
        lines += ["", f"## {(cell.name or 'Figures').capitalize()}", ""]
        if comparison is None:
            lines.append("Not begun.")
            continue
        lines += [*_table(comparison, evaluation.thresholds), ""]
        for arm in range(1, len(comparison.request.arms)):
            lines += [f"- {text}" for text in notes.judged(comparison, arm, evaluation.thresholds)[1:]]
        for name in (TIMES, LATENTS):
            path = f"{evaluation.at(number).name}-{name}"
            lines += ["", f"![{name.removesuffix('.svg')}]({path})"] if drawn.get(path) else []
        lines += ["", f"![grid]({evaluation.at(number).name}/grid.png)", ""]
        lines += [f"- {text}" for text in notes.notes(comparison)]
    return "\n".join(lines) + "\n"


def _plots(evaluation: Evaluation, made: list[Comparison | None]) -> dict[str, str]:
    """Draw file -> plot: every arm of every cell side by side, and each cell's times and latents."""
    speed, clip, drawn = [], [], {}
    for number, comparison in enumerate(made):
        if comparison is None:
            continue
        arms = [arm for arm in range(1, len(comparison.request.arms)) if comparison.call_pairs(arm)]
        for arm in arms:
            label = " · ".join(filter(None, (evaluation.cells[number].name, comparison.request.arms[arm].name)))
            evidence = comparison.evidence(arm)
            speed.append((label, evidence.speed_up()))
            clip.append((label, evidence.clip_difference()))
        folder = evaluation.at(number).name
        drawn[f"{folder}-{TIMES}"] = plots.times(comparison.times())
        drawn[f"{folder}-{LATENTS}"] = plots.divergence(
            [(comparison.request.arms[arm].name, found[0].steps) for arm, found in comparison.divergence.items()]
        )
    if speed:
        drawn[SPEED] = plots.intervals(speed, "Speed-up", notes.ratio, evaluation.thresholds.speed_up, 1)
    if any(estimate.value is not None for _, estimate in clip):
        drawn[CLIP] = plots.intervals(clip, "CLIP score, arm − baseline", signed, None, 0)
    return {name: plots.standalone(svg) for name, svg in drawn.items() if svg}


def rows(evaluation: Evaluation, made: list[Comparison | None]) -> str:
    """Write a row for every pair; seconds are a picture's share of its call, the mean over repeats."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for number, comparison in enumerate(made):
        if comparison:
            for arm in range(1, len(comparison.request.arms)):
                writer.writerows(_pairs(evaluation.cells[number].name, comparison, arm))
    return text.getvalue()


def _pairs(cell: str, comparison: Comparison, arm: int) -> list[dict[str, Any]]:
    found = []
    for base, other in comparison.pairs(arm):
        times = [_seconds(comparison, which, comparison.calls[other.call]) for which in (0, arm)]
        scores = (base.clip_score, other.clip_score)
        found.append(
            {
                "cell": cell,
                "arm": comparison.request.arms[arm].name,
                "prompt_number": base.prompt + 1,
                "prompt": comparison.request.settings.prompts[base.prompt],
                "seed": base.seed,
                "baseline_seconds": f"{times[0]:.6f}",
                "arm_seconds": f"{times[1]:.6f}",
                "speed_up": f"{times[0] / times[1]:.6f}",
                "baseline_clip": _number(scores[0]),
                "arm_clip": _number(scores[1]),
                "clip_difference": "" if None in scores else _number(scores[1] - scores[0]),  # type: ignore[operator]
                "identical": "yes" if base.pixels and base.pixels == other.pixels else "no",
                **{name: _number(getattr(other.similarity, name, None)) for name in MEASURES},
                "baseline_file": base.file,
                "arm_file": other.file,
            }
        )
    return found


def _seconds(comparison: Comparison, arm: int, beside: Call) -> float:
    """Average the arm's calls of a call's batch in the same process."""
    which = arm, beside.batch, beside.process
    calls = [call for call in comparison.calls if (call.arm, call.batch, call.process) == which]
    return sum(call.seconds / call.pictures for call in calls) / len(calls)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _card(evaluation: Evaluation, made: list[Comparison | None]) -> list[str]:
    card, request = evaluation.card, evaluation.cells[0].request
    s, begun = request.settings, [comparison for comparison in made if comparison]
    environment = begun[0].environment if begun else {}
    checkpoint = begun[0].checkpoint if begun else {}
    cells = evaluation.cells
    swept = {name: list(dict.fromkeys(str(cell.values[name]) for cell in cells)) for name in cells[0].values}
    counts = f"{len(s.prompts)} prompts × {len(s.seeds)} seeds × {request.repeats} repeats"
    arms = "; ".join(arm.name for arm in request.arms[1:])
    enough, bearable = evaluation.thresholds.speed_up, evaluation.thresholds.clip_loss
    facts = {
        "id": evaluation.folder.name,
        "purpose": card.purpose,
        "key differences": f"{request.arms[0].name} against {arms}" if arms else "the baseline alone",
        "swept": "; ".join(f"{name.replace('_', ' ')}: {', '.join(values)}" for name, values in swept.items()),
        "data": f"{counts}, batches of {s.batch_size}",
        "checkpoint": " ".join(str(checkpoint.get(key, "")) for key in ("title", "revision")).strip()
        or s.weights.text(),
        "hardware": str(environment.get("device_name") or environment.get("device") or "not run yet"),
        "versions": ", ".join(f"{name} {version}" for name, version in environment.get("versions", {}).items()),
        "commit": str(environment.get("comparer", "")),
        "core parameters": f"{s.sampler}, {s.steps} steps, guidance {s.guidance:g}, {s.width}×{s.height}",
        "worthwhile": f"from {enough:g}×, CLIP loss below {100 * bearable:g} %",
        "tags": ", ".join(card.tags),
        "notes": card.notes,
        "state": "; ".join(dict.fromkeys(c.state if c else "not begun" for c in made)),
        "conclusion": card.conclusion or "keep / reject / repeat: ",
    }
    return ["| | |", "| --- | --- |", *(f"| {name} | {_cell(value)} |" for name, value in facts.items() if value)]


def _overview(evaluation: Evaluation, made: list[Comparison | None]) -> list[str]:
    """Write a row for every arm of every cell."""
    lines = ["", "| cell | arm | verdict | speed-up | CLIP loss |", "| --- | --- | --- | --- | --- |"]
    for cell, comparison in zip(evaluation.cells, made, strict=True):
        for arm in range(1, len(cell.request.arms)):
            if comparison is None:
                continue
            evidence, why = comparison.evidence(arm), comparison.why_not(arm)
            kind = f"Not run: {why}" if why else comparison.verdict(arm, evaluation.thresholds).kind
            cells = cell.name, cell.request.arms[arm].name, kind
            figures = (
                notes.interval(evidence.speed_up(), notes.ratio), notes.interval(evidence.clip_loss(), notes.loss),
            )  # fmt: skip
            lines.append(f"| {' | '.join(map(_cell, (*cells, *figures)))} |")
    return lines


def _table(comparison: Comparison, thresholds: Thresholds) -> list[str]:
    lines = [f"| {' | '.join(HEAD)} |", f"| {' | '.join(['---'] * len(HEAD))} |"]
    for number, arm in enumerate(comparison.request.arms):
        figures, evidence = comparison.figures(number), comparison.evidence(number)
        verdict = "" if number == 0 else comparison.verdict(number, thresholds).sentence
        if why := comparison.why_not(number):
            verdict = f"Not run: {why}"
        cells = (
            arm.name,
            verdict or "baseline",
            "1" if number == 0 else notes.interval(evidence.speed_up(), notes.ratio),
            _shown(figures.seconds, "{:.3f}"),
            _shown(comparison.time_share(number), "{:.0%}"),
            " / ".join(_shown(x, "{:.3f}") for x in (figures.fastest, figures.median_seconds, figures.slowest)),
            _shown(figures.steps_per_second, "{:.1f}"),
            _shown(figures.clip_score, "{:.2f}"),
            "" if number == 0 else notes.interval(evidence.clip_difference(), signed),
            "" if number == 0 else notes.interval(evidence.clip_loss(), notes.loss),
            _shown(alike.ssim if (alike := comparison.similarity(number)) else None, "{:.3f}"),
            _shown((peak := comparison.peak(number)) and peak / 2**30, "{:.2f}"),
            str(len({call.batch for call in comparison.calls if call.arm == number})),
        )
        lines.append(f"| {' | '.join(map(_cell, cells))} |")
    return lines


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else form.format(value)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())
