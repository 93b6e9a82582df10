"""Remarks on a prompt before anything runs, as HTML."""

from html import escape

from comparer.demo.scenes import COLOURS, KINDS, PLACES, RADII, unknown_words
from comparer.results.notes import LITERAL, WEIGHTED


def remarks(prompt: str, negative: str, checkpoint: str) -> str:
    """Describe what is not understood in a prompt: words the demo never saw, weights; as HTML."""
    said = []
    if checkpoint == "demo" and (words := unknown_words(prompt or "")):
        listed = ", ".join(f"<b>{escape(word)}</b>" for word in words[:12])
        said.append(f"The demo model has never seen: {listed}.")
    if WEIGHTED.search(f"{prompt} {negative}"):
        said.append(LITERAL)
    return note(" ".join(said)) if said else ""


def note(inside: str) -> str:
    """Render a remark from HTML."""
    return f'<p class="note" role="status">{inside}</p>'


def words() -> str:
    """List the words that the demo knows."""
    groups = {"Sizes": RADII, "Colours": COLOURS, "Shapes": KINDS, "Places": PLACES}
    rows = "".join(f"<dt>{name}</dt><dd>{', '.join(words)}</dd>" for name, words in groups.items())
    return f'<dl class="words">{rows}</dl>'
