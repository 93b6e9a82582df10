"""The programs whose settings are read, in the order in which they are tried."""

from collections.abc import Mapping

from comparer.errors import ComparerError
from comparer.request.readers import a1111, comfyui, drawthings, easydiffusion, fooocus, invokeai, novelai, swarmui
from comparer.request.readers.base import Parameters, Reader, as_object
from comparer.text import quote

# A1111's text is the plainest: ComfyUI's nodes that write it write their graph as well.
READERS: tuple[Reader, ...] = (
    swarmui.READER, fooocus.READER, novelai.READER, invokeai.READER, drawthings.READER, easydiffusion.READER,
    a1111.READER, comfyui.READER,
)  # fmt: skip
KEYS = tuple(dict.fromkeys(key for reader in READERS for key in reader.keys))
PROGRAMS = tuple(reader.program for reader in READERS)


def read(texts: Mapping[str, str], name: str) -> Parameters | None:
    """Read settings from a file's texts; None if no reader knows them.

    Args:
        texts: PNG texts by name, and "UserComment" of EXIF.
        name: the file's name in quotes, for errors.

    Raises:
        ComparerError: a program is known, and its prompt does not stand plainly in the file.
    """
    for reader in READERS:
        try:
            found = reader.read(texts)
        except ComparerError as error:
            raise ComparerError(f"{name} was made by {reader.program}, but {error}.") from error
        if found is not None:
            return found
    return None


def unknown(texts: Mapping[str, str]) -> str:
    """Describe texts that no reader knows: their names, and the first characters of a comment; "" if there is none."""
    if "Job ID:" in texts.get("Description", ""):
        return "Midjourney, which made it, writes neither steps nor a sampler"
    for key in ("parameters", "UserComment"):
        if text := texts.get(key, "").strip():
            kind = f"JSON with {', '.join(list(as_object(text))[:6])}" if as_object(text) else text
            return f"its {key} '{quote(kind, 40)}' is not from a supported program"
    return f"its {' and '.join(texts)} cannot be read" if texts else ""
