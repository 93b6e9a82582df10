"""Peak memory on a CPU: a fresh process makes one call, says what it held, and dies when it should."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

import psutil
import pytest

from comparer.accelerators.registry import parse
from comparer.config import Config
from comparer.engine.rss_probe import peak_resident
from comparer.errors import ComparerError, Stopped
from comparer.request.request import Settings
from helpers.probe import Probe
from helpers.runs import PROMPT, ROOT, THREADS, until

MB = 10**6
SMALL = Settings((PROMPT,), steps=2, width=64, height=64)
SLEEP = Probe("import time; time.sleep(600)")


@pytest.fixture(autouse=True)
def _children_know_the_probe(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(ROOT / "tests"))


@pytest.fixture(autouse=True)
def _clean(capfd):
    """Nothing is said in the user's terminal, and no child is left behind."""
    before = set(psutil.Process().children())
    yield
    assert capfd.readouterr() == ("", "")
    assert set(psutil.Process().children()) <= before


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Measure a small call from a large process, started in a folder with a file that would shadow a library."""
    folder = tmp_path_factory.mktemp("elsewhere")
    (folder / "torch.py").write_text("raise SystemExit('not this one')")
    held = b"x" * 1500 * MB
    with contextlib.chdir(folder):
        found = peak_resident(SMALL, (), Config())
    assert psutil.Process().memory_info().rss > len(held)
    return found


def test_it_is_what_the_process_held_and_not_what_its_parent_holds(small):
    assert 100 * MB < small < 1200 * MB


@pytest.mark.full
def test_larger_pictures_and_the_whole_first_batch_need_more(small):
    large = Settings((PROMPT,), steps=2, width=256, height=256, seeds=(1, 2, 3, 4, 5), batch_size=4)
    assert small + 90 * MB < peak_resident(large, (), Config()) < 8000 * MB


@pytest.mark.full
def test_one_of_a_batch_needs_less_than_the_batch(small):
    large = Settings((PROMPT,), steps=2, width=256, height=256, seeds=(1, 2, 3, 4, 5), batch_size=4)
    one, four = (peak_resident(large, (), Config(), items=items) for items in ([(0, 1)], None))
    assert small + 30 * MB < one < four - 60 * MB


@pytest.mark.full
def test_the_arms_accelerators_are_applied(small):
    hungry = Probe("import torch; pipe.kept = torch.ones(125_000_000)")  # 500 MB
    both = parse("DeepCache"), hungry
    assert abs(peak_resident(SMALL, both, Config()) - small - 500 * MB) < 100 * MB


@pytest.mark.full
def test_nothing_is_imported_or_handed_over_that_is_not_needed():
    probe = Probe(
        "import gc, sys, torch; gc.unfreeze()\n"
        "from comparer.config import Config\n"
        "idle = {'gradio', 'open_clip', 'timm', 'torchmetrics', 'DeepCache', 'tomesd', 'tgate'} & sys.modules.keys()\n"
        "secrets = [c.auth for c in gc.get_objects() if isinstance(c, Config)]\n"
        "raise RuntimeError(f'{idle} {secrets} {torch.get_num_threads()} threads {torch.cuda.is_available()}')"
    )
    with pytest.raises(ComparerError) as told:
        peak_resident(SMALL, (probe,), Config(auth=(("ann", "secret"),), device="cuda"))
    said = f"RuntimeError: set() [()] {THREADS} threads False."
    assert str(told.value) == f"Peak memory was not measured: {said}"


@pytest.mark.full
def test_a_failure_is_one_sentence():
    with pytest.raises(ComparerError) as told:
        peak_resident(SMALL, (Probe("import torch; torch.empty(2**50)"),), Config())
    assert str(told.value) == "Peak memory was not measured: it needed more memory than there is."


class Deadly(Probe):
    """Runs its text as soon as the child reads it, before any library is imported."""

    def __reduce__(self):
        return exec, (self.text,)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
            "it needed more memory than there is, or its process was killed.",
        ),
        ("import os; print('lost', flush=True); os._exit(7)", "its process ended with code 7: lost."),
    ],
)
def test_the_end_of_its_process_is_one_sentence(text, said):
    with pytest.raises(ComparerError) as told:
        peak_resident(SMALL, (Deadly(text),), Config())
    assert str(told.value) == f"Peak memory was not measured: {said}"


def test_a_broken_checkpoint_is_one_sentence(tmp_path):
    folder = tmp_path / "models" / "broken"
    shutil.copytree(ROOT / "assets" / "demo", folder)
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100_000])
    config = Config(checkpoints=(folder.parent,))
    with pytest.raises(ComparerError, match=r"^'models/broken' could not be loaded: [^\n]+$"):
        peak_resident(Settings((PROMPT,), "models/broken", steps=2), (), config)


@pytest.mark.parametrize("late", [False, True])
def test_stop_kills_the_child(late):
    """At its start, and when its libraries are there."""
    stopped = []

    def stop():
        children = [c for c in psutil.Process().children() if "comparer.engine.rss_probe" in c.cmdline()]
        for child in children:  # none while it is begun and is not yet the program that it will be
            if not late or child.memory_info().rss > 350 * MB:
                stopped.append(child)
        return bool(stopped)

    with pytest.raises(Stopped):
        peak_resident(SMALL, (SLEEP,), Config(), stop=stop)
    (child,) = stopped  # which would have slept for ten minutes
    assert not child.is_running()


def test_the_child_does_not_outlive_its_parent(tmp_path):
    """Its parent is killed while the child sleeps in its call."""
    here = tmp_path / "child"
    text = f"import os, time; open({str(here)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    script = (
        "import sys; from comparer.config import Config; from comparer.engine.rss_probe import peak_resident\n"
        "from helpers.probe import Probe; from comparer.request.request import Settings\n"
        "peak_resident(Settings(('x',), steps=2, width=64, height=64), (Probe(sys.argv[1]),), Config())"
    )
    with subprocess.Popen([sys.executable, "-c", script, text], cwd=ROOT) as parent:
        child = psutil.Process(int(until(lambda: here.exists() and here.read_text())))
        assert child.ppid() == parent.pid
        os.kill(parent.pid, signal.SIGKILL)
    until(lambda: not child.is_running() or child.status() == psutil.STATUS_ZOMBIE)
