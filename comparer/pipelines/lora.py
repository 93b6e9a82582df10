"""Add a LoRA to the weights of a pipeline, wholly or not at all."""

import re
import tempfile
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from comparer.checkpoints.files.components import COMPONENTS, Lora
from comparer.checkpoints.files.tensors import Tensor, reading
from comparer.checkpoints.inspection.fingerprint import digest
from comparer.checkpoints.read import Checkpoint
from comparer.checkpoints.sources import seen
from comparer.errors import ComparerError
from comparer.text import quote

ADAPTER = "added"
NAMED = 3  # maximum number of keys named in a message
# What PEFT, torch.compile, DistributedDataParallel and ComfyUI's layout put around a layer's own name.
_WRAPPERS = re.compile(r"(?:^|(?<=\.))(?:base_model\.model|_orig_mod|module|model\.diffusion_model|diffusion_model)\.")
_KEY = re.compile(r"(?P<layer>.+?)\.(?P<side>lora_[AB]|lora[._](?:down|up))(?:\.(?P<adapter>\w+))?\.weight")


def add_lora(pipe: Any, file: Path, weight: float, checkpoint: Checkpoint) -> None:
    """Add a LoRA to the weights themselves, as ``fuse_lora`` does; accelerators then see a plain module.

    Args:
        pipe: the pipeline, on the CPU.
        file: the LoRA's file.
        weight: its weight, -10 to 10.
        checkpoint: the checkpoint of the pipeline.

    Raises:
        ComparerError: a key of the file finds no place in the pipeline, or is not of a LoRA.
    """
    layout = seen(file, checkpoint.within)
    tensors, lora = [tensor for part in layout.parts for tensor in part.tensors], layout.lora
    assert lora is not None  # checked when it was found
    if not hasattr(pipe, "load_lora_weights"):
        raise ComparerError(f"diffusers cannot add a LoRA to {checkpoint.family.title}.")
    if lora.unpaired or lora.others:
        alone, foreign = ("without the matching tensor", lora.unpaired), ("that do not belong to a LoRA", lora.others)
        what = alone if lora.unpaired else foreign
        raise ComparerError(
            f"'{quote(file.name)}' contains {len(what[1])} tensors {what[0]} ({quote(what[1][0])}): it was not added."
        )
    renamed = plain_names([tensor.name for tensor in tensors], _modules(pipe), checkpoint.family.denoiser)
    try:
        _load(pipe, file, tensors, renamed)
    except (LookupError, ValueError, RuntimeError) as error:
        why = quote(next((line.strip() for line in str(error).split("\n")[1:] if line.strip()), error), 200)
        raise ComparerError(
            f"'{quote(file.name)}' is a LoRA of another model: diffusers cannot add it to {checkpoint.model.title} "
            f"({why}){_homeless(renamed, _modules(pipe))}."
        ) from error
    if unused := _unused(pipe, tensors):
        taken, asked = _layers(pipe, lora)
        told = f"{len(unused)} of its {len(tensors)} keys match no layer ({_few(unused)})"
        pipe.unload_lora_weights()
        if taken < asked:
            raise ComparerError(
                f"'{quote(file.name)}' is a LoRA of another model: only {taken} of its {asked} layers exist in "
                f"{checkpoint.model.title}; {told}."
            )
        raise ComparerError(f"'{quote(file.name)}' was not added to {checkpoint.model.title}: {told}.")
    pipe.fuse_lora(lora_scale=weight, adapter_names=[ADAPTER])
    pipe.unload_lora_weights()


def plain_names(names: Iterable[str], modules: dict[str, set[str]], denoiser: str) -> dict[str, str]:
    """Return the name of each key without what training loops, PEFT and torch.compile leave in it.

    A key is renamed only where its place is then unambiguous: the layer exists in the component that the key names or,
    without one, in exactly one component. Kohya's names, which are of another form, stay.

    Args:
        names: the keys of a LoRA.
        modules: by component, the names of its modules.
        denoiser: the component of keys that begin with ``diffusion_model.``.

    Returns:
        By name; a name that stays is its own.

    >>> plain_names(["unet._orig_mod.a.lora_A.default.weight"], {"unet": {"a"}}, "unet")
    {'unet._orig_mod.a.lora_A.default.weight': 'unet.a.lora_A.weight'}
    """
    names = list(names)
    keys = {name: found for name in names if (found := _KEY.fullmatch(name))}
    adapters = {found["adapter"] for found in keys.values()}
    made = {name: name for name in names}
    for name, found in keys.items():
        layer = _WRAPPERS.sub("", found["layer"])
        first, _, rest = layer.partition(".")
        if rest not in modules.get(first, ()) and (short := rest.removeprefix("text_model.")) in modules.get(first, ()):
            rest = short  # transformers 5 has the text model's layers without this word
        homes = [each for each, inside in modules.items() if (rest if first == each else layer) in inside]
        if first in modules:
            homes, layer = [each for each in homes if each == first], rest
        elif "diffusion_model." in found["layer"]:
            homes = [each for each in homes if each == denoiser]
        if len(homes) == 1 and len(adapters) == 1:
            made[name] = f"{homes[0]}.{layer}.{found['side']}.weight"
    several = {new for new, count in Counter(made.values()).items() if count > 1}
    return {name: name if new in several else new for name, new in made.items()}


def _modules(pipe: Any) -> dict[str, set[str]]:
    """Return the names of the modules of every component that a LoRA can change."""
    loadable = {name: getattr(pipe, name, None) for name in pipe._lora_loadable_modules if name in COMPONENTS}
    return {name: {inside for inside, _ in module.named_modules()} for name, module in loadable.items() if module}


def _load(pipe: Any, file: Path, tensors: list[Tensor], renamed: dict[str, str]) -> None:
    """Load a LoRA as an adapter; with other names from a copy of the file, which keeps its metadata."""
    options = {"adapter_name": ADAPTER, "local_files_only": True}
    if all(name == new for name, new in renamed.items()):
        pipe.load_lora_weights(file.parent, weight_name=file.name, **options)
        return
    from safetensors import safe_open
    from safetensors.torch import save_file

    metadata = None
    if file.suffix == ".safetensors":
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata()
    with tempfile.TemporaryDirectory() as folder, reading(tensors) as read:
        values = {renamed[tensor.name]: read(tensor).contiguous().clone() for tensor in tensors}
        save_file(values, Path(folder) / "lora.safetensors", metadata or {"format": "pt"})
        pipe.load_lora_weights(folder, weight_name="lora.safetensors", **options)


def _unused(pipe: Any, tensors: list[Tensor]) -> list[str]:
    """List the matrices of a file whose values are in no layer of the loaded adapter."""
    matrices = [tensor for tensor in tensors if len(tensor.shape) > 1]
    loaded: dict[Any, Counter[str]] = {}
    for module in filter(None, (getattr(pipe, name, None) for name in pipe._lora_loadable_modules)):
        for layer in module.modules():
            for side in (getattr(layer, "lora_A", {}), getattr(layer, "lora_B", {})):
                if ADAPTER in side:
                    value = side[ADAPTER].weight.detach().cpu()
                    loaded.setdefault(value.dtype, Counter())[_digest(value)] += 1
    unused = []
    with reading(matrices) as read:
        for tensor in matrices:
            value = read(tensor)
            for dtype, found in loaded.items():
                known = _digest(value.to(dtype))
                if found[known]:
                    found[known] -= 1
                    break
            else:
                unused.append(tensor.name)
    return unused


def _digest(value: Any) -> str:
    (one,) = digest("", value)
    return one


def _layers(pipe: Any, lora: Lora) -> tuple[int, int]:
    """Return how many layers of the pipeline have the adapter, and how many the file has."""
    modules = filter(None, (getattr(pipe, name, None) for name in pipe._lora_loadable_modules))
    taken = sum(ADAPTER in getattr(each, "lora_A", {}) for module in modules for each in module.modules())
    return taken, sum(count for counted in lora.ranks.values() for count in counted.values())


def _homeless(renamed: dict[str, str], modules: dict[str, set[str]]) -> str:
    """Say which keys name a layer that is nowhere, of those whose form tells it; "" for none."""
    places = {f"{name}.{inside}" for name, layers in modules.items() for inside in layers}
    lost = [
        name for name, new in renamed.items() if (found := _KEY.fullmatch(new)) and "." in found["layer"]
        and found["layer"] not in places
    ]  # fmt: skip
    return f"; {len(lost)} of its {len(renamed)} keys match no layer ({_few(lost)})" if lost else ""


def _few(names: list[str]) -> str:
    return ", ".join(quote(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
