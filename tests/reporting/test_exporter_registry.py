"""What every exporter keeps to, and that a new one is on the page, on the command line and may be deleted. No model."""

import re
import shutil
from types import SimpleNamespace

import pytest
from PIL import Image

from comparer.cli.main import main
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.reporting.exporter import Exporter
from comparer.reporting.exporters import EXPORTERS
from comparer.runs import index, store
from comparer.ui.app import Page
from helpers.runs import ROOT

RECORD = ROOT / "tests" / "data" / "earlier_runs" / "likeness.json"
NAME = "2026-11-01_120000_demo_000001"
FOREIGN = (
    "thesis.tex", "notes.txt", "data.csv", "photo.png", "2024-photo.png", "0-notes_p1.png", "summary.txt", "report.pdf",
    "index.html", "script.py", "run.py", "README.md", "results.json", "1", "a", "", ".", "..", ".hidden", "run.json\n",
    "../run.json", "a/b", "a\\b", "RUN.JSON",
)  # fmt: skip


@pytest.fixture
def folder(tmp_path):
    """Write a run of an earlier version with pictures of one colour; return its folder."""
    folder = tmp_path / "runs" / NAME
    folder.mkdir(parents=True)
    shutil.copy(RECORD, folder / "run.json")
    seen = store.load(folder)
    for shot in seen.shots:
        settings = seen.request.settings_of(shot.arm)
        Image.new("RGB", (settings.width, settings.height), (shot.arm, 0, 0)).save(folder / shot.file)
    return folder


@pytest.fixture
def toy(monkeypatch):
    """Register an exporter without options, as a contributor does."""

    def export(comparison, folder, options):
        path = folder / "toy.txt"
        path.write_text(f"{len(comparison.shots)} images")
        return [path]

    exporter = Exporter("toy", "Toy", "Text", "The number of images <& no more>", r"toy\.txt", export)
    monkeypatch.setitem(EXPORTERS, "toy", exporter)


def pressed(page, folder, kind):
    """Press an export's button as the page hands it to its handler; return what is shown at the end."""
    options = [[0], "", "", None, ["labels"], "full"]
    event = SimpleNamespace(_data={"take": kind})
    return list(page.out.take.take(event, True, store.load(folder), str(folder), *options))[-1]


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_exporter_writes_the_files_that_it_states_and_the_run_can_be_deleted(name, folder):
    exporter, before = EXPORTERS[name], set(folder.iterdir())
    paths = exporter.export(store.load(folder), folder, {})
    assert paths and all(path.parent == folder and path.is_file() for path in paths)
    for path in {*paths, *(set(folder.iterdir()) - before)}:
        assert re.fullmatch(exporter.files, path.name, re.ASCII)
    index.delete(folder.parent, folder.name)
    assert not folder.exists()


@pytest.mark.parametrize("name", EXPORTERS)
def test_an_exporter_is_complete_and_states_no_file_that_a_person_might_have(name):
    exporter = EXPORTERS[name]
    assert re.fullmatch("[a-z]+(-[a-z]+)*", exporter.name) and exporter.name == name
    assert exporter.title and exporter.formats and exporter.summary
    own = (f"{exporter.name}{ending}" for ending in (".bak", "-mine", ".json.orig"))
    assert not [name for name in (*FOREIGN, *own) if re.fullmatch(exporter.files, name, re.ASCII)]


def test_a_new_exporter_is_a_button_of_the_page(toy, folder):
    page = Page(Config(runs=folder.parent))
    page.build()
    button = '<button type="button" data-take="toy" title="The number of images &lt;&amp; no more&gt;">Toy '
    assert button in page.out.take.bar.value
    assert 'download="toy.txt"' in pressed(page, folder, "toy")
    assert (folder / "toy.txt").is_file()


def test_a_new_exporter_is_a_flag_of_the_command_line(toy, folder, capsys):
    with pytest.raises(SystemExit):
        main(["export", "--help"])
    assert "--toy" in capsys.readouterr().out
    assert main(["export", str(folder), "--toy"]) == 0
    assert capsys.readouterr().out.split() == [str(folder / "toy.txt")]


def test_a_run_can_be_deleted_with_the_files_of_a_new_exporter_and_no_others(toy, folder, monkeypatch):
    for name in ("toy.txt", f"toy.txt.{2**15}.partial"):
        (folder / name).write_text("x")
    for name in ("toy.md", "toy-1.txt", "toy.txt.partial.bak", "toyXtxt"):
        (folder / name).write_text("mine")
        with pytest.raises(ComparerError, match=f"that Comparer did not write: '{name}'"):
            index.delete(folder.parent, folder.name)
        (folder / name).unlink()
    with monkeypatch.context() as without:
        without.delitem(EXPORTERS, "toy")
        with pytest.raises(ComparerError, match="did not write: 'toy.txt'"):
            index.delete(folder.parent, folder.name)
    index.delete(folder.parent, folder.name)
    assert not folder.exists()
