"""Format a weights card as text for the command line and the page. Plain text: callers escape it."""

from comparer.checkpoints.files.layout import Layout
from comparer.checkpoints.inspection.card import CheckpointCard, Curve, Read, WeightSetReport
from comparer.checkpoints.inspection.health import Distances, Health
from comparer.text import few, quote

HALVES = {"ema": "EMA", "raw": "raw"}
NEVER_MOVED = "the EMA equals the raw weights: it never moved"


def kind(layout: Layout) -> str:
    """Describe the kind of a layout: "original layout, SD 1.x"."""
    return f"{layout.kind}{f', {layout.about}' if layout.about else ''}"


def configs(layout: Layout) -> str:
    """Describe pipeline, scheduler, prediction type and VAE scaling factor, as far as known."""
    return ", ".join(f"{key} {quote(value)}" for key, value in (layout.configs or {}).items())


def fills(read: Read) -> str:
    """List the components a file provides, or explain why it is not read."""
    return ", ".join(read.file.fills) or read.file.why


def size(bytes_: int) -> str:
    """Format a file size: "9,936,920 B"."""
    return f"{bytes_:,} B"


def dtypes(seen: WeightSetReport) -> str:
    """List the stored dtypes of a set, with the number of parameters of each if there are several."""
    stored = seen.part.dtypes
    return ", ".join(f"{dtype}{f' ({count:,})' if len(stored) > 1 else ''}" for dtype, count in stored.items())


def half(seen: WeightSetReport) -> str:
    """Describe whether a set is EMA or raw and how that was detected; "" if unknown."""
    return f"{HALVES[seen.part.half]}: {quote(seen.part.how, 200)}" if seen.part.half else ""


def health(found: Health) -> str:
    """Describe the health of a set of weights: "sound; largest value 1.27"."""
    wrong = {
        "NaN or infinite": list(found.not_finite),
        "all zero": found.zero,
        "constant": found.constant,
        **{f"beyond the range of {dtype}": list(names) for dtype, names in found.beyond.items()},
    }
    said = [f"{len(names)} {what} ({few(names)})" for what, names in wrong.items() if names]
    return f"{'; '.join(said) or 'sound'}; largest value {found.largest:g}"


def distance(value: float | None) -> str:
    """Format a relative distance."""
    return "not known" if value is None else f"{value:.3g}"


def moved(found: Distances) -> str:
    """Describe the total distance of the EMA from the raw weights."""
    return "0: " + NEVER_MOVED if found.whole == 0 and found.pairs else distance(found.whole)


def unpaired(found: Distances) -> list[str]:
    """List the tensors that could not be compared."""
    kinds = (
        ("only in the first", found.only_first),
        ("only in the second", found.only_second),
        ("with another shape", found.other_shape),
    )
    return [f"{len(names)} {what}: {few(names)}" for what, names in kinds if names]


def lora(layout: Layout) -> str:
    """Describe what a LoRA changes; "" for other layouts."""
    if not layout.lora:
        return ""
    ranks = "; ".join(
        f"{component}: " + ", ".join(f"rank {rank} ×{count}" for rank, count in counted.items())
        for component, counted in layout.lora.ranks.items()
    )
    return f"LoRA, {layout.lora.naming} naming: {ranks}; {layout.lora.alphas} alphas"


def curve(found: Curve) -> str:
    """Describe which curve an extra tensor may be."""
    edges = f"from {found.values[0]:g} to {found.values[-1]:g}, {min(found.values):g} to {max(found.values):g}"
    return f"{quote(found.name)} may be a curve over {len(found.values)} timesteps: {edges}"


def not_read(card: CheckpointCard) -> list[str]:
    """List what was skipped inside files."""
    return [f"not read: {quote(key)}" for key in card.layout.not_read]
