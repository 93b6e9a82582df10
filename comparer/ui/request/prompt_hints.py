"""Remarks on a prompt before anything runs, as HTML."""

from html import escape

from comparer.demo.scenes import COLOURS, KINDS, PLACES, RADII, unknown_words
from comparer.request.prompt_syntax import LoraOffer, syntax_note


def remarks(prompt: str, negative: str, checkpoint: str, offer: LoraOffer | None = None) -> str:
    """Describe what is not understood in a prompt: words the demo never saw, syntax of other programs; as HTML.

    Args:
        prompt: the prompts as typed.
        negative: the negative prompt.
        checkpoint: the selected checkpoint.
        offer: the LoRAs that tags of the prompts name.
    """
    said = []
    if checkpoint == "demo" and (words := unknown_words(prompt or "")):
        listed = ", ".join(f"<b>{escape(word)}</b>" for word in words[:12])
        said.append(f"The demo model has never seen: {listed}.")
    found = [syntax_note([prompt or "", negative or ""]), *(offer.sentences if offer else [])]
    said += [escape(each) for each in found if each]
    return note(" ".join(said)) if said else ""


def note(inside: str) -> str:
    """Render a remark from HTML."""
    return f'<p class="note" role="status">{inside}</p>'


def words() -> str:
    """List the words that the demo knows."""
    groups = {"Sizes": RADII, "Colours": COLOURS, "Shapes": KINDS, "Places": PLACES}
    rows = "".join(f"<dt>{name}</dt><dd>{', '.join(words)}</dd>" for name, words in groups.items())
    return f'<dl class="words">{rows}</dl>'
