"""Group the files of a folder into sets of weights (variants, shards) and files that are never opened. No torch."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from comparer.checkpoints.files.tensors import ENDINGS, TORCH
from comparer.checkpoints.files.weight_sets import half_of
from comparer.errors import ComparerError
from comparer.text import quote

# What training tools save beside the weights.
_NEVER = (
    (re.compile(r"(.*[_.-])?opt(im(izers?|s)?)?([_.-].*)?\.(bin|pt|pth|ckpt|safetensors)", re.IGNORECASE),
     "optimizer state"),
    (re.compile(r"(lr_?)?scheduler.*\.(bin|pt|pth)", re.IGNORECASE), "learning-rate scheduler state"),
    (re.compile(r"(random_states?|rng|rng_state).*\.(pkl|pt|pth|bin)", re.IGNORECASE), "random state"),
    (re.compile(r"(scaler|sampler|dataloader|dl_state|train_dataloader).*\.(bin|pt|pth)", re.IGNORECASE),
     "training state"),
    (re.compile(r"zero_pp_rank_\d+_mp_rank_\d+_model_states\.pt"), "one part of split weights"),
    (re.compile(r"openvino_.*\.bin"), "weights of another framework"),
    (re.compile(r"(args|training_args|trainer_state|callback_states?)\.(bin|pt|pth)", re.IGNORECASE), "training state"),
    (re.compile(r".*\.(pkl|pickle)", re.IGNORECASE), "pickle of any kind"),
    (re.compile(r".*\.(msgpack|h5|onnx|pb|gguf|npz)", re.IGNORECASE), "weights of another framework"),
)  # fmt: skip

# diffusers' and transformers' own names; only in these does a dot begin a variant.
_NAMED = re.compile(
    r"(?P<stem>diffusion_pytorch_model|pytorch_model|model|pytorch_lora_weights)(?:\.(?P<before>[A-Za-z]\w*))?"
    r"(?:-(?P<number>\d+)-of-(?P<count>\d+))?(?:\.(?P<after>[A-Za-z]\w*))?(?P<ending>\.\w+)"
)
STANDARD = ("diffusion_pytorch_model", "pytorch_model", "model", "pytorch_lora_weights")
_SHARD = re.compile(r"(?P<stem>.+)-(?P<number>\d+)-of-(?P<count>\d+)(?P<ending>\.\w+)")


@dataclass(frozen=True)
class WeightsFile:
    """The files that together hold one set of weights.

    Attributes:
        stem: stem of the file names.
        variant: such as ``fp16``; "" for the plain one.
        ending: such as ``.safetensors``.
        files: the shards in order, or one file.
    """

    stem: str
    variant: str
    ending: str
    files: tuple[Path, ...]


def existing_path(text: str | Path) -> Path | None:
    """Return the absolute path that a user's text names, with "~" expanded; None if nothing is there."""
    try:
        path = Path(text).expanduser().absolute()
        return path if text and path.exists() else None
    except (OSError, ValueError, RuntimeError):  # path too long, null character, or unknown user
        return None


def never(name: str) -> str:
    """Return the kind of a file that is never opened, from its name; "" for all other files.

    >>> never("optimizer_1.bin"), never("random_states_0.pkl"), never("rank_0_optim_states.pt")
    ('optimizer state', 'random state', 'optimizer state')
    >>> never("pytorch_model.bin"), never("optimized.safetensors")
    ('', '')
    """
    return next((what for pattern, what in _NEVER if pattern.fullmatch(name)), "")


def weights(folder: Path) -> list[WeightsFile]:
    """List a folder's sets of weights: plain ones first, safetensors before other formats.

    Raises:
        ComparerError: a shard is missing, or an index names a file that is not in this folder.
    """
    found: dict[tuple[str, str, str], list[tuple[Path, int]]] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix not in ENDINGS or never(path.name) or not path.is_file():
            continue
        stem, variant, count = _parsed(path.name)
        found.setdefault((stem, variant, path.suffix), []).append((path, count))
    sets = []
    for (stem, variant, ending), files in found.items():
        counts = {count for _, count in files}
        # A whole file and shards of the same name are two sets; the shards' index decides nothing here.
        for count in sorted(counts):
            paths = tuple(path for path, of in files if of == count)
            if count and len(paths) != count:
                raise ComparerError(
                    f"Shards are missing: {quote(paths[0].name)} is one of {count}, but only {len(paths)} are here."
                )
            sets.append(WeightsFile(stem, variant, ending, paths))
    for index in sorted(folder.glob("*.index*.json")):
        _check(index, bool(sets))
    return sorted(sets, key=lambda each: (bool(each.variant), each.ending in TORCH))


def _parsed(name: str) -> tuple[str, str, int]:
    """Return a weights file's stem, variant, and number of shards, 0 for a whole file."""
    if found := _NAMED.fullmatch(name):
        return found["stem"], found["before"] or found["after"] or "", int(found["count"] or 0)
    if found := _SHARD.fullmatch(name):
        return found["stem"], "", int(found["count"])
    return Path(name).stem, "", 0


def _check(index: Path, others: bool) -> None:
    try:
        names = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        plain = all(isinstance(name, str) and Path(name).name == name for name in names)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ComparerError(f"{quote(index.name)} is a damaged list of shards: {quote(error, 200)}.") from error
    if not plain:
        raise ComparerError(f"{quote(index.name)} names files outside its folder.")
    missing = sorted(name for name in names if not (index.parent / name).is_file())
    if missing and not (others and len(missing) == len(names)):  # all shards of a format that was not downloaded
        raise ComparerError(f"{quote(index.name)} names {quote(missing[0])}, which does not exist.")


def preferred(sets: Sequence[WeightsFile]) -> list[WeightsFile]:
    """Select from a component's folder as diffusers does: standard names first, safetensors before torch files.

    Files whose names say EMA or raw are kept as separate choices.

    >>> [each.stem for each in preferred([WeightsFile("copy", "", ".bin", ()), WeightsFile("model", "", ".bin", ())])]
    ['model']
    """
    named = {each.variant for each in sets if each.stem in STANDARD}
    sets = [each for each in sets if each.stem in STANDARD or each.variant not in named or half_of(each.stem)]
    safe = {(each.variant, half_of(each.stem)) for each in sets if each.ending == ".safetensors"}
    return [s for s in sets if s.ending == ".safetensors" or (s.variant, half_of(s.stem)) not in safe]


def inside(path: Path, within: tuple[Path, ...]) -> None:
    """Check that a path, with links resolved, stays inside the allowed folders; () allows all.

    Raises:
        ComparerError: the path leads outside.
    """
    if within and not any(path.resolve().is_relative_to(root.resolve()) for root in within):
        raise ComparerError(f"'{quote(path.name)}' is outside the checkpoint folders.")
