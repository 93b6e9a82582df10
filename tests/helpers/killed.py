"""The command line in a process that is killed in the middle of a call."""

import os
import signal
import subprocess
import sys

from helpers.runs import ROOT, THREADS

SCRIPT = """
import os, signal, sys
from comparer.engine import generate
from comparer.cli.main import main
real, begun = generate.generate, []

def deadly(*given, **more):
    begun.append(given)
    if len(begun) == int(sys.argv[1]):
        more["stop"] = lambda: os.kill(os.getpid(), signal.SIGKILL)
    return real(*given, **more)

generate.generate = deadly
sys.exit(main(sys.argv[2:]))
"""


def run_killed(call, *arguments):
    """Run the command line; SIGKILL ends it after the first step of its call of this number, from 1."""
    command = [sys.executable, "-c", SCRIPT, str(call), *map(str, arguments)]
    ended = subprocess.run(command, cwd=ROOT, env=os.environ | {"OMP_NUM_THREADS": str(THREADS)})
    assert ended.returncode == -signal.SIGKILL, ended.returncode
