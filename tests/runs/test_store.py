"""Run folders: what is found in them, and what is said when they go away."""

from dataclasses import replace

import pytest

from comparer.engine.compare import compare
from comparer.engine.events import Updated
from comparer.errors import ComparerError
from comparer.results.comparison import Comparison
from comparer.runs import store
from helpers.runs import ask


@pytest.mark.parametrize(
    "name",
    ["nope", "..", "a/b", "", "x" * 5000, "\0", None, 5, 1.5, True, [], ["a"], {"path": "x"}],
    ids=lambda name: repr(name)[:12],
)
def test_what_is_no_run_is_said_to_be_none(name, tmp_path):
    with pytest.raises(ComparerError, match="There is no run '") as refused:
        store.find(tmp_path, name)
    assert len(str(refused.value)) < 120


@pytest.mark.parametrize("replaced", [False, True])
def test_a_run_whose_folder_goes_away_ends_with_one_sentence(replaced, config, tmp_path):
    folder = None
    with pytest.raises(ComparerError, match="^The run folder .* is gone: ") as refused:
        for event in compare(ask(seeds=(1, 2, 3, 4), steps=8), config):
            if folder is None and isinstance(event, Updated):
                folder = event.folder
                folder.rename(tmp_path / "elsewhere")  # at once: the run writes meanwhile
                if replaced:
                    folder.write_text("a file")
    assert str(folder) in str(refused.value) and "\n" not in str(refused.value)


def test_a_folder_that_takes_nothing_is_not_said_to_be_gone(tmp_path):
    folder = store.RunFolder.at(tmp_path / "run")
    (folder.path / "run.json").mkdir()
    with pytest.raises(ComparerError, match="^The run folder .* cannot be written: "):
        folder.save(Comparison(ask(), "now"))


def test_whoever_reads_a_record_while_it_is_written_reads_a_whole_one(tmp_path):
    folder, seen = store.RunFolder.at(tmp_path / "run"), Comparison(ask(seeds=(1, 2)), "2026-11-01T12:00:00+00:00")
    folder.save(seen)
    before = (folder.path / "run.json").read_text()
    with (folder.path / "run.json").open() as reader:
        assert reader.read(20) == before[:20]
        folder.save(replace(seen, message="x" * 100_000))
        assert reader.read() == before[20:], "the earlier record is replaced, and not written over"
    assert len(store.load(folder.path).message) == 100_000 and not list(folder.path.glob("*.partial"))


@pytest.mark.parametrize("text", ["", "[]", "5", "null", '"x"', "{}", '{"request": []}'])
def test_what_is_no_record_is_said_to_be_none(text, tmp_path):
    (tmp_path / "run.json").write_text(text)
    with pytest.raises(ComparerError, match="does not contain a run|not a request"):
        store.load(tmp_path)
