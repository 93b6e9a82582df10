"""``python -m comparer inspect``: print a checkpoint's weights card, compare two, or tell EMA from raw."""

import argparse
import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from comparer.checkpoints.files.folders import existing_path
from comparer.checkpoints.find import locate
from comparer.checkpoints.inspection import compare
from comparer.checkpoints.inspection import describe as words
from comparer.checkpoints.inspection.card import CheckpointCard, WeightSetReport, make
from comparer.checkpoints.inspection.compare import MatchedWeights, Pair
from comparer.checkpoints.inspection.fingerprint import Hashes
from comparer.checkpoints.inspection.health import Distances
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.options import add_arguments, from_arguments
from comparer.text import aligned, printable, quote

CACHE = "cache/hashes.json"  # in the runs folder


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "inspect",
        help="show what the files of a checkpoint contain, without a GPU",
        description="Show what the files of a checkpoint contain: components, EMA or raw, fingerprints, health. "
        "Needs no device and runs no pickle. Exit code 0: done; 2: refused.",
    )
    parser.set_defaults(command=run)
    parser.add_argument("path", metavar="PATH", help="a file, a folder, or a model of the catalogue")
    parser.add_argument("other", nargs="?", metavar="B", help="another checkpoint to compare with")
    parser.add_argument(
        "--against",
        metavar="STEP",
        help="report whether PATH equals the EMA or the raw weights of this training output",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of text")
    add_arguments(parser, matter=("runs",))


def run(options: argparse.Namespace) -> int:
    """Print the card or the comparison; return the exit code."""
    config = from_arguments(options)
    if options.other and options.against:
        raise ComparerError("B and --against exclude each other: leave one of them out.")
    hashes = Hashes(config.runs / CACHE)
    try:
        cards = [make(_path(name, config), hashes) for name in (options.path, options.other or options.against) if name]
        pairs = compare.compare(*cards) if options.other else []
        halves = compare.halves(*cards) if options.against else []
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    if options.json:
        print(json.dumps(_plain(cards, pairs, halves, options), indent=1, ensure_ascii=False))
    else:
        lines = [line for card in cards for line in (*describe(card), "")]
        lines += [*_compared(pairs), *(_matched(halves) if options.against else ())]
        print("\n".join(map(printable, lines)).rstrip())
    return 0


def _path(name: str, config: Config) -> Path:
    """Return a path of this machine, or the folder of a model of the catalogue that is here."""
    found = existing_path(name)
    return locate(name, config)[0] if found is None and name in CATALOG else found or Path(name)


def _plain(
    cards: list[CheckpointCard], pairs: list[Pair], halves: list[MatchedWeights], options: argparse.Namespace
) -> dict[str, Any]:
    made: dict[str, Any] = {"checkpoints": [card.to_json() for card in cards]}
    if options.other:
        made["compared"] = [pair.to_json() for pair in pairs]
    if options.against:
        made |= {"against": [asdict(half) for half in halves], "verdict": compare.verdict(halves)}
    return made


def describe(card: CheckpointCard) -> Iterator[str]:
    """Format a card as lines of plain text."""
    layout = card.layout
    yield layout.path
    yield f"  {words.kind(layout)}"
    if card.commit:
        yield f"  commit {card.commit}"
    if layout.configs:
        yield f"  {words.configs(layout)}"
    yield from ("", "Files")
    yield from aligned(
        (
            read.file.name,
            words.size(read.file.size),
            read.sha256[:16] or "not hashed",
            read.file.format,
            words.fills(read),
        )
        for read in card.files
    )
    yield from (f"  {line}" for line in words.not_read(card))
    yield from ("", "Weights")
    for each in card.seen:
        yield from _part(each)
    yield from ("", "Used by default")
    yield from aligned((component, source, why) for component, (source, why) in card.chosen.items())
    for component, found in card.moved.items():
        yield from ("", f"EMA from raw, {component}: relative distance {words.moved(found)}")
        yield from _blocks(found)
    if told := words.lora(layout):
        yield from ("", told)
    if card.extra:
        yield from ("", "Tensors of no component, by prefix")
        yield from aligned((quote(prefix), str(count)) for prefix, count in card.extra.items())
    for curve in card.curves:
        yield f"  {words.curve(curve)}"
    if layout.notes:
        yield from ("", *(f"Note: {quote(note, 300)}" for note in layout.notes))


def _part(each: WeightSetReport) -> Iterator[str]:
    part = each.part
    yield f"  {part.title}: {part.source}"
    kind = f"{part.class_name}, " if part.class_name else ""
    yield f"    {kind}{part.parameters:,} parameters in {len(part.tensors)} tensors, {words.dtypes(each)}"
    yield f"    fingerprint {each.fingerprint.values}, with names {each.fingerprint.names}"
    if part.half:
        yield f"    {words.half(each)}"
    if part.stripped:
        yield f"    removed from the names: {' '.join(part.stripped)}"
    yield f"    health: {words.health(each.health)}"


def _blocks(found: Distances) -> Iterator[str]:
    yield from aligned((quote(block.name), words.distance(block.distance)) for block in found.blocks)
    yield from (f"  {line}" for line in words.unpaired(found))


def _compared(pairs: list[Pair]) -> Iterator[str]:
    if not pairs:
        return
    yield "Compared"
    for pair in pairs:
        if not pair.first or not pair.second:
            yield f"  {pair.component}: only in the {'first' if pair.first else 'second'}"
        elif pair.same:
            yield f"  {pair.component}: the same ({pair.first}; {pair.second})"
        else:
            alike = f"{pair.in_common} of {pair.in_common + pair.only_first} tensors have equal values"
            yield f"  {pair.component}: different ({pair.first}; {pair.second}); {alike}"
            if pair.distances and pair.distances.pairs:
                yield f"  relative distance {words.distance(pair.distances.whole)}"
            if pair.distances:
                yield from ("  " + line for line in _blocks(pair.distances))


def _matched(halves: list[MatchedWeights]) -> Iterator[str]:
    yield "Against the training output"
    yield from aligned(
        (
            half.component,
            words.HALVES.get(half.half, "not said"),
            half.source,
            {"exactly": "equal", "rounded": "equal, rounded", "part": "a part"}.get(half.same, "different"),
            f"{half.equal} of {half.of} tensors equal",
            f"distance {words.distance(half.distance)}",
        )
        for half in halves
    )
    yield compare.verdict(halves)
