"""Describe the machine and the libraries, for ``run.json``."""

from dataclasses import asdict, dataclass
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


@dataclass
class Environment:
    """The machine and the libraries of the last process of a run.

    Attributes:
        device: as torch names it: "cpu", "cuda", "mps".
        device_reason: why it was chosen.
        processor: name of the CPU.
        device_name: name of the GPU, or the kind of CPU.
        dtype: dtype that the baseline's weights run in.
        dtype_reason: why it was chosen.
        offload: where weights wait: "none", "model" or "sequential".
        vae: how the VAE decodes: "whole", "slicing" or "tiling".
        threads: threads of torch on the CPU.
        tf32: whether matrix products may use TF32; null without CUDA.
        attention: implementation of attention.
        comparer: commit of this program, with "+" if files differ; "" if unknown.
        python: its version.
        system: "Linux", "Darwin" or "Windows".
        versions: version by package.
    """

    device: str
    device_reason: str
    processor: str
    device_name: str
    dtype: str
    dtype_reason: str
    offload: str
    vae: str
    threads: int
    tf32: bool | None
    attention: str
    comparer: str
    python: str
    system: str
    versions: dict[str, str]


def environment(loaded: Loaded) -> dict:
    """Return the ``Environment`` as plain data."""
    import platform
    from importlib.metadata import version

    import torch

    on_cuda = loaded.device.startswith("cuda")
    return asdict(
        Environment(
            device=loaded.device,
            device_reason=loaded.device_reason,
            processor=processor(),
            device_name=torch.cuda.get_device_name(loaded.device) if on_cuda else f"{platform.machine()} CPU",
            dtype=loaded.dtype,
            dtype_reason=loaded.dtype_reason,
            offload=loaded.offload,
            vae=loaded.vae,
            threads=torch.get_num_threads(),
            tf32=torch.backends.cuda.matmul.allow_tf32 if on_cuda else None,
            attention="torch scaled_dot_product_attention",
            comparer=commit(),
            python=platform.python_version(),
            system=platform.system(),
            versions={
                name: version(name)
                for name in (
                    *("torch", "diffusers", "transformers", "open_clip_torch", "torchmetrics"),
                    *("DeepCache", "tomesd", "tgate"),
                )
            },
        )
    )
