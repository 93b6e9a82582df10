"""The real app in a process of its own, and what a person does on its page."""

import os
import re
import subprocess
import sys
import threading
from contextlib import contextmanager

import pytest

from helpers.runs import ROOT

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORT = 7900 + 200 * _WORKER  # where a worker begins to look for a free port


@contextmanager
def serving(runs, *arguments, port=PORT, within=60, **environment):
    """Start ``python app.py`` on a free port and yield its address; a traceback in its output fails the test.

    An app that is not ready ``within`` so many seconds fails the test, too, with what it printed.
    """
    process = subprocess.Popen(
        [sys.executable, "-u", "app.py", "--port", str(port), "--runs", str(runs), *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, found, ready = [], [], threading.Event()

    def read():
        for line in process.stdout:
            said.append(line)
            if address := re.search(r"Comparer is at (http://\S+?)/?\s", line):
                found.append(address[1])
                ready.set()
        ready.set()  # it ended

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        if not ready.wait(within) or not found:
            pytest.fail(f"app.py did not start within {within} s:\n" + "".join(said))
        yield found[0]
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        reader.join()
    assert "Traceback" not in "".join(said), "".join(said)


def start(page, seeds="1,2", steps="6"):
    page.get_by_role("textbox", name=re.compile("^Seed")).fill(seeds)
    page.get_by_role("spinbutton", name=re.compile("Steps")).fill(steps)
    page.get_by_role("button", name="Generate").click()


def pictures(page):
    """Wait until both pictures are really drawn; return their alternative texts."""
    page.wait_for_function(
        "() => { const viewer = document.querySelector('#compare .viewer')?.viewer, shown = viewer?.shown;"
        " return viewer?.p.stage.getAttribute('aria-busy') === 'false' && shown.length === 2"
        " && shown.every(picture => picture?.width === 128) }"
    )
    return [pane.get_attribute("aria-label") for pane in page.locator("#compare .pane").all()]


def show(page, pair):
    """Choose a pair in the viewer by what its name begins with."""
    chooser = page.locator("#compare").get_by_label("Pair", exact=True)
    chooser.select_option(next(text for text in chooser.locator("option").all_inner_texts() if pair in text))
    page.wait_for_function("pair => document.querySelector('#compare .pane').ariaLabel.includes(pair)", arg=pair)
