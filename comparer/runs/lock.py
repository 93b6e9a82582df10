"""File lock that marks a run folder as in progress.

The lock is visible to this process and, except on Windows, to other processes of this machine.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from comparer.errors import ComparerError

try:
    import fcntl
except ImportError:  # Windows: only locks of this process are visible
    fcntl = None  # type: ignore[assignment]

FILE = "going"
_mine: set[Path] = set()


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Lock a run's folder while the run is in progress; the system releases the lock if the process dies.

    Raises:
        ComparerError: the folder is already locked.
    """
    folder = folder.resolve()
    if being_made(folder):
        raise ComparerError(f"The run '{folder.name}' is already in progress: wait until it is finished.")
    _mine.add(folder)
    handle = os.open(folder / FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        if fcntl:
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        _mine.discard(folder)
        with suppress(OSError):  # the folder may be gone
            (folder / FILE).unlink()
        os.close(handle)


def being_made(folder: Path) -> bool:
    """Return whether a run's folder is locked."""
    folder = folder.resolve()
    if folder in _mine:
        return True
    if not fcntl:
        return False
    try:
        handle = os.open(folder / FILE, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(handle)
    return False
