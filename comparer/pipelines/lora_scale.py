"""The factors of a LoRA's layers, alpha / rank, from wherever a training program writes alpha. No torch.

diffusers reads alphas of kohya's names only. It loses those of a text encoder that differ, gives the others' alpha to a
layer without one, and does not read the ``adapter_config.json`` that PEFT writes beside its weights.
"""

import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from comparer.checkpoints.files.components import lora_place
from comparer.checkpoints.files.folders import inside
from comparer.checkpoints.files.layout import Layout
from comparer.checkpoints.files.tensors import Tensor, reading
from comparer.checkpoints.read import PEFT_CONFIG, read_json
from comparer.errors import ComparerError
from comparer.text import quote

OWN = "lora_adapter_metadata"  # where diffusers writes a LoRA's configuration, and reads it
PEFT_FILES = ("adapter_model.safetensors", "adapter_model.bin")


def scales(layout: Layout, file: Path, within: tuple[Path, ...]) -> dict[str, float]:
    """Return the factor of every layer of a LoRA, by the layer's name in the file.

    A layer's own alpha comes first, then the ``adapter_config.json`` of PEFT. Without either the factor is 1; layers of
    which diffusers reads it by itself are left out.

    Args:
        layout: layout of the file.
        file: the file.
        within: the folders that may be read.

    Raises:
        ComparerError: the configuration is damaged, or not of a LoRA; the key of an alpha matches no layer.
    """
    tensors = [tensor for part in layout.parts for tensor in part.tensors]
    places = {tensor.name: lora_place(tensor.name) for tensor in tensors}
    ranks = {places[t.name][0]: t.shape[0] for t in tensors if places[t.name][1] == "down" and t.shape}
    alphas = _alphas(tensors, file, ranks)
    configured = _peft(file, within) if file.name in PEFT_FILES else None
    found = {}
    for layer, rank in ranks.items():
        if layer in alphas:
            found[layer] = alphas[layer] / rank
        elif configured:
            found[layer] = configured(layer, rank)
        elif OWN not in (layout.metadata or {}):
            found[layer] = 1.0
    return found


def _alphas(tensors: Iterable[Tensor], file: Path, layers: Iterable[str]) -> dict[str, float]:
    """Read the alpha of every layer that has one."""
    named = {tensor: lora_place(tensor.name)[0] for tensor in tensors if lora_place(tensor.name)[1] == "alpha"}
    lost = [tensor.name for tensor, layer in named.items() if layer not in layers]
    if lost:
        raise ComparerError(
            f"'{quote(file.name)}' was not added: {len(lost)} of its keys match no layer ({quote(lost[0])})."
        )
    with reading(named) as read:
        return {layer: float(read(tensor).float().item()) for tensor, layer in named.items()}


def _peft(file: Path, within: tuple[Path, ...]) -> Callable[[str, int], float] | None:
    """Return what PEFT's configuration beside a file makes the factor of a layer of a rank; None without one."""
    path = file.parent / PEFT_CONFIG
    if not path.is_file():
        return None
    inside(path, within)
    try:
        config = read_json(path)
        kind, alpha = config.get("peft_type", "LORA"), float(config.get("lora_alpha", 8))  # 8 is PEFT's default
        patterns = {re.compile(rf"(.*\.)?({key})"): float(value) for key, value in _patterns(config).items()}
    except (OSError, ValueError, TypeError, AttributeError, RecursionError, re.error) as error:
        raise ComparerError(f"'{quote(path.name)}' beside '{quote(file.name)}' is damaged: {quote(error)}.") from error
    if kind != "LORA":
        raise ComparerError(f"'{quote(file.name)}' is a {quote(kind)} of PEFT, not a LoRA: it was not added.")

    def factor(layer: str, rank: int) -> float:
        own = next((value for pattern, value in patterns.items() if pattern.fullmatch(layer)), alpha)
        return own / (math.sqrt(rank) if config.get("use_rslora") else rank)

    return factor


def _patterns(config: dict[str, Any]) -> dict[str, Any]:
    return config.get("alpha_pattern") or {}
