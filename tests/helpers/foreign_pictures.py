"""Pictures with texts, as other programs write them."""

from pathlib import Path

from PIL import Image
from PIL.PngImagePlugin import PngInfo

PIXELS = Image.new("RGB", (8, 8), "#336699")
COMMENT, EXIF_FOLDER = 0x9286, 0x8769


def png(path: Path, **texts: str | bytes) -> Path:
    """Write a PNG; a text of bytes becomes tEXt as it is, whatever its coding; "__" in a name is a hyphen."""
    info = PngInfo()
    for name, text in texts.items():
        name = name.replace("__", "-")
        if isinstance(text, bytes):
            info.add(b"tEXt", name.encode() + b"\0" + text)
        else:
            info.add_text(name, text)
    PIXELS.save(path, pnginfo=info)
    return path


def with_comment(path: Path, comment: bytes, **tags: str) -> Path:
    """Write a JPEG, WebP or PNG whose EXIF has this comment, and plain tags by their names."""
    exif = Image.Exif()
    if comment:
        exif.get_ifd(EXIF_FOLDER)[COMMENT] = comment
    for name, text in tags.items():
        exif[{"make": 0x010F, "model": 0x0110, "software": 0x0131}[name]] = text
    PIXELS.save(path, exif=exif.tobytes())
    return path
