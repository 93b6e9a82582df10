"""Tables as HTML: figures per arm, all images, notes. All visitor input is escaped."""

from collections import defaultdict
from html import escape

from comparer.metrics.ssim import SSIM
from comparer.reporting.html.verdict_cards import name, random_badge, unbroken
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.columns import PAGE, Column, shown
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import incomplete
from comparer.results.notes import notes
from comparer.results.records import Call, Shot
from comparer.results.sorting import ordered

FEW = 8  # rows that are not folded away


def arms_table(analysis: Analysis) -> str:
    """Render the figures of every arm as a table; time and memory also as a share of the baseline's."""
    arms, columns = shown(analysis, PAGE)
    rows = [[name(each.arm.name), *(_cell(column, each) for column in columns[1:])] for each in arms]
    return table("Figures by arm", [unbroken(column.title) for column in columns], rows)


def _cell(column: Column, each: ArmAnalysis) -> str:
    part, text = column.part(each).replace(" ", "\u00a0"), column.text(each, PAGE)
    random = incomplete(each.whole.comparison, each.number)
    badge = random_badge(each.whole.comparison, each.number) if random and text.startswith(random) else ""
    said = unbroken(text.removeprefix(random).removeprefix("; ") if badge else text)
    return f"{badge} {said}".strip() + (f" <small>{part}</small>" if part else "")


def pairs_table(comparison: Comparison) -> str:
    """Render a row per (prompt, seed) with each arm's seconds for all repeats, CLIP score and SSIM; folded if long."""
    arms = comparison.request.arms
    head = ["Prompt", "Seed", *(name(arm.name) for arm in arms)]
    rows, calls = [], defaultdict(list)
    made = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    for call in comparison.calls:
        calls[call.arm, call.batch].append(call)
    for prompt, seed in ordered(comparison, 0):
        cells = [escape(comparison.request.settings.prompts[prompt]), str(seed)]
        for number in range(len(arms)):
            shot = made.get((number, prompt, seed))
            cells.append(seen(shot, calls[number, comparison.calls[shot.call].batch], whole=True) if shot else "–")
        rows.append(cells)
    open_ = " open" if len(rows) <= FEW else ""
    drawn = table("Every picture", head, rows, wide_first=True)
    return f"<details{open_}><summary>Every picture</summary>{drawn}</details>" if drawn else ""


def notes_list(analysis: Analysis) -> str:
    """List what the figures are based on, once there are any."""
    if not analysis.comparison.shots:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in notes(analysis))
    return f'<ul class="notes">{items}</ul>'


def seen(shot: Shot, calls: list[Call], whole: bool = False) -> str:
    """Render a shot's seconds in these calls, its CLIP score and, if ``whole``, its SSIM."""
    seconds = " ".join(f"{call.seconds / call.pictures:.3f}" for call in calls)
    score = "" if shot.clip_score is None else f" · <span>CLIP {shot.clip_score:.2f}</span>"
    alike = f" · <span>SSIM {SSIM.show(shot.similarity.ssim)}</span>" if whole and shot.similarity else ""
    return f"<span>{seconds} s</span>{score}{alike}"


def table(title: str, head: tuple | list, rows: list[list[str]], wide_first: bool = False) -> str:
    """Render a table that scrolls in its own box; "" without rows.

    Args:
        title: title of the table, as text.
        head: titles of the columns, as HTML.
        rows: cells as HTML; the first of each row is its heading.
        wide_first: whether the first two columns stay fixed while the table scrolls.
    """
    if not rows:
        return ""
    top = "".join(f'<th scope="col">{cell}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    kind = ' class="pairs"' if wide_first else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{title}"><table{kind}><caption>{title}</caption>'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
