"""CLIP score of an image and its prompt: 100·max(cos, 0) (Hessel et al. 2021, arXiv:2104.08718).

The weight is 100, as is common (torchmetrics), not the paper's 2.5. A score is only meaningful together with its
model: ``scorers`` lists them. HPSv2.1 is another CLIP of open_clip, trained on people's choices, whose score is
100·cos (Wu et al. 2023, arXiv:2306.09341); ``transformers_scorers`` has the scorers that are no model of open_clip.
"""

import json
import logging
from collections.abc import Callable
from hashlib import file_digest
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.metrics import transformers_scorers
from comparer.metrics.embedding import EmbeddingScorer, PromptScorer
from comparer.metrics.scorers import CLIP_SCORE, DEFAULT, SCORERS, ScorerWeights, choose
from comparer.models.catalog import DEMO
from comparer.models.download import OnProgress
from comparer.models.hub import scorer_files
from comparer.models.libraries import prepare

log = logging.getLogger(__name__)


class ClipScorer(PromptScorer):
    """A loaded open_clip model: a CLIP score, or HPSv2.1's."""

    def __init__(self, source: ScorerWeights, model: Any, transform: Any, tokenizer: Any, digest: str = "") -> None:
        """Wrap open_clip's model, evaluation transform and tokenizer."""
        super().__init__(source, dict(model.visual.preprocess_cfg), tokenizer.context_length, digest)
        self.model, self.transform, self.tokenizer = model.eval(), transform, tokenizer

    def tokens(self, prompt: str) -> int:
        """Return the number of the prompt's tokens, start and end included."""
        return len(self.tokenizer.encode(prompt)) + 2

    def encode_prompt(self, prompt: str) -> Any:
        """Return the prompt's embedding, a unit vector."""
        return self.model.encode_text(self.tokenizer([prompt]), normalize=True)[0]

    def encode_image(self, rgb: Any) -> Any:
        """Return the embedding of an RGB image, a unit vector."""
        return self.model.encode_image(self.transform(rgb)[None], normalize=True)[0]

    def points(self, cosine: float) -> float:
        """Return 100·max(cos, 0), or for HPSv2.1 100·cos."""
        return 100 * (max(cosine, 0.0) if self.source.title == CLIP_SCORE else cosine)


_kept: dict[str, EmbeddingScorer] = {}


def _keep(name: str, scorer: EmbeddingScorer) -> EmbeddingScorer:
    """Keep the demo's scorer and one other: the large ones need gigabytes."""
    demo = SCORERS["demo"].full
    for other in [known for known in _kept if demo not in (known, name)]:
        del _kept[other]
    _kept[name] = scorer
    return scorer


def demo_scorer(folder: Path) -> EmbeddingScorer:
    """Load the demo's own CLIP model from its folder."""
    prepare()
    import open_clip

    name = SCORERS["demo"].architecture
    if name not in _kept:
        open_clip.add_model_config(folder / f"{name}.json")
        model, _, transform = open_clip.create_model_and_transforms(
            name, pretrained=str(folder / "model.safetensors"), precision="fp32"
        )
        context = open_clip.get_model_config(name)["text_cfg"]["context_length"]
        tokenizer = open_clip.tokenizer.SimpleTokenizer(str(folder / "bpe.txt.gz"), context_length=context)
        _keep(name, ClipScorer(SCORERS["demo"], model, transform, tokenizer))
    return _kept[name]


def real_scorer(
    on_progress: OnProgress | None = None,
    stop: Callable[[], bool] | None = None,
    source: ScorerWeights = SCORERS[DEFAULT],
) -> EmbeddingScorer | str:
    """Load a Hub scorer from the cache or the Hub; if it is unavailable, return the reason.

    Args:
        on_progress: called during the download, as by ``hub.fetch``.
        stop: cancels the download when it returns true.
        source: the scorer's weights.

    Raises:
        Stopped: ``stop`` returned true.
    """
    if source.full not in _kept:
        try:
            folders = scorer_files(source.files, on_progress, stop)
        except ComparerError as error:
            size = f"{source.gigabytes:g} GB"
            return (
                f"the weights of {source.full} are not on this machine. {error} Where the hub can be reached, "
                f"'python -m comparer fetch {source.name}' brings them ({size})"
            )
        file = folders[source.repository] / source.file
        try:
            _keep(source.full, _loaded(source, file, folders.get(source.processor, file.parent)))
        except Exception as error:  # a damaged file raises many kinds; images are useful without scores
            log.warning("%s cannot be loaded: %s: %s", file, type(error).__name__, error)
            return f"the weights of {source.full} cannot be loaded: delete {file.name} to fetch it again"
    return _kept[source.full]


def _loaded(source: ScorerWeights, file: Path, processor: Path, digest: str = "", **changed: Any) -> EmbeddingScorer:
    """Load a scorer's model from its file; ``changed`` is open_clip's preprocessing where it is not its default."""
    prepare()
    if source.model != "open_clip":
        return transformers_scorers.load(source, file.parent, processor, digest)
    import open_clip

    if source.title != CLIP_SCORE:
        changed |= {"image_resize_mode": "longest"}  # HPSv2 fits the whole image into the square
    # Given a file, open_clip makes no request; its defaults are the preprocessing of these weights.
    model, _, transform = open_clip.create_model_and_transforms(
        source.architecture, pretrained=str(file), weights_only=True, **changed
    )
    return ClipScorer(source, model, transform, open_clip.get_tokenizer(source.architecture), digest)


def local_scorer(source: ScorerWeights) -> EmbeddingScorer:
    """Load a scorer from a local file; an ``open_clip_config.json`` beside it defines the preprocessing.

    Raises:
        ComparerError: open_clip does not know the architecture, or the file does not hold its weights.
    """
    prepare()
    import open_clip

    file, known = Path(source.file), source.model == "open_clip"
    config = open_clip.get_model_config(source.architecture) if known else {"text_cfg": {}}
    if config is None:
        raise ComparerError(
            f"open_clip has no architecture '{source.architecture}': choose one of "
            "open_clip.list_models(), such as ViT-B-32 or ViT-L-14-quickgelu."
        )
    if any(name.startswith("hf_") for name in config["text_cfg"]):
        raise ComparerError(f"{source.architecture} needs a tokenizer of the hub, which is not supported.")
    weights = file if known else file / SCORERS[source.name.partition("=")[0]].file
    if not weights.is_file():
        raise ComparerError(f"'{file.name}' has no {weights.name}.")
    with weights.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    name = f"{source.name.partition('=')[0]} {source.full} {digest[:8]}"
    if name not in _kept:
        try:
            beside = file.with_name("open_clip_config.json")
            read = json.loads(beside.read_text(encoding="utf-8"))["preprocess_cfg"] if beside.is_file() else {}
            usual = ("mean", "std", "interpolation", "resize_mode")
            changed = {f"image_{key}": read[key] for key in usual if key in read}
            _keep(name, _loaded(source, weights, weights.parent, digest, **changed))
        except Exception as error:  # of many kinds: pickled code, other shapes, a damaged file
            log.warning("%s cannot be loaded: %s: %s", file, type(error).__name__, error)
            raise ComparerError(f"'{file.name}' does not contain weights of {source.architecture}.") from error
    return _kept[name]


def scorer_for(
    checkpoint: Any,
    on_progress: OnProgress | None = None,
    stop: Callable[[], bool] | None = None,
    wanted: str = "",
) -> EmbeddingScorer | str:
    """Return the requested scorer, or the one suited to this ``Checkpoint``.

    Args:
        checkpoint: the checkpoint whose images are scored.
        on_progress: as for ``real_scorer``.
        stop: as for ``real_scorer``.
        wanted: scorer name, as for ``scorers.choose``; "" for the checkpoint's default.

    Returns:
        The scorer, or the reason why there is none.

    Raises:
        ComparerError: as ``scorers.choose`` and ``local_scorer``.
        Stopped: as ``real_scorer``.
    """
    source = choose(wanted, checkpoint.model.name, checkpoint.demo)
    if source.repository:
        return real_scorer(on_progress, stop, source)
    return local_scorer(source) if source.weights else demo_scorer(DEMO / "scorer")
