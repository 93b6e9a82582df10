"""What a checkpoint says about the schedule it was trained for: marks, metadata and configs. No torch."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.checkpoints.files.components import COMPONENTS
from comparer.checkpoints.files.folders import inside
from comparer.checkpoints.files.layout import Layout
from comparer.checkpoints.read import check_schedule, read_json
from comparer.errors import ComparerError
from comparer.text import quote

EPSILON, V = "epsilon", "v_prediction"
_SAID = {"epsilon": EPSILON, "eps": EPSILON, "v": V, "v_prediction": V, "v-prediction": V, "v_pred": V, "vpred": V,
         "velocity": V}  # fmt: skip
# Last words of metadata keys. ComfyUI writes predict_key, kohya's scripts ss_…, the original code parameterization.
_TYPED = ("prediction_type", "predict_key", "parameterization")
_V = ("ss_v_parameterization", "v_parameterization", "v_pred", "v_prediction")
_ZERO_SNR = ("ss_zero_terminal_snr", "zero_terminal_snr", "ztsnr", "rescale_betas_zero_snr")
_ARCHITECTURES = {"stable-diffusion-v2-768-v": V, "stable-diffusion-v2-512": EPSILON}
_YAML = re.compile(r"^\s*parameterization:\s*[\"']?(\w+)", re.MULTILINE)


@dataclass(frozen=True)
class Evidence:
    """What files say about the schedule of their weights.

    Attributes:
        prediction: "epsilon", "v_prediction", or "" if nothing says it.
        reason: what says it, as a part of a sentence; "" if nothing does.
        zero_snr: what marks zero terminal SNR, as a part of a sentence; "" if nothing does.
    """

    prediction: str = ""
    reason: str = ""
    zero_snr: str = ""


def evidence(layout: Layout, settled: bool = False) -> Evidence:
    """Return what a checkpoint's tensors, metadata and .yaml say about its schedule.

    Args:
        layout: layout of the file or folder with the denoiser.
        settled: whether the user chose the prediction type; contradictions, and types that are not served, are then
            no error.

    Raises:
        ComparerError: the noise levels are EDM's, the prediction type is not served, or two marks contradict.
    """
    name = quote(Path(layout.path).name)
    marks = {tensor.name for tensor in (*layout.extra, *(t for part in layout.parts for t in part.tensors))}
    if edm := sorted(mark for mark in marks if mark.startswith("edm_")):
        raise ComparerError(f"'{name}' has '{quote(edm[0])}', the mark of EDM's noise levels, which are not supported.")
    found = list(_said(layout, marks, settled))
    kinds = {kind for kind, _ in found}
    zero = next(_zero_snr(layout.metadata or {}, marks), "")
    if zero and EPSILON not in kinds:
        found.append((V, f"{zero} means no signal at the last timestep, which needs v-prediction"))
    elif zero and V not in kinds:
        found.append((V, zero))  # no image can be computed from epsilon where there is no signal
    reasons = dict(reversed(found))  # the first of each kind
    if len(reasons) > 1 and not settled:
        raise ComparerError(
            f"'{name}' contradicts itself: {reasons[EPSILON]}, and {reasons[V]}; add prediction=epsilon or "
            "prediction=v."
        )
    kind, reason = found[0] if found else ("", "")
    return Evidence(kind, reason, zero)


def _said(layout: Layout, marks: set[str], settled: bool) -> Iterator[tuple[str, str]]:
    """Yield every statement of the prediction type: the type and what says it."""
    metadata = layout.metadata or {}
    for key, value in metadata.items():
        word, told = key.rpartition(".")[2], value.strip().lower()
        if word in _TYPED and told not in ("", "none"):
            if told not in _SAID and not settled:
                raise ComparerError(f"The prediction type '{quote(value)}' in the file's metadata is not supported.")
            whole = "" if key == "modelspec.prediction_type" else f"{quote(key)} "
            yield _SAID.get(told, quote(told)), f"the file's metadata says {whole}'{quote(value)}'"
        elif word in _V and told in ("true", "1"):
            yield V, f"the file's metadata says {quote(key)}"
        elif word == "architecture" and (kind := _ARCHITECTURES.get(told.partition("/")[0])):  # "…/lora"
            yield kind, f"the file's metadata says '{quote(value)}'"
    if "v_pred" in marks:
        yield V, "the file has the mark 'v_pred'"
    beside = Path(layout.path).with_suffix(".yaml")  # the original code's config
    if Path(layout.path).is_file() and beside.is_file() and not beside.is_symlink() and beside.stat().st_size < 10**6:
        found = _YAML.search(beside.read_text(encoding="utf-8", errors="replace"))
        if found and (kind := _SAID.get(found[1].lower())):
            yield kind, f"'{quote(beside.name)}' beside it says '{quote(found[1])}'"


def _zero_snr(metadata: dict[str, str], marks: set[str]) -> Iterator[str]:
    if "ztsnr" in marks:
        yield "the mark 'ztsnr'"
    for key, value in metadata.items():
        if key.rpartition(".")[2] in _ZERO_SNR and value.strip().lower() in ("true", "1"):
            yield f"the metadata's {quote(key)}"


def own_scheduler(path: Path, within: tuple[Path, ...]) -> dict[str, Any]:
    """Return the scheduler config that belongs to weights at a path; {} if there is none.

    It is in the folder itself, or beside a component's folder.

    Raises:
        ComparerError: it is damaged, not served, or may not be read.
    """
    folder = path if path.is_dir() else path.parent
    roots = [folder, *([folder.parent] if folder.name.removesuffix("_ema") in COMPONENTS else [])]
    for root in roots:
        if (file := root / "scheduler" / "scheduler_config.json").is_file():
            inside(file, within)
            try:
                found = read_json(file)
                check_schedule(root.name, found)
            except (OSError, ValueError, TypeError, AttributeError, RecursionError) as error:
                raise ComparerError(f"'{quote(root.name)}' has a damaged scheduler: {quote(error, 200)}.") from error
            return found
    return {}
