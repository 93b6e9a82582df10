"""Tables as HTML: figures per arm, all images, notes. All visitor input is escaped."""

from collections import defaultdict

from comparer.markup import Markup, join, markup
from comparer.metrics.ssim import SSIM
from comparer.reporting.html.verdict_cards import name, unbroken
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.figures import share
from comparer.results.loaded_weights import incomplete
from comparer.results.notes import loss, notes
from comparer.results.records import Call, Shot
from comparer.results.sorting import ordered
from comparer.text import gib, optional, percent

FEW = 8  # rows that are not folded away


def arms_table(analysis: Analysis) -> str:
    """Render the figures of every arm as a table; time and memory also as a share of the baseline's."""
    speed_up = Markup("<bdi>Speed-up</bdi>")
    head = ["Arm", "Seconds a picture", "it/s", speed_up, "CLIP", "CLIP loss", "SSIM", "Peak memory"]
    rows = []
    for each in analysis.arms:
        f, why, alike = each.figures, analysis.comparison.skip_reason(each.number), each.similarity
        if not f.calls and not why:
            continue
        peak, first, random = each.peak, each.number == 0, incomplete(analysis.comparison, each.number)
        said = "; ".join(each.no_effect_reasons) or each.work
        rows.append(
            [
                name(each.arm.name),
                optional(f.seconds, "{:.3f}") + _of(each.time_share, first),
                optional(f.steps_per_second, "{:.1f}"),
                "baseline" if first else optional(f.speed_up, "{:.2f}×"),
                optional(f.clip_score, "{:.2f}"),
                "" if first or f.clip_loss is None else loss(f.clip_loss),
                optional(alike.ssim if alike else None, "{:.3f}"),
                gib(peak) + _of(share(peak, analysis.arms[0].peak), first),
                (markup('<span class="badge random">{}</span> ', random) if random else "")
                + (unbroken(f"not run: {why}" if why else said) or ("" if random else "–")),
            ]
        )
    head.append("What it did")
    kept = [column for column in range(len(head)) if column not in (6, 7) or any(row[column] for row in rows)]
    return table("Figures by arm", [head[c] for c in kept], [[row[c] for c in kept] for row in rows])


def _of(part: float | None, first: bool) -> str:
    return "" if part is None or first else markup(" <small>{}</small>", percent(part)).replace(" %", "\u00a0%")


def pairs_table(comparison: Comparison) -> str:
    """Render a row per (prompt, seed) with each arm's seconds for all repeats, CLIP score and SSIM; folded if long."""
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
            cells.append(seen(shot, calls[number, comparison.calls[shot.call].batch], whole=True) if shot else "–")
        rows.append(cells)
    open_ = " open" if len(rows) <= FEW else ""
    drawn = table("Every picture", head, rows, wide_first=True)
    return markup("<details{}><summary>Every picture</summary>{}</details>", open_, drawn) if drawn else ""


def notes_list(analysis: Analysis) -> str:
    """List what the figures are based on, once there are any."""
    if not analysis.comparison.shots:
        return ""
    items = join(markup("<li>{}</li>", text) for text in notes(analysis))
    return markup('<ul class="notes">{}</ul>', items)


def seen(shot: Shot, calls: list[Call], whole: bool = False) -> str:
    """Render a shot's seconds in these calls, its CLIP score and, if ``whole``, its SSIM."""
    seconds = " ".join(f"{call.seconds / call.pictures:.3f}" for call in calls)
    score = "" if shot.clip_score is None else markup(" · <span>CLIP {:.2f}</span>", shot.clip_score)
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
