"""Files are written whole or not at all."""

import pytest

from comparer.atomic import replacing, write_text


def test_an_error_on_the_way_leaves_the_earlier_file_and_nothing_else(tmp_path):
    path = tmp_path / "run.json"
    write_text(path, "first")
    with pytest.raises(ZeroDivisionError), replacing(path) as partial:
        partial.write_text("half")
        assert path.read_text() == "first" and partial.parent == tmp_path
        raise ZeroDivisionError
    assert path.read_text() == "first" and list(tmp_path.iterdir()) == [path]


def test_text_is_written_as_it_is_but_for_what_unicode_does_not_allow(tmp_path):
    write_text(tmp_path / "x", "a\r\nb\n\U0001f98a \ud83e half")
    assert (tmp_path / "x").read_bytes() == "a\r\nb\n\U0001f98a ? half".encode()


def test_a_folder_that_is_gone_is_an_error(tmp_path):
    with pytest.raises(OSError):
        write_text(tmp_path / "gone" / "x", "")
    assert list(tmp_path.iterdir()) == []
