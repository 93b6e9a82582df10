"""Choose the schedule that a denoiser is sampled with: what was asked for, what its files say, or a measurement."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.checkpoints import base_configs
from comparer.checkpoints.read import Checkpoint
from comparer.checkpoints.schedule_evidence import EPSILON, V, evidence, own_scheduler
from comparer.checkpoints.sources import seen
from comparer.text import quote

ASKED = {"epsilon": EPSILON, "v": V}
ZERO_SNR = {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}


@dataclass(frozen=True)
class Schedule:
    """A scheduler config, the reason for its prediction type, and notes on contradictions, a sentence each."""

    config: dict[str, Any]
    reason: str
    notes: tuple[str, ...] = ()


def schedule(checkpoint: Checkpoint, usual: dict[str, Any], unet: Any) -> Schedule:
    """Return the schedule of a checkpoint.

    What the denoiser's own files say replaces the schedule of a base, and a note says so. Where nothing says it, a
    measurement that clearly shows epsilon replaces the base's as well; one that does not is a note.

    Args:
        checkpoint: the checkpoint, which the scheduler config of its base, or its own, belongs to.
        usual: that scheduler config.
        unet: the loaded denoiser.

    Raises:
        ComparerError: what the files say is not served, or contradicts itself.
    """
    path, asked = checkpoint.overlay or checkpoint.folder, ASKED.get(checkpoint.weights.prediction, "")
    layout = seen(path, checkpoint.within, () if checkpoint.overlay or checkpoint.base else checkpoint.parts)
    builtin = base_configs.is_builtin(checkpoint.folder)
    reason, notes = "the scheduler's configuration", []
    config, whose = dict(usual), quote(checkpoint.folder.name)
    own = own_scheduler(path, checkpoint.within) if checkpoint.overlay else {}
    if own:
        config, reason, whose = config | own, f"the scheduler's configuration in '{quote(path.name)}'", "its scheduler"
    before = config.get("prediction_type", EPSILON)
    said = evidence(layout, settled=bool(asked))
    if said.prediction:
        config["prediction_type"], reason = said.prediction, said.reason
    elif builtin and not own:
        told, reason = base_configs.scheduler(layout, None if asked else unet)
        config |= told
    elif checkpoint.overlay and not own and not asked and base_configs.measurable(unet):
        kind, told = base_configs.measured(unet)
        if kind == EPSILON != before:
            config["prediction_type"], reason = kind, told
        elif kind not in ("", before):
            notes.append(
                f"'{quote(path.name)}' does not say what it predicts. The schedule of {whose} says {before}, but "
                f"the U-Net does not show it ({told}). Choose prediction=epsilon or prediction=v."
            )
    if said.zero_snr and asked != EPSILON:
        config |= ZERO_SNR
        reason += "" if said.zero_snr in reason else f", and {said.zero_snr}: no signal at the last timestep"
    found = config.get("prediction_type", EPSILON)
    if found != before and not builtin and not asked:
        notes.append(
            f"'{quote(path.name)}' was sampled as {found} ({reason}), although the schedule of {whose} says {before}."
        )
    if asked:
        if said.prediction not in ("", asked):
            notes.append(f"prediction={checkpoint.weights.prediction} was requested, although {said.reason}.")
        if asked == EPSILON and config.get("rescale_betas_zero_snr"):  # no image follows from noise without signal
            config["rescale_betas_zero_snr"] = False
        config["prediction_type"], reason = asked, f"prediction={checkpoint.weights.prediction} was requested"
    notes += [_of_lora(file, checkpoint, config["prediction_type"]) for file, _ in checkpoint.loras]
    return Schedule(config, reason, tuple(filter(None, notes)))


def _of_lora(file: Path, checkpoint: Checkpoint, used: str) -> str:
    """Return a note on a LoRA that was trained for another prediction type; "" for others."""
    said = evidence(seen(file, checkpoint.within), settled=True)
    if said.prediction in ("", used):
        return ""
    return f"The LoRA '{quote(file.name)}' was trained for {said.prediction} ({said.reason}), but was used with {used}."
