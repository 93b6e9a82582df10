"""The weights card of a checkpoint as HTML. All its texts come from files, and are escaped."""

from comparer.checkpoints.inspection import describe as words
from comparer.checkpoints.inspection.card import CheckpointCard, WeightSetReport
from comparer.checkpoints.inspection.health import Distances
from comparer.reporting.html.tables import table
from comparer.reporting.markup import join, markup
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
    title = markup("<b>{}</b> <small>{}</small>", name, words.kind(card.layout))
    seen = " open" if unfolded else ""
    return markup(
        '<details class="weights"{}><summary>Weights card of {}</summary>{}</details>', seen, title, join(parts)
    )


def _facts(card: CheckpointCard) -> str:
    layout = card.layout
    said = {CONFIGS.get(key, key): quote(value) for key, value in (layout.configs or {}).items()}
    said |= {"Commit": card.commit[:12]} if card.commit else {}
    said |= {"Health": "sound" if card.sound else "not sound: see below"} if card.seen else {}
    rows = join(markup("<div><dt>{}</dt><dd>{}</dd></div>", key, value) for key, value in said.items())
    return markup('<dl class="facts">{}</dl>', rows) if rows else ""


def weights(card: CheckpointCard) -> str:
    """List every set of weights: its kind, which part is used, its fingerprint, health and file."""
    head = ["Weights", "EMA or raw", "Fingerprint", "Parameters", "Health"]
    return table("Components", head, [_set(card, each) for each in card.seen])


def _set(card: CheckpointCard, each: WeightSetReport) -> list[str]:
    part, (source, why) = each.part, card.chosen.get(each.part.component, ("", ""))
    used = markup(' <span class="used" title="{}">used</span>', why) if part.source == source else ""
    kind = markup("<small>{}</small>", part.class_name) if part.class_name else ""
    health = words.health(each.health)
    said = markup('<span class="wide">{}</span>', words.half(each) or "nothing says which")
    if part.stripped:
        said += markup("<small>taken off the names: {}</small>", " ".join(part.stripped))
    parameters = markup("{:,}<small>{:,} tensors, {}</small>", part.parameters, len(part.tensors), words.dtypes(each))
    return [
        markup('{}{}{}<small class="path">{}</small>', part.title, used, kind, part.source),
        said,
        markup('<code title="with names {}">{}</code>', each.fingerprint.names, each.fingerprint.values),
        markup('<span class="whole">{}</span>', parameters),
        markup('<span class="wide{}">{}</span>', "" if each.health.sound else " wrong", health),
    ]


def files(card: CheckpointCard) -> str:
    """List every file with its size and SHA-256, its component, or why it is not read; folded."""
    rows = [
        [
            markup('<span class="path">{}</span>', read.file.name),
            words.size(read.file.size),
            markup('<code title="{}">{}</code>', read.sha256, read.sha256[:12]) if read.sha256 else "not hashed",
            read.file.format,
            words.fills(read),
        ]
        for read in card.files
    ]
    drawn = table("Files", ["File", "Size", "SHA-256", "Format", "Fills"], rows)
    return markup("<details><summary>{} files</summary>{}{}</details>", len(rows), drawn, _lines(words.not_read(card)))


def _moved(card: CheckpointCard) -> str:
    return join(_bars(component, found) for component, found in card.moved.items())


def _bars(component: str, found: Distances) -> str:
    """Draw how far the EMA is from the raw weights, a bar a block."""
    most = max((block.distance or 0 for block in found.blocks), default=0) or 1
    rows = join(
        markup(
            '<li><span>{}</span><b>{}</b><i style="width:{:.1f}%"></i></li>',
            quote(block.name),
            words.distance(block.distance),
            100 * (block.distance or 0) / most,
        )
        for block in found.blocks
    )
    title = markup("<b>EMA from raw, {}</b>: relative distance {}", component, words.moved(found))
    return markup(
        '<div class="expected moved"><p>{}</p><ul>{}</ul>{}</div>', title, rows, _lines(words.unpaired(found))
    )


def _more(card: CheckpointCard) -> str:
    lora = words.lora(card.layout)
    drawn = _lines([lora] if lora else [])
    if card.extra:
        listed = [[quote(prefix), str(count)] for prefix, count in card.extra.items()]
        drawn += table("Tensors that no component takes", ["Names begin with", "Tensors"], listed)
    for each in card.curves[:CURVES]:
        drawn += curve(quote(each.name), each.values) or _lines([words.curve(each)])
    if len(card.curves) > CURVES:
        drawn += _lines([f"{len(card.curves) - CURVES} more curves."])
    return drawn


def _notes(card: CheckpointCard) -> str:
    return _lines([f"Note: {quote(note, 300)}" for note in card.layout.notes])


def _lines(said: list[str]) -> str:
    return join(markup('<p class="note">{}</p>', line) for line in said)
