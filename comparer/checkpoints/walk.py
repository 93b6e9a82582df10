"""Walk a checkpoint folder and find checkpoints by names and headers. Bounded; no weights are read, no torch.

It knows what diffusers' training scripts, accelerate (with DeepSpeed), kohya's sd-scripts and OneTrainer write.
"""

import json
import os
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from comparer.checkpoints.files.components import COMPONENTS
from comparer.checkpoints.files.folders import inside, never
from comparer.checkpoints.files.scan import STEPS
from comparer.checkpoints.files.tensors import ENDINGS
from comparer.checkpoints.files.weight_sets import EMA, RAW, half_of
from comparer.checkpoints.peek import CONTROLNET, PIPELINE, WEIGHTS, alike, kind_of
from comparer.errors import ComparerError
from comparer.text import quote

DEEPEST = 4  # levels below the folder
MOST = 200_000  # files and folders looked at
IGNORED = (".git", ".cache", ".ipynb_checkpoints", "__pycache__", "node_modules")
OTHERS = (".mlpackage", ".mlmodelc")  # folders of Core ML, whose files are called weight.bin
NESTED = ("pytorch_model", "lora")  # where DeepSpeed's and OneTrainer's weights are, below a step's folder
STATE_FILES = {"train_state.json", "trainer_state.json", "training_state.json"}
NO_PIPELINE = ("controlnet", "adapter")
DENOISER_FOLDERS = ("unet", "transformer", "prior")
_NUMBERS = re.compile("[0-9]+")
_STANDARD = re.compile(
    r"(diffusion_pytorch_model|pytorch_model|pytorch_lora_weights|model)(_\d+|_fsdp)?(\.[A-Za-z]\w*)?(-\d+-of-\d+)?"
    r"(\.[A-Za-z]\w*)?"
)


@dataclass(frozen=True)
class Found:
    """A checkpoint in a folder, or another file of weights.

    Attributes:
        name: the folder's label and the path below it.
        path: its folder or file.
        kind: a kind of ``peek``.
        changed: modification time, in seconds since 1970.
        holds: the components that have folders of their own, where that is all there is.
        halves: "ema" and "raw", as far as names tell that there are both; ("ema",) where there is nothing else.
    """

    name: str
    path: Path
    kind: str
    changed: float
    holds: tuple[str, ...] = ()
    halves: tuple[str, ...] = ()


class Names:
    """The names in a folder: weights, other files, folders. Weights never include optimizer states and the like."""

    def __init__(self, path: Path) -> None:
        """List the folder; ``OSError`` if that fails."""
        self.path, self.count = path, 0
        self.weights: list[str] = []
        self.files: list[str] = []
        self.folders: list[str] = []
        self.links: set[str] = set()
        with os.scandir(path) as entries:
            for entry in entries:
                self.count += 1
                if self.count > MOST:
                    break
                if entry.is_symlink():
                    self.links.add(entry.name)
                if entry.is_dir():
                    self.folders.append(entry.name)
                elif entry.name.endswith(ENDINGS) and not never(entry.name) and entry.is_file():
                    self.weights.append(entry.name)
                else:
                    self.files.append(entry.name)
        self.weights.sort()
        self.folders.sort()


class Walk:
    """One walk through a checkpoint folder; ``notes`` says in sentences what could not be listed."""

    def __init__(self, root: Path, label: str, within: tuple[Path, ...]) -> None:
        """Store what to walk; ``label`` is what the names begin with, ``within`` the folders that may be read."""
        self.root, self.label, self.within = root, label, within
        self.notes: list[str] = []

    def found(self) -> Iterator[Found]:
        """Yield what is in the folder and at most ``DEEPEST`` levels below it, upper levels first."""
        folders, links = deque([(self.root, self.root.resolve(), 0)]), deque[tuple[Path, Path, int]]()
        seen: set[Path] = set()
        looked = 0
        while folders or links:
            path, real, depth = (folders or links).popleft()  # links last: what they lead to has a name of its own
            if real in seen:
                continue
            seen.add(real)
            try:
                names = Names(path)
            except OSError as error:
                self.notes.append(f"The checkpoint folder '{self.name(path)}' cannot be read: {error.strerror}.")
                continue
            parts = self.parts(names)
            yield from self.folder(names, parts)
            looked += names.count
            if looked > MOST:
                self.notes.append(
                    f"The checkpoint folder '{self.label}' has more than {MOST} files and folders, and only the first "
                    "ones are listed: choose a subfolder."
                )
                return
            if depth == DEEPEST:
                continue
            skipped = _skipped(names, parts)
            for sub in (sub for sub in names.folders if sub not in skipped and not sub.endswith(OTHERS)):
                if sub not in names.links:
                    folders.append((path / sub, real / sub, depth + 1))
                elif self.allowed(path / sub):
                    links.append((path / sub, (path / sub).resolve(), depth + 1))

    def at(self) -> Found | None:
        """Return what the folder itself is; None where it is none. ``OSError`` if it cannot be listed."""
        names = Names(self.root)
        return next((found for found in self.folder(names, self.parts(names)) if found.path == self.root), None)

    def folder(self, names: Names, parts: dict[str, list[str]]) -> Iterator[Found]:
        """Yield what a folder is, or else what its files are."""
        if "model_index.json" in names.files:
            yield self.one(names.path, names.path / "model_index.json", PIPELINE, halves=_halves(parts))
        elif parts:
            holds = tuple(dict.fromkeys(sub.removesuffix("_ema") for sub in parts))
            kind = CONTROLNET if set(holds) <= set(NO_PIPELINE) else WEIGHTS
            first = next(names.path / sub / files[0] for sub, files in parts.items())
            yield self.one(names.path, first, kind, holds, _halves(parts))
        elif not names.weights and (inner := _inner(names)):
            file = inner.path / inner.weights[0]
            if self.allowed(file):
                kind, both = kind_of(file)
                yield self.one(names.path, file, kind, halves=(EMA, RAW) if both else ())
        elif names.weights:
            yield from self.own(names)

    def own(self, names: Names) -> Iterator[Found]:
        """Yield one step, if that is what a folder's own weights are, or else each file."""
        files = [name for name in names.weights if name not in names.links or self.allowed(names.path / name)]
        single = files
        if files and _is_step(names, files):
            emas = [name for name in files if _is_ema(name)]
            rest = [lora] if (lora := _lora_beside_state(files)) else [name for name in files if name not in emas]
            file = names.path / (rest or emas)[0]
            kind, both = kind_of(file)
            halves = (EMA, RAW) if both else _halves({"unet": rest, "unet_ema": emas})
            sets = {_STANDARD.sub(r"\1\2", _stem(name)) for name in rest}
            single = rest if len(sets) > 1 else []
            if not alike([names.path / name for name in single]):  # otherwise nothing says which the folder means
                yield self.one(names.path, file, kind, halves=halves)
        for file in (names.path / name for name in single):
            kind, both = kind_of(file)
            yield self.one(file, file, kind, halves=(EMA, RAW) if both else ())

    def parts(self, names: Names) -> dict[str, list[str]]:
        """Return the weights of every component's folder, as training scripts name them."""
        found = {}
        for sub in names.folders:
            if sub.removesuffix("_ema") in COMPONENTS and self.allowed(names.path / sub):
                try:
                    inner = Names(names.path / sub)
                except OSError:
                    continue
                if inner.weights and all(_standard(name) for name in inner.weights):
                    found[sub] = inner.weights
        return dict(sorted(found.items(), key=lambda item: COMPONENTS.index(item[0].removesuffix("_ema"))))

    def one(
        self, path: Path, file: Path, kind: str, holds: tuple[str, ...] = (), halves: tuple[str, ...] = ()
    ) -> Found:
        """Return a find, as old as one of its files."""
        try:
            changed = file.stat().st_mtime
        except OSError:
            changed = 0.0
        return Found(self.name(path), path, kind, changed, holds, halves)

    def name(self, path: Path) -> str:
        """Return the name of a path below the folder."""
        below = path.relative_to(self.root).as_posix()
        return self.label if below == "." else f"{self.label}/{below}"

    def allowed(self, path: Path) -> bool:
        """Say whether a path may be read; note a link that leads out of the checkpoint folders."""
        try:
            inside(path, self.within)
        except (ComparerError, OSError, RuntimeError):
            note = f"'{quote(self.name(path))}' links out of the checkpoint folders, so it is not listed."
            self.notes += [] if note in self.notes else [note]
            return False
        return True


def nested(path: Path) -> Path:
    """Return where a step's weights are: in DeepSpeed's or OneTrainer's folder below it, or at the path itself.

    Of a LoRA beside a whole model, which some of diffusers' scripts save to go on from, it is the LoRA: the model alone
    would be taken for the trained one.
    """
    try:
        names = Names(path) if path.is_dir() else None
    except OSError:
        return path
    if names is None or "model_index.json" in names.files:
        return path
    if names.weights:
        return path / _lora_beside_state(names.weights)
    inner = _inner(names)
    return inner.path if inner else path


def _lora_beside_state(files: list[str]) -> str:
    """Return the LoRA's file that diffusers' scripts save beside a whole training state; "" for anything else."""
    loras = [name for name in files if name.startswith("pytorch_lora_weights")]
    return loras[0] if len(loras) == 1 < len(files) and all(map(_standard, files)) else ""


def _inner(names: Names) -> Names | None:
    """Return DeepSpeed's or OneTrainer's folder of weights in a folder that has none itself."""
    for sub in NESTED:
        if sub in names.folders:
            try:
                inner = Names(names.path / sub)
            except OSError:
                continue
            if any(sub == "lora" or name.startswith("mp_rank_") for name in inner.weights):
                return inner
    return None


def _is_step(names: Names, files: list[str]) -> bool:
    """Say whether a folder's own weights are one step of a training, and not a collection of files."""
    plain = [name for name in files if not _standard(name) and not _is_ema(name)]
    if len({_NUMBERS.sub("", name) for name in plain}) < len(plain):  # several steps
        return False
    if STEPS.match(names.path.name) or "config.json" in names.files or any(map(_is_state, names.files)):
        return True
    return not plain and (any(map(_standard, files)) or len(files) == 1)


def _stem(name: str) -> str:
    return name.rpartition(".")[0] or name


def _is_ema(name: str) -> bool:
    return half_of(_stem(name)) == EMA


def _is_state(name: str) -> bool:
    return name in STATE_FILES or "state" in never(name)


def _skipped(names: Names, parts: dict[str, list[str]]) -> set[str]:
    """Return the folders that belong to the checkpoint that a folder is, or that only resuming a training needs."""
    saved = {*(_stem(name) for name in names.weights), *names.folders}
    states = {sub for sub in names.folders if sub.endswith("-state") and sub.removesuffix("-state") in saved}
    found = {*IGNORED, *states}
    if "model_index.json" in names.files:
        return found | {"scorer", "ema", *COMPONENTS, *(f"{name}_ema" for name in COMPONENTS), *_index(names.path)}
    if parts:
        return found | {"ema", *NESTED, *parts}
    return found | ({"ema", *NESTED} if not names.weights and _inner(names) else set())


def _standard(name: str) -> bool:
    return bool(_STANDARD.fullmatch(_stem(name)))


def _halves(parts: dict[str, list[str]]) -> tuple[str, ...]:
    """Return the halves of the denoiser that folders and variants name."""
    for name in DENOISER_FOLDERS:
        files, emas = parts.get(name, []), parts.get(f"{name}_ema", [])
        variants = {word for file in files for word in ("ema", "non_ema") if f".{word}." in file}
        if files and (emas or variants):
            return EMA, RAW
        if emas:
            return (EMA,)
    return ()


def _index(folder: Path) -> list[str]:
    """List the components that a model_index.json names; none if it is damaged."""
    try:
        found = json.loads((folder / "model_index.json").read_text(encoding="utf-8"))
        return [*found] if isinstance(found, dict) else []
    except (OSError, ValueError, RecursionError):
        return []
