"""Small requests for the demo checkpoint, run to their end."""

import os
import threading
from dataclasses import replace
from pathlib import Path
from time import monotonic

from comparer.accelerators.registry import parse
from comparer.engine.compare import compare
from comparer.engine.events import Finished
from comparer.request.request import Arm, Request, Settings

THREADS = int(os.environ.get("COMPARER_TEST_THREADS", "1"))
ROOT = Path(__file__).parents[2]
PROMPT = "a large red star in the top left on a blue background"


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


def until(condition, seconds=60):
    """Return what ``condition`` returns as soon as it is true; fail when it does not become so."""
    end = monotonic() + seconds
    while not (value := condition()):
        assert monotonic() < end, "it did not happen"
        threading.Event().wait(0.02)
    return value
