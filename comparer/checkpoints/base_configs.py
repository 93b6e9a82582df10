"""Base configs for files in the original layout: configs, tokenizers and the prediction type. No torch.

``assets/configs`` holds the configs of the published repositories, without weights, and one shared vocabulary.
"""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.assets import ASSETS
from comparer.checkpoints.files.layout import Layout
from comparer.checkpoints.schedule_evidence import EPSILON, V, evidence
from comparer.errors import ComparerError
from comparer.models.families.registry import FAMILIES
from comparer.models.libraries import prepare
from comparer.text import quote

CONFIGS = ASSETS / "configs"
TOKENIZER = CONFIGS / "tokenizer"


@dataclass(frozen=True)
class Frame:
    """Configs of a family's published model.

    Attributes:
        family: a name of ``FAMILIES``.
        folder: diffusers layout without weights and vocabularies; ``from_pretrained`` loads it when the models and
            tokenizers are passed as objects.
    """

    family: str
    folder: Path

    @property
    def models(self) -> tuple[str, ...]:
        """Components that need weights, such as ``unet``."""
        return FAMILIES[self.family].denoiser, "vae", *FAMILIES[self.family].text

    def config(self, component: str) -> dict[str, Any]:
        """Load a component's config."""
        name = "scheduler_config.json" if component == "scheduler" else "config.json"
        found: dict[str, Any] = json.loads((self.folder / component / name).read_text(encoding="utf-8"))
        return found

    def tokenizers(self) -> dict[str, Any]:
        """Build the tokenizers, keyed by component."""
        prepare(scorer=False)
        from transformers import CLIPTokenizer

        found = {}
        for component in (text.replace("text_encoder", "tokenizer") for text in FAMILIES[self.family].text):
            told = json.loads((self.folder / component / "tokenizer_config.json").read_text(encoding="utf-8"))
            chosen = {key: told[key] for key in ("pad_token", "model_max_length")}
            found[component] = CLIPTokenizer.from_pretrained(TOKENIZER, local_files_only=True, **chosen)
        return found


def frame(about: str) -> Frame:
    """Return the configs needed to build a pipeline around weights in the original layout.

    Args:
        about: ``about`` of the layout, such as "SD 1.x": a family's ``original``.

    Raises:
        ComparerError: any other value; a file without a text encoder is only known as "Stable Diffusion".
    """
    families = {family.original: name for name, family in FAMILIES.items() if family.original}
    if about not in families:
        raise ComparerError(
            f"Comparer cannot tell the version of '{quote(about)}' without its text encoder: it can load "
            f"{', '.join(families)}."
        )
    return frame_of(families[about])


def frame_of(family: str) -> Frame:
    """Return the frame of a family that has an original layout."""
    return Frame(family, CONFIGS / family)


def is_builtin(folder: Path) -> bool:
    """Return whether a folder is one of the built-in configs."""
    return CONFIGS in folder.parents


def prediction(layout: Layout, unet: Any = None) -> tuple[str, str]:
    """Return the prediction type of a denoiser in the original layout, "epsilon" or "v_prediction", and the reason.

    Args:
        layout: layout of the file.
        unet: the loaded U-Net. If given and the file does not state the prediction type, it is measured where
            ``measurable``; files with neither metadata nor a step counter are common.

    Raises:
        ComparerError: the prediction type is another one, the file contradicts itself, or the family is unknown.
    """
    if (said := evidence(layout)).prediction:
        return said.prediction, said.reason
    known = frame(layout.about)
    twin, usual = FAMILIES[known.family].twin, known.config("scheduler").get("prediction_type", EPSILON)
    if twin and (layout.metadata or {}).get("global_step") == twin.global_step:
        return twin.prediction, f"its global_step {twin.global_step} is that of the base of {twin.size} pixels"
    if unet is not None and measurable(unet) and (found := measured(unet))[0]:
        return found
    return usual, f"the file does not say it; this is the prediction type of the published {layout.about}"


def measurable(unet: Any) -> bool:
    """Return whether ``measured`` knows all inputs of a denoiser: those of SD 1.x and SD 2.x, no others."""
    config = unet.config
    others = ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "time_cond_proj_dim")
    known = isinstance(config.get("cross_attention_dim"), int) and "down_block_types" in config
    return known and not any(config.get(name) for name in others)


def measured(unet: Any) -> tuple[str, str]:
    """Detect the prediction type of an SD 1.x or SD 2.x U-Net from its output for pure noise at the last timestep.

    An epsilon model returns the noise; v is almost entirely the image there, which pure noise hides.
    Costs one evaluation of the U-Net.

    Returns:
        "epsilon", "v_prediction", or "" for an output with NaN or infinite values; and the measured value.
    """
    import torch

    config, given = unet.config, next(unet.parameters())
    shape = 1, config.in_channels, config.sample_size, config.sample_size
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(0)).to(given)
    text = torch.zeros(1, 77, config.cross_attention_dim).to(given)
    with torch.no_grad():
        out = unet(noise, 999, encoder_hidden_states=text).sample
    both = torch.stack([noise.flatten(), out.flatten()]).double()
    likeness = float(torch.corrcoef(both)[0, 1])
    told = f"measured: its output for pure noise correlates with it by {likeness:.2f}"
    return ("" if math.isnan(likeness) else EPSILON if likeness > 0.5 else V), told


def scheduler(layout: Layout, unet: Any = None) -> tuple[dict[str, Any], str]:
    """Return the scheduler config for an original layout, and the reason for its prediction type.

    Files marked 'ztsnr' were trained down to zero terminal SNR: their betas are rescaled, and sampling starts at the
    last timestep.

    Args:
        layout: layout of the file.
        unet: as for ``prediction``.

    Raises:
        ComparerError: as ``prediction``.
    """
    kind, reason = prediction(layout, unet)
    found = frame(layout.about).config("scheduler") | {"prediction_type": kind}
    if zero := evidence(layout).zero_snr:
        found |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        reason += "" if zero in reason else f", and {zero}: no signal at the last timestep"
    return found, reason
