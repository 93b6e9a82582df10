"""The command line in a process that is killed in the middle of a call."""

import os
import signal

from helpers import forked


def run_killed(call, *arguments, output):
    """Run the command line; SIGKILL ends it after the first step of its call of this number, from 1."""
    process = forked.start(_killed, call, *map(str, arguments), output=output)
    process.join(120)
    assert process.exitcode == -signal.SIGKILL, (process.exitcode, output.read_text())


def _killed(call, *arguments):
    from comparer.engine import generate

    real, begun = generate.generate, []

    def deadly(*given, **more):
        begun.append(given)
        if len(begun) == call:
            more["stop"] = lambda: os.kill(os.getpid(), signal.SIGKILL)
        return real(*given, **more)

    generate.generate = deadly
    forked.command_line(*arguments)
