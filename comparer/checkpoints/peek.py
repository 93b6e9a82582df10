"""Tell what a weights file is from the tensor names in its header. No weights are read, no torch is imported."""

import re
import zipfile
from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from comparer.checkpoints.files.foreign import file_kind, kind_of_names
from comparer.checkpoints.files.weight_sets import EMA, half_of

PIPELINE, FILE, WEIGHTS = "pipeline", "single file", "weights"
LORA, CONTROLNET, EMBEDDING = "LoRA", "ControlNet", "textual inversion"

MOST_HEADER = 16_000_000  # bytes that are searched for names
# In text values of the header quotes are escaped, so that only a tensor's entry matches.
_ENTRY = re.compile(rb'"([^"\\]+)"\s*:\s*\{\s*"(?:dtype|shape|data_offsets)"')
_PICKLED = re.compile(rb"X(..)\0\0", re.DOTALL)  # a text of protocol 2: its length in 4 bytes precedes it
_LORA = re.compile(r"lora|hada_|lokr_|oft_|\.alpha$|dora_scale")
_CONTROLNET = re.compile(r"(.*\.)?(controlnet_\w+|control_model|input_hint_block|zero_convs)\.")
_EMBEDDING = {"emb_params", "clip_l", "clip_g", "t5"}
_EMA = re.compile(r"((?:\w+_)?ema(?:_\w+)?)\.", re.IGNORECASE)
_DICTIONARY = {"model", "module", "generator", "unet", "state_dict", "model_state_dict", "net", "network", "denoiser"}
"""Keys under which training programs save weights."""


def kind_of(path: Path) -> tuple[str, bool]:
    """Return the kind of a weights file and whether it has EMA weights beside raw ones.

    Args:
        path: a ``.safetensors`` file or a torch file. Torch files from before 1.6 are ``WEIGHTS``, as are damaged ones:
            only reading them tells more.
    """
    try:
        about = path.stat()
        return _kind(path, about.st_size, about.st_mtime_ns)
    except OSError:
        return WEIGHTS, False


def alike(files: Sequence[Path]) -> bool:
    """Say whether two of the files share most of their tensors' names, as networks of one kind do."""
    held = [set(_names(file)[0]) for file in files[:8]]
    pairs = ((one, other) for number, one in enumerate(held) for other in held[:number])
    return any(2 * len(one & other) > min(len(one), len(other)) for one, other in pairs)


@lru_cache(maxsize=20_000)
def _kind(path: Path, _size: int, _changed: int) -> tuple[str, bool]:
    if path.name.startswith("learned_embeds"):
        return EMBEDDING, False
    if kind := file_kind(path):
        return kind, False
    names, keys = _names(path)
    both = len({bool(_EMA.match(name)) for name in names}) == 2 or _has_both(keys)
    return _kind_of_names(names, keys), both


def _has_both(keys: Collection[str]) -> bool:
    """Say whether the keys of a training dictionary name EMA weights and raw ones.

    >>> _has_both(["generator", "generator_ema", "step"]), _has_both(["model", "ema_decay"])
    (True, False)
    """
    ema = {key.lower().replace("ema", "").strip("_") for key in keys if half_of(key) == EMA}
    return bool(ema & {*_DICTIONARY, ""}) and not _DICTIONARY.isdisjoint(keys)


def _names(path: Path) -> tuple[list[str], list[str]]:
    """List the tensor names of a safetensors header, or the texts of a torch file's pickle, which is not unpickled.

    The second list is that of keys in a pickle, which may enclose or be names of tensors.
    """
    try:
        if path.suffix == ".safetensors":
            with path.open("rb") as file:
                length = int.from_bytes(file.read(8), "little")
                return [_text(name) for name in _ENTRY.findall(file.read(min(length, MOST_HEADER)))], []
        with zipfile.ZipFile(path) as archive:
            pickle = next(name for name in archive.namelist() if name.endswith("/data.pkl"))
            with archive.open(pickle) as file:
                data = file.read(MOST_HEADER)
        texts = (
            data[found.end() : found.end() + int.from_bytes(found[1], "little")] for found in _PICKLED.finditer(data)
        )
        found = [_text(text) for text in texts]
        return [name for name in found if "." in name], [name for name in found if "." not in name]
    # zipfile raises the last two for a compression that it does not know and for an encrypted archive.
    except (OSError, zipfile.BadZipFile, StopIteration, NotImplementedError, RuntimeError):
        return [], []


def _text(name: bytes) -> str:
    return name.decode(errors="replace")


def _kind_of_names(names: Collection[str], keys: Collection[str] = ()) -> str:
    """Return the kind of weights that have these names; that of ``foreign`` if they are not served.

    >>> _kind_of_names(["unet.a.lora_A.weight", "unet.a.lora_B.weight"]), _kind_of_names(["conv_in.weight"])
    ('LoRA', 'weights')
    """
    if (names and set(names) <= _EMBEDDING) or "string_to_param" in keys:
        return EMBEDDING
    if any(_CONTROLNET.match(name) for name in names):
        return CONTROLNET
    if kind := kind_of_names([(name,) for name in names]):
        return EMBEDDING if kind.endswith(EMBEDDING) else kind
    if {"ip_adapter", "image_proj"} <= set(keys):
        return "an IP-Adapter"
    if 2 * sum(bool(_LORA.search(name)) for name in names) > len(names):
        return LORA
    parts = {name.partition(".")[0] for name in names}
    whole = {"model", "first_stage_model"} <= parts and {"cond_stage_model", "conditioner"} & parts
    return FILE if whole else WEIGHTS
