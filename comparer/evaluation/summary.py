"""Export an evaluation: ``summary.md`` with a card, figures and verdicts, and ``pairs.csv`` with every pair."""

from pathlib import Path

from comparer.atomic import write_text
from comparer.evaluation.batch import Evaluation
from comparer.reporting import tables
from comparer.reporting.plots import charts
from comparer.reporting.tables import cell, line
from comparer.results import notes
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import Scorer
from comparer.text import signed

SPEED, CLIP, TIMES, LATENTS = "speed-up.svg", "clip.svg", "times.svg", "latents.svg"


def write(evaluation: Evaluation) -> tuple[Path, Path]:
    """Export both files, and the plots of the summary, from the results so far; return their paths."""
    summary, pairs = evaluation.folder / "summary.md", evaluation.folder / "pairs.csv"
    made = evaluation.comparisons()
    named = [(evaluation.cells[number].name, one) for number, one in enumerate(made) if one]
    drawn = {evaluation.folder / name: text for name, text in _plots(evaluation, made).items()}
    for path, text in {summary: markdown(evaluation, made), pairs: tables.rows(named), **drawn}.items():
        write_text(path, text)
    return summary, pairs


def markdown(evaluation: Evaluation, made: list[Comparison | None]) -> str:
    """Render the summary as Markdown."""
    lines = [f"# {line(evaluation.card.title or 'Evaluation ' + evaluation.folder.name)}", "", *_card(evaluation, made)]
    drawn = _plots(evaluation, made)
    for name, title in ((SPEED, "Speed-up by arm"), (CLIP, f"Difference in {line(_scorer(made).title)} by arm")):
        lines += ["", f"![{title}]({name})"] if drawn.get(name) else []
    lines += _overview(evaluation, made) if len(made) > 1 else []
    for number, comparison in enumerate(made):
        title = (evaluation.cells[number].name or "Figures").capitalize()
        if comparison is None:
            lines += ["", f"## {line(title)}", "", "Not started."]
            continue
        folder = evaluation.at(number).name
        shown = [path for path in (f"{folder}-{name}" for name in (TIMES, LATENTS)) if drawn.get(path)]
        lines += tables.body(Analysis(comparison, evaluation.thresholds), f"{folder}/grid.png", shown, title)
    return "\n".join(lines) + "\n"


def _plots(evaluation: Evaluation, made: list[Comparison | None]) -> dict[str, str]:
    """Draw file -> plot: every arm of every cell side by side, and each cell's times and latents."""
    speed, clip, drawn = [], [], {}
    for number, comparison in enumerate(made):
        if comparison is None:
            continue
        analysis = Analysis(comparison)
        for each in analysis.arms[1:]:
            if comparison.call_pairs(each.number):
                label = " · ".join(filter(None, (evaluation.cells[number].name, each.arm.name)))
                speed.append((label, each.speed_up))
                clip.append((label, each.clip_difference))
        folder = evaluation.at(number).name
        drawn[f"{folder}-{TIMES}"] = charts.times(analysis.times)
        drawn[f"{folder}-{LATENTS}"] = charts.divergence(
            [(comparison.request.arms[arm].name, found[0].steps) for arm, found in comparison.divergence.items()]
        )
    if speed:
        drawn[SPEED] = charts.intervals(speed, "Speed-up", notes.ratio, evaluation.thresholds.speed_up, 1)
    if any(estimate.value is not None for _, estimate in clip):
        drawn[CLIP] = charts.intervals(clip, f"{_scorer(made).title}, arm − baseline", signed, None, 0)
    return {name: charts.standalone(svg) for name, svg in drawn.items() if svg}


def _scorer(made: list[Comparison | None]) -> Scorer:
    """Return what scored the images: one for all cells."""
    return next((one.scorer for one in made if one and one.scorer.name), Scorer())


def _card(evaluation: Evaluation, made: list[Comparison | None]) -> list[str]:
    card, begun = evaluation.card, [comparison for comparison in made if comparison]
    cells = evaluation.cells
    facts = tables.about(begun[0] if begun else Comparison(cells[0].request))
    swept = {name: list(dict.fromkeys(str(each.values[name]) for each in cells)) for name in cells[0].values}
    enough, bearable = evaluation.thresholds.speed_up, evaluation.thresholds.clip_loss
    return tables.card(
        {"id": evaluation.folder.name, "purpose": card.purpose, "key differences": facts["key differences"]}
        | {"swept": "; ".join(f"{name.replace('_', ' ')}: {', '.join(values)}" for name, values in swept.items())}
        | facts
        | {
            "thresholds": f"faster from {enough:g}×, quality kept below a {_scorer(made).loss} of {100 * bearable:g} %",
            "tags": ", ".join(card.tags),
            "notes": card.notes,
            "state": "; ".join(dict.fromkeys(c.state if c else "not begun" for c in made)),
            "conclusion": card.conclusion or "keep / reject / repeat: ",
        }
    )


def _overview(evaluation: Evaluation, made: list[Comparison | None]) -> list[str]:
    """Write a row for every arm of every cell."""
    lines = ["", f"| cell | arm | verdict | speed-up | {cell(_scorer(made).loss)} |", "| --- | --- | --- | --- | --- |"]
    for asked, comparison in zip(evaluation.cells, made, strict=True):
        if comparison is None:
            continue
        for each in Analysis(comparison, evaluation.thresholds).arms[1:]:
            why = comparison.skip_reason(each.number)
            cells = asked.name, each.arm.name, f"Not run: {why}" if why else each.verdict.headline
            figures = notes.interval(each.speed_up, notes.ratio), notes.interval(each.clip_loss, notes.loss)
            lines.append(f"| {' | '.join(map(cell, (*cells, *figures)))} |")
    return [*lines, "", tables.INTERVALS]
