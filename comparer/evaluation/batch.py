"""A resumable batch evaluation: the Cartesian product of settings, one run per cell.

The folder holds ``evaluation.json`` (the request), a run folder for every cell, and the summary.
"""

import json
import secrets
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path

from comparer.atomic import write_text
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Event, Finished
from comparer.engine.resume import unmade
from comparer.errors import ComparerError
from comparer.evaluation.sweep import Cell
from comparer.request.request import Request
from comparer.results.comparison import Comparison
from comparer.runs import store
from comparer.stats.verdict import DEFAULT, Thresholds
from comparer.text import slug

FILE = "evaluation.json"


@dataclass(frozen=True)
class ExperimentCard:
    """Metadata for an experiment log; all fields may be empty."""

    title: str = ""
    purpose: str = ""
    tags: tuple[str, ...] = ()
    notes: str = ""
    conclusion: str = ""


@dataclass(frozen=True)
class Evaluation:
    """The configuration of an evaluation: the cells of a product, the card, and the verdict thresholds."""

    folder: Path
    cells: list[Cell]
    card: ExperimentCard = field(default_factory=ExperimentCard)
    thresholds: Thresholds = DEFAULT

    def at(self, number: int) -> Path:
        """Return the run folder of a cell."""
        return self.folder / f"{number + 1:02}-{slug(self.cells[number].name or 'run')}"

    def comparisons(self) -> list[Comparison | None]:
        """Load the results so far of every cell."""
        paths = [self.at(number) for number in range(len(self.cells))]
        return [store.load(path) if (path / "run.json").is_file() else None for path in paths]

    def run(self, config: Config) -> Iterator[tuple[int, Event]]:
        """Run every unfinished cell; yield the cell's number and its events.

        Closing the generator stops within one denoising step; finished results are kept.
        """
        for number, (cell, before) in enumerate(zip(self.cells, self.comparisons(), strict=True)):
            path = self.at(number)
            if before and before.state == "finished" and not unmade(before):
                yield number, Finished(before, path, path / "grid.png")
            else:
                for event in compare(cell.request, config, into=path):
                    yield number, event


def begin(evaluation: Evaluation) -> Evaluation:
    """Create the evaluation's folder and save the request.

    Raises:
        ComparerError: the folder is not empty or cannot be written.
    """
    folder, by = evaluation.folder, evaluation.thresholds
    cells = [replace(cell, request=replace(cell.request, thresholds=by)) for cell in evaluation.cells]
    evaluation = replace(evaluation, cells=cells)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ComparerError(f"'{folder}' is not empty: choose another --out, or resume it with --resume.")
    asked = {
        "schema": 1,
        "card": asdict(evaluation.card),
        "thresholds": asdict(evaluation.thresholds),
        "cells": [{"values": cell.values, "request": cell.request.to_json()} for cell in evaluation.cells],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_text(folder / FILE, json.dumps(asked, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise ComparerError(f"'{folder}' cannot be written: {error.strerror}.") from error
    return evaluation


def new_folder(runs: Path) -> Path:
    """Return a new folder path named after the current time."""
    return runs / f"{datetime.now():%Y-%m-%d_%H%M%S}_evaluation_{secrets.token_hex(3)}"


def load(folder: Path, config: Config) -> Evaluation:
    """Load the configuration of an evaluation's folder.

    Raises:
        ComparerError: the folder holds no evaluation, or one that this installation does not allow.
    """
    try:
        data = json.loads((folder / FILE).read_text(encoding="utf-8"))
        cells = [Cell(cell["values"], Request.from_json(cell["request"], config.limits)) for cell in data["cells"]]
        card = ExperimentCard(**data["card"] | {"tags": tuple(data["card"]["tags"])})
        thresholds = Thresholds(**data.get("thresholds", {}))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ComparerError(f"'{folder}' does not contain an evaluation: {type(error).__name__}: {error}.") from error
    return Evaluation(folder, cells, card, thresholds)
