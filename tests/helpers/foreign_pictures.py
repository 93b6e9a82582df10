"""Pictures with texts, as other programs write them."""

from pathlib import Path
from xml.sax.saxutils import escape

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


def xmp(comment: str) -> bytes:
    """Return XMP with a comment, and a description as photo programs write it."""
    about = '<dc:description><rdf:Alt><rdf:li xml:lang="x-default">Holiday</rdf:li></rdf:Alt></dc:description>'
    inside = f'<rdf:li xml:lang="x-default">{escape(comment)}</rdf:li>'
    inside = f"<exif:UserComment>\n <rdf:Alt>{inside}</rdf:Alt></exif:UserComment>" if comment else ""
    packet = f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description>{about}{inside}'
    return f"{packet}</rdf:Description></rdf:RDF></x:xmpmeta>".encode()


def with_comment(path: Path, comment: bytes, **tags: str) -> Path:
    """Write a JPEG, WebP or PNG whose EXIF has this comment, and plain tags by their names."""
    exif = Image.Exif()
    if comment:
        exif.get_ifd(EXIF_FOLDER)[COMMENT] = comment
    for name, text in tags.items():
        exif[{"make": 0x010F, "model": 0x0110, "software": 0x0131}[name]] = text
    PIXELS.save(path, exif=exif.tobytes())
    return path
