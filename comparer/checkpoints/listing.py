"""List what can be compared: yours, in the checkpoint folders; installed; and what can be downloaded. No torch.

Page, command line and API show this list. A training run is listed from the folder of one step, from its parent, and
from two or more levels above: one entry per step, EMA and raw weights being choices of it.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from comparer.checkpoints.files.scan import STEPS
from comparer.checkpoints.files.tensors import ENDINGS
from comparer.checkpoints.peek import CONTROLNET, EMBEDDING, FILE, LORA, PIPELINE, WEIGHTS, kind_of
from comparer.checkpoints.walk import Walk
from comparer.config import Config
from comparer.models import hub
from comparer.models.catalog import CATALOG

YOURS, INSTALLED, DOWNLOAD = "yours", "installed", "can be downloaded"
_NUMBER = re.compile(r"[-_.]?(?:step|epoch)?[-_]?[0-9]+", re.IGNORECASE)
WHY_NOT = {
    CONTROLNET: "a ControlNet alone: Comparer runs pipelines without ControlNets",
    EMBEDDING: "a textual inversion alone: Comparer does not add embeddings",
}


@dataclass(frozen=True)
class Entry:
    """One entry of the list.

    Attributes:
        name: as a request names it.
        group: ``YOURS``, ``INSTALLED`` or ``DOWNLOAD``.
        kind: a kind of ``peek`` or ``foreign``; ``PIPELINE`` and ``FILE`` are whole, ``WEIGHTS`` need a base.
        holds: the components that have folders of their own, where that is all there is.
        halves: "ema" and "raw" where names say that there are both, ("ema",) where there is nothing else, else ().
        base: for ``WEIGHTS``, the pipeline in whose folder they are, else "".
        changed: modification time, in seconds since 1970; 0 for a catalogue model.
    """

    name: str
    group: str
    kind: str = PIPELINE
    holds: tuple[str, ...] = ()
    halves: tuple[str, ...] = ()
    base: str = ""
    changed: float = 0.0

    @property
    def why_not(self) -> str:
        """Why it can be neither a checkpoint nor a LoRA of a request; "" if it can."""
        return why_not(self.kind)

    @property
    def choice(self) -> str:
        """Say that there are EMA and raw weights to choose from; "" otherwise."""
        return "; EMA and raw, chosen with weights=ema or weights=raw" if len(self.halves) == 2 else ""

    @property
    def about(self) -> str:
        """What weights that are no pipeline are, and how a request names them."""
        if self.kind == LORA:
            return f"LoRA: added to a checkpoint, as 'demo; lora={self.name}'"
        if self.kind == FILE:
            return f"single file in the original layout{self.choice}"
        if self.why_not:
            return self.why_not
        holds, base = ", ".join(self.holds) or "weights", self.base or "demo"
        return f"{holds} over a base, as '{self.name}; base={base}'{self.choice}"


@dataclass(frozen=True)
class Listing:
    """All entries, in order, and a sentence about each checkpoint folder that is absent, empty or not fully read."""

    entries: tuple[Entry, ...]
    notes: tuple[str, ...] = ()

    def of(self, kinds: Collection[str], groups: Collection[str] = (YOURS, INSTALLED, DOWNLOAD)) -> list[Entry]:
        """Return the entries of some kinds and groups."""
        return [entry for entry in self.entries if entry.kind in kinds and entry.group in groups]


def listing(config: Config) -> Listing:
    """List what can be compared: yours, installed, and what can be downloaded.

    Yours are in the order of their newest change; the steps of one training run stay together, sorted as numbers.
    """
    notes: list[str] = []
    yours: dict[Path, Entry] = {}
    roots = tuple(root.resolve() for root in config.checkpoints)
    for label, root in labelled(config).items():
        walk = Walk(root, label, roots)
        found = list(walk.found())
        notes += walk.notes or ([] if found else [f"The checkpoint folder '{label}' contains no checkpoints."])
        for each in filter(lambda each: _sayable(each.name), found):
            # A folder named like a catalogue model is not that model.
            name = f"{each.name}/." if each.name in CATALOG else each.name
            entry = Entry(name, YOURS, each.kind, each.holds, each.halves, changed=each.changed)
            yours.setdefault(each.path.resolve(), entry)
    catalogue = [Entry(name, INSTALLED if hub.here(model) else DOWNLOAD) for name, model in CATALOG.items()
                 if config.hub or name == "demo"]  # fmt: skip
    catalogue.sort(key=lambda entry: entry.group != INSTALLED)
    return Listing((*_ordered(_with_bases([*yours.values()])), *catalogue), tuple(notes))


def why_not(kind: str) -> str:
    """Say why a kind of file can be neither a checkpoint nor a LoRA; "" if it can."""
    if kind in (PIPELINE, FILE, WEIGHTS, LORA):
        return ""
    # What says how to go on, or that there is nothing in it, is said already.
    return WHY_NOT.get(kind) or (kind if ":" in kind else f"{kind}, which is not supported as a checkpoint")


def labelled(config: Config) -> dict[str, Path]:
    """Return the checkpoint folders by what their checkpoints' names begin with.

    This is a folder's name, or where several have the same one, as much of their paths as tells them apart.
    """
    roots = {root.absolute(): None for root in config.checkpoints}
    found = {}
    for root in roots:
        parts = 1
        while any(other != root and other.parts[-parts:] == root.parts[-parts:] for other in roots):
            parts += 1
        found[Path(*root.parts[-parts:]).as_posix()] = root
    return found


def unusable(path: Path, within: tuple[Path, ...]) -> str:
    """Say what a path is if it can be neither a checkpoint nor a LoRA; "" otherwise."""
    if not path.is_dir():
        return why_not(kind_of(path)[0])
    found = Walk(path, path.name, within).at()
    return why_not(found.kind) if found else ""


def _sayable(name: str) -> bool:
    """Say whether a name can be shown, and read back from the line that chooses it: those of any bytes cannot."""
    return name.isprintable() and ";" not in name and name == name.strip()


def _with_bases(entries: list[Entry]) -> list[Entry]:
    """Add to weights the pipeline in whose folder they are: the final one of a training, beside its steps."""
    pipelines = {entry.name for entry in entries if entry.kind == PIPELINE}

    def base(entry: Entry) -> str:
        above = (str(parent) for parent in PurePosixPath(entry.name).parents)
        return next((name for path in above for name in (path, f"{path}/.") if name in pipelines), "")

    return [replace(entry, base=base(entry)) if entry.kind == WEIGHTS else entry for entry in entries]


def _ordered(entries: list[Entry]) -> list[Entry]:
    """Order by newest change; the steps of one training run stay together, sorted as numbers, the final one last."""
    newest: dict[tuple[str, str], float] = {}
    for entry in entries:
        run, _ = _run_and_step(entry.name)
        newest[run] = max(newest.get(run, 0.0), entry.changed)

    def key(entry: Entry) -> tuple:
        run, step = _run_and_step(entry.name)
        return -newest[run], run, step, entry.name

    return sorted(entries, key=key)


def _run_and_step(name: str) -> tuple[tuple[str, str], tuple[float, ...]]:
    """Split a name into what all steps of a training run share, and the numbers in it; a name without any is the last.

    >>> _run_and_step("out/checkpoint-9000") < _run_and_step("out/checkpoint-24000")
    True
    >>> _run_and_step("out/style-000004.safetensors") < _run_and_step("out/style.safetensors")
    True
    >>> _run_and_step("out/checkpoint-9/model_1.pt") < _run_and_step("out/checkpoint-24/model.pt")
    True
    """
    parent, _, last = name.rpartition("/")
    above, _, step = parent.rpartition("/")
    if STEPS.match(step):  # one of several networks of a step
        parent, last = above, step
    stem = last.rpartition(".")[0] if last.endswith(ENDINGS) else last
    return (parent, _NUMBER.sub("", stem)), (*map(int, re.findall("[0-9]+", stem)), float("inf"))
