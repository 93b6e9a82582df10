"""Who may export into a run's folder: on a public page whoever made it, and nobody else."""

from types import SimpleNamespace

import pytest

from comparer.config import Config
from comparer.reporting.exporters import EXPORTERS
from comparer.runs import index, store
from comparer.ui.app import Page
from helpers.run_folders import NAME, kept

MINE, OTHERS = "a" * 32, "b" * 32


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Build a public page over a run that somebody made."""
    runs = tmp_path_factory.mktemp("runs")
    index.claim(kept(runs), MINE)
    built = Page(Config(runs=runs, public=True))
    built.build()
    return built


def pressed(page, kind, owner):
    """Open the run as this visitor and press an export; return what is told and which files are new."""
    folder = page.config.runs / NAME.format(day=1)
    take, before = page.out.take, {path.name for path in folder.iterdir()}
    opened = page.opened(folder.name, owner, {})
    values = [[0, 1], "", "", None, ["labels"], "full"]
    event = SimpleNamespace(_data={"take": kind, "pair": "0:3", "arm": 1})
    told = list(take.take(event, opened[take.allowed], store.load(folder), str(folder), *values))
    new = {path.name for path in folder.iterdir()} - before
    for name in new:
        (folder / name).unlink()
    return told, new, opened[take.column]["visible"]


@pytest.mark.parametrize("kind", EXPORTERS)
@pytest.mark.parametrize("owner", [OTHERS, ""])
def test_a_stranger_writes_nothing_into_anothers_run(page, kind, owner):
    assert pressed(page, kind, owner) == ([], set(), False)


def test_whoever_made_it_exports(page):
    told, new, offered = pressed(page, "tables", MINE)
    assert offered and new == {"pairs.csv", "summary.md"} and "pairs.csv" in told[-1]
