"""CLIP models available for scoring, and which of them suits a checkpoint. No torch.

The demo's images are scored by the demo's own small CLIP model, all others by a model trained on photographs and art.
"""

from dataclasses import dataclass
from pathlib import Path

from comparer.demo.networks import SCORER_NAME as DEMO
from comparer.errors import ComparerError
from comparer.models.hub import SCORER, SCORER_FILE
from comparer.text import quote

SUFFIXES = (".safetensors", ".bin", ".pt", ".pth")


@dataclass(frozen=True)
class ScorerWeights:
    """A CLIP model: its architecture and the location of its weights.

    Attributes:
        name: the name to choose the model by.
        architecture: open_clip's name; OpenAI's weights need the one with ``quickgelu``, or the score is wrong.
        weights: open_clip's tag, or a file name.
        repository: the Hub repository; "" for a local weights file.
        file: file name in the repository, or local path.
        gigabytes: approximate download size.
    """

    name: str
    architecture: str
    weights: str
    repository: str = ""
    file: str = SCORER_FILE
    gigabytes: float = 0

    @property
    def full(self) -> str:
        """Return the name shown with a score: ``ViT-B-32-quickgelu/openai``."""
        return f"{self.architecture}/{self.weights}" if self.weights else self.architecture


DEFAULT = "ViT-B-32"
SCORERS: dict[str, ScorerWeights] = {
    source.name: source
    for source in (
        ScorerWeights("demo", DEMO, ""),
        ScorerWeights(DEFAULT, "ViT-B-32-quickgelu", "openai", SCORER, gigabytes=0.6),
        ScorerWeights(
            "ViT-L-14", "ViT-L-14-quickgelu", "openai", "timm/vit_large_patch14_clip_224.openai", gigabytes=1.7
        ),
        ScorerWeights(
            "ViT-B-32-LAION", "ViT-B-32", "laion2b_s34b_b79k", "laion/CLIP-ViT-B-32-laion2B-s34B-b79K", gigabytes=0.6
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
    found = next((source for known, source in SCORERS.items() if known.lower() == name.lower()), None)
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


def local(architecture: str, file: str) -> ScorerWeights:
    """Describe weights on this machine, as open_clip saves them.

    Args:
        architecture: open_clip's name of the model.
        file: safetensors, or torch's own format, which is loaded without running any code it may contain.

    Raises:
        ComparerError: the file does not exist or is of another kind.
    """
    path = Path(file.strip()).expanduser()
    if path.suffix not in SUFFIXES:
        raise ComparerError(
            f"'{quote(path.name)}' is not a file of CLIP weights: its name must end with one of {', '.join(SUFFIXES)}."
        )
    if not path.is_file():
        raise ComparerError(f"There is no file of CLIP weights '{quote(file.strip())}'.")
    return ScorerWeights(f"{architecture.strip()}={file.strip()}", architecture.strip(), path.name, "", str(path))
