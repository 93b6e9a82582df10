"""Scores that can decide about quality, and which of them suits a checkpoint. No torch.

The demo's images are scored by the demo's own small CLIP model, all others by a model trained on photographs and art.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from comparer.demo.networks import SCORER_NAME as DEMO
from comparer.errors import ComparerError
from comparer.models.hub import SCORER, SCORER_FILE
from comparer.text import quote

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")
CLIP_SCORE = "CLIP score"
FITS, PREFERRED = "how well an image fits its prompt", "which image of a prompt people would prefer"


@dataclass(frozen=True)
class ScorerWeights:
    """A score: the name it has in tables, its model's architecture, and the location of its weights.

    Attributes:
        name: the name to choose it by.
        architecture: open_clip's name, or that of a published transformers model; OpenAI's weights need the one with
            ``quickgelu``, or the score is wrong.
        weights: open_clip's tag, or a file name.
        repository: the Hub repository; "" for weights on this machine.
        file: file name in the repository, or local path: a folder for a transformers model.
        gigabytes: approximate download size.
        title: name of the score in tables: "CLIP score".
        measures: what it measures, in a phrase.
        licence: licence of the weights; "" if unknown.
        context: number of prompt tokens that it reads, start and end included; None if it reads no prompt, but compares
            an image with the baseline's.
        direction: what a higher value means.
        model: what loads it: open_clip, or a class of transformers.
        processor: the repository of a CLIPModel's tokenizer and preprocessing.
    """

    name: str
    architecture: str
    weights: str
    repository: str = ""
    file: str = SCORER_FILE
    gigabytes: float = 0
    title: str = CLIP_SCORE
    measures: str = FITS
    licence: str = ""
    context: int | None = 77
    direction: str = "higher is better"
    model: Literal["open_clip", "CLIPModel", "Dinov2Model"] = "open_clip"
    processor: str = ""

    @property
    def full(self) -> str:
        """Return the name shown with a score: ``ViT-B-32-quickgelu/openai``."""
        return f"{self.architecture}/{self.weights}" if self.weights else self.architecture

    @property
    def label(self) -> str:
        """Return the name it is chosen by: "ViT-L-14: CLIP score"."""
        return self.title if self.title.startswith(self.name) else f"{self.name}: {self.title}"

    @property
    def files(self) -> dict[str, tuple[str, ...]]:
        """Return the files that it is loaded from, by repository."""
        if self.model == "open_clip":
            return {self.repository: (self.file,)}
        model, images = ("config.json", self.file), ("preprocessor_config.json",)
        if self.model == "Dinov2Model":
            return {self.repository: (*model, *images)}
        return {self.repository: model, self.processor: (*images, "tokenizer_config.json", "vocab.json", "merges.txt")}


DEFAULT = "ViT-B-32"
OPENAI_B, OPENAI_L = SCORER, "timm/vit_large_patch14_clip_224.openai"
LAION_B, LAION_H = "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", "laion/CLIP-ViT-H-14-laion2B-s32B-b79K"
SCORERS: dict[str, ScorerWeights] = {
    source.name: source
    for source in (
        ScorerWeights("demo", DEMO, "", licence="Comparer's own", context=32),
        ScorerWeights(DEFAULT, "ViT-B-32-quickgelu", "openai", OPENAI_B, gigabytes=0.6, licence="MIT"),
        ScorerWeights("ViT-L-14", "ViT-L-14-quickgelu", "openai", OPENAI_L, gigabytes=1.7, licence="MIT"),
        ScorerWeights("ViT-B-32-LAION", "ViT-B-32", "laion2b_s34b_b79k", LAION_B, gigabytes=0.6, licence="MIT"),
        ScorerWeights(
            "HPSv2.1", "ViT-H-14", "HPSv2.1", "xswu/HPSv2", "HPS_v2.1_compressed.pt", 2.0,
            "HPSv2.1 score", PREFERRED, "Apache-2.0",
        ),
        ScorerWeights(
            "PickScore", "CLIP-ViT-H-14", "PickScore_v1", "yuvalkirstain/PickScore_v1", "model.safetensors", 3.9,
            "PickScore", PREFERRED, "MIT", model="CLIPModel", processor=LAION_H,
        ),
        ScorerWeights(
            "DINOv2", "ViT-B-14", "dinov2-base", "facebook/dinov2-base", "model.safetensors", 0.3,
            "DINOv2 similarity", "how alike an image and the baseline's are", "Apache-2.0", None,
            "higher is closer to the baseline", "Dinov2Model",
        ),
    )
}  # fmt: skip


def choose(name: str, checkpoint: str, demo: bool = False) -> ScorerWeights:
    """Return the scorer with this name for a checkpoint.

    Args:
        name: a name of ``SCORERS``, or ``ARCHITECTURE=FILE`` for weights on this machine, such as
            ``ViT-B-16=weights/clip.safetensors``; "" for the checkpoint's default.
        checkpoint: the checkpoint's catalogue name, or its local name.
        demo: whether the checkpoint reads the demo's words.

    Raises:
        ComparerError: no scorer has this name, or its scores would be meaningless for the checkpoint.
    """
    name = name.strip()
    if not name:
        return SCORERS["demo" if demo else DEFAULT]
    found = known(name)
    if found is None and "=" in name:
        found = local(*name.split("=", 1))
    if found is None:
        raise ComparerError(
            f"There is no scorer '{quote(name)}': choose one of {', '.join(SCORERS)}, or write ARCHITECTURE=FILE."
        )
    real = [source.name for source in SCORERS.values() if source.repository]
    if found.architecture == DEMO and not demo:
        raise ComparerError(
            f"The demo's scorer knows only coloured shapes, so its scores of '{checkpoint}' would mean nothing: "
            f"choose one of {', '.join(real)}."
        )
    if found.repository and demo:
        raise ComparerError(
            f"The scorer {found.name} has never seen the demo's coloured shapes, so its scores would mean nothing: "
            "choose demo."
        )
    return found


def known(name: str) -> ScorerWeights | None:
    """Return the entry of ``SCORERS`` with this name, in any case of letters; None if there is none."""
    return next((source for each, source in SCORERS.items() if each.lower() == name.strip().lower()), None)


def local(architecture: str, file: str) -> ScorerWeights:
    """Describe weights on this machine, as open_clip saves them, or those of a scorer that is no plain CLIP.

    Args:
        architecture: open_clip's name of the model; or HPSv2.1, PickScore or DINOv2.
        file: safetensors, or torch's own format, which is loaded without running any code it may contain. For
            PickScore and DINOv2 the folder of a transformers model, with its preprocessing and tokenizer.

    Raises:
        ComparerError: the file does not exist or is of another kind.
    """
    path, named = Path(file.strip()).expanduser(), known(architecture)
    if named and named.title != CLIP_SCORE:
        source = replace(named, name=f"{named.name}={file.strip()}", repository="", file=str(path), weights=path.name)
    else:
        source = ScorerWeights(f"{architecture.strip()}={file.strip()}", architecture.strip(), path.name, "", str(path))
    if source.model != "open_clip":
        if not (path / "config.json").is_file():
            raise ComparerError(f"There is no folder '{quote(file.strip())}' with a model for {architecture.strip()}.")
        return source
    if path.suffix not in SUFFIXES:
        raise ComparerError(
            f"'{quote(path.name)}' is not a file of CLIP weights: its name must end with one of {', '.join(SUFFIXES)}."
        )
    if not path.is_file():
        raise ComparerError(f"There is no file of CLIP weights '{quote(file.strip())}'.")
    return source
