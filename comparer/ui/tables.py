"""The right column's tables, as HTML: figures by arm, every picture, all pictures, notes. Everything is escaped."""

from collections import defaultdict
from html import escape
from pathlib import Path
from urllib.parse import quote

from comparer.figures import share
from comparer.held import incomplete
from comparer.notes import loss, notes
from comparer.order import AS_ASKED, ordered
from comparer.results import Comparison
from comparer.shots import Call, Shot
from comparer.ui.results import name, unbroken

FEW = 8  # rows that are not folded away


def arms_table(comparison: Comparison) -> str:
    """Write the figures of every arm as a table; time and memory also as a share of the baseline's."""
    head = ["Arm", "Seconds a picture", "it/s", "<bdi>Speed-up</bdi>", "CLIP", "CLIP loss", "SSIM", "Peak memory"]
    rows = []
    for number, arm in enumerate(comparison.request.arms):
        f, why, alike = comparison.figures(number), comparison.why_not(number), comparison.similarity(number)
        if not f.calls and not why:
            continue
        peak, first, random = comparison.peak(number), number == 0, incomplete(comparison, number)
        said = "; ".join(comparison.no_effect(number)) or comparison.did(number)
        rows.append(
            [
                name(arm.name),
                show(f.seconds, "{:.3f}") + _of(comparison.time_share(number), first),
                show(f.steps_per_second, "{:.1f}"),
                "baseline" if first else show(f.speed_up, "{:.2f}×"),
                show(f.clip_score, "{:.2f}"),
                "" if first or f.clip_loss is None else loss(f.clip_loss),
                show(alike.ssim if alike else None, "{:.3f}"),
                show(peak and peak / 2**30, "{:.2f} GiB") + _of(share(peak, comparison.peak(0)), first),
                (f'<span class="badge random">{escape(random)}</span> ' if random else "")
                + (unbroken(f"not run: {why}" if why else said) or ("" if random else "–")),
            ]
        )
    head.append("What it did")
    kept = [column for column in range(len(head)) if column not in (6, 7) or any(row[column] for row in rows)]
    return table("Figures by arm", [head[c] for c in kept], [[row[c] for c in kept] for row in rows])


def _of(part: float | None, first: bool) -> str:
    return "" if part is None or first else f" <small>{100 * part:.0f}\u00a0%</small>"


def pairs_table(comparison: Comparison, arm: int = 1, order: str = AS_ASKED) -> str:
    """Write a row a (prompt, seed) with each arm's seconds, of every repeat, CLIP score and SSIM; folded if long."""
    arms = comparison.request.arms
    head = ["Prompt", "Seed", *(name(arm.name) for arm in arms)]
    rows, calls = [], defaultdict(list)
    made = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    for call in comparison.calls:
        calls[call.arm, call.batch].append(call)
    for prompt, seed in ordered(comparison, min(arm, len(arms) - 1), order):
        cells = [escape(comparison.request.settings.prompts[prompt]), str(seed)]
        for number in range(len(arms)):
            shot = made.get((number, prompt, seed))
            cells.append(_seen(shot, calls[number, comparison.calls[shot.call].batch], whole=True) if shot else "–")
        rows.append(cells)
    open_ = " open" if len(rows) <= FEW or order != AS_ASKED else ""
    drawn = table("Every picture", head, rows, wide_first=True)
    return f"<details{open_}><summary>Every picture</summary>{drawn}</details>" if drawn else ""


def notes_list(comparison: Comparison) -> str:
    """List what the figures rest on, once there are any."""
    if not comparison.shots:
        return ""
    items = "".join(f"<li>{escape(text)}</li>" for text in notes(comparison))
    return f'<ul class="notes">{items}</ul>'


def all_pictures(comparison: Comparison, folder: Path, prompt: int, arm: int = 1, order: str = AS_ASKED) -> str:
    """Draw a prompt's pictures: a column an arm, a row a seed; a press on one opens its pair."""
    arms, settings = comparison.request.arms, comparison.request.settings
    rows = []
    for which, seed in ordered(comparison, arm, order):
        if which == prompt:
            cells = "".join(f"<td>{_cell(comparison, folder, n, prompt, seed)}</td>" for n in range(len(arms)))
            rows.append(f'<tr><th scope="row">Seed {seed}</th>{cells}</tr>')
    head = "".join(f'<th scope="col">{name(each.name)}</th>' for each in arms)
    kind = "all small" if settings.width < 256 else "all"
    return (
        '<div class="scroll" tabindex="0" role="region" aria-label="All pictures of a prompt">'
        f'<table class="{kind}" style="--arms:{len(arms)}"><caption>{escape(settings.prompts[prompt])}</caption>'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _cell(comparison: Comparison, folder: Path, arm: int, prompt: int, seed: int) -> str:
    shot = comparison.shot(arm, prompt, seed)
    if shot is None:
        return '<span class="none">not made</span>'
    title, settings = escape(comparison.request.arms[arm].name), comparison.request.settings
    # Relative: the page may be served below a path of its own.
    image = (
        f'<img src="gradio_api/file={quote(str(folder.resolve() / shot.file))}" loading="lazy" '
        f'width="{settings.width}" height="{settings.height}" alt="{title}, seed {seed}">'
    )
    button = f'<button type="button" data-pair="{prompt}:{seed}" data-arm="{arm}">{image}</button>'
    return f"{button}<p>{_seen(shot, [comparison.calls[shot.call]])}</p>"


def _seen(shot: Shot, calls: list[Call], whole: bool = False) -> str:
    """Write a shot's seconds in these calls, CLIP score and, for the ``whole`` of it, SSIM."""
    seconds = " ".join(f"{call.seconds / call.pictures:.3f}" for call in calls)
    score = "" if shot.clip_score is None else f" · <span>CLIP {shot.clip_score:.2f}</span>"
    alike = f" · <span>SSIM {shot.similarity.ssim:.3f}</span>" if whole and shot.similarity else ""
    return f"<span>{seconds} s</span>{score}{alike}"


def table(title: str, head: tuple | list, rows: list[list[str]], wide_first: bool = False) -> str:
    """Write a table that scrolls in its own box; "" without rows.

    Args:
        title: what it is called, as text.
        head: the columns' titles as HTML.
        rows: cells as HTML; the first of each row is its heading.
        wide_first: whether the first two columns stay where they are while it scrolls.
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


def show(value: float | None, form: str) -> str:
    """Write a figure by a format string; "" for None."""
    return "" if value is None else form.format(value)
