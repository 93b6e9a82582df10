"""Load, cache and free checkpoint pipelines. One copy of the weights serves every arm."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from comparer.assets import ASSETS
from comparer.checkpoints.read import Checkpoint, state
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.libraries import prepare
from comparer.pipelines.device import choose_device, choose_dtype, empty
from comparer.pipelines.memory import out_of_memory, remedies


@dataclass(frozen=True)
class Loaded:
    """A pipeline on its device, with the choices that were made for it and their reasons."""

    checkpoint: Checkpoint
    pipe: Any
    scheduler_config: dict
    device: str
    device_reason: str
    dtype: str
    dtype_reason: str
    offload: str
    vae: str
    files: tuple = ()  # as returned by ``read.state``: a folder whose files were replaced is loaded again
    built: Any = None  # assemble.Assembled

    @property
    def components(self) -> dict[str, Any]:
        """Return the ``assemble.Component`` objects by name."""
        return self.built.components if self.built else {}


_kept: list[Loaded] = []


def load(checkpoint: Checkpoint, config: Config, beside: Collection[Loaded] = ()) -> Loaded:
    """Load a checkpoint, or return the cached pipeline; the least recently used is freed before another is loaded.

    Equal components are shared with the cached pipelines, unless weights are offloaded to main memory.

    Args:
        checkpoint: the checkpoint to load.
        config: the installation's configuration.
        beside: pipelines that must stay loaded.

    Raises:
        ComparerError: the device does not exist or does not support the configuration, diffusers cannot load the
            folder, or there is not enough memory.
    """
    prepare(scorer=False)
    device, reason = choose_device(config.device)
    dtype, why = choose_dtype(checkpoint, device, checkpoint.weights.dtype or config.dtype)
    if config.offload != "none" and device == "cpu":
        raise ComparerError(f"Offload '{config.offload}' needs a GPU: start with --offload none on this machine.")
    key = checkpoint, device, dtype, config.offload, config.vae, state(*checkpoint.paths())
    if found := _again(key):
        return found
    _evict(max(config.cached_pipelines - 1, len(beside)), beside)
    pipe = built = None
    try:
        built = _from_files(checkpoint, dtype, device, config)
        if checkpoint.weights.dtype and choose_dtype(checkpoint, device, config.dtype)[0] == dtype:
            built = replace(built, identical=(*built.identical, f"its own dtype, {dtype}"))
        pipe = built.pipe
        pipe.set_progress_bar_config(disable=True)
        if config.vae != "whole":
            getattr(pipe.vae, f"enable_{config.vae}")()
        if config.offload == "none":
            pipe.to(device)
        else:
            getattr(pipe, f"enable_{config.offload.replace('model', 'model_cpu')}_offload")(device=device)
    except ComparerError as error:
        failure = type(error)(f"'{checkpoint.model.name}' could not be loaded: {error}")
    except Exception as error:
        told = out_of_memory(error, device)
        from safetensors import SafetensorError

        known = OSError | ValueError | RuntimeError | LookupError | TypeError | AttributeError | ArithmeticError
        if not told and not isinstance(error, known | SafetensorError):
            raise
        first = f"{told}; try {remedies(config, device)}" if told else _sentence(error)
        failure = ComparerError(f"'{checkpoint.model.name}' could not be loaded: {first}")
    else:
        loaded = Loaded(
            checkpoint,
            pipe,
            built.scheduler,
            device,
            reason,
            dtype,
            why,
            config.offload,
            config.vae,
            key[-1],
            built,
        )
        _kept.append(loaded)
        return loaded
    del pipe, built
    empty()  # outside the handler, because the error's traceback holds what was loaded
    raise failure


def _sentence(error: Exception) -> str:
    """Return the first line of a library's error that says something, without the program's own paths."""
    said = ""
    for line in filter(None, (line.strip() for line in str(error).split("\n"))):
        said = f"{said} {line}".strip()
        if not said.endswith(":"):
            break
    said = said.rstrip(": ").replace(f"{ASSETS}/", "").replace(str(ASSETS), "the program's own files")
    return said or type(error).__name__


def _again(key: tuple) -> Loaded | None:
    """Return the kept pipeline of this key, now the newest; in a function, so that no name here holds another one."""
    for kept in _kept:
        if (kept.checkpoint, kept.device, kept.dtype, kept.offload, kept.vae, kept.files) == key:
            _kept.append(_kept.pop(_kept.index(kept)))
            return kept
    return None


def _evict(most: int, beside: Collection[Loaded]) -> None:
    """Let the longest unused go, but none of those that stay."""
    going = [position for position, kept in enumerate(_kept) if all(kept is not each for each in beside)]
    for position in reversed(going[: max(len(_kept) - most, 0)]):
        _kept.pop(position)
    empty()


def _from_files(checkpoint: Checkpoint, dtype: str, device: str, config: Config) -> Any:
    import diffusers
    from transformers.utils import logging

    from comparer.pipelines.assemble import pipeline

    diffusers.utils.logging.disable_progress_bar()
    logging.disable_progress_bar()
    same = (device, "none", config.vae)
    others = [kept.components for kept in _kept if (kept.device, kept.offload, kept.vae) == same]
    return pipeline(checkpoint, dtype, others if config.offload == "none" else ())


def trim(most: int, first: Loaded | None = None) -> None:
    """Free the least recently used pipelines until ``most`` are cached; ``first`` is freed last."""
    _kept.sort(key=lambda kept: kept is first)
    _evict(most, ())


def free() -> None:
    """Free every cached pipeline and its memory."""
    _kept.clear()
    empty()
