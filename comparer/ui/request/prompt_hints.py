"""Remarks on a prompt before anything runs, as HTML."""

from comparer.demo.scenes import COLOURS, KINDS, PLACES, RADII, unknown_words
from comparer.reporting.markup import join, markup
from comparer.results.notes import LITERAL, WEIGHTED


def remarks(prompt: str, negative: str, checkpoint: str) -> str:
    """Describe what is not understood in a prompt: words the demo never saw, weights; as HTML."""
    said: list[str] = []
    if checkpoint == "demo" and (words := unknown_words(prompt or "")):
        listed = join((markup("<b>{}</b>", word) for word in words[:12]), ", ")
        said.append(markup("The demo model has never seen: {}.", listed))
    if WEIGHTED.search(f"{prompt} {negative}"):
        said.append(LITERAL)
    return note(join(said, " ")) if said else ""


def note(inside: str) -> str:
    """Render a remark."""
    return markup('<p class="note" role="status">{}</p>', inside)


def words() -> str:
    """List the words that the demo knows."""
    groups = {"Sizes": RADII, "Colours": COLOURS, "Shapes": KINDS, "Places": PLACES}
    rows = join(markup("<dt>{}</dt><dd>{}</dd>", name, ", ".join(words)) for name, words in groups.items())
    return markup('<dl class="words">{}</dl>', rows)
