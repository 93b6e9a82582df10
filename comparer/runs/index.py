"""List, search, and delete runs, and check their owners. No link is followed out of the runs folder."""

import hashlib
import hmac
import os
import re
import shutil
import stat
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from secrets import token_hex

from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.reporting.exporters import EXPORTERS
from comparer.runs import card as run_card
from comparer.runs import store
from comparer.runs.card import RunCard
from comparer.runs.lock import being_made
from comparer.text import quote

OWNER = "owner"  # a file in the run folder that identifies the owner
# Folder names of ``RunFolder.create``.
_MADE = re.compile(r"\d{4}-\d\d-\d\d_\d{6}_.+_([0-9a-f]{6}|[0-9a-f]{32})", re.ASCII)
# Files that Comparer writes into a run folder besides the exports.
_OWN = r"run\.json|card\.json|blind\.json|owner|going|thumb-\d\.jpg|\d+-[a-z0-9.-]+_p\d{3,}_s\d+\.png|[a-z-]+\.svg"
_DELETED = re.compile(r"\.deleted-[0-9a-f]{16}", re.ASCII)  # name of a folder that ``delete`` is about to empty
_OTHERS = ("check.json", "evaluation.json")  # records of folders that are not runs


@dataclass(frozen=True)
class Entry:
    """One run of the list: its name as ``store.find`` accepts it, and its card."""

    name: str
    card: RunCard

    @property
    def title(self) -> str:
        """Return the checkpoint's title."""
        name, *rest = self.card.checkpoint.split("; ")
        return "; ".join([CATALOG[name].title if name in CATALOG else name, *rest])

    @property
    def words(self) -> str:
        """Return the searchable text, in lower case."""
        card = self.card
        arms = (f"{arm.name} {arm.headline}" for arm in card.arms)
        texts = (self.name, self.title, card.checkpoint, card.state, card.created, card.device)
        return " ".join((*texts, *card.prompts, *arms, *card.accelerators)).casefold()


def entries(runs: Path, owner: str | None = None) -> list[Entry]:
    """List the runs of a folder, newest first, including damaged ones and those inside evaluations.

    Remains of an earlier ``delete`` are removed.

    Args:
        runs: the runs folder; a missing folder contains no runs.
        owner: list only the runs of the owner with this secret; None for all.
    """
    _sweep(runs)
    found = [Entry(name, _card(runs / name)) for name in _names(runs) if owner is None or owns(runs / name, owner)]
    return sorted(found, key=lambda entry: (entry.card.created, entry.name), reverse=True)


def entry(runs: Path, name: str) -> Entry:
    """Return one run of the list.

    Raises:
        ComparerError: there is no run of this name.
    """
    if name not in _names(runs):
        raise ComparerError(f"There is no run '{quote(name)}'.")
    return Entry(name, _card(runs / name))


def search(listed: Sequence[Entry], words: str) -> list[Entry]:
    """Return the runs that contain all words in names, prompts, arms or verdicts, ignoring case."""
    wanted = words.casefold().split()
    return [entry for entry in listed if all(word in entry.words for word in wanted)] if wanted else list(listed)


def size(folder: Path) -> int:
    """Return the total size of a run folder's files in bytes."""
    return sum(each.stat(follow_symlinks=False).st_size for each in _inside(folder))


def why_not_deleted(runs: Path, found: Entry, busy: Collection[str] = ()) -> str:
    """Return why a run cannot be deleted; "" if it can.

    Args:
        runs: the runs folder.
        found: the run.
        busy: names of runs that are known to be in progress.
    """
    if "/" in found.name:
        return "it is part of an evaluation"
    if found.name in busy or being_made(runs / found.name):
        return "it is still in progress"
    if found.card.damaged and not _MADE.fullmatch(found.name):
        return "Comparer did not mark this folder as its own"
    if others := _others(runs / found.name):
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        named = ", ".join(f"'{quote(name, 40)}'" for name in others[:3])
        return f"its folder contains files that Comparer did not write: {named}{more}"
    return ""


def delete(runs: Path, name: str, busy: Collection[str] = (), owner: str | None = None) -> None:
    """Delete a run: the folder of this name directly inside the runs folder.

    Args:
        runs: the runs folder.
        name: name of the run, untrusted.
        busy: names of runs that are known to be in progress.
        owner: the caller's secret; None if everybody may delete.

    Raises:
        ComparerError: there is no run of this name, or it cannot be deleted, with the reason.
    """
    found = entry(runs, name)
    if owner is not None and not owns(runs / name, owner):
        raise ComparerError("This run belongs to another visitor: only its owner can delete it.")
    if why := why_not_deleted(runs, found, busy):
        raise ComparerError(f"The run '{quote(name)}' was not deleted: {why}.")
    gone = runs / f".deleted-{token_hex(8)}"  # rename first, so that nobody sees a partly deleted run
    try:
        (runs / name).rename(gone)
    except OSError as error:
        raise ComparerError(f"The run '{quote(name)}' cannot be deleted: {error.strerror or error}.") from error
    _sweep(runs)


def _others(folder: Path) -> list[str]:
    """List what in a run folder is no file of Comparer's: other files, folders and links."""
    return sorted(
        each.name for each in _inside(folder) if not (_is_written(each.name) and each.is_file(follow_symlinks=False))
    )


def _is_written(name: str) -> bool:
    """Return whether Comparer writes files of this name into run folders, complete or partial (``atomic``)."""
    names = "|".join(f"(?:{names})" for names in (_OWN, *(exporter.files for exporter in EXPORTERS.values())))
    return bool(re.fullmatch(rf"(?:{names})((\.\d+)?\.partial)?|\.DS_Store", name, re.ASCII))


def _sweep(runs: Path) -> None:
    """Remove deleted runs; what of one cannot be removed now is tried again the next time."""
    for each in _inside(runs):
        if _DELETED.fullmatch(each.name) and each.is_dir(follow_symlinks=False) and not _others(Path(each.path)):
            shutil.rmtree(each.path, ignore_errors=True)


def claim(folder: Path, owner: str) -> None:
    """Record the owner of a run as a digest of the owner's secret; the secret itself is not stored."""
    with suppress(OSError):  # without the file, the run has no owner
        (folder / OWNER).write_text(_digest(owner), encoding="utf-8")


def owns(folder: Path, owner: str) -> bool:
    """Return whether a run belongs to the owner with this secret."""
    try:
        return bool(owner) and hmac.compare_digest((folder / OWNER).read_bytes(), _digest(owner).encode())
    except OSError:
        return False


def _digest(owner: str) -> str:
    return hashlib.sha256(owner.encode()).hexdigest()


def _names(runs: Path) -> Iterator[str]:
    for folder in _inside(runs):
        if not folder.is_dir(follow_symlinks=False) or not re.fullmatch(store.NAME, folder.name, re.ASCII):
            continue
        if _there(folder.path, run_card.RECORD):
            yield folder.name
        elif _there(folder.path, "evaluation.json"):
            cells = [cell for cell in _inside(Path(folder.path)) if re.fullmatch(store.NAME, cell.name, re.ASCII)]
            cells = [
                cell for cell in cells if cell.is_dir(follow_symlinks=False) and _there(cell.path, run_card.RECORD)
            ]
            yield from (f"{folder.name}/{cell.name}" for cell in cells)
        elif _MADE.fullmatch(folder.name) and not any(_there(folder.path, name) for name in _OTHERS):
            yield folder.name


def _inside(folder: Path) -> list[os.DirEntry]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:
        return []


def _there(folder: str, name: str) -> bool:
    return os.path.lexists(os.path.join(folder, name))  # noqa: PTH118 - a thousand paths


def _card(folder: Path) -> RunCard:
    try:
        record = (folder / run_card.RECORD).lstat()
    except OSError as error:
        gone = isinstance(error, FileNotFoundError)
        return run_card.damaged("It has no run.json." if gone else f"{error.strerror}.", _when(folder))
    if not stat.S_ISREG(record.st_mode):
        return run_card.damaged("Its run.json is not a file.", _when(folder))
    of = run_card.key(record)
    card = run_card.read(folder, of) or _made(folder, record)
    return replace(card, state="cut off") if card.state == "running" and not being_made(folder) else card


def _when(folder: Path) -> float:
    """Return when a folder was made by its name, else when it was changed; seconds since 1970, 0 where unknown."""
    with suppress(ValueError, OverflowError):
        return datetime.strptime(folder.name[:17], "%Y-%m-%d_%H%M%S").timestamp()
    with suppress(OSError):
        return folder.lstat().st_mtime
    return 0


def _made(folder: Path, record: os.stat_result) -> RunCard:
    try:
        comparison = store.load(folder)
        card = run_card.made(comparison)
        if not card.created:
            raise ValueError(f"'{quote(comparison.created)}' is not a date")
    except ComparerError as error:
        why = str(error).removeprefix(f"'{folder.name}' does not contain a run: ")
        card = run_card.damaged(f"Its run.json does not contain a run: {quote(why, 300)}", _when(folder))
    except Exception as error:  # an untrusted record: its errors must not hide other runs
        why = f"Its run.json contradicts itself: {type(error).__name__}: {quote(error, 300)}"
        card = run_card.damaged(why, _when(folder))
    run_card.write(folder, card, run_card.key(record))
    return card
