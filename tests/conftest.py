"""Shared fixtures: a demo request that is quick, and the real app in a process of its own."""

import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test needs a connection

from comparer.accelerators import parse
from comparer.compare import Finished, compare
from comparer.config import Config
from comparer.models.libraries import prepare
from comparer.request import Arm, Request, Settings

prepare()  # before any test module imports diffusers
THREADS = int(os.environ.get("COMPARER_TEST_THREADS", "2"))
ROOT = Path(__file__).parents[1]
PROMPT = "a large red star in the top left on a blue background"


@pytest.fixture(scope="session", autouse=True)
def _one_way_to_compute():
    """Pixels are compared: a fixed number of threads."""
    import torch

    torch.set_num_threads(THREADS)


@pytest.fixture
def config(tmp_path):
    return Config(runs=tmp_path / "runs")


def ask(*accelerators, warmups=0, noise="cpu", **settings):
    """Build a small request for the demo checkpoint: 4 steps, one seed."""
    base = Settings(prompts=(PROMPT,), steps=4)
    arms = (Arm("Baseline"), *(Arm(text, (parse(text),)) for text in accelerators))
    return Request(replace(base, **settings), arms, warmups, noise)


def finish(request, config, stop=None):
    """Run a request to its end and return the last event."""
    (*_, last) = compare(request, config, stop)
    assert isinstance(last, Finished)
    return last


def pixels(done):
    """Return every shot's pixels by (arm, prompt, seed)."""
    import numpy as np
    from PIL import Image

    return {
        (s.arm, s.prompt, s.seed): np.asarray(Image.open(done.folder / s.file)).astype(int)
        for s in done.comparison.shots
    }


@pytest.fixture(scope="session")
def chromium():
    """Yield a running Chromium, or skip with how to install it."""
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


@contextmanager
def serving(runs, *arguments, port="7900", **environment):
    """Start ``python app.py`` on a free port and yield its address; a traceback in its output fails the test."""
    process = subprocess.Popen(
        [sys.executable, "-u", "app.py", "--port", port, "--runs", str(runs), *arguments],
        cwd=ROOT,
        env=os.environ | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    said, address = [], None
    for line in process.stdout:
        said.append(line)
        if found := re.search(r"Comparer is at (http://\S+?)/?\s", line):
            address = found[1]
            break
    reader = threading.Thread(target=lambda: said.extend(process.stdout), daemon=True)
    reader.start()
    if address is None:
        pytest.fail("app.py did not start:\n" + "".join(said))
    try:
        yield address
    finally:
        process.terminate()
        process.wait(timeout=20)
        reader.join()
    assert "Traceback" not in "".join(said), "".join(said)


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    """Serve the page as it is without options and yield its address."""
    with serving(tmp_path_factory.mktemp("served") / "runs") as address:
        yield address


def until(condition, seconds=60):
    """Return what ``condition`` returns as soon as it is true; fail when it does not become so."""
    end = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < end, "it did not happen"
        threading.Event().wait(0.02)
    return value
