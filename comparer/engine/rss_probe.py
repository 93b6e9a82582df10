"""Peak memory of an arm on a CPU: one untimed call in a fresh process, and the most that this process held.

A CPU counts no allocations, and in the process that compares, nothing could be told apart: libraries, page, scorer
and the arms before share it. So a child (``python -m comparer.engine.rss_probe``) loads the pipeline as the program
does, makes one call and says its peak. It imports no gradio and no open_clip.
"""

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryFile

from comparer.accelerators.base import Accelerator
from comparer.config import UNLIMITED, Config
from comparer.errors import ComparerError, Stopped
from comparer.request.request import Request, Settings
from comparer.results.comparison import Comparison
from comparer.text import quote

_FAILED = "Peak memory was not measured:"
_POLL = 0.1  # seconds between two looks at ``stop``


def peak_resident(
    settings: Settings,
    accelerators: tuple[Accelerator, ...],
    config: Config,
    *,
    noise: str = "cpu",
    items: list[tuple[int, int]] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Make one call on the CPU in a fresh process; return the most memory that the process held, in bytes.

    It is the peak resident set of the whole process: interpreter, libraries, weights, loading and the call. The
    child computes with as many threads as this process. The machine must hold both at a time; where it cannot, the
    child is the one that Linux ends.

    Args:
        settings: what the arm is called with.
        accelerators: the arm's, () for the baseline.
        config: the installation's; its device does not matter.
        noise: as ``generate`` takes it.
        items: (prompt number, seed) of the call's pictures; by default the settings' first batch.
        stop: asked ten times a second; True ends the child.

    Raises:
        Stopped: ``stop`` said so.
        ComparerError: the child could not do it; one sentence says why.
    """
    import torch

    items = items or Request(settings, limits=UNLIMITED).batches()[0]
    # Nobody's password goes along.
    job = settings, accelerators, replace(config, device="cpu", auth=()), noise, items, torch.get_num_threads()
    with TemporaryFile() as answer, TemporaryFile() as said:
        code = _child(pickle.dumps(job), answer, said, stop)
        answer.seek(0)
        said.seek(0)
        told, lines = answer.read(), said.read().decode(errors="replace").split("\n")
    if told:
        result = json.loads(told)
        if "bytes" in result:
            return result["bytes"]
        raise ComparerError(result["error"])
    if os.name == "posix" and code == -signal.SIGKILL:
        raise ComparerError(f"{_FAILED} it needed more memory than there is, or somebody killed its process.")
    last = next((line for line in reversed(lines) if line.strip()), "it said nothing")
    raise ComparerError(f"{_FAILED} its process ended with code {code}: {quote(last).rstrip('.')}.")


def peak_of_process() -> int:
    """Return the most memory that this process has held resident since it began, in bytes.

    Raises:
        ComparerError: the system does not tell.
    """
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    if sys.platform == "linux":
        # Not getrusage: there a child begins with the peak of the process that started it.
        if found := re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE):
            return int(found[1]) * 1024
        raise ComparerError(f"{_FAILED} this system does not tell it.")
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _child(job: bytes, answer, said, stop: Callable[[], bool]) -> int:  # noqa: ANN001
    """Run the child to its end, or kill it; return its exit code.

    It inherits the working directory, which names of checkpoints may be relative to, but imports nothing from there.
    It sees no GPU, whose driver would take memory of its own.
    """
    path = os.pathsep.join(filter(None, (str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH"))))
    with subprocess.Popen(
        [sys.executable, "-P", "-m", "comparer.engine.rss_probe"],
        env=os.environ | {"PYTHONPATH": path, "CUDA_VISIBLE_DEVICES": ""},
        stdin=subprocess.PIPE,
        stdout=answer,
        stderr=said,
        start_new_session=True,  # Ctrl-C is this process's to handle
    ) as process:
        try:
            # While the pipe is open the child lives; it breaks where the child is gone already.
            with suppress(BrokenPipeError), process.stdin as pipe:
                pipe.write(job)
                pipe.flush()
                while process.poll() is None:
                    if stop():
                        raise Stopped
                    with suppress(subprocess.TimeoutExpired):
                        process.wait(_POLL)
            return process.wait()
        except BaseException:
            process.kill()
            raise


def _serve() -> None:
    """Be the child: read a job from the standard input, answer in JSON."""
    answer = os.dup(1)
    os.dup2(2, 1)  # what a library prints is no answer
    job = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):  # where there is such a file: out of memory, the system ends this process and no other
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        result: dict = {"bytes": _call(*job)}
    except Exception as error:
        result = {"error": _sentence(error)}
    os.write(answer, json.dumps(result).encode())


def _end_with_parent() -> None:
    os.read(0, 1)  # nothing comes: it returns when the other end is closed
    os._exit(1)


def _call(settings, accelerators, config, noise, items, threads) -> int:  # noqa: ANN001
    """Load the pipeline, make the call, return this process's peak in bytes."""
    import torch

    from comparer.checkpoints.find import resolve
    from comparer.engine.generate import generate
    from comparer.pipelines import loader

    torch.set_num_threads(threads)
    loaded = loader.load(resolve(settings.weights, config), config)
    generate(loaded, settings, items, accelerators, noise=noise)
    return peak_of_process()


def _sentence(error: Exception) -> str:
    from comparer.pipelines.memory import out_of_memory

    if isinstance(error, ComparerError):
        return str(error)
    if out_of_memory(error, "cpu"):
        return f"{_FAILED} it needed more memory than there is."
    return f"{_FAILED} {type(error).__name__}: {quote(error).rstrip('.')}."


if __name__ == "__main__":
    _serve()


def resident(
    comparison: Comparison,
    config: Config,
    skipped: Collection[int],
    stop: Callable[[], bool],
    tell: Callable[[str], None],
) -> None:
    """Measure every arm's peak memory that is not known yet, each in a process of its own.

    Args:
        comparison: gets what is found, and a remark where it could not be.
        config: the installation's choices.
        skipped: arms that are not run.
        stop: ends it when it returns true.
        tell: is told of every arm when its turn comes.

    Raises:
        Stopped: ``stop`` said so.
    """
    from comparer.engine.rss_probe import peak_resident

    request, items = comparison.request, comparison.batches[0]
    for number, arm in enumerate(request.arms):
        if number in skipped or number in comparison.resident:
            continue
        tell(f"Peak memory, in a process of its own: {arm.name}")
        settings = request.settings_of(number)
        try:
            comparison.resident[number] = peak_resident(
                settings, arm.accelerators, config, noise=request.noise, items=items, stop=stop
            )
        except ComparerError as error:
            comparison.remarks.append(f"The peak memory of {arm.name} was not measured: {error}")
