"""What the benchmarks share: the machine in one line, arms that take turns, pipelines to measure, tables.

Light to import: ``speed_bare_script.py``, whose start is timed, imports this too.
"""

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


def middle(values: Sequence[float], digits: int = 2) -> str:
    """Write the geometric mean of the middle half of the values and that half's range: ``1.62 (1.58 to 1.66)``.

    The lowest and the highest quarter are left out: on a shared machine they tell what others did.
    """
    half = sorted(values)[len(values) // 4 : len(values) - len(values) // 4]
    spread = f" ({half[0]:.{digits}f} to {half[-1]:.{digits}f})" if len(half) > 1 else ""
    return f"{center(values):.{digits}f}{spread}"


def center(values: Sequence[float]) -> float:
    """Return the geometric mean of the middle half of the values."""
    half = sorted(values)[len(values) // 4 : len(values) - len(values) // 4]
    return statistics.geometric_mean(half)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


@contextmanager
def pipelines_of(families: Sequence[str], device: str, demo: bool) -> Iterator[Iterator[tuple[str, Any]]]:
    """Yield (title, ``Loaded``) of the demo checkpoint and of a tiny pipeline of each family, one at a time."""
    from comparer.checkpoints.find import resolve
    from comparer.config import Config
    from comparer.models.libraries import prepare
    from comparer.models.tiny import save_tiny
    from comparer.pipelines import loader

    prepare()
    from diffusers.utils import logging

    logging.disable_progress_bar()
    with tempfile.TemporaryDirectory() as folder:
        config = Config(checkpoints=(Path(folder),), device=device)

        def each() -> Iterator[tuple[str, Any]]:
            if demo:
                yield "demo", loader.load(resolve("demo", config), config)
            for family in families:
                name = str(save_tiny(family, Path(folder) / family))
                yield f"tiny {family}", loader.load(resolve(name, config), config)

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
