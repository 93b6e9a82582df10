"""Add a LoRA to the weights of a pipeline, wholly or not at all."""

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from comparer.checkpoints.files.components import COMPONENTS, Lora, kohya_component, lora_place
from comparer.checkpoints.files.tensors import Tensor, reading
from comparer.checkpoints.inspection.fingerprint import digest
from comparer.checkpoints.read import Checkpoint
from comparer.checkpoints.sources import seen
from comparer.errors import ComparerError
from comparer.pipelines.lora_names import KEY, plain_names
from comparer.pipelines.lora_scale import scales
from comparer.text import quote

ADAPTER = "added"
NAMED = 3  # maximum number of keys named in a message


def add_lora(pipe: Any, file: Path, weight: float, checkpoint: Checkpoint) -> bool:
    """Add a LoRA to the weights themselves, as ``fuse_lora`` does; accelerators then see a plain module.

    Args:
        pipe: the pipeline, on the CPU.
        file: the LoRA's file.
        weight: its weight, -10 to 10.
        checkpoint: the checkpoint of the pipeline.

    Returns:
        Whether diffusers, given the file itself, adds the same.

    Raises:
        ComparerError: a key of the file matches no layer of the pipeline, or is not of a LoRA.
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
    factors = scales(layout, file, checkpoint.within)
    renamed = plain_names([tensor.name for tensor in tensors], _modules(pipe), checkpoint.family.denoiser)
    kept = _kept(tensors, renamed)
    plain = len(kept) == len(tensors) and all(name == new for name, new in renamed.items())
    usual = plain or _usual(tensors, factors)
    try:
        with _quiet():
            by_itself = {} if usual else _by_itself(pipe, file)
            _load(pipe, file, () if plain else kept, renamed)
    except (LookupError, ValueError, RuntimeError) as error:
        why = quote(next((line.strip() for line in str(error).split("\n")[1:] if line.strip()), error), 200)
        raise ComparerError(
            f"'{quote(file.name)}' is a LoRA of another model: diffusers cannot add it to {checkpoint.model.title} "
            f"({why}){_homeless(renamed, _modules(pipe))}."
        ) from error
    homes = _homes(pipe, tensors)
    if unused := [t.name for t in tensors if len(t.shape) > 1 and t.name not in homes]:
        taken, asked = _layers(pipe, lora)
        told = f"{len(unused)} of its {len(tensors)} keys match no layer ({_few(unused)})"
        pipe.unload_lora_weights()
        if taken < asked:
            raise ComparerError(
                f"'{quote(file.name)}' is a LoRA of another model: only {taken} of its {asked} layers exist in "
                f"{checkpoint.model.title}; {told}."
            )
        raise ComparerError(f"'{quote(file.name)}' was not added to {checkpoint.model.title}: {told}.")
    _scale(pipe, homes, renamed, factors)
    same = usual or by_itself == _values(pipe)
    pipe.fuse_lora(lora_scale=weight, adapter_names=[ADAPTER])
    pipe.unload_lora_weights()
    return same


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence what diffusers says of a LoRA's keys, for example that a component has none: they are checked here."""
    from diffusers.utils import logging

    level = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(level)


def _modules(pipe: Any) -> dict[str, set[str]]:
    """Return the names of the modules of every component that a LoRA can change."""
    loadable = {name: getattr(pipe, name, None) for name in pipe._lora_loadable_modules if name in COMPONENTS}
    return {name: {inside for inside, _ in module.named_modules()} for name, module in loadable.items() if module}


def _kept(tensors: list[Tensor], renamed: dict[str, str]) -> list[Tensor]:
    """Return what diffusers reads: an alpha beside kohya's names only, the others are applied later."""
    kohya = any(
        name == new and kohya_component(name) and lora_place(name)[1] != "alpha" for name, new in renamed.items()
    )
    return tensors if kohya else [tensor for tensor in tensors if lora_place(tensor.name)[1] != "alpha"]


def _usual(tensors: list[Tensor], factors: dict[str, float]) -> bool:
    """Return whether a file has kohya's names and one rank and factor, as diffusers reads them well."""
    sides = [tensor for tensor in tensors if lora_place(tensor.name)[1] in ("down", "up")]
    ranks = {tensor.shape[0] for tensor in sides if lora_place(tensor.name)[1] == "down"}
    return all(kohya_component(each.name) for each in sides) and len(ranks) == len(set(factors.values())) == 1


def _by_itself(pipe: Any, file: Path) -> dict[str, tuple[str, str, float]]:
    """Return what diffusers, given the file itself, would add; {} if it cannot."""
    try:
        pipe.load_lora_weights(file.parent, weight_name=file.name, adapter_name=ADAPTER, local_files_only=True)
        return _values(pipe)
    except (LookupError, ValueError, RuntimeError, TypeError, AttributeError):
        return {}
    finally:
        pipe.unload_lora_weights()


def _values(pipe: Any) -> dict[str, tuple[str, str, float]]:
    """Return of every layer of the adapter the digests of its matrices and its factor."""
    found = {}
    for path, layer in _layers_of(pipe):
        down, up = (_digest(side[ADAPTER].weight.detach().cpu()) for side in (layer.lora_A, layer.lora_B))
        found[path] = down, up, layer.scaling[ADAPTER]
    return found


def _load(pipe: Any, file: Path, kept: Sequence[Tensor], renamed: dict[str, str]) -> None:
    """Load a LoRA as an adapter: the file itself or, with ``kept``, a copy of these tensors that has its metadata."""
    options = {"adapter_name": ADAPTER, "local_files_only": True}
    if not kept:
        pipe.load_lora_weights(file.parent, weight_name=file.name, **options)
        return
    from safetensors import safe_open
    from safetensors.torch import save_file

    metadata = None
    if file.suffix == ".safetensors":
        with safe_open(file, "pt") as opened:
            metadata = opened.metadata()
    with tempfile.TemporaryDirectory() as folder, reading(kept) as read:
        values = {renamed[tensor.name]: read(tensor).contiguous().clone() for tensor in kept}
        save_file(values, Path(folder) / "lora.safetensors", metadata or {"format": "pt"})
        pipe.load_lora_weights(folder, weight_name="lora.safetensors", **options)


def _homes(pipe: Any, tensors: list[Tensor]) -> dict[str, list[Any]]:
    """Return by name of a matrix the layers of the loaded adapter that hold its values; a name without one is left out.

    Every layer is found at most as often as it holds the values.
    """
    matrices = [tensor for tensor in tensors if len(tensor.shape) > 1]
    held: dict[Any, dict[str, list[Any]]] = {}
    for _, layer in _layers_of(pipe):
        for side in (layer.lora_A, layer.lora_B):
            value = side[ADAPTER].weight.detach().cpu()
            held.setdefault(value.dtype, {}).setdefault(_digest(value), []).append(layer)
    homes, taken = {}, Counter[tuple[Any, str]]()
    with reading(matrices) as read:
        for tensor in matrices:
            value = read(tensor)
            for dtype, found in held.items():
                known = _digest(value.to(dtype))
                if taken[dtype, known] < len(found.get(known, ())):
                    taken[dtype, known] += 1
                    homes[tensor.name] = found[known]
                    break
    return homes


def _scale(pipe: Any, homes: dict[str, list[Any]], renamed: dict[str, str], factors: dict[str, float]) -> None:
    """Give every layer of the adapter its factor.

    A layer is found by its name or, where only diffusers knows it, by its values; of those that then cannot be told
    apart, with equal matrices and unequal factors, diffusers' own factors stay.
    """
    paths = {id(layer): path for path, layer in _layers_of(pipe)}
    sides: dict[str, list[list[Any]]] = {}
    for name, layers in homes.items():
        named = [layer for layer in layers if renamed[name].startswith(f"{paths[id(layer)]}.lora")]
        sides.setdefault(lora_place(name)[0], []).append(named or layers)
    asked: dict[int, tuple[Any, set[float]]] = {}
    for name, factor in factors.items():
        first, *others = sides[name]
        for layer in (each for each in first if all(any(each is same for same in other) for other in others)):
            asked.setdefault(id(layer), (layer, set()))[1].add(factor)
    for layer, found in asked.values():
        if len(found) == 1:
            layer.scaling[ADAPTER] = found.pop()


def _layers_of(pipe: Any) -> list[tuple[str, Any]]:
    """Return the layers of a pipeline that have the adapter, with their names."""
    modules = [(name, getattr(pipe, name, None)) for name in pipe._lora_loadable_modules]
    return [(f"{name}.{path}", layer) for name, module in modules if module
            for path, layer in module.named_modules() if ADAPTER in getattr(layer, "lora_A", {})]  # fmt: skip


def _digest(value: Any) -> str:
    (one,) = digest("", value)
    return one


def _layers(pipe: Any, lora: Lora) -> tuple[int, int]:
    """Return how many layers of the pipeline have the adapter, and how many the file has."""
    taken = len(_layers_of(pipe))
    return taken, sum(count for counted in lora.ranks.values() for count in counted.values())


def _homeless(renamed: dict[str, str], modules: dict[str, set[str]]) -> str:
    """Say which keys name a layer that is nowhere, of those whose form tells it; "" for none."""
    places = {f"{name}.{inside}" for name, layers in modules.items() for inside in layers}
    lost = [
        name for name, new in renamed.items() if (found := KEY.fullmatch(new)) and "." in found["layer"]
        and found["layer"] not in places
    ]  # fmt: skip
    return f"; {len(lost)} of its {len(renamed)} keys match no layer ({_few(lost)})" if lost else ""


def _few(names: list[str]) -> str:
    return ", ".join(quote(name) for name in names[:NAMED]) + (", …" if len(names) > NAMED else "")
