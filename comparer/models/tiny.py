"""Real architectures at toy size with random weights: every family for tests and benchmarks, no download.

``save_tiny`` saves a diffusers folder as the real tools do, so that the real loader can load it. The images are
noise; mechanics, equality and multiply-accumulates are those of the family.
"""

from pathlib import Path
from typing import Any

from comparer.models.catalog import CATALOG
from comparer.models.families.registry import FAMILIES
from comparer.models.libraries import prepare


def tiny(family: str, seed: int = 0, **denoiser: Any) -> Any:
    """Build a tiny pipeline of a family with random weights.

    Args:
        family: a name of ``FAMILIES``.
        seed: seed of the weights.
        denoiser: changes to the denoiser's config, such as ``sample_size=128``.

    Returns:
        A diffusers pipeline on the CPU, float32; native size 128 pixels (PixArt 256, its smallest with bins).
    """
    prepare()
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return FAMILIES[family].tiny(denoiser)


def save_tiny(family: str, folder: Path, seed: int = 0, **denoiser: Any) -> Path:
    """Save a tiny pipeline as a diffusers folder with safetensors weights; return the folder."""
    pipe = tiny(family, seed, **denoiser)
    pipe.save_pretrained(folder)
    return folder


def native_config(model: str) -> tuple[str, dict[str, Any]]:
    """Return the class name and the config of a published model's denoiser, without its weights.

    Args:
        model: a name of ``CATALOG`` except the demo.
    """
    published = CATALOG[model]
    return FAMILIES[published.family].denoiser_class, dict(published.denoiser)
