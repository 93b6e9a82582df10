"""The weights card of ``run.json``: every file with its hash, every component with what was loaded into it."""

from collections import Counter
from collections.abc import Collection
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from comparer.checkpoints.files.components import head
from comparer.checkpoints.files.layout import Layout
from comparer.checkpoints.inspection.card import blob
from comparer.checkpoints.read import Checkpoint
from comparer.checkpoints.sources import seen
from comparer.checkpoints.spec import Weights
from comparer.pipelines.build import Filled
from comparer.pipelines.loader import Loaded


@dataclass
class WeightFile:
    """A file of weights.

    Attributes:
        size: bytes.
        sha256: of its content, 64 hexadecimal digits.
        blob: the Hub cache's name for the content; "" elsewhere.
        format: "safetensors" or "torch".
        fills: the components it fills; "LoRA" for a LoRA.
        weight: a LoRA's weight, -10 to 10; left out for other files.
    """

    size: int
    sha256: str
    blob: str
    format: str
    fills: list[str] = field(default_factory=list)
    weight: float | None = None


@dataclass(frozen=True)
class ComponentCard(Filled):
    """A component of a pipeline and what was loaded into it.

    Attributes:
        present: the halves ("ema", "raw", or "" if unknown) that the checkpoint has of it.
        of: the folder or file that it comes from.
        instead_of: the checkpoint whose own component it replaces; "" for none.
    """

    present: list[str] = field(default_factory=list)
    of: str = ""
    instead_of: str = ""


@dataclass
class PipelineConfigs:
    """Settings of the pipeline that shape its images.

    Attributes:
        scheduler: class of the checkpoint's own scheduler.
        prediction_type: what the denoiser predicts.
        prediction_reason: how that is known.
        vae_scaling_factor: the VAE's scaling factor; null if it has none.
        configurations_of: checkpoint whose configs were used.
        rescale_betas_zero_snr: whether the betas are rescaled to zero terminal SNR.
    """

    scheduler: str
    prediction_type: str
    prediction_reason: str
    vae_scaling_factor: float | None
    configurations_of: str
    rescale_betas_zero_snr: bool = False


@dataclass
class WeightsCard:
    """The weights that an arm ran with.

    Attributes:
        name: name of the checkpoint, as requested.
        title: name for people.
        family: a model family of docs/accelerators.md.
        variant: variant of the weight files, such as "fp16", or "default".
        revision: commit on the Hub; "" for a local checkpoint.
        base_revision: the same of the repository that has the other components.
        weights: the requested weights.
        says: the same as one line.
        files: by name in the checkpoint.
        not_read: by name, why a file was not read.
        passed_over: keys of training dictionaries that were not read.
        components: by name, the denoiser first.
        extra: number of tensors that belong to no component, by the first word of their names.
        configs: settings of the pipeline.
        dtype: dtype that the weights run in.
        dtype_reason: why it was chosen.
        identical: what the weights are identical to although a LoRA or a VAE was added.
        adapted: files that diffusers by itself would load with other names or other scales.
    """

    name: str
    title: str
    family: str
    variant: str
    revision: str
    base_revision: str
    weights: Weights
    says: str
    files: dict[str, WeightFile]
    not_read: dict[str, str]
    passed_over: list[str]
    components: dict[str, ComponentCard]
    extra: dict[str, int]
    configs: PipelineConfigs
    dtype: str = ""
    dtype_reason: str = ""
    identical: list[str] = field(default_factory=list)
    adapted: list[str] = field(default_factory=list)


def weights_card(loaded: Loaded, hashes: Any) -> dict[str, Any]:
    """Return the ``WeightsCard`` of a loaded checkpoint as plain data.

    Args:
        loaded: the checkpoint with its pipeline.
        hashes: a ``fingerprint.Hashes``.
    """
    checkpoint, built = loaded.checkpoint, loaded.built
    frame = checkpoint.base or checkpoint.folder
    files: dict[str, WeightFile] = {}
    held: dict[str, ComponentCard] = {}
    titles: dict[Path, str] = {}
    for name, each in built.components.items():
        source, own = each.source, {item.name: getattr(each.filled, item.name) for item in fields(Filled)}
        for file in source.files:
            if file not in titles:
                titles[file] = _apart(file, _title(file, source.path), files)
                files[titles[file]] = _file(file, hashes)
            files[titles[file]].fills.append(name)
        held[name] = ComponentCard(
            **own | {"files": tuple(titles[file] for file in source.files)},
            present=[part.half for part in _layout(checkpoint, source.path).of(source.part.component)],
            of=source.path.name,
            instead_of=frame.name if source.path not in (frame, checkpoint.folder) else "",
        )
    for file, weight in checkpoint.loras:
        lora = _file(file, hashes)
        lora.fills, lora.weight = ["LoRA"], weight
        files[_apart(file, file.name, files)] = lora
    layouts = [_layout(checkpoint, path) for path in dict.fromkeys(e.source.path for e in built.components.values())]
    card = WeightsCard(
        **checkpoint.record(),
        weights=checkpoint.weights,
        says=checkpoint.weights.text(),
        files=files,
        not_read={file.name: file.why for layout in layouts for file in layout.files if file.format == "not read"},
        passed_over=[key for layout in layouts for key in layout.not_read],
        components=held,
        extra=dict(Counter(head(tensor.name) for layout in layouts for tensor in layout.extra)),
        configs=PipelineConfigs(
            scheduler=built.scheduler.get("_class_name", type(built.pipe.scheduler).__name__),
            prediction_type=built.scheduler.get("prediction_type", "epsilon"),
            prediction_reason=built.prediction_reason,
            vae_scaling_factor=built.components["vae"].module.config.get("scaling_factor"),
            configurations_of=frame.name,
            rescale_betas_zero_snr=bool(built.scheduler.get("rescale_betas_zero_snr")),
        ),
        dtype=loaded.dtype,
        dtype_reason=loaded.dtype_reason,
        identical=list(built.identical),
        adapted=list(built.adapted),
    )
    data = asdict(card)
    for file_data in data["files"].values():
        if file_data["weight"] is None:
            del file_data["weight"]
    for name, component in data["components"].items():
        component["health"]["sound"] = held[name].health.sound
    return data


def _layout(checkpoint: Checkpoint, path: Path) -> Layout:
    whole = path in (checkpoint.folder, checkpoint.base)
    return seen(path, checkpoint.within, checkpoint.parts if whole else ())


def _title(file: Path, path: Path) -> str:
    return file.relative_to(path).as_posix() if path.is_dir() and file.is_relative_to(path) else file.name


def _apart(file: Path, title: str, others: Collection[str]) -> str:
    """Put folders before a file's title until no other file has it."""
    while title in others and title != str(file):
        title = "/".join(file.parts[-len(Path(title).parts) - 1 :])
    return title if title not in others else f"{title} ({len(others)})"


def _file(file: Path, hashes: Any) -> WeightFile:
    kind = "safetensors" if file.suffix == ".safetensors" else "torch"
    return WeightFile(file.stat().st_size, hashes.of(file), blob(file), kind)
