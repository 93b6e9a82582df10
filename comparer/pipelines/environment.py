"""Describe the machine and the libraries, for ``run.json``."""

from functools import cache
from pathlib import Path

from comparer.pipelines.loader import Loaded


@cache
def commit() -> str:
    """Return the git commit of this program, with "+" appended if files differ; "" without git or a checkout."""
    import subprocess

    told = ["git", "-C", str(Path(__file__).parents[2]), "describe", "--always", "--dirty=+", "--exclude=*"]
    try:
        return subprocess.run(told, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def processor() -> str:
    """Return the CPU's name; the last bits of an image may depend on the CPU."""
    import platform

    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:  # not Linux
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
