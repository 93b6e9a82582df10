"""Choose the device and the dtype, and free the device's memory."""

import gc

from comparer.checkpoints.read import Checkpoint
from comparer.errors import ComparerError


def empty() -> None:
    """Free unreferenced memory."""
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
    return wanted, "as requested"


def choose_dtype(checkpoint: Checkpoint, device: str, wanted: str = "auto") -> tuple[str, str]:
    """Return the torch dtype's name and why it was chosen: float32 on a CPU, the family's half precision on a GPU.

    T5 layers that overflow in float16 stay in float32, as in transformers.
    """
    import torch

    half = checkpoint.family.gpu_dtype
    if wanted != "auto":
        return wanted, "as requested"
    if device == "cpu":
        return "float32", "full precision on a CPU"
    if half == "bfloat16" and device.startswith("cuda") and not torch.cuda.is_bf16_supported(including_emulation=False):
        return "float32", f"this GPU has no bfloat16, and {checkpoint.family.title} overflows in float16"
    if half == "bfloat16":
        return half, f"half precision on a GPU; {checkpoint.family.title} overflows in float16"
    return half, "half precision on a GPU"
