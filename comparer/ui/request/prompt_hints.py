"""Remarks on a prompt before anything runs, as HTML."""

from comparer.demo.scenes import COLOURS, KINDS, PLACES, RADII, unknown_words
from comparer.reporting.markup import join, markup
from comparer.request.prompt_syntax import LoraOffer, syntax_note


def remarks(prompt: str, negative: str, checkpoint: str, offer: LoraOffer | None = None) -> str:
    """Describe what is not understood in a prompt: words the demo never saw, syntax of other programs; as HTML.

    Args:
        prompt: the prompts as typed.
        negative: the negative prompt.
        checkpoint: the selected checkpoint.
        offer: the LoRAs that tags of the prompts name.
    """
    said: list[str] = []
    if checkpoint == "demo" and (words := unknown_words(prompt or "")):
        listed = join((markup("<b>{}</b>", word) for word in words[:12]), ", ")
        said.append(markup("The demo model has never seen: {}.", listed))
    found = [syntax_note([prompt or "", negative or ""]), *(offer.sentences if offer else [])]
    said += [each for each in found if each]
    return note(join(said, " ")) if said else ""


def note(inside: str) -> str:
    """Render a remark."""
    return markup('<p class="note" role="status">{}</p>', inside)


def words() -> str:
    """List the words that the demo knows."""
    groups = {"Sizes": RADII, "Colours": COLOURS, "Shapes": KINDS, "Places": PLACES}
    rows = join(markup("<dt>{}</dt><dd>{}</dd>", name, ", ".join(words)) for name, words in groups.items())
    return markup('<dl class="words">{}</dl>', rows)
