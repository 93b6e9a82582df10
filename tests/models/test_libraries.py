"""The broken pair of torch and torchvision, free ports, and the clock."""

import socket
import subprocess
import sys

import pytest

from comparer.engine.clock import Clock
from comparer.ui.serve import free_port
from helpers.runs import ROOT


@pytest.mark.full
def test_open_clip_and_diffusers_import_whatever_torchvision_it_is():
    """In a new process, as every door does it; twice, and from two threads at once, as page and Generate do."""
    script = (
        "import threading; from comparer.models.libraries import prepare\n"
        "threads = [threading.Thread(target=prepare) for _ in range(2)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; prepare()\n"
        "import torch, torchvision, open_clip; from diffusers import StableDiffusionPipeline\n"
        "from transformers import CLIPModel; print('sound')"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert told.stdout.strip() == "sound", told.stderr


def test_another_port_is_found_when_one_is_taken():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert free_port("127.0.0.1", port) > port


def test_the_clock_splits_what_it_timed():
    clock = Clock("cpu")
    clock.start()
    clock.mark()
    clock.mark()
    seconds = clock.stop()
    spans = clock.spans()
    assert len(spans) == 3 and all(span >= 0 for span in spans) and sum(spans) <= seconds
