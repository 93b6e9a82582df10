"""Load a checkpoint's pipeline, keep it, free it. Its weights serve every arm."""

import gc
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from comparer.checkpoints.read import Checkpoint, state
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.libraries import prepare
from comparer.pipelines.memory import out_of_memory, remedies


@dataclass(frozen=True)
class Loaded:
    """A pipeline on its device, with the choices that were made for it and why."""

    checkpoint: Checkpoint
    pipe: Any
    scheduler_config: dict
    device: str
    device_reason: str
    dtype: str
    dtype_reason: str
    offload: str
    vae: str
    files: tuple = ()  # as ``read.state`` says: a folder whose files were replaced is loaded anew
    built: Any = None  # assemble.Assembled

    @property
    def components(self) -> dict[str, Any]:
        """Its ``assemble.Component``s by name."""
        return self.built.components if self.built else {}


_kept: list[Loaded] = []


def load(checkpoint: Checkpoint, config: Config, beside: Collection[Loaded] = ()) -> Loaded:
    """Load a checkpoint, or return it if it is kept; the longest unused is freed before another is loaded.

    Components that hold the same are shared with the pipelines that are kept, unless weights wait in main memory.

    Args:
        checkpoint: what to load.
        config: the installation's choices.
        beside: pipelines that stay.

    Raises:
        ComparerError: the device is not there or cannot do what the installation asks of it, diffusers cannot
            load the folder, or the memory does not suffice.
    """
    prepare(scorer=False)
    device, reason = choose_device(config.device)
    dtype, why = choose_dtype(checkpoint, device, checkpoint.weights.dtype or config.dtype)
    if config.offload != "none" and device == "cpu":
        raise ComparerError(f"Offload '{config.offload}' needs a GPU: start with --offload none on this machine.")
    key = checkpoint, device, dtype, state(*checkpoint.paths())
    if found := _again(key):
        return found
    _evict(max(config.keep - 1, len(beside)), beside)
    pipe = built = None
    try:
        built = _from_files(checkpoint, dtype, device, config)
        pipe = built.pipe
        pipe.set_progress_bar_config(disable=True)
        if config.vae != "whole":
            getattr(pipe.vae, f"enable_{config.vae}")()
        if config.offload == "none":
            pipe.to(device)
        else:
            getattr(pipe, f"enable_{config.offload.replace('model', 'model_cpu')}_offload")(device=device)
    except ComparerError as error:
        failure = type(error)(f"'{checkpoint.model.name}' could not be loaded: {error}")
    except Exception as error:
        told = out_of_memory(error, device)
        from safetensors import SafetensorError

        known = OSError | ValueError | RuntimeError | LookupError | TypeError | AttributeError | ArithmeticError
        if not told and not isinstance(error, known | SafetensorError):
            raise
        first = f"{told}; try {remedies(config, device)}" if told else str(error).strip().split("\n")[0]
        failure = ComparerError(f"'{checkpoint.model.name}' could not be loaded: {first}")
    else:
        loaded = Loaded(
            checkpoint,
            pipe,
            built.scheduler,
            device,
            reason,
            dtype,
            why,
            config.offload,
            config.vae,
            key[-1],
            built,
        )
        _kept.append(loaded)
        return loaded
    del pipe, built
    empty()  # outside the handler: the error's traceback held what had been loaded
    raise failure


def _again(key: tuple) -> Loaded | None:
    """Return the kept pipeline of this key, now the newest; in a function, so that no name here holds another one."""
    for kept in _kept:
        if (kept.checkpoint, kept.device, kept.dtype, kept.files) == key:
            _kept.append(_kept.pop(_kept.index(kept)))
            return kept
    return None


def _evict(most: int, beside: Collection[Loaded]) -> None:
    """Let the longest unused go, but none of those that stay."""
    going = [position for position, kept in enumerate(_kept) if all(kept is not each for each in beside)]
    for position in reversed(going[: max(len(_kept) - most, 0)]):
        _kept.pop(position)
    empty()


def _from_files(checkpoint: Checkpoint, dtype: str, device: str, config: Config) -> Any:
    import diffusers
    from transformers.utils import logging

    from comparer.pipelines.assemble import pipeline

    diffusers.utils.logging.disable_progress_bar()
    logging.disable_progress_bar()
    same = (device, "none", config.vae)
    others = [kept.components for kept in _kept if (kept.device, kept.offload, kept.vae) == same]
    return pipeline(checkpoint, dtype, others if config.offload == "none" else ())


def trim(most: int, first: Loaded | None = None) -> None:
    """Let the longest unused go until so many are kept; ``first`` goes last."""
    _kept.sort(key=lambda kept: kept is first)
    _evict(most, ())


def free() -> None:
    """Let every kept pipeline go, and its memory with it."""
    _kept.clear()
    empty()


def empty() -> None:
    """Give back the memory that nothing refers to any more."""
    gc.collect()
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()


def choose_device(wanted: str = "auto") -> tuple[str, str]:
    """Return the torch device and why it was chosen.

    Raises:
        ComparerError: the device does not exist on this machine.
    """
    import torch

    there = ["cpu"]
    if torch.backends.mps.is_available():
        there.insert(0, "mps")
    if torch.cuda.is_available():
        there = ["cuda", *(f"cuda:{i}" for i in range(torch.cuda.device_count())), *there]
    if wanted == "auto":
        return there[0], "the only device here" if len(there) == 1 else f"the fastest of {', '.join(there)}"
    if wanted not in there:
        raise ComparerError(f"There is no device '{wanted}' on this machine: choose auto or one of {', '.join(there)}.")
    return wanted, "as asked for"


def choose_dtype(checkpoint: Checkpoint, device: str, wanted: str = "auto") -> tuple[str, str]:
    """Return the torch dtype's name and why: full precision on a CPU, the family's half on a GPU.

    T5 keeps the layers that overflow in float16 in float32, as transformers loads it.
    """
    import torch

    half = checkpoint.family.half
    if wanted != "auto":
        return wanted, "as asked for"
    if device == "cpu":
        return "float32", "full precision on a CPU"
    if half == "bfloat16" and device.startswith("cuda") and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "float32", f"this GPU has no bfloat16, and {checkpoint.family.title} overflows in float16"
    if half == "bfloat16":
        return half, f"half precision on a GPU; {checkpoint.family.title} overflows in float16"
    return half, "half precision on a GPU"


@cache
def commit() -> str:
    """Return the commit of this program, "+" behind it where files differ from it; "" without git or a checkout."""
    import subprocess

    told = ["git", "-C", str(Path(__file__).parents[2]), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(told, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def processor() -> str:
    """Name the CPU, on which the last bits of a picture may depend."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # no Linux
        lines = []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def environment(loaded: Loaded) -> dict:
    """Describe the machine and the libraries, for ``run.json``."""
    import platform
    from importlib.metadata import version

    import torch

    on_cuda = loaded.device.startswith("cuda")
    return {
        "device": loaded.device,
        "device_reason": loaded.device_reason,
        "processor": processor(),
        "device_name": torch.cuda.get_device_name(loaded.device) if on_cuda else f"{platform.machine()} CPU",
        "dtype": loaded.dtype,
        "dtype_reason": loaded.dtype_reason,
        "offload": loaded.offload,
        "vae": loaded.vae,
        "threads": torch.get_num_threads(),
        "tf32": torch.backends.cuda.matmul.allow_tf32 if on_cuda else None,
        "attention": "torch scaled_dot_product_attention",
        "comparer": commit(),
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {
            name: version(name)
            for name in (
                *("torch", "diffusers", "transformers", "open_clip_torch", "torchmetrics"),
                *("DeepCache", "tomesd", "tgate"),
            )
        },
    }
