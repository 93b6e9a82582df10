"""Fixtures of the viewer, the grid and the report."""

import pytest

from comparer.reporting.grid import text
from comparer.reporting.grid.text import Style
from comparer.reporting.viewer import viewer
from helpers.viewer_runs import PROMPTS, comparison_in, ready, served


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Serve a page with six arms and a page with two."""
    folder = tmp_path_factory.mktemp("viewer")
    shown = viewer.data(comparison_in(folder), ".")
    (folder / "index.html").write_text(viewer.html(shown), encoding="utf-8")
    two = viewer.data(comparison_in(folder, arms=2, prompts=PROMPTS[:1], seeds=(3,)), ".")
    (folder / "two.html").write_text(viewer.html(two), encoding="utf-8")
    with served(folder) as address:
        yield folder, address


@pytest.fixture
def opened(chromium, site):
    """Return a function that opens the viewer; nothing may be asked of anywhere else, nothing may go wrong."""
    contexts, wrong = [], []

    def at(hash_="", path="/index.html", address=site[1], width=900, height=800, scale=1, **given):
        context = chromium.new_context(viewport={"width": width, "height": height}, device_scale_factor=scale, **given)
        contexts.append(context)
        tab = context.new_page()
        tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
        tab.on("pageerror", lambda e: wrong.append(str(e)))
        tab.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((address, "data:")) else None)
        tab.goto(address + path + hash_)
        ready(tab)
        return tab

    yield at
    for context in contexts:
        context.close()
    assert not wrong


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[float, float, str, Style]]:
    """List every line that is drawn, with its place."""
    lines: list[tuple[float, float, str, Style]] = []
    draw = text.draw
    monkeypatch.setattr(text, "draw", lambda picture, *line: (lines.append(line), draw(picture, *line))[1])
    return lines
