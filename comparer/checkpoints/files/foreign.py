"""Name files that are no weights of a pipeline, by their names and tensors. No torch."""

import re
from collections.abc import Collection, Iterable
from pathlib import Path

from comparer.checkpoints.files.content import ARCHIVE, GGUF, content_kind
from comparer.checkpoints.files.tensors import ENDINGS, Tensor
from comparer.text import quote

DISTRIBUTED = (
    "a checkpoint of torch.distributed (FSDP): join it with 'python -m torch.distributed.checkpoint.format_utils "
    "dcp_to_torch FOLDER FILE.pt'"
)
ZERO = "one part of weights that DeepSpeed split (ZeRO stage 3): join them with the 'zero_to_fp32.py' beside it"
UNFINISHED = "an unfinished download: finish it, or download it again"
SFT = "a safetensors file with another ending: rename it to '{}.safetensors'"
_TAKE = ": use the safetensors version"
_ENDINGS = {
    ".gguf": GGUF, ".distcp": DISTRIBUTED, ".sft": SFT,
    **dict.fromkeys((".onnx", ".onnx_data"), f"an ONNX model{_TAKE}"),
    **dict.fromkeys((".engine", ".plan", ".trt"), f"a TensorRT engine{_TAKE}"),
    **dict.fromkeys((".mlmodel", ".mlpackage", ".mlmodelc"), f"a Core ML model{_TAKE}"),
    ".tflite": f"a TensorFlow Lite model{_TAKE}", ".h5": f"a Keras file{_TAKE}",
    ".msgpack": f"weights of Flax{_TAKE}",
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".gz", ".tgz", ".xz", ".bz2", ".zst"), ARCHIVE),
    **dict.fromkeys((".part", ".partial", ".crdownload", ".incomplete", ".download", ".aria2", ".tmp"), UNFINISHED),
}  # fmt: skip
_NAMES = (
    (re.compile(r"openvino_.*\.(bin|xml)"), f"weights of OpenVINO{_TAKE}"),
    (re.compile(r"zero_pp_rank_\d+_mp_rank_\d+_model_states\.pt"), ZERO),
)

# A part of a tensor's name, and what a file with it is.
_TENSORS = (
    (r"(^|[._])hada_w[12](_[ab])?$", "a LoHa (LyCORIS)"),
    (r"(^|[._])lokr_w[12](_[ab])?$", "a LoKr (LyCORIS)"),
    (r"(^|[._])(boft|oft)_(blocks|diag|R|r)\b|(^|[._])oft_R\.", "an OFT"),
    (r"(^|[._])(dora_scale|lora_magnitude_vector)\b", "a DoRA"),
    (r"\.on_input$|(^|\.)ia3_l$", "an IA³"),
    (r"^lora_.*\.(a|b|bm)[12]\.weight$", "a GLoRA (LyCORIS)"),
    (r"^lora_.*\.(diff(_b)?|[wb]_norm)$", "a full difference (LyCORIS)"),
    (r"(^|\.)(vera_lambda_[bd]|hra_u|fourierft_spectrum)$", "a VeRA, HRA or FourierFT (PEFT)"),
    (r"(controlnet_cond_embedding|controlnet_down_blocks|input_hint_block)\.|^control_model\.", "a ControlNet"),
    (r"^(adapter\.)?body\.\d+\.(block[12]|in_conv|resnets\.\d+\.block[12])\.", "a T2I-Adapter"),
    (r"^(ip_adapter|image_proj)\.", "an IP-Adapter"),
    (r"motion_modules\.", "a motion module of AnimateDiff"),
    (r"\.(time_stack|time_mixer)\b|(^|\.)blocks\.\d+\.self_attn\.", "a video model"),
    (r"(^|\.)(double_blocks|single_blocks)\.", "a transformer of Flux"),
    (r"(^|\.)joint_blocks\.", "a transformer of Stable Diffusion 3"),
    (r"\.channelwise\.\d", "a network of Stable Cascade"),
    (r"^(emb_params|string_to_param(\..*)?|clip_[lg]|<[^<>]+>)$", "a textual inversion"),
    (r"(^|\.)RDB\d\.conv\d\.|(^|\.)rdb\d\.conv\d\.", "an upscaler (ESRGAN)"),
    (r"\.residual_group\.|^body\.\d+\.(weight|bias)$", "an upscaler"),
    (r"^\d+\.[01]\.linear(\.\d+|[12])\.(weight|bias)$", "a hypernetwork"),
    (r"^vision_model\.", "an image encoder (CLIP)"),
)  # fmt: skip
_LORA = re.compile(r"[._]lora[._]?(A|B|down|up)\b|\.alpha$")
_MODELS = (
    "a video model",
    "a transformer of Flux",
    "a transformer of Stable Diffusion 3",
    "a network of Stable Cascade",
)
_MOSTLY = ("an upscaler", "a hypernetwork", "an image encoder (CLIP)")  # only if most tensors have such names
_AUTOENCODERS = ((r"(^|\.)condition_encoder\.", "an AsymmetricAutoencoderKL"), (r"^quantize\.", "a VQ autoencoder"))
_TINY = re.compile(r"(encoder|decoder)\.layers\.\d+\.")
_TAESD = re.compile(r"(taesd_(?:en|de)coder\.)?\d+\.(weight|bias|(conv\.\d+|skip)\.(weight|bias))")


def file_kind(path: Path) -> str:
    """Name a file that cannot be weights by its name or first bytes; "" for all other files.

    >>> file_kind(Path("a/MODEL.SAFETENSORS"))
    "a file with its ending in capitals: rename it to 'MODEL.safetensors'"
    """
    if path.suffix not in ENDINGS and path.suffix.lower() in ENDINGS:
        renamed = quote(path.stem) + path.suffix.lower()
        return f"a file with its ending in capitals: rename it to '{renamed}'"
    kind = _ENDINGS.get(path.suffix.lower()) or next((what for name, what in _NAMES if name.fullmatch(path.name)), "")
    if kind:
        return kind.format(quote(path.stem))
    try:
        found = content_kind(path)
    except OSError:
        return ""
    return found if path.suffix in ENDINGS or found == GGUF else ""


def folder_kind(folder: Path) -> str:
    """Name what a folder without readable weights has, as "NAME is …"; "" if that is not known either."""
    found = (path for path in (*sorted(folder.glob("*")), *sorted(folder.glob("*/*"))) if path.name != "optimizer.pt")
    for path in (path for path in found if not path.parent.name.startswith("optim")):
        if (path.is_file() or path.suffix in _ENDINGS) and (kind := file_kind(path)):
            named = path.parent if kind == DISTRIBUTED else path
            return f"'{quote(named.relative_to(folder.parent).as_posix())}' is {kind}"
    return ""


def adapter(tensors: Iterable[Tensor]) -> str:
    """Name the kind of a file whose tensors are no component of a served pipeline, such as "a LoHa (LyCORIS)"; "" else.

    >>> adapter([Tensor("lora_unet_x.hada_w1_a", (2, 2), "float16", "x", ("x",))])
    'a LoHa (LyCORIS)'
    """
    return kind_of_names([(tensor.name, tensor.stored) for tensor in tensors])


def kind_of_names(names: Collection[tuple[str, ...]]) -> str:
    """Name the kind of a file by the names of its tensors, each with and without the keys that enclose it."""
    heads = ("down_blocks.", "model.diffusion_model.", "unet.", "transformer_blocks.")
    whole = any(each[0].startswith(heads) for each in names)
    for pattern, kind in _TENSORS:
        search = re.compile(pattern).search
        found = sum(any(map(search, each)) for each in names)
        if found and (not (whole or kind in _MOSTLY) or 2 * found > len(names) or "lora" in next(iter(names))[0]):
            adapted = 2 * sum(bool(_LORA.search(each[0])) for each in names) > len(names)
            return f"a LoRA for {kind}" if adapted and kind in _MODELS else kind
    return ""


def other_autoencoder(tensors: Iterable[Tensor]) -> str:
    """Name an autoencoder of a class that is not served by its tensors; "" for anything else."""
    names = [tensor.name for tensor in tensors]
    found = (kind for pattern, kind in _AUTOENCODERS if any(re.search(pattern, name) for name in names))
    return next(found, "")


def tiny_autoencoder(tensors: Iterable[Tensor]) -> str:
    """Name a tiny autoencoder by its tensors; "" for anything else.

    >>> tiny_autoencoder([Tensor("decoder.layers.0.weight", (2, 2), "float16", "x", ("x",))])
    'an AutoencoderTiny (TAESD)'
    """
    names = [tensor.name for tensor in tensors]
    if names and all(_TINY.match(name) for name in names):
        return "an AutoencoderTiny (TAESD)"
    return "one half of a TAESD in its own layout" if names and all(_TAESD.fullmatch(name) for name in names) else ""
