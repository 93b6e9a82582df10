"""Find catalogue models in the Hub cache, plan downloads and run them. No torch.

Only ``plan``, ``fetch`` and ``scorer_files`` access the network. ``HF_ENDPOINT``, ``HF_HOME``, ``HF_HUB_OFFLINE``
and ``HF_TOKEN`` have the same meaning as in ``huggingface_hub``.
"""

import json
import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from comparer.errors import ComparerError
from comparer.models.download import Job, OnProgress, RemoteFile, bring, listing, measured, watched
from comparer.models.families.base import Model
from comparer.models.families.registry import FAMILIES

# Where open_clip takes OpenAI's ViT-B/32 from, and what it calls every model's weights (a test compares).
SCORER, SCORER_FILE = "timm/vit_base_patch32_clip_224.openai", "open_clip_model.safetensors"

# diffusion_pytorch_model.safetensors, model.fp16-00001-of-00002.safetensors, model.safetensors.index.fp16.json
_WEIGHTS = re.compile(r"(diffusion_pytorch_)?model(\.fp16)?(-\d+-of-\d+)?\.safetensors(\.index(\.fp16)?\.json)?")


@dataclass(frozen=True)
class DownloadPlan:
    """The files that a model is loaded from."""

    files: tuple[RemoteFile, ...]

    @property
    def total(self) -> int:
        """Total bytes of all files."""
        return sum(file.size for file in self.files)

    @property
    def missing(self) -> int:
        """Bytes that are not on this machine yet."""
        return self.total - sum(file.bytes_here() for file in self.files)


def here(model: Model) -> tuple[Path, Path | None] | None:
    """Find a catalogue model on this machine; an incomplete download does not count.

    Returns:
        The diffusers folder and None; where ``model.base`` is set, the denoiser's folder and the folder of all
        other components. None if anything needed for loading is missing.
    """
    if Path(model.source).is_dir():
        return Path(model.source), None
    family = FAMILIES[model.family]
    others = ("vae", *family.text)
    folder = _snapshot(model.source, f"{family.denoiser}/config.json")
    base = _snapshot(model.base, "model_index.json") if model.base else folder
    if folder is None or base is None or not _has_weights(folder / family.denoiser):
        return None
    there = all(_has_weights(base / part) for part in others) and all(
        (base / name).is_file() for name in ("model_index.json", "scheduler/scheduler_config.json")
    )
    tokenizers = [base / part.replace("text_encoder", "tokenizer") for part in family.text]
    if not there or not all(map(has_vocabulary, tokenizers)):
        return None
    return folder, base if model.base else None


def _snapshot(repository: str, name: str) -> Path | None:
    from huggingface_hub import try_to_load_from_cache

    found = try_to_load_from_cache(repository, name)
    return Path(found).parents[name.count("/")] if isinstance(found, str) else None


def _has_weights(part: Path) -> bool:
    try:
        return (part / "config.json").is_file() and any(whole(part, variant) for variant in (None, "fp16"))
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return False  # damaged shard index: the required files are unknown


def whole(part: Path, variant: str | None) -> bool:
    """Return whether a component's folder has all safetensors files of a variant (None: the plain ones)."""
    middle = f".{variant}" if variant else ""
    for stem in ("diffusion_pytorch_model", "model"):
        if (part / f"{stem}{middle}.safetensors").is_file():
            return True
        index = part / f"{stem}.safetensors.index{middle}.json"
        if index.is_file():
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
            return all((part / shard).is_file() for shard in shards)
    return False


def has_vocabulary(tokenizer: Path) -> bool:
    """Return whether a tokenizer's folder has its vocabulary files."""
    known = (("tokenizer.json",), ("vocab.json", "merges.txt"), ("spiece.model",))
    return any(all((tokenizer / name).is_file() for name in names) for names in known)


def plan(model: Model, half: bool = False) -> DownloadPlan:
    """Query the Hub for the files that the model is loaded from, and their sizes.

    Args:
        model: a catalogue model.
        half: use the float16 weights if the repository has them.

    Raises:
        ComparerError: the Hub is unreachable or refuses, or has no safetensors weights of the model.
    """
    return watched(lambda job: _plan(model, half, job))


def _plan(model: Model, half: bool, job: Job) -> DownloadPlan:
    from huggingface_hub.constants import ENDPOINT

    if Path(model.source).is_dir():
        return DownloadPlan(())
    job.text = f"Asking {ENDPOINT.partition('://')[2]} for {model.source}"
    family = FAMILIES[model.family]
    others = ("vae", *family.text)
    if model.base:
        needed = _needed(listing(model.source, job), (family.denoiser,), half, whole_pipeline=False)
        needed += _needed(listing(model.base, job), others, half, whole_pipeline=True)
    else:
        needed = _needed(listing(model.source, job), (family.denoiser, *others), half, whole_pipeline=True)
    return DownloadPlan(tuple(map(measured, needed)))


def _needed(
    files: dict[str, RemoteFile], parts: Collection[str], half: bool, whole_pipeline: bool
) -> tuple[RemoteFile, ...]:
    """Choose the files that diffusers reads: no other format, no second copy of the weights, no safety checker.

    Args:
        files: of one repository, by name.
        parts: its components that have weights.
        half: prefer the float16 weights.
        whole_pipeline: take the index, the scheduler and the tokenizers too.
    """
    needed = [name for name in files if whole_pipeline and name == "model_index.json"]
    for name in map(PurePosixPath, files):
        part = str(name.parent)
        small = name.suffix in (".json", ".txt", ".model") and ".index." not in name.name
        if small and (part in parts or (whole_pipeline and re.fullmatch(r"scheduler|tokenizer(_\d)?", part))):
            needed.append(str(name))
    for part in parts:
        variants: dict[bool, list[str]] = {True: [], False: []}
        for name in map(PurePosixPath, files):
            if str(name.parent) == part and _WEIGHTS.fullmatch(name.name):
                variants[".fp16" in name.name].append(str(name))
        chosen = variants[half] or variants[not half]
        if not any(name.endswith(".safetensors") for name in chosen):
            repository = next(iter(files.values())).repository if files else "The repository"
            raise ComparerError(f"{repository} has no safetensors weights for its {part}.")
        needed += chosen
    return tuple(files[name] for name in sorted(needed))


def fetch(
    model: Model,
    half: bool = False,
    on_progress: OnProgress | None = None,
    stop: Callable[[], bool] | None = None,
) -> None:
    """Download the missing files of a catalogue model into the Hub cache; do nothing if it is complete.

    Partial downloads are kept after a stop or an error, and the next call resumes from there.

    Args:
        model: a catalogue model.
        half: use the float16 weights if the repository has them.
        on_progress: called in the caller's thread with bytes done, total bytes (0 until known) and a text.
        stop: checked ten times per second.

    Raises:
        Stopped: ``stop`` returned true.
        ComparerError: the model is unavailable; raised within seconds, with a one-sentence reason.
    """
    if not here(model):
        watched(lambda job: bring(_plan(model, half, job).files, model.title, job), on_progress, stop)


def scorer_files(
    wanted: Mapping[str, tuple[str, ...]],
    on_progress: OnProgress | None = None,
    stop: Callable[[], bool] | None = None,
) -> dict[str, Path]:
    """Return the folders of a scorer's files, downloading them if any is missing; OpenAI's ViT-B/32 has 605 MB.

    Args:
        wanted: the names of the files by Hub repository.
        on_progress: as for ``fetch``.
        stop: as for ``fetch``.

    Returns:
        by repository, the folder that holds them all.

    Raises:
        Stopped: ``stop`` returned true.
        ComparerError: the files are unavailable; raised within seconds, with a one-sentence reason.
    """

    def work(job: Job) -> None:
        job.text = "Looking for the scorer"
        found = []
        for repository, names in wanted.items():
            files = listing(repository, job)
            if missing := [name for name in names if name not in files]:
                raise ComparerError(f"{repository} has no {missing[0]}.")
            found += [measured(files[name]) for name in names]
        bring(tuple(found), "the scorer", job)

    if _folders(wanted) is None:
        watched(work, on_progress, stop)
    folders = _folders(wanted)
    assert folders is not None  # they were just brought
    return folders


def _folders(wanted: Mapping[str, tuple[str, ...]]) -> dict[str, Path] | None:
    """Return the folders of files in the cache, by repository; None if any file is missing."""
    found = {}
    for repository, names in wanted.items():
        folders = [_snapshot(repository, name) for name in names]
        if None in folders or not folders[0]:
            return None
        found[repository] = folders[0]
    return found
