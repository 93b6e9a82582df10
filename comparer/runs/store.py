"""Run folders: ``run.json``, one PNG per shot, ``grid.png``. Files are written during the run, each atomically."""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from comparer.atomic import write_text
from comparer.errors import ComparerError
from comparer.request import png_write
from comparer.results import run_json
from comparer.results.comparison import Comparison
from comparer.runs import card as run_card
from comparer.text import quote, slug

NAME = r"\w[\w.-]{,199}"
"""What a run folder is called."""


@dataclass(frozen=True)
class RunFolder:
    """Folder of one run."""

    path: Path

    @classmethod
    def create(cls, runs: Path, checkpoint: str, random_bytes: int = 3) -> "RunFolder":
        """Create a folder named by time, checkpoint and random letters; 16 random bytes make the name unguessable."""
        stamp = datetime.now().strftime("%Y-%m-%d_%H%M%S")
        return cls.at(runs / f"{stamp}_{slug(checkpoint)}_{secrets.token_hex(random_bytes)}")

    @classmethod
    def at(cls, path: Path) -> "RunFolder":
        """Create a folder, or use the existing one."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ComparerError(f"The run folder cannot be created: {error}.") from error
        return cls(path)

    def save_shot(self, comparison: Comparison, arm: int, prompt: int, seed: int, picture: Any) -> str:
        """Write one image with its settings as text; return its file name."""
        request = comparison.request
        name = f"{arm}-{slug(request.arms[arm].name)}_p{prompt + 1:03}_s{seed}.png"
        card = comparison.card(arm)
        texts = png_write.shot_texts(request, arm, prompt, seed, card["name"], comparison.model_hash(arm))
        with self._written():
            png_write.save_png(picture, self.path / name, texts)
        return name

    def save(self, comparison: Comparison) -> None:
        """Write ``run.json`` atomically, and the run's card once the run has ended."""
        text = json.dumps(run_json.to_json(comparison), indent=1, ensure_ascii=False) + "\n"
        with self._written():
            write_text(self.path / run_card.RECORD, text)
            if comparison.state != "running":
                card = run_card.made(comparison)
                card = replace(card, thumbs=run_card.thumbs(self.path, card))
                run_card.write(self.path, card, run_card.key((self.path / run_card.RECORD).stat()))

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            gone = "cannot be written" if self.path.is_dir() else "is gone"
            raise ComparerError(f"The run folder {self.path} {gone}: {error.strerror or error}.") from error


def find(runs: Path, name: Any) -> Path:
    """Return the folder of a run by its untrusted name, or "evaluation/cell" for a run of an evaluation.

    Raises:
        ComparerError: there is no such run.
    """
    known = isinstance(name, str) and re.fullmatch(f"{NAME}(/{NAME})?", name, re.ASCII)
    folder = runs / name if known else runs
    within = folder.parent == runs or (folder.parent / "evaluation.json").is_file()
    linked = any(path.is_symlink() for path in (folder.parent, folder, folder / run_card.RECORD) if path != runs)
    if not known or linked or not within or not (folder / run_card.RECORD).is_file():
        raise ComparerError(f"There is no run '{quote(name)}'.")
    return folder


def given(text: str, runs: Path) -> Path:
    """Return the run folder named on the command line: a path, or a name in the runs folder.

    Raises:
        ComparerError: there is no such run.
    """
    return Path(text) if (Path(text) / run_card.RECORD).is_file() else find(runs, text)


def name(folder: Path) -> str:
    """Return the name by which ``find`` finds a run folder."""
    return f"{folder.parent.name}/{folder.name}" if (folder.parent / "evaluation.json").is_file() else folder.name


def load(path: Path) -> Comparison:
    """Load a run folder.

    Raises:
        ComparerError: the folder contains no run.
    """
    try:
        seen = run_json.from_json(json.loads((path / run_card.RECORD).read_text(encoding="utf-8")))
        _check(seen)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ComparerError(f"'{path.name}' does not contain a run: {error}.") from error
    return seen


def _check(seen: Comparison) -> None:
    """Refuse with ``ValueError`` what speaks of arms, prompts, calls or files that there are not."""
    arms, prompts = range(len(seen.request.arms)), range(len(seen.request.settings.prompts))
    calls, batches = range(len(seen.calls)), range(len(seen.batches))
    for call in seen.calls:
        if call.arm not in arms or call.batch not in batches:
            raise ValueError("a call belongs to no arm or batch")
    for shot in seen.shots:
        if shot.arm not in arms or shot.prompt not in prompts or shot.call not in calls:
            raise ValueError("a picture belongs to no arm, prompt or call")
        if not run_card.is_safe_name(shot.file):
            raise ValueError(f"'{quote(shot.file)}' is not a picture's name")
