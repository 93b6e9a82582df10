"""What a file in the original layout lacks for a pipeline: configurations, tokenizers, the prediction type. No torch.

``assets/configs`` has the published repositories' configurations without weights, and one vocabulary for all.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from comparer.assets import ASSETS
from comparer.checkpoints.files.layout import Layout
from comparer.errors import ComparerError
from comparer.models.families.base import FAMILIES
from comparer.models.libraries import prepare
from comparer.text import quote

CONFIGS = ASSETS / "configs"
TOKENIZER = CONFIGS / "tokenizer"
EPSILON, V = "epsilon", "v_prediction"
_FAMILIES = {"SD 1.x": "sd1", "SD 2.x": "sd2", "SDXL": "sdxl"}
_SAID = {"epsilon": EPSILON, "eps": EPSILON, "v": V, "v_prediction": V, "v-prediction": V}
SMALL = 512  # pixels: the native size of Stable Diffusion 2's base
BASE_STEP = "875000"  # of Stable Diffusion 2's base of 512 pixels; diffusers tells it by this as well


@dataclass(frozen=True)
class Frame:
    """The configurations of a family's published model.

    Attributes:
        family: a name of ``catalog.FAMILIES``.
        folder: in diffusers' layout, without weights and vocabularies; ``from_pretrained`` reads it, given the
            models and tokenizers as objects.
    """

    family: str
    folder: Path

    @property
    def models(self) -> tuple[str, ...]:
        """Components that need weights, as ``unet``."""
        return "unet", "vae", *FAMILIES[self.family].text

    def config(self, component: str) -> dict[str, Any]:
        """Read a component's configuration."""
        name = "scheduler_config.json" if component == "scheduler" else "config.json"
        found: dict[str, Any] = json.loads((self.folder / component / name).read_text(encoding="utf-8"))
        return found

    def tokenizers(self) -> dict[str, Any]:
        """Build the tokenizers, by component."""
        prepare(scorer=False)
        from transformers import CLIPTokenizer

        found = {}
        for component in (text.replace("text_encoder", "tokenizer") for text in FAMILIES[self.family].text):
            told = json.loads((self.folder / component / "tokenizer_config.json").read_text(encoding="utf-8"))
            chosen = {key: told[key] for key in ("pad_token", "model_max_length")}
            found[component] = CLIPTokenizer.from_pretrained(TOKENIZER, local_files_only=True, **chosen)
        return found


def frame(about: str) -> Frame:
    """Return what is needed to build a pipeline around the weights of an original layout.

    Args:
        about: of a layout: "SD 1.x", "SD 2.x" or "SDXL".

    Raises:
        ComparerError: it is another; a file without text encoder is "Stable Diffusion" and no more.
    """
    if about not in _FAMILIES:
        raise ComparerError(
            f"Which Stable Diffusion '{quote(about)}' is cannot be told without its text encoder: one of "
            f"{', '.join(_FAMILIES)} can be loaded."
        )
    return frame_of(_FAMILIES[about])


def frame_of(family: str) -> Frame:
    """Return the frame of a family, "sd1", "sd2" or "sdxl"."""
    return Frame(family, CONFIGS / family)


def prediction(layout: Layout, unet: Any = None) -> tuple[str, str]:
    """Say what the denoiser of an original layout predicts, "epsilon" or "v_prediction", and the reason.

    Args:
        layout: of the file.
        unet: the loaded U-Net; given, one of SD 2.x is measured where nothing in the file says what it predicts.
            Both kinds are published, and files with neither metadata nor a step counter are common.

    Raises:
        ComparerError: it predicts something else, or its family is not known.
    """
    marks, metadata = {tensor.name for tensor in layout.extra}, layout.metadata or {}
    if edm := sorted(name for name in marks if name.startswith("edm_")):
        raise ComparerError(
            f"'{quote(Path(layout.path).name)}' has '{quote(edm[0])}', the mark of EDM's noise levels, which are not "
            "served."
        )
    if said := metadata.get("modelspec.prediction_type"):
        if said.lower() not in _SAID:
            raise ComparerError(f"The prediction type '{quote(said)}' in the file's metadata is not served.")
        return _SAID[said.lower()], f"the file's metadata say '{quote(said)}'"
    if "v_pred" in marks:
        return V, "the file has the mark 'v_pred'"
    known = frame(layout.about)
    if known.family == "sd2" and metadata.get("global_step") == BASE_STEP:
        return EPSILON, f"its global_step {BASE_STEP} is that of the base of 512 pixels"
    if known.family == "sd2" and unet is not None:
        return measured(unet)
    usual = known.config("scheduler").get("prediction_type", EPSILON)
    return usual, f"nothing in the file says it; {layout.about} as published predicts this"


def measured(unet: Any) -> tuple[str, str]:
    """Tell what a U-Net of SD 1.x or SD 2.x predicts by what it makes of pure noise at the last timestep.

    One that predicts epsilon gives the noise back; v is there almost wholly the picture, which pure noise hides.
    Costs one evaluation of the U-Net.
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
    return (EPSILON if likeness > 0.5 else V), told


def scheduler(layout: Layout, unet: Any = None) -> tuple[dict[str, Any], str]:
    """Return the scheduler's configuration for an original layout, and the reason for its prediction type.

    Files with the mark 'ztsnr' were trained down to no signal at all: their betas are rescaled, and steps begin at
    the last timestep.

    Args:
        layout: of the file.
        unet: as for ``prediction``.

    Raises:
        ComparerError: as ``prediction``.
    """
    kind, reason = prediction(layout, unet)
    found = frame(layout.about).config("scheduler") | {"prediction_type": kind}
    if any(tensor.name == "ztsnr" for tensor in layout.extra):
        found |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        reason += ", and the mark 'ztsnr': no signal at the last timestep"
    return found, reason
