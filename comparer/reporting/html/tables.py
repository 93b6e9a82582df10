"""Tables as HTML: figures per arm, all images, notes. All visitor input is escaped."""

from collections import defaultdict

from comparer.metrics.ssim import SSIM
from comparer.reporting.html.verdict_cards import badges, name, unbroken
from comparer.reporting.markup import Markup, join, markup
from comparer.results import void
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.columns import PAGE, Column, shown
from comparer.results.comparison import Comparison
from comparer.results.marks import marked
from comparer.results.notes import measured, notes
from comparer.results.records import Call, Shot
from comparer.results.sorting import ordered

FEW = 8  # rows that are not folded away


def arms_table(analysis: Analysis) -> str:
    """Render the figures of every arm as a table; time and memory also as a share of the baseline's."""
    arms, columns = shown(analysis, PAGE)
    rows = [[name(each.arm.name), *(_cell(column, each) for column in columns[1:])] for each in arms]
    return table("Figures by arm", [unbroken(column.heading(analysis.comparison)) for column in columns], rows)


def _cell(column: Column, each: ArmAnalysis) -> str:
    part, text = column.part(each).replace(" ", "\u00a0"), column.text(each, PAGE)
    head = marked(each.whole.comparison, each.number)
    badge = badges(each.whole.comparison, each.number) if head and text.startswith(head) else ""
    said = unbroken(text.removeprefix(head).removeprefix("; ") if badge else text)
    return markup("{} {}", badge, said).strip() + (markup(" <small>{}</small>", part) if part else "")


def pairs_table(comparison: Comparison) -> str:
    """Render a row per (prompt, seed) with each arm's seconds for all repeats, score and SSIM; folded if long."""
    arms = comparison.request.arms
    head = ["Prompt", "Seed", *(name(arm.name) for arm in arms)]
    rows, calls = [], defaultdict(list)
    made = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    for call in comparison.calls:
        calls[call.arm, call.batch].append(call)
    for prompt, seed in ordered(comparison, 0):
        cells = [comparison.request.settings.prompts[prompt], str(seed)]
        for number in range(len(arms)):
            shot = made.get((number, prompt, seed))
            cells.append(
                seen(comparison, shot, calls[number, comparison.calls[shot.call].batch], whole=True) if shot else "–"
            )
        rows.append(cells)
    open_ = " open" if len(rows) <= FEW else ""
    drawn = table("Every picture", head, rows, wide_first=True)
    return markup("<details{}><summary>Every picture</summary>{}</details>", open_, drawn) if drawn else ""


def notes_list(analysis: Analysis) -> str:
    """List the notes and, folded, how the figures were measured, once there are any."""
    if not analysis.comparison.shots:
        return ""
    first, rest = (join(markup("<li>{}</li>", text) for text in found(analysis)) for found in (notes, measured))
    shown_first = markup('<ul class="notes">{}</ul>', first) if first else ""
    return markup(
        '{}<details><summary>How it was measured</summary><ul class="notes">{}</ul></details>', shown_first, rest
    )


def seen(comparison: Comparison, shot: Shot, calls: list[Call], whole: bool = False) -> str:
    """Render a shot's seconds in these calls, its score and, if ``whole``, its SSIM; or that it is void."""
    seconds = " ".join(f"{call.seconds / call.pictures:.3f}" for call in calls)
    if void_text := void.caption(shot):
        return markup("<span>{}</span>", void_text)
    short, points = comparison.scorer.short, shot.clip_score
    score = "" if points is None else markup(" · <span>{} {:.2f}</span>", short, points)
    alike = markup(" · <span>SSIM {}</span>", SSIM.show(shot.similarity.ssim)) if whole and shot.similarity else ""
    return markup("<span>{} s</span>{}{}", seconds, score, alike)


def table(title: str, head: tuple | list, rows: list[list[str]], wide_first: bool = False) -> str:
    """Render a table that scrolls in its own box; "" without rows.

    Args:
        title: title of the table, as text.
        head: titles of the columns.
        rows: cells; the first of each row is its heading.
        wide_first: whether the first two columns stay fixed while the table scrolls.
    """
    if not rows:
        return ""
    top = join(markup('<th scope="col">{}</th>', cell) for cell in head)
    body = join(
        markup('<tr><th scope="row">{}</th>{}</tr>', row[0], join(markup("<td>{}</td>", cell) for cell in row[1:]))
        for row in rows
    )
    kind = Markup(' class="pairs"') if wide_first else ""
    return markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="{}"><table{}><caption>{}</caption>'
        "<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>",
        title,
        kind,
        title,
        top,
        body,
    )
