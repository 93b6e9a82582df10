"""Peak memory of one call, if the device counts it; error texts for out of memory."""

import re
from typing import Any

from comparer.config import Config

UNITS = {"": 1, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}


def reset_peak(device: str) -> None:
    """Reset the peak counter; a no-op without CUDA."""
    if device.startswith("cuda"):
        import torch

        torch.cuda.reset_peak_memory_stats(device)


def peak(device: str) -> int | None:
    """Return the peak of allocated bytes since ``reset_peak``, weights included; None without CUDA."""
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.max_memory_allocated(device)


def reserved(device: str) -> int | None:
    """Return the peak of bytes that torch's allocator reserved on the GPU since ``reset_peak``; None without CUDA.

    This memory is unavailable to other programs: ``peak`` plus cached and fragmented blocks. What an earlier call left
    reserved counts unless ``device.empty`` was called in between. The driver's own memory is in neither figure.
    """
    if not device.startswith("cuda"):
        return None
    import torch

    return torch.cuda.max_memory_reserved(device)


def free(device: str) -> int:
    """Return the free bytes of a device; of main memory for the CPU and for devices that do not report it."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.mem_get_info(device)[0]
    import psutil

    return psutil.virtual_memory().available


def out_of_memory(error: BaseException, device: str) -> str | None:
    """Return "out of memory (needed about 9.1 GB of 8.0)" if the error means that; None otherwise.

    The needed memory is what this process held when the request failed plus the size of that request: a lower
    bound to get past this point. GB are 2³⁰ bytes.
    """
    import torch

    text = str(error)
    known = isinstance(error, torch.OutOfMemoryError | MemoryError) or "not enough memory" in text
    if not known and "can't allocate memory" not in text and "out of memory" not in text:
        return None
    asked = 0.0
    if found := re.search(r"allocate (\d+(?:\.\d+)?) ?(Ki|Mi|Gi|)B?(?:ytes|\b)", text):
        asked = float(found[1]) * UNITS[found[2]]
    held, total = _held(device)
    return f"out of memory (needed about {(held + asked) / 2**30:.1f} GB of {total / 2**30:.1f})"


def _held(device: str) -> tuple[int, int]:
    """Return the bytes that this process holds on the device and the device's total."""
    import psutil
    import torch

    if device.startswith("cuda"):
        return torch.cuda.memory_allocated(device), torch.cuda.get_device_properties(device).total_memory
    return psutil.Process().memory_info().rss, psutil.virtual_memory().total


def remedies(config: Config, device: str, settings: Any = None) -> str:
    """List changes that would need less memory, among those that this installation and these settings leave open."""
    found = []
    if settings is not None and settings.batch_size > 1:
        found.append("a smaller batch")
    if settings is not None:
        found.append("a smaller picture")
    if config.vae != "tiling":
        found.append("--vae tiling")
    if device != "cpu" and config.offload != "sequential":
        found.append("--offload model" if config.offload == "none" else "--offload sequential")
    if config.dtype == "float32" or (config.dtype == "auto" and device == "cpu"):
        found.append("--dtype bfloat16")
    return ", ".join(found[:-1]) + (" or " if len(found) > 1 else "") + (found[-1] if found else "a smaller model")
