"""A benchmark run as a person runs it, and the tables it prints."""

import os
import runpy
import subprocess
import sys
from contextlib import redirect_stdout
from io import StringIO

import pytest

from helpers.runs import ROOT, THREADS


def benchmark(name, *arguments):
    """Run a benchmark as a person would; return what it printed."""
    told = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *arguments],
        cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": str(THREADS)}, capture_output=True, text=True,
    )  # fmt: skip
    assert told.returncode == 0, told.stderr
    return told.stdout


def benchmark_here(name, *arguments):
    """Run a benchmark in this process, whose libraries are imported already; return what it printed."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as told:
        patch.syspath_prepend(ROOT / "benchmarks")
        patch.setattr(sys, "argv", [f"{name}.py", *arguments])
        runpy.run_path(str(ROOT / "benchmarks" / f"{name}.py"), run_name="__main__")
    return told.getvalue()


def rows(printed):
    """Return the cells of every line of Markdown tables."""
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in printed.splitlines() if line.startswith("|")]
