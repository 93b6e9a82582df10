"""The real app in a process of its own, and what a person does on its page."""

import base64
import json
import os
import re
import subprocess
import sys
import tempfile
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import pytest

from helpers import forked
from helpers.runs import ROOT

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
PORT = 7900 + 200 * _WORKER  # where a worker begins to look for a free port

_DROP = """([type, name, content]) => {
  const bytes = Uint8Array.from(atob(content), letter => letter.charCodeAt(0)), data = new DataTransfer()
  data.items.add(new File([bytes], name, { type }))
  const zone = document.querySelector('#drop button')
  for (const what of ['dragenter', 'dragover', 'drop'])
    zone.dispatchEvent(new DragEvent(what, { dataTransfer: data, bubbles: true, cancelable: true }))
}"""


@contextmanager
def serving(runs, *arguments, port=PORT, within=60, **environment):
    """Run ``app.py`` on a free port and yield its address; a traceback in its output fails the test.

    An app that is not ready ``within`` so many seconds fails the test, too, with what it printed.
    """
    command = ["--port", str(port), "--runs", str(runs), *arguments]
    output = Path(tempfile.mkdtemp()) / "output"
    output.touch()
    if any(name.startswith("HF_") for name in environment):  # read when their library is imported
        process = AppProcess(command, output, environment)
    else:
        process = forked.start(forked.app, *command, output=output, **environment)
    try:
        yield _address(process, output, within)
    finally:
        process.terminate()
        process.join(20)
        if process.is_alive():
            process.kill()
            process.join()
            pytest.fail("app.py did not end within 20 s:\n" + output.read_text())
    assert "Traceback" not in output.read_text(), output.read_text()


class AppProcess:
    """``python app.py``, ended as a process of multiprocessing is."""

    def __init__(self, command, output, environment):
        """Start it."""
        self._process = subprocess.Popen(
            [sys.executable, "-u", "app.py", *command],
            cwd=ROOT, env=os.environ | environment, stdout=output.open("w"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        self.terminate, self.kill = self._process.terminate, self._process.kill

    def is_alive(self):
        return self._process.poll() is None

    def join(self, timeout=None):
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout)


def _address(process, output, within):
    """Wait until the app says where it is, and return it."""
    end = monotonic() + within
    while not (found := re.search(r"Comparer is at (http://\S+?)/?\s", output.read_text())):
        if not process.is_alive() or monotonic() > end:
            pytest.fail(f"app.py did not start within {within} s:\n{output.read_text()}")
        sleep(0.05)
    return found[1]


class Faults(list):
    """What went wrong in the tabs that it watches: errors, and requests to any address but ``address``."""

    def __init__(self, address):
        super().__init__()
        self._own = address, "data:", "blob:", "about:"
        self._left = False

    def watch(self, tab):
        """Add what goes wrong in a tab from now on."""
        tab.on("console", self._said)
        tab.on("pageerror", lambda error: self.append(str(error)))
        tab.on("request", lambda r: self.append(r.url) if not r.url.startswith(self._own) else None)

    def _said(self, message):
        if message.type != "error":
            return
        # A page that is left while a request is going on: Gradio closes its own stream, and logs both of these.
        closed = message.text.startswith("AbortError: signal is aborted without reason")
        if not closed and not (self._left and message.text.startswith("Unexpected error Connection errored out.")):
            self.append(message.text)
        self._left = closed or self._left and "Connection errored out" in message.text


@contextmanager
def watched(chromium, address):
    """Yield a browser context and the list of what went wrong in its pages: errors, and requests elsewhere.

    What is still in the list at the end fails the test.
    """
    context, wrong = (
        chromium.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True),
        Faults(address),
    )
    context.on("page", wrong.watch)
    context.set_default_timeout(90_000)
    try:
        yield context, wrong
        found = list(wrong)
    finally:
        context.close()
    assert not found, found


def forget(tab, address):
    """Let the browser of an empty tab forget what a page stored there."""
    session = tab.context.new_cdp_session(tab)
    session.send("Storage.clearDataForOrigin", {"origin": address, "storageTypes": "local_storage"})
    session.detach()


def opened(tab, address, run):
    """Open a finished run by its link; return the tab."""
    tab.goto(f"{address}/?run={run.folder.name}")
    tab.get_by_text("Finished.").wait_for()
    return tab


def name_of(tab):
    """Wait until the address names the run that is shown, and return its name."""
    tab.wait_for_function("() => new URLSearchParams(location.search).get('run')")
    return tab.evaluate("() => new URLSearchParams(location.search).get('run')")


def view(tab, name):
    """Press a view of the result; where there is no room for all of them, in the menu of the others."""
    views = tab.locator("#views > .tab-wrapper")
    pressed, menu = views.get_by_role("tab", name=name, exact=True), views.locator(".overflow-menu > button")
    views.get_by_role("tab").first.wait_for()
    if pressed.count():
        pressed.click()
    else:
        menu.click()
        views.locator(".overflow-dropdown button", has_text=name).click()


def column(tab, name):
    """Press "Settings" or "Results", one of which is shown at a time where the window is narrow."""
    tab.locator("#columns").get_by_role("button", name=name).click()


def record_of(tab, path):
    """Take the record of the run that is shown, and return it."""
    view(tab, "Export")
    with tab.expect_download() as download:
        tab.get_by_role("button", name="Record JSON").click()
    download.value.save_as(path)
    return json.loads(path.read_text())


def too_wide(tab):
    """Return by how many pixels the page scrolls sideways."""
    return tab.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def drop(page, path):
    """Drop a file as a hand does, and return what the page says of it."""
    page.evaluate("() => document.querySelectorAll('.dropped').forEach(said => said.remove())")
    page.evaluate(_DROP, ["", path.name, base64.b64encode(path.read_bytes()).decode()])
    page.locator(".dropped").wait_for()
    return page.locator(".dropped").inner_text()


def serious(tab, when):
    """Fail where axe finds more than something minor."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(tab, options={"resultTypes": ["violations"]}).response["violations"]
    said = [(when, v["id"], [n["html"][:120] for n in v["nodes"]]) for v in found if v["impact"] != "minor"]
    assert not said, said


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
