"""The scripts in ``examples/`` run, from another folder, and print what they promise; so does the package's front."""

import runpy
import subprocess
import sys

import pytest

from comparer.runs import store
from helpers import forked
from helpers.runs import ROOT

SAID = {
    "accelerator": ("DeepCache(interval=3): ", "x as fast, SSIM 0.", "The grid is in "),
    "checkpoints": ("demo: ema weights, fingerprint ", "demo, raw: raw weights, fingerprint ", " CLIP"),
    "progress": ("stopped: ", " images in "),
    "recorded": ("Baseline: ", " s per image, 1.00x", "ToMe(ratio=0.5): "),  # what the others made
}


def run(script, folder):
    """Run a script as ``python examples/NAME.py`` does, in a folder."""
    import os

    os.chdir(folder)
    runpy.run_path(str(ROOT / "examples" / f"{script}.py"), run_name="__main__")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("examples")


def test_every_example_is_run():
    assert sorted(SAID) == sorted(path.stem for path in (ROOT / "examples").glob("*.py"))


@pytest.mark.parametrize("script", SAID)
def test_an_example_runs_and_prints_what_it_promises(script, folder):
    output = folder / f"{script}.txt"
    process = forked.start(run, script, str(folder), output=output)
    process.join(120)
    said = output.read_text(encoding="utf-8")
    assert process.exitcode == 0 and all(text in said for text in SAID[script]), said
    if script == "progress":
        (made,) = [store.load(path.parent) for path in folder.glob("runs/*/run.json") if "stopped" in path.read_text()]
        assert 4 <= len(made.shots) < 16


def test_importing_the_package_loads_nothing_and_its_names_are_those_of_its_rooms():
    script = "import sys, comparer; heavy = {'torch', 'gradio', 'numpy', 'comparer.config'} & set(sys.modules)\n"
    script += "assert not heavy, heavy\n"
    script += "from comparer import Config, Request, build_request\n"
    script += "assert not {'torch', 'gradio'} & set(sys.modules)\n"
    script += "import comparer.request.request as home; assert Request is home.Request\n"
    script += "assert all(hasattr(comparer, name) for name in comparer.__all__) and not hasattr(comparer, 'nothing')"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert told.returncode == 0, told.stderr


@pytest.mark.full
def test_the_package_installs_with_its_command(tmp_path):
    """In a folder of its own, from this checkout; the libraries are those that are here."""
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--editable", str(ROOT)]
    subprocess.run([*pip, "--prefix", str(tmp_path)], check=True)
    (command,) = tmp_path.glob("*/comparer")
    (site,) = tmp_path.glob("lib/*/site-packages")
    script = f"import site, sys; site.addsitedir({str(site)!r}); sys.argv = ['comparer', 'checkpoints']\n"
    script += f"exec(open({str(command)!r}).read())"
    told = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert told.returncode == 0 and "demo" in told.stdout, told.stderr
