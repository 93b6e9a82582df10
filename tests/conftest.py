"""Fixtures that more than one folder uses, and what a session needs: threads, light mode, the order of the files.

``pytest --light`` runs every test that needs neither a model nor a browser: whatever imports torch, starts a Python
process of its own or opens Chromium is skipped there.
"""

import importlib.abc
import os
import shutil
import subprocess
import sys
from time import monotonic

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test needs a connection
os.environ.setdefault("OMP_NUM_THREADS", os.environ.get("COMPARER_TEST_THREADS", "1"))  # of the children, too

from comparer.config import Config
from helpers.pages import serving
from helpers.runs import THREADS

HEAVY = ("torch", "diffusers", "transformers", "open_clip", "playwright")


class SkipHeavyImports(importlib.abc.MetaPathFinder):
    """Skip the test, or the module of tests, that imports a library of models."""

    def find_spec(self, name, path=None, target=None):
        if name in HEAVY:
            pytest.skip(f"--light: imports {name}", allow_module_level=True)


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
    if config.getoption("numprocesses", None) and not hasattr(config, "workerinput"):
        return  # the workers run the tests
    if config.getoption("--light"):
        sys.meta_path.insert(0, SkipHeavyImports())
        subprocess.Popen = NoPython
        return
    import torch

    from comparer.models.libraries import prepare

    prepare()  # before any test module imports diffusers
    torch.set_num_threads(THREADS)  # pixels are compared


def pytest_collection_modifyitems(items):
    """Begin with the longest files: the last one running alone costs the other worker's time."""
    items.sort(key=lambda item: "/ui/" not in item.path.as_posix())  # stable: files stay together


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
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
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
def server(tmp_path_factory):
    """Serve the page as it is without options and yield its address."""
    with serving(tmp_path_factory.mktemp("served") / "runs") as address:
        yield address


@pytest.fixture
def page(chromium, server):
    """Open the page; nothing may go elsewhere, nothing may be logged as an error."""
    context = chromium.new_context(viewport={"width": 1440, "height": 1000}, accept_downloads=True)
    tab, wrong = context.new_page(), []
    tab.on("console", lambda m: wrong.append(m.text) if m.type == "error" else None)
    tab.on("pageerror", lambda e: wrong.append(str(e)))
    tab.on("request", lambda r: wrong.append(r.url) if not r.url.startswith((server, "data:", "blob:")) else None)
    tab.set_default_timeout(90_000)
    tab.goto(server)
    tab.get_by_role("button", name="Generate").wait_for()
    yield tab
    context.close()
    assert not wrong


@pytest.fixture(scope="session")
def repositories(tmp_path_factory):
    """Repositories as the hub has them, each with tiny weights."""
    from helpers.hub_models import repositories_in

    return repositories_in(tmp_path_factory.mktemp("hub"))
