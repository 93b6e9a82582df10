"""Quantised weights: scales stored beside weights are applied, other kinds are named and refused. No torch."""

import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from comparer.checkpoints.files.layout import Part
from comparer.checkpoints.files.tensors import Tensor
from comparer.errors import ComparerError
from comparer.text import few, quote

# ComfyUI's and torchao's names: weight = stored weight × scale.
_SCALE = re.compile(r"(?P<layer>.+)\.(scale_weight|weight_scale)$")
# Scales of a layer's input for multiplication in float8; in a wider dtype they cancel out.
_INPUT = re.compile(r"\.(scale_input|input_scale)$")
_MARK = re.compile(r"(^|\.)scaled_fp8$")
# In the last words of a name: the state that another way of quantising needs.
_STATE = re.compile(
    r"(^|[._])(scb|(nested_)?absmax|(nested_)?quant_(map|state)|qweight|qzeros|g_idx|zero_point|scales?|scale_inv|"
    r"scale_weight|weight_scale(_\w+)?|weight_(format|packed|shape)|comfy_quant|codebooks?|bitsandbytes__\w+)$",
    re.IGNORECASE,
)
_HARMLESS = re.compile(r"(^|[._])(logit_scale|layer_scale|skip_scale)$")
_INTEGERS = ("int8", "uint8", "int32", "int16")
_METHODS = {"scb": "bitsandbytes, 8 bits", "absmax": "bitsandbytes, 4 bits", "quant_state": "bitsandbytes, 4 bits",
            "quant_map": "bitsandbytes, 4 bits", "bitsandbytes": "bitsandbytes", "qweight": "GPTQ or AWQ",
            "qzeros": "GPTQ or AWQ", "g_idx": "GPTQ", "comfy_quant": "ComfyUI's"}  # fmt: skip


def config_says(config: dict[str, Any]) -> str:
    """Name the method of a config's ``quantization_config``; "" if there is none.

    >>> config_says({"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}})
    'bitsandbytes, load_in_4bit'
    >>> config_says({})
    \'\'
    """
    said = config.get("quantization_config")
    if not said:
        return ""
    if not isinstance(said, dict):
        return quote(said)
    method = said.get("quant_method") or said.get("quant_type") or said.get("quant_algo") or "a method without a name"
    return ", ".join([quote(method), *(key for key in ("load_in_4bit", "load_in_8bit") if said.get(key) is True)])


def check_config(component: str, name: str, config: dict[str, Any]) -> None:
    """Refuse a component whose config says that its weights are quantised.

    Args:
        component: such as ``unet``.
        name: name of the checkpoint.
        config: the component's config.

    Raises:
        ComparerError: it has a ``quantization_config``.
    """
    if method := config_says(config):
        raise _refused(f"the {component} of '{quote(name)}'", f"its config has a quantization_config: {method}")


def split(part: Part) -> tuple[Part, dict[str, Tensor]]:
    """Take the scales out of a set of weights.

    Returns:
        The set without them, and each scale by the name of the weight that it multiplies.

    Raises:
        ComparerError: the weights are quantised in another way, or a scale is not one number per tensor or row.
    """
    weights = {tensor.name: tensor for tensor in part.tensors}
    scales = {
        f"{found['layer']}.weight": tensor
        for tensor in part.tensors
        if (found := _SCALE.match(tensor.name)) and f"{found['layer']}.weight" in weights
    }
    for name, scale in scales.items():
        rows = weights[name].shape[:1]
        if scale.elements != 1 and (scale.shape[:1] != rows or scale.elements != rows[0]):
            raise _refused(quote(part.source, 200), f"{quote(scale.stored)} is a scale per block of a tensor")
    taken = {scale.name for scale in scales.values()}
    kept = tuple(tensor for tensor in part.tensors if tensor.name not in taken and not _MARK.search(tensor.name))
    beside = [t for t in kept if any(f"{layer}.weight" in weights for layer in _layers(t.name))]
    check_surplus(part, (tensor.name for tensor in beside))
    integers = [
        tensor.name
        for tensor in kept
        if tensor.dtype in _INTEGERS and tensor.name.endswith(".weight")
        and not (tensor.dtype == "int8" and tensor.name in scales)
    ]  # fmt: skip
    if integers:
        raise _refused(quote(part.source, 200), f"{few(integers)} contain integers")
    return replace(part, tensors=kept), scales


def check_surplus(part: Part, names: Iterable[str]) -> None:
    """Refuse tensors without a place in the module that others cannot be read without.

    Args:
        part: the set of weights.
        names: names of the surplus tensors.

    Raises:
        ComparerError: one is the state of a quantisation.
    """
    found = [n for n in names if _STATE.search(n) and not _HARMLESS.search(n) and not _INPUT.search(n)]
    if found:
        method = next((method for word, method in _METHODS.items() for name in found if word in name.lower()), "")
        raise _refused(quote(part.source, 200), f"it has {few(found)}{f', as in {method}' if method else ''}")


def _layers(name: str) -> list[str]:
    words = name.split(".")
    return [".".join(words[:count]) for count in range(1, len(words))]


def _refused(what: str, why: str) -> ComparerError:
    return ComparerError(f"{what} is quantised ({why}), which is not supported: use the weights in float16.")


def scaling(read: Callable[[Tensor], Any], scales: dict[str, Tensor]) -> Callable[[Tensor], Any]:
    """Return a function that reads a tensor as ``read`` does, multiplied by its scale in float32 if it has one."""

    def scaled(tensor: Tensor) -> Any:
        value = read(tensor)
        if (scale := scales.get(tensor.name)) is None:
            return value
        factor = read(scale).float()
        return value.float() * (factor if factor.numel() == 1 else factor.reshape(-1, *[1] * (value.dim() - 1)))

    return scaled
