"""Render the votes of a blind test as SVG text."""

from comparer.blind.votes import Preference
from comparer.reporting.markup import Markup, markup
from comparer.reporting.plots.svg import EDGE, NAME, WIDTH, svg, text, wrapped
from comparer.text import counted, percent

ACCENT = "var(--color-accent, #0d9488)"
HIGH, GAP = 14, 16  # units of a bar, and below it


def ballots(found: Preference) -> str:
    """Render one bar per kind of vote: the arm, the baseline, ties, both bad; the longest bar spans the full width.

    Returns:
        An <svg>; "" without votes.
    """
    if not found.votes:
        return ""
    kinds = (
        (found.names[1], found.wins, markup('fill="{}"', ACCENT)),
        (found.names[0], found.losses, Markup('fill="currentColor" fill-opacity="0.55"')),
        ("Tie", found.ties, Markup('fill="currentColor" fill-opacity="0.25"')),
        ("Both bad", found.bad, Markup('fill="currentColor" fill-opacity="0.25"')),
    )
    scale = (WIDTH - 2 * EDGE) / max(count for _, count, _ in kinds)
    body, told, y = Markup(), [], 0.0
    for name, count, look in kinds:
        said = f"{counted(count, 'vote')} · {percent(count / found.votes)}"
        told.append((name, said))
        title, height = wrapped(name, EDGE, y, NAME)
        y += height + 18
        body += title + text(EDGE, y - 4, said)
        y += 4
        if count:
            body += markup(
                '<rect x="{}" y="{:g}" width="{:.2f}" height="{}" rx="3" {}/>', EDGE, y, count * scale, HIGH, look
            )
        y += HIGH + GAP
    return svg("Votes", told, y, body)
