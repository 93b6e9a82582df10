"""Run folders: ``run.json``, one PNG a shot, ``grid.png``. Written as the run goes, each file atomically."""

import json
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError, shown
from comparer.export import png_text
from comparer.results import Comparison


@dataclass(frozen=True)
class RunFolder:
    """One run's folder."""

    path: Path

    @classmethod
    def create(cls, runs: Path, checkpoint: str, random_bytes: int = 3) -> "RunFolder":
        """Make a new folder, named by time, checkpoint and random letters; with 16 bytes nobody can guess it."""
        stamp = datetime.now().strftime("%Y-%m-%d_%H%M%S")
        return cls.at(runs / f"{stamp}_{slug(checkpoint)}_{secrets.token_hex(random_bytes)}")

    @classmethod
    def at(cls, path: Path) -> "RunFolder":
        """Make a folder, or take the one that is there."""
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ComparerError(f"The run folder cannot be made: {error}.") from error
        return cls(path)

    def save_shot(self, comparison: Comparison, arm: int, prompt: int, seed: int, picture: Any) -> str:
        """Write one picture with its settings as text; return its file name."""
        request = comparison.request
        name = f"{arm}-{slug(request.arms[arm].name)}_p{prompt + 1:03}_s{seed}.png"
        card = comparison.card(arm)
        texts = png_text.shot_texts(request, arm, prompt, seed, card["name"], comparison.model_hash(arm))
        with self._written():
            png_text.save_png(picture, self.path / name, texts)
        return name

    def save(self, comparison: Comparison) -> None:
        """Write ``run.json``; a reader never sees half of one."""
        partial = self.path / "run.json.partial"
        text = json.dumps(comparison.to_json(), indent=1, ensure_ascii=False) + "\n"
        with self._written():
            partial.write_text(text, encoding="utf-8")
            partial.replace(self.path / "run.json")

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            gone = "cannot be written" if self.path.is_dir() else "is gone"
            raise ComparerError(f"The run folder {self.path} {gone}: {error.strerror or error}.") from error


def find(runs: Path, name: Any) -> Path:
    """Return the folder of a run by its name, which may come from anybody.

    Raises:
        ComparerError: there is no such run.
    """
    known = isinstance(name, str) and re.fullmatch(r"\w[\w.-]{,199}", name, re.ASCII)
    if not known or not (runs / name / "run.json").is_file():
        raise ComparerError(f"There is no run '{shown(name)}'.")
    return runs / name


def load(path: Path) -> Comparison:
    """Read a run folder back.

    Raises:
        ComparerError: it holds no run.
    """
    try:
        return Comparison.from_json(json.loads((path / "run.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ComparerError(f"'{path.name}' holds no run: {error}.") from error


def slug(text: str) -> str:
    """Make a short name that every file system takes.

    >>> slug("DeepCache(interval=3, branch=0)")
    'deepcache-interval-3-branch-0'
    """
    return re.sub(r"[^a-z0-9.]+", "-", text.lower()).strip("-.")[:48] or "x"
