"""Measure an arm's peak CPU memory: the peak RSS of a fresh process that makes one untimed call.

CPU allocations are not counted, and in the main process the peak would include libraries, page, scorer and
earlier arms. A child process (``python -m comparer.engine.rss_probe``) therefore loads the pipeline as the program
does, makes one call and reports its peak. The child imports neither gradio nor open_clip.
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
_POLL = 0.1  # seconds between two calls of ``stop``


def peak_resident(
    settings: Settings,
    accelerators: tuple[Accelerator, ...],
    config: Config,
    *,
    noise: str = "cpu",
    items: list[tuple[int, int]] | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> int:
    """Make one call on the CPU in a fresh process; return the peak memory of that process, in bytes.

    The value is the peak resident set of the whole process: interpreter, libraries, weights, loading and the call.
    The child uses as many threads as this process. Both processes must fit in memory at once; if they do not, Linux
    kills the child.

    Args:
        settings: the arm's settings.
        accelerators: the arm's accelerators, () for the baseline.
        config: the installation's configuration; its device is ignored.
        noise: as for ``generate``.
        items: (prompt number, seed) of the call's images; default: the settings' first batch.
        stop: polled ten times per second; True ends the child.

    Raises:
        Stopped: ``stop`` returned True.
        ComparerError: the child failed; one sentence gives the reason.
    """
    import torch

    items = items or Request(settings, limits=UNLIMITED).batches()[0]
    # Do not send passwords to the child.
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
        raise ComparerError(f"{_FAILED} it needed more memory than there is, or its process was killed.")
    last = next((line for line in reversed(lines) if line.strip()), "it printed no error")
    raise ComparerError(f"{_FAILED} its process ended with code {code}: {quote(last).rstrip('.')}.")


def peak_of_process() -> int:
    """Return the peak resident memory of this process since its start, in bytes.

    Raises:
        ComparerError: the system does not report it.
    """
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    if sys.platform == "linux":
        # Not getrusage: a child's value starts at the peak of its parent.
        if found := re.search(r"^VmHWM:\s*(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE):
            return int(found[1]) * 1024
        raise ComparerError(f"{_FAILED} this system does not report it.")
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
        start_new_session=True,  # only this process handles Ctrl-C
    ) as process:
        try:
            # The child lives while the pipe is open; the pipe breaks if the child has already ended.
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
    os.dup2(2, 1)  # keep library output out of the answer
    job = pickle.load(sys.stdin.buffer)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with suppress(OSError):  # Linux only: the OOM killer picks this process first
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        result: dict = {"bytes": _call(*job)}
    except Exception as error:
        result = {"error": _sentence(error)}
    os.write(answer, json.dumps(result).encode())


def _end_with_parent() -> None:
    os.read(0, 1)  # blocks until the parent closes its end
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
    """Measure every arm's peak memory that is not known yet, each in its own process.

    Args:
        comparison: receives the results, and a remark for each failure.
        config: the installation's configuration.
        skipped: arms that are not run.
        stop: True ends the measurement.
        tell: called with a status text before each arm.

    Raises:
        Stopped: ``stop`` returned True.
    """
    from comparer.engine.rss_probe import peak_resident

    request, items = comparison.request, comparison.batches[0]
    for number, arm in enumerate(request.arms):
        if number in skipped or number in comparison.resident:
            continue
        tell(f"Measuring peak memory: {arm.name}")
        settings = request.settings_of(number)
        try:
            comparison.resident[number] = peak_resident(
                settings, arm.accelerators, config, noise=request.noise, items=items, stop=stop
            )
        except ComparerError as error:
            comparison.remarks.append(f"The peak memory of {arm.name} was not measured: {error}")
