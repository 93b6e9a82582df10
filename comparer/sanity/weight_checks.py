"""Check a checkpoint's files before any image is generated."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from comparer.checkpoints import convert, quantised
from comparer.checkpoints.files.components import COMPONENTS
from comparer.checkpoints.files.layout import FOLDER, Part
from comparer.checkpoints.inspection.card import CheckpointCard
from comparer.checkpoints.read import read_json
from comparer.sanity import spectrum
from comparer.sanity.judge import BROKEN, SUSPICIOUS, Finding
from comparer.text import counted, decimals, few

OPTIONAL = ("safety_checker", "image_encoder")  # not needed to generate images


def findings(card: CheckpointCard) -> list[Finding]:
    """List faults of the files: missing tensors, NaN, all zero, an EMA that never moved, random blocks."""
    return [*_absent(card), *_keys(card), *_health(card), *_moved(card), *_structure(card)]


def loads(found: Iterable[Finding]) -> bool:
    """Return whether the checkpoint can be run despite these findings; missing tensors would get random values."""
    return not any(finding.text.endswith(MISSING) for finding in found)


MISSING = "so nothing was run"


def notes(card: CheckpointCard) -> list[str]:
    """List observations that are no fault in themselves."""
    told = []
    for each in card.seen:
        if beyond := each.health.beyond["float16"]:
            told.append(f"{each.part.title} has values beyond the range of float16 ({few(beyond)}): use another dtype.")
        if card.layout.kind == FOLDER and (found := _compared(card, each.part)) and found[0].unexpected:
            names = found[0].unexpected
            told.append(
                f"{each.part.title} has {counted(len(names), 'tensor')} that its class does not have ({few(names)})."
            )
    return told


def _absent(card: CheckpointCard) -> Iterator[Finding]:
    if card.layout.kind != FOLDER:
        return
    try:
        index = json.loads((Path(card.layout.path) / "model_index.json").read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return  # reported when the folder is read as a pipeline
    for component in COMPONENTS:
        named = isinstance(index, dict) and index.get(component)
        wanted = isinstance(named, list) and named[:1] not in ([], [None]) and component not in OPTIONAL
        if wanted and not card.layout.of(component):
            yield Finding(BROKEN, f"there are no weights of the {component}, {MISSING}", True)


def _compared(card: CheckpointCard, part: Part) -> tuple[convert.Fit, int] | None:
    """Lay a set of weights over the module of its configuration; return how it fits, and the module's tensors."""
    if not part.named or part.component not in COMPONENTS:
        return None
    try:
        config = read_json(Path(card.layout.path) / part.component / "config.json")
        module = convert.module(config)
        return convert.fit(quantised.split(part)[0], config, module), len(module.state_dict())
    except Exception:  # a damaged config raises many kinds; reported on loading
        return None


def _keys(card: CheckpointCard) -> Iterator[Finding]:
    if card.layout.kind != FOLDER:
        return
    for part in card.layout.parts:
        found = _compared(card, part)
        if found is None:
            continue
        fit, tensors = found
        if fit.missing:
            text = f"{part.title} lacks {len(fit.missing)} of {tensors} tensors ({few(fit.missing)}), {MISSING}"
            yield Finding(BROKEN, text, True, "", len(fit.missing), 0)
        if fit.misshaped:
            which = f"{counted(len(fit.misshaped), 'tensor')} ({few(fit.misshaped)})"
            text = f"{part.title} has {which} with another shape than its configuration says, {MISSING}"
            yield Finding(BROKEN, text, True, "", len(fit.misshaped), 0)


def _health(card: CheckpointCard) -> Iterator[Finding]:
    for each in card.seen:
        health = each.health
        if health.not_finite:
            count = sum(health.not_finite.values())
            text = f"{each.part.title} has {counted(count, 'value')} of NaN or infinity ({few(health.not_finite)})"
            yield Finding(BROKEN, text, True, "", count, 0)
        elif not health.sound:
            yield Finding(BROKEN, f"all values of {each.part.title} are 0", True)


def _moved(card: CheckpointCard) -> Iterator[Finding]:
    for component, found in card.moved.items():
        if found.whole == 0 and found.pairs:
            text = f"the EMA of {component} equals the raw weights: it never moved"
            yield Finding(SUSPICIOUS, text, True, "", 0.0, 0.0)


def _structure(card: CheckpointCard) -> Iterator[Finding]:
    for part in card.layout.parts:
        if found := spectrum.unlearned(part.tensors) if part.named else {}:
            most = max(found.values())
            times = f"{most:.{decimals([most], spectrum.STANDS_OUT, 2)}f}"
            which = f"{counted(len(found), 'block')} of {part.title} ({few(found)})"
            text = (
                f"{which} can hardly be distinguished from random numbers: largest singular value {times} times that "
                f"of random ones (at least {spectrum.STANDS_OUT:g} is right)"
            )
            yield Finding(SUSPICIOUS, text, True, "", most, spectrum.STANDS_OUT)
