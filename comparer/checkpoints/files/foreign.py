"""Name files that are no weights of a pipeline, by their names and tensors. No torch."""

import re
from collections.abc import Iterable
from pathlib import Path

from comparer.checkpoints.files.tensors import ENDINGS, Tensor
from comparer.text import quote

DISTRIBUTED = (
    "a checkpoint of torch.distributed (FSDP): join it with 'python -m torch.distributed.checkpoint.format_utils "
    "dcp_to_torch FOLDER FILE.pt'"
)
GGUF = "a GGUF file, weights quantised for stable-diffusion.cpp: use the safetensors version"
_ENDINGS = {".gguf": GGUF, ".distcp": DISTRIBUTED, ".onnx": "an ONNX model", ".engine": "a TensorRT engine",
            ".tflite": "a TensorFlow Lite model", ".h5": "a Keras file", ".msgpack": "weights of Flax",
            ".mlmodel": "a Core ML model"}  # fmt: skip

# A part of a tensor's name, and what a file with it is.
_TENSORS = (
    (r"(^|[._])hada_w[12](_[ab])?$", "a LoHa (LyCORIS)"),
    (r"(^|[._])lokr_w[12](_[ab])?$", "a LoKr (LyCORIS)"),
    (r"(^|[._])(boft|oft)_(blocks|diag|R)\b|(^|[._])oft_R\.", "an OFT"),
    (r"(^|[._])(dora_scale|lora_magnitude_vector)\b", "a DoRA"),
    (r"\.on_input$", "an IA³ (LyCORIS)"),
    (r"(controlnet_cond_embedding|controlnet_down_blocks|input_hint_block)\.|^control_model\.", "a ControlNet"),
    (r"^(ip_adapter|image_proj)\.", "an IP-Adapter"),
    (r"motion_modules\.", "a motion module of AnimateDiff"),
    (r"(^|\.)(double_blocks|single_blocks)\.", "a transformer of Flux"),
    (r"(^|\.)joint_blocks\.", "a transformer of Stable Diffusion 3"),
    (r"^(emb_params|string_to_param(\..*)?|clip_[lg])$", "a textual inversion"),
    (r"(^|\.)RDB\d\.conv\d\.|(^|\.)rdb\d\.conv\d\.", "an upscaler (ESRGAN)"),
)  # fmt: skip
_TINY = re.compile(r"(encoder|decoder)\.layers\.\d+\.")
_TAESD = re.compile(r"\d+\.(weight|bias|(conv\.\d+|skip)\.(weight|bias))")


def file_kind(path: Path) -> str:
    """Name a file that cannot be weights by its name or first bytes; "" for all other files.

    >>> file_kind(Path("a/MODEL.SAFETENSORS"))
    "a file with its ending in capitals: rename it to 'MODEL.safetensors'"
    """
    if path.suffix not in ENDINGS and path.suffix.lower() in ENDINGS:
        renamed = quote(path.stem) + path.suffix.lower()
        return f"a file with its ending in capitals: rename it to '{renamed}'"
    if path.suffix.lower() in _ENDINGS:
        return _ENDINGS[path.suffix.lower()]
    try:
        with path.open("rb") as file:
            return GGUF if file.read(4) == b"GGUF" else ""
    except OSError:
        return ""


def folder_kind(folder: Path) -> str:
    """Name what a folder without readable weights has, as "NAME is …"; "" if that is not known either."""
    for path in (*sorted(folder.glob("*")), *sorted(folder.glob("*/*"))):
        if path.is_file() and (kind := file_kind(path)):
            named = path.parent if kind == DISTRIBUTED else path
            return f"'{quote(named.relative_to(folder.parent).as_posix())}' is {kind}"
    return ""


def adapter(tensors: Iterable[Tensor]) -> str:
    """Name the kind of a file whose tensors are no component of a served pipeline, such as "a LoHa (LyCORIS)"; "" else.

    >>> adapter([Tensor("lora_unet_x.hada_w1_a", (2, 2), "float16", "x", ("x",))])
    'a LoHa (LyCORIS)'
    """
    names = [tensor.name for tensor in tensors]
    whole = any(name.startswith(("down_blocks.", "model.diffusion_model.", "unet.")) for name in names)
    for pattern, kind in _TENSORS:
        found = sum(bool(re.search(pattern, name)) for name in names)
        if found and (not whole or 2 * found > len(names) or "lora" in names[0]):
            return kind
    return ""


def tiny_autoencoder(tensors: Iterable[Tensor]) -> str:
    """Name a tiny autoencoder by its tensors; "" for anything else.

    >>> tiny_autoencoder([Tensor("decoder.layers.0.weight", (2, 2), "float16", "x", ("x",))])
    'an AutoencoderTiny (TAESD)'
    """
    names = [tensor.name for tensor in tensors]
    if names and all(_TINY.match(name) for name in names):
        return "an AutoencoderTiny (TAESD)"
    return "one half of a TAESD in its own layout" if names and all(_TAESD.fullmatch(name) for name in names) else ""
