"""A plot of the votes of a blind test as SVG text."""

from comparer.export.drawing import EDGE, WIDTH, Row, chart
from comparer.verdict import counted
from comparer.votes import Preference

ACCENT = "var(--color-accent, #0d9488)"
HIGH = 16  # units of a bar


def ballots(found: Preference) -> str:
    """Draw a bar for each kind of vote, the longest over the whole width: the arm, the baseline, ties, both bad.

    Returns:
        An <svg>; "" without votes.
    """
    if not found.votes:
        return ""
    kinds = (
        (found.names[1], found.wins, f'fill="{ACCENT}"'),
        (found.names[0], found.losses, 'fill="currentColor" fill-opacity="0.6"'),
        ("Tie", found.ties, 'fill="currentColor" fill-opacity="0.3"'),
        ("Both bad", found.bad, 'fill="currentColor" fill-opacity="0.3"'),
    )
    scale = (WIDTH - 2 * EDGE) / max(count for _, count, _ in kinds)
    rows = [_row(name, count, count / found.votes, scale, look) for name, count, look in kinds]
    return chart("Votes", counted(found.votes, "vote"), rows, [], [])


def _row(name: str, count: int, share: float, scale: float, look: str) -> Row:
    bar = f'<rect x="{EDGE}" y="{-HIGH / 2}" width="{max(count * scale, 2):.2f}" height="{HIGH}" rx="3" {look}/>'
    said = f"{counted(count, 'vote')} · {100 * share:.0f} %"
    return Row(name, said, said, bar if count else "", HIGH)
