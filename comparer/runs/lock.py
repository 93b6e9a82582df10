"""Whether a run is being made: its folder is held meanwhile, by this process or another one of this machine."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from comparer.errors import ComparerError

try:
    import fcntl
except ImportError:  # Windows: only this process is known
    fcntl = None  # type: ignore[assignment]

FILE = "going"
_mine: set[Path] = set()


@contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Hold a run's folder while it is made; whatever becomes of the process, the system lets go of it.

    Raises:
        ComparerError: somebody else holds it.
    """
    folder = folder.resolve()
    if being_made(folder):
        raise ComparerError(f"The run '{folder.name}' is being made already: wait until it has ended.")
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
    """Say whether somebody holds a run's folder."""
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
