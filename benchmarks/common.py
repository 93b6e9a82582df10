"""What the benchmarks share: the machine in one line, arms that take turns, pipelines to measure, tables.

Light to import: ``bare.py``, whose start is timed, imports this too.
"""

import math
import os
import platform
import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

PROMPT = "a large red star on a blue background"
PACKAGES = ("torch", "diffusers", "transformers", "DeepCache", "tomesd", "tgate")


def machine(device: str) -> str:
    """Describe what computes: processor, device, threads, versions."""
    import torch

    name = torch.cuda.get_device_name(device) if device.startswith("cuda") else device
    versions = ", ".join(f"{package} {version(package)}" for package in PACKAGES)
    return (
        f"{platform.machine()} with {os.cpu_count()} cores, {name}, torch with {torch.get_num_threads()} threads; "
        f"Python {platform.python_version()}, {versions}"
    )


def load_average() -> str:
    """Say how busy the machine was in the last minute: processes that ran or waited to."""
    return f"load average at the start {os.getloadavg()[0]:.2f}" if hasattr(os, "getloadavg") else "load unknown"


def alternate(arms: Sequence[Callable[[], Any]], rounds: int) -> list[tuple]:
    """Call every arm once unrecorded, then in turns, A B C, C B A, …; return each round's results in arm order."""
    for arm in arms:
        arm()
    seen = []
    for number in range(rounds):
        order = list(range(len(arms)))[:: -1 if number % 2 else 1]
        results = {index: arms[index]() for index in order}
        seen.append(tuple(results[index] for index in range(len(arms))))
    return seen


def geometric(ratios: Sequence[float], digits: int = 2) -> str:
    """Write ratios as their geometric mean and, of several, the range: ``1.62 (1.58 to 1.66)``."""
    mean = math.exp(statistics.fmean(map(math.log, ratios)))
    spread = f" ({min(ratios):.{digits}f} to {max(ratios):.{digits}f})" if len(ratios) > 1 else ""
    return f"{mean:.{digits}f}{spread}"


def quartiles(ratios: Sequence[float]) -> str:
    """Write ratios as their median and, of several, the quartiles: ``1.003 (0.996 to 1.011)``."""
    if len(ratios) == 1:
        return f"{ratios[0]:.3f}"
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    return f"{middle:.3f} ({low:.3f} to {high:.3f})"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@contextmanager
def pipelines_of(families: Sequence[str], device: str, demo: bool) -> Iterator[Iterator[tuple[str, Any]]]:
    """Yield (title, ``Loaded``) of the demo checkpoint and of a tiny pipeline of each family, one at a time."""
    from comparer.checkpoints.read import resolve
    from comparer.config import Config
    from comparer.models import pipelines
    from comparer.models.architectures import save_tiny
    from comparer.models.libraries import prepare

    prepare()
    from diffusers.utils import logging

    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        config = Config(checkpoints=(Path(folder),), device=device)

        def each() -> Iterator[tuple[str, Any]]:
            if demo:
                yield "demo", pipelines.load(resolve("demo", config), config)
            for family in families:
                name = str(save_tiny(family, Path(folder) / family))
                yield f"tiny {family}", pipelines.load(resolve(name, config), config)

        yield each()


def arguments(loaded: Any, settings: Any, seed: int) -> dict:
    """Return what a script would call the pipeline with, for one picture."""
    import torch

    # PixArt's would rewrite the caption, with packages that may or may not be there.
    extra = {} if loaded.checkpoint.family.on_step_end else {"clean_caption": False}
    return {
        "prompt": list(settings.prompts),
        "num_inference_steps": settings.steps,
        "guidance_scale": settings.guidance,
        "width": settings.width,
        "height": settings.height,
        "generator": [torch.Generator("cpu").manual_seed(seed)],
    } | extra
