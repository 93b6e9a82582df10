"""The weights card of a checkpoint as HTML. All its texts come from files, and are escaped."""

from html import escape

from comparer.checkpoints.inspection import describe as words
from comparer.checkpoints.inspection.card import CheckpointCard, WeightSetReport
from comparer.checkpoints.inspection.health import Distances
from comparer.reporting.html.tables import table
from comparer.reporting.plots.curves import curve
from comparer.text import quote

CONFIGS = {
    "pipeline": "Pipeline",
    "scheduler": "Scheduler",
    "prediction_type": "Prediction",
    "vae_scaling_factor": "VAE scaling",
}
CURVES = 8  # that are drawn; the command line lists all


def draw(card: CheckpointCard, name: str, unfolded: bool = True) -> str:
    """Render the card; ``name`` is the checkpoint's name as it was selected."""
    parts = (_facts(card), weights(card), _moved(card), _more(card), files(card), _notes(card))
    title = f"<b>{escape(name)}</b> <small>{escape(words.kind(card.layout))}</small>"
    seen = " open" if unfolded else ""
    return f'<details class="weights"{seen}><summary>Weights card of {title}</summary>{"".join(parts)}</details>'


def _facts(card: CheckpointCard) -> str:
    layout = card.layout
    said = {CONFIGS.get(key, key): quote(value) for key, value in (layout.configs or {}).items()}
    said |= {"Commit": card.commit[:12]} if card.commit else {}
    said |= {"Health": "sound" if card.sound else "not sound: see below"} if card.seen else {}
    rows = "".join(f"<div><dt>{escape(key)}</dt><dd>{escape(value)}</dd></div>" for key, value in said.items())
    return f'<dl class="facts">{rows}</dl>' if rows else ""


def weights(card: CheckpointCard) -> str:
    """List every set of weights: its kind, which part is used, its fingerprint, health and file."""
    head = ["Weights", "EMA or raw", "Fingerprint", "Parameters", "Health"]
    return table("Components", head, [_set(card, each) for each in card.seen])


def _set(card: CheckpointCard, each: WeightSetReport) -> list[str]:
    part, (source, why) = each.part, card.chosen.get(each.part.component, ("", ""))
    used = f' <span class="used" title="{escape(why)}">used</span>' if part.source == source else ""
    kind = f"<small>{escape(part.class_name)}</small>" if part.class_name else ""
    health = escape(words.health(each.health))
    said = f'<span class="wide">{escape(words.half(each)) or "nothing says which"}</span>'
    if part.stripped:
        said += f"<small>taken off the names: {escape(' '.join(part.stripped))}</small>"
    parameters = f"{part.parameters:,}<small>{len(part.tensors):,} tensors, {escape(words.dtypes(each))}</small>"
    return [
        f'{escape(part.title)}{used}{kind}<small class="path">{escape(part.source)}</small>',
        said,
        f'<code title="with names {each.fingerprint.names}">{each.fingerprint.values}</code>',
        f'<span class="whole">{parameters}</span>',
        f'<span class="wide{"" if each.health.sound else " wrong"}">{health}</span>',
    ]


def files(card: CheckpointCard) -> str:
    """List every file with its size and SHA-256, its component, or why it is not read; folded."""
    rows = [
        [
            f'<span class="path">{escape(read.file.name)}</span>',
            words.size(read.file.size),
            f'<code title="{read.sha256}">{read.sha256[:12]}</code>' if read.sha256 else "not hashed",
            escape(read.file.format),
            escape(words.fills(read)),
        ]
        for read in card.files
    ]
    drawn = table("Files", ["File", "Size", "SHA-256", "Format", "Fills"], rows)
    return f"<details><summary>{len(rows)} files</summary>{drawn}{_lines(words.not_read(card))}</details>"


def _moved(card: CheckpointCard) -> str:
    return "".join(_bars(component, found) for component, found in card.moved.items())


def _bars(component: str, found: Distances) -> str:
    """Draw how far the EMA is from the raw weights, a bar a block."""
    most = max((block.distance or 0 for block in found.blocks), default=0) or 1
    rows = "".join(
        f"<li><span>{escape(quote(block.name))}</span><b>{words.distance(block.distance)}</b>"
        f'<i style="width:{100 * (block.distance or 0) / most:.1f}%"></i></li>'
        for block in found.blocks
    )
    title = f"<b>EMA from raw, {escape(component)}</b>: relative distance {escape(words.moved(found))}"
    return f'<div class="expected moved"><p>{title}</p><ul>{rows}</ul>{_lines(words.unpaired(found))}</div>'


def _more(card: CheckpointCard) -> str:
    lora = words.lora(card.layout)
    drawn = _lines([lora] if lora else [])
    if card.extra:
        listed = [[escape(quote(prefix)), str(count)] for prefix, count in card.extra.items()]
        drawn += table("Tensors that no component takes", ["Names begin with", "Tensors"], listed)
    for each in card.curves[:CURVES]:
        drawn += curve(quote(each.name), each.values) or _lines([words.curve(each)])
    if len(card.curves) > CURVES:
        drawn += _lines([f"{len(card.curves) - CURVES} more curves."])
    return drawn


def _notes(card: CheckpointCard) -> str:
    return _lines([f"Note: {quote(note, 300)}" for note in card.layout.notes])


def _lines(said: list[str]) -> str:
    return "".join(f'<p class="note">{escape(line)}</p>' for line in said)
