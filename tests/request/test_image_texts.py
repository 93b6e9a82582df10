"""Texts of PNG, JPEG and WebP as other programs code them; hostile files get a sentence."""

import struct

import pytest
from PIL import Image

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.image_texts import XMP, texts
from comparer.request.restore import restore
from comparer.ui.app import Page
from helpers.foreign_pictures import COMMENT, EXIF_FOLDER, PIXELS, png, with_comment, xmp

TEXT = (
    "a café ★ 猫\nNegative prompt: flou\nSteps: 12, Sampler: Euler a, CFG scale: 6.5, Seed: 7, Size: 64x96, Model: demo"
)
COMMENTS = {
    "UTF-16 of A1111": b"UNICODE\0" + TEXT.encode("utf-16-be"),
    "UTF-16, little end first": b"UNICODE\0" + TEXT.encode("utf-16-le"),
    "UTF-16 with a mark": b"UNICODE\0" + TEXT.encode("utf-16"),
    "UTF-8 that claims to be UTF-16": b"UNICODE\0" + TEXT.encode(),
    "UTF-8 that claims to be ASCII": b"ASCII\0\0\0" + TEXT.encode(),
    "UTF-8 of no claim": bytes(8) + TEXT.encode(),
    "UTF-8 alone": TEXT.encode(),
}


def is_read(path, tmp_path):
    found = restore(path, Config(runs=tmp_path))
    settings = found.request.settings
    assert (settings.prompts, settings.negative_prompt) == (("a café ★ 猫",), "flou")
    assert (settings.sampler, settings.steps, settings.guidance, settings.seeds) == ("Euler a", 12, 6.5, (7,))
    assert (settings.width, settings.height, found.missing, found.notes) == (64, 96, (), ())


@pytest.mark.parametrize("comment", COMMENTS)
@pytest.mark.parametrize("suffix", ["jpg", "webp", "png"])
def test_a_comment_of_exif_is_read_in_every_coding(tmp_path, suffix, comment):
    is_read(with_comment(tmp_path / f"x.{suffix}", COMMENTS[comment]), tmp_path)


def test_utf_8_in_a_chunk_for_latin_1_is_utf_8(tmp_path):
    is_read(png(tmp_path / "x.png", parameters=TEXT.encode()), tmp_path)
    is_read(png(tmp_path / "y.png", parameters=TEXT), tmp_path)
    latin = restore(png(tmp_path / "z.png", parameters="un café\nSteps: 9".encode("latin-1")), Config(runs=tmp_path))
    assert latin.request.settings.prompts == ("un café",)
    windows = restore(png(tmp_path / "w.png", parameters="a “b” – c\nSteps: 9".encode("cp1252")), Config(runs=tmp_path))
    assert windows.request.settings.prompts == ("a “b” – c",)


def test_a_file_is_read_by_what_it_is_and_not_by_its_name(tmp_path):
    path = with_comment(tmp_path / "x.jpg", COMMENTS["UTF-8 alone"])
    is_read(path.rename(tmp_path / "x.png"), tmp_path)


def test_a_photo_is_refused_with_what_its_comment_says(tmp_path):
    path = with_comment(tmp_path / "x.jpg", b"ASCII\0\0\0Holiday in Rome")
    with pytest.raises(
        ComparerError, match="is a JPEG and contains no settings that can be read, because its UserComment 'Hol"
    ):
        restore(path, Config(runs=tmp_path))
    Image.new("RGB", (8, 8)).save(tmp_path / "y.webp")
    with pytest.raises(ComparerError, match="'y.webp' is a WebP and contains no settings that can be read: choose"):
        restore(tmp_path / "y.webp", Config(runs=tmp_path))


def test_the_comments_of_xmp_and_of_a_jpeg_are_read_where_exif_has_none(tmp_path):
    is_read(png(tmp_path / "x.png", **{XMP: xmp(TEXT).decode()}), tmp_path)
    for suffix in ("jpg", "webp"):
        PIXELS.save(tmp_path / f"x.{suffix}", xmp=xmp(TEXT))
        is_read(tmp_path / f"x.{suffix}", tmp_path)
    PIXELS.save(tmp_path / "y.jpg", comment=TEXT.encode())
    is_read(tmp_path / "y.jpg", tmp_path)
    PIXELS.save(tmp_path / "z.jpg", xmp=xmp("other"), comment=b"other", exif=exif_of(TEXT))
    is_read(tmp_path / "z.jpg", tmp_path)
    attribute = xmp("").replace(b"<rdf:Description>", b'<rdf:Description exif:UserComment="a&#10;Steps: 9, Seed: 3">')
    PIXELS.save(tmp_path / "a.jpg", xmp=attribute)
    assert restore(tmp_path / "a.jpg", Config(runs=tmp_path)).request.settings.steps == 9


def test_comments_of_photos_are_no_settings(tmp_path):
    PIXELS.save(tmp_path / "x.jpg", xmp=xmp(""))
    with pytest.raises(ComparerError, match="contains no settings that can be read: choose"):
        restore(tmp_path / "x.jpg", Config(runs=tmp_path))
    PIXELS.save(tmp_path / "y.jpg", comment=b"Created with GIMP")
    with pytest.raises(ComparerError, match="because its UserComment 'Created with GIMP' is not from a"):
        restore(tmp_path / "y.jpg", Config(runs=tmp_path))
    png(tmp_path / "z.png", Description="a lake --ar 3:2 Job ID: 1f2e", Author="somebody")
    with pytest.raises(ComparerError, match="Midjourney, which made it, writes neither steps nor a sampler"):
        restore(tmp_path / "z.png", Config(runs=tmp_path))


def exif_of(text):
    exif = Image.Exif()
    exif.get_ifd(EXIF_FOLDER)[COMMENT] = b"UNICODE\0" + text.encode("utf-16-be")
    return exif.tobytes()


def webp(*chunks):
    body = b"WEBP" + b"".join(kind + struct.pack("<I", size) + data for kind, size, data in chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


LOOP = b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0" + bytes(4)  # the folder of EXIF is the first one
HOSTILE = {
    "cut.jpg": (b"\xff\xd8\xff\xe1\x10\x00Exif", "damaged or incomplete"),
    "short.jpg": (b"\xff\xd8\xff\xe0\x00\x00", "damaged or incomplete"),
    "segments.jpg": (b"\xff\xd8" + b"\xff\xe2\x00\x02" * 20_000, "it has more than 10,000 parts"),
    "damaged.jpg": (b"\xff\xd8\xff\xe1\x00\x20Exif\0\0MM\0\x2a\xff\xff\xff\xff" + bytes(40) + b"\xff\xda", "JPEG"),
    "huge.webp": (webp((b"EXIF", 2**31, b"")), "has a text of 2,147,483,648 bytes"),
    "cut.webp": (webp((b"EXIF", 100, b"MM")), "is incomplete"),
    "chunks.webp": (webp(*[(b"JUNK", 0, b"")] * 20_000), "it has more than 10,000 parts"),
    "damaged.webp": (webp((b"EXIF", 40, b"II*\0" + b"\xff" * 36)), "contains no settings"),
    "loop.webp": (
        webp((b"EXIF", 26, b"II*\0\x08\0\0\0\x01\0\x69\x87\x04\0\x01\0\0\0\x08\0\0\0" + bytes(4))),
        "contains no",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_get_one_sentence(tmp_path, name):
    content, told = HOSTILE[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ComparerError, match=told) as refused:
        restore(tmp_path / name, Config(runs=tmp_path))
    assert str(refused.value).startswith(f"'{name}' ") and len(str(refused.value)) < 300


def test_only_known_texts_come_out(tmp_path):
    path = with_comment(tmp_path / "x.webp", b"", make="Canon", model="EOS", software="GIMP")
    assert texts(path, ("parameters",)) == {"Software": "GIMP"}


def test_the_page_says_what_the_file_does_not(tmp_path):
    config = Config(runs=tmp_path / "runs")
    page = Page(config)
    page.build()
    (tmp_path / "up").mkdir()
    path = png(tmp_path / "up" / "x.png", parameters="a <b>cat</b>")
    found = restore(path, config)
    usual = "in a readable form: steps 25, sampler DDIM, guidance 2, seed 0, size 128x128."
    assert found.request.settings.prompts == ("a <b>cat</b>",) and usual in found.notes[0]
    told = page.drop.fill(str(path), {}, *[part.value for part in page.controls.inputs()])[page.drop.told]
    assert usual in told and "Filled from the settings of A1111&#x27;s web UI" in told
