"""Fixtures that more than one folder uses, and what a session needs: threads, light mode, the order of the files.

``pytest --light`` runs every test that needs neither a model nor a browser: whatever imports torch, starts a Python
process of its own or opens Chromium is skipped there.
"""

import gc
import importlib.abc
import os
import shutil
import signal
import subprocess
import sys
from time import monotonic

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test needs a connection
os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("COMPARER_TEST_THREADS", "1"))  # of the children, too

from comparer.config import Config
from comparer.request import request as requests
from helpers import forked
from helpers.pages import forget, serving, watched
from helpers.runs import THREADS, ask, finish

# Extra turns take up to their seconds: only tests about them ask for some.
requests.REPEAT_SECONDS = 0.0
os.environ.setdefault("COMPARER_MAX_REPEAT_SECONDS", "0")  # of the children, and of the command line

HEAVY = ("torch", "diffusers", "transformers", "open_clip", "playwright")


class SkipHeavyImports(importlib.abc.MetaPathFinder):
    """Skip the test, or the module of tests, that imports a library of models."""

    def find_spec(self, name, path=None, target=None):
        if name in HEAVY:
            pytest.skip(f"--light: imports {name}", allow_module_level=True)


def no_fork(*_arguments, **_named):
    pytest.skip("--light: starts a Python process")


class NoPython(subprocess.Popen):
    """Skip the test that starts Python."""

    def __init__(self, command, *arguments, **named):
        if command and command[0] == sys.executable:
            pytest.skip("--light: starts a Python process")
        super().__init__(command, *arguments, **named)


def pytest_addoption(parser):
    parser.addoption("--light", action="store_true", help="skip what imports torch, starts the app or opens a browser")


def pytest_configure(config):
    config.started = monotonic()
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # As in a shell's background job. Children inherit that it is ignored, but not that it is handled.
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # the workers run the tests
    if config.getoption("--light"):
        sys.meta_path.insert(0, SkipHeavyImports())
        subprocess.Popen, forked.start = NoPython, no_fork
        return
    import torch

    from comparer.models.libraries import prepare

    prepare()  # before any test module imports diffusers
    torch.set_num_threads(THREADS)  # pixels are compared


def pytest_collection_modifyitems(items):
    """Begin with the longest files: the last one running alone costs the other worker's time."""
    items.sort(key=lambda item: "/ui/" not in item.path.as_posix())  # stable: files stay together


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Keep a file's tests in one worker, as ``loadfile`` does; the full matrix is shared out family by family."""
    from xdist.scheduler import LoadFileScheduling

    class ByFile(LoadFileScheduling):
        def _split_scope(self, nodeid):
            file = nodeid.split("::", 1)[0]
            return nodeid.split(",", 1)[0] if file.endswith("test_full_matrix.py") else file

    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_finish():
    gc.freeze()  # what is imported by now stays: no collection of the tests need look at it


def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.write_line(f"{monotonic() - config.started:.0f} s from the first import to the last test")


@pytest.fixture
def config(tmp_path):
    return Config(runs=tmp_path / "runs")


@pytest.fixture(scope="session")
def chromium(pytestconfig):
    """Yield a running Chromium, or skip with how to install it."""
    if pytestconfig.getoption("--light"):
        pytest.skip("--light: opens a browser")
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the first draws no window
    path = next(filter(None, map(shutil.which, names)), None)
    if path is None:
        told = "no Chromium here: install it ('apt-get install chromium', 'brew install --cask chromium')"
        if os.environ.get("COMPARER_REQUIRE_BROWSER") == "1":
            pytest.fail(told)
        pytest.skip(told)
    from playwright.sync_api import sync_playwright

    quiet = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
    quiet += ["--disable-component-update", "--disable-sync"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=quiet)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def served_runs(tmp_path_factory):
    """Return the folder where the served page keeps its runs."""
    return tmp_path_factory.mktemp("served") / "runs"


@pytest.fixture(scope="session")
def server(served_runs):
    """Serve the page as it is without options and yield its address."""
    with serving(served_runs, GRADIO_TEMP_DIR=str(served_runs.parent / "uploads")) as address:
        yield address


@pytest.fixture(scope="session")
def recorded(served_runs):
    """Make a run that the served page can open: DeepCache beside the baseline, 6 steps, seeds 1 and 2."""
    return finish(ask("DeepCache(interval=3)", seeds=(1, 2), steps=6), Config(runs=served_runs))


@pytest.fixture(scope="module")
def window(chromium, server):
    """Open the browser window that a module's tests use one after the other; yield it and the errors of its pages."""
    with watched(chromium, server) as (context, wrong):
        yield context, wrong


@pytest.fixture
def blank(window, server):
    """Yield an empty tab of a browser that never saw the page; nothing may go wrong in any tab of it."""
    (context, wrong) = window
    tab = context.pages[0] if context.pages else context.new_page()
    forget(tab, server)
    tab.set_viewport_size({"width": 1440, "height": 1000})
    tab.emulate_media(color_scheme="light", reduced_motion="no-preference")
    tab.set_default_timeout(90_000)
    wrong.clear()
    yield tab
    found = list(wrong)
    for other in context.pages[1:]:
        other.close()
    for left in context.pages:
        left.goto("about:blank")  # the server stops what a page that is left was running
    assert not found


@pytest.fixture
def page(blank, server):
    """Open the page."""
    blank.goto(server)
    blank.get_by_role("button", name="Generate").wait_for()
    return blank


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    """Repositories as the hub has them, each with tiny weights."""
    from helpers.hub_models import repositories_in

    return repositories_in(tmp_path_factory.mktemp("hub"))
