"""Processes that begin with the libraries imported: each is forked from one that has imported them, once a session.

Importing torch, diffusers and gradio takes longer than most tests; every server and every killed run would pay it.
Tests of what a process imports, or of the environment that libraries read at import, start Python afresh.
"""

import contextlib
import multiprocessing
import os
import runpy
import sys

from helpers.runs import ROOT

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.helpers.imports"])


def start(target, *arguments, output, **environment):
    """Start ``target(*arguments)`` in a process of its own, in the repository's folder; what it prints goes to a file.

    ``target`` is a function of a module, so that the process finds it.
    """
    process = _context.Process(
        target=_run, args=(target, arguments, output, dict(os.environ) | environment), daemon=True
    )
    with contextlib.chdir(ROOT):  # where the first of them finds what it is to import
        process.start()
    return process


def _run(target, arguments, output, environment):
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    printed = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(printed, stream)
    # Those that multiprocessing gave it are its parent's.
    sys.stdout, sys.stderr = (os.fdopen(os.dup(stream), "w", buffering=1) for stream in (1, 2))
    target(*arguments)


def app(*arguments):
    """Be ``python app.py`` with these arguments."""
    sys.argv = ["app.py", *arguments]
    sys.path.insert(0, str(ROOT))
    runpy.run_path(str(ROOT / "app.py"), run_name="__main__")


def command_line(*arguments):
    """Be ``python -m comparer`` with these arguments."""
    from comparer.cli.main import main

    raise SystemExit(main(list(arguments)))
