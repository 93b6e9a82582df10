"""Name what a file is by its first bytes, if it is not what its ending says. No torch."""

import re
import zipfile
from pathlib import Path

from comparer.text import quote

GGUF = "a GGUF file, weights quantised for stable-diffusion.cpp: use the safetensors version"
POINTER = "a Git LFS pointer, not the weights: run 'git lfs pull' in its repository"
EMPTY = "empty: download or copy it again"
ARCHIVE = "an archive: unpack it and choose what is in it"
_FAILED = "download it again, and log in first if the site needs it"
_ARCHIVES = (b"7z\xbc\xaf'\x1c", b"Rar!\x1a\x07", b"\x1f\x8b", b"\xfd7zXZ\0", b"BZh", b"\x28\xb5\x2f\xfd")
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{16}")
_PICKLED = re.compile(rb"[LI]\d+")  # a number, as pickles of protocol 0 begin
_PAGE = re.compile(rb"\s*<(!doctype|html|head|\?xml)", re.IGNORECASE)
MOST_HEADER = 100_000_000


def content_kind(path: Path) -> str:
    """Name a file with the ending of weights that holds something else; "" for all others.

    Args:
        path: a file.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(64)
    if not head:
        return EMPTY
    if head.startswith(b"GGUF"):
        return GGUF
    if head.startswith(b"version https://git-lfs.github.com/"):
        return POINTER
    if _PAGE.match(head):
        return f"a web page, not weights: {_FAILED}"
    if _TEXT.match(head) and not _PICKLED.match(head):
        return f"a text, not weights ('{quote(head.decode('latin-1'), 40)}'): {_FAILED}"
    if head.startswith(_ARCHIVES):
        return ARCHIVE
    if head.startswith(b"PK"):
        return _zip_kind(path)
    length = int.from_bytes(head[:8], "little")
    if path.suffix != ".safetensors" and head[8:9] == b"{" and 2 <= length <= MOST_HEADER:
        return f"a safetensors file with another ending: rename it to '{quote(path.stem)}.safetensors'"
    return ""


def _zip_kind(path: Path) -> str:
    try:
        with zipfile.ZipFile(path) as archive:
            torch = any(name.endswith("data.pkl") for name in archive.namelist())
    # zipfile raises the last three for a compression that it does not know, an encrypted archive, and a damaged entry.
    except (OSError, zipfile.BadZipFile, NotImplementedError, RuntimeError, ValueError):
        return ""  # reading the file says more
    if not torch:
        return ARCHIVE
    other = path.suffix == ".safetensors"
    return f"a torch file with the ending of safetensors: rename it to '{quote(path.stem)}.ckpt'" if other else ""
