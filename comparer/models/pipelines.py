"""Load a checkpoint's pipeline, keep it, free it. One is kept; its weights serve every arm."""

import gc
from dataclasses import dataclass
from typing import Any

from comparer.checkpoints.read import Checkpoint
from comparer.errors import ComparerError
from comparer.models.libraries import prepare


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


_kept: list[Loaded] = []


def load(checkpoint: Checkpoint, device: str = "auto") -> Loaded:
    """Load a checkpoint, or return it if it is the one that is kept; another one is freed first.

    Raises:
        ComparerError: the device is not there, or diffusers cannot load the folder.
    """
    prepare()
    chosen, reason = choose_device(device)
    if _kept and _kept[0].checkpoint == checkpoint and _kept[0].device == chosen:
        return _kept[0]
    free()
    import torch
    from diffusers import StableDiffusionPipeline
    from diffusers.utils import logging
    from transformers.utils import logging as transformers_logging

    logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    half = chosen != "cpu"
    # Only Stable Diffusion 1.x and 2.x pipelines know a safety checker; a black picture would spoil the pair.
    checker = {"safety_checker": None, "feature_extractor": None, "requires_safety_checker": False}
    try:
        pipe = StableDiffusionPipeline.from_pretrained(
            checkpoint.folder,
            dtype=torch.float16 if half else torch.float32,
            variant=checkpoint.variant,
            use_safetensors=True,
            local_files_only=True,
            **checker,
        )
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        first = str(error).strip().split("\n")[0]
        raise ComparerError(f"'{checkpoint.model.name}' could not be loaded: {first}") from error
    pipe.set_progress_bar_config(disable=True)
    pipe.to(chosen)
    loaded = Loaded(
        checkpoint,
        pipe,
        dict(pipe.scheduler.config),
        chosen,
        reason,
        "float16" if half else "float32",
        "half precision on a GPU" if half else "full precision on a CPU",
    )
    _kept.append(loaded)
    return loaded


def free() -> None:
    """Let the kept pipeline go, and its memory with it."""
    if not _kept:
        return
    _kept.clear()
    gc.collect()
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


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


def environment(loaded: Loaded) -> dict:
    """Describe the machine and the libraries, for ``run.json``."""
    import platform
    from importlib.metadata import version

    import torch

    on_cuda = loaded.device.startswith("cuda")
    return {
        "device": loaded.device,
        "device_reason": loaded.device_reason,
        "device_name": torch.cuda.get_device_name(loaded.device) if on_cuda else f"{platform.machine()} CPU",
        "dtype": loaded.dtype,
        "dtype_reason": loaded.dtype_reason,
        "threads": torch.get_num_threads(),
        "tf32": torch.backends.cuda.matmul.allow_tf32 if on_cuda else None,
        "attention": "torch scaled_dot_product_attention",
        "python": platform.python_version(),
        "system": platform.system(),
        "versions": {
            name: version(name) for name in ("torch", "diffusers", "transformers", "open_clip_torch", "DeepCache")
        },
    }
