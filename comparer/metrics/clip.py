"""CLIP score of an image and its prompt: 100·max(cos, 0) (Hessel et al. 2021, arXiv:2104.08718).

The weight is 100, as is common (torchmetrics), not the paper's 2.5. A score is only meaningful together with its
CLIP model: ``scorers`` lists them.
"""

import json
import logging
from collections import OrderedDict
from collections.abc import Callable
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any

from comparer.errors import ComparerError
from comparer.metrics.scorers import DEFAULT, SCORERS, ScorerWeights, choose
from comparer.models.catalog import DEMO
from comparer.models.download import OnProgress
from comparer.models.hub import scorer_weights
from comparer.models.libraries import prepare

log = logging.getLogger(__name__)
REMEMBERED = 4096  # embeddings: about 12 MB with ViT-L-14


class ClipScorer:
    """A loaded open_clip model that caches its embeddings of prompts and recent images.

    Attributes:
        name: architecture and weights.
        context: maximum number of prompt tokens, start and end included; longer prompts are cut, the end token kept.
        preprocessing: image preprocessing: size, resizing, mean, standard deviation.
        digest: SHA-256 of the weights if they are a local file, else "".
    """

    def __init__(self, name: str, model: Any, transform: Any, tokenizer: Any, digest: str = "") -> None:
        """Wrap open_clip's model, evaluation transform and tokenizer."""
        self.name, self.model, self.transform, self.tokenizer = name, model.eval(), transform, tokenizer
        self.context: int = tokenizer.context_length
        self.preprocessing: dict[str, Any] = dict(model.visual.preprocess_cfg)
        self.digest = digest
        self._read: dict[str, Any] = {}
        self._seen: OrderedDict[tuple, Any] = OrderedDict()

    def record(self) -> dict:
        """Return the scorer's metadata, stored with every score, as plain data."""
        model, _, weights = self.name.partition("/")
        said = json.loads(json.dumps(self.preprocessing))  # tuples as lists, as a file would have them
        told = {"model": model, "weights": weights, "preprocessing": said, "context": self.context}
        return told | ({"sha256": self.digest} if self.digest else {})

    def truncates(self, prompt: str) -> bool:
        """Return whether the prompt is longer than the context."""
        return len(self.tokenizer.encode(prompt)) + 2 > self.context

    def score(self, pictures: list[Any], prompts: list[str]) -> list[float]:
        """Score PIL images against their prompts, one each; ``embed`` and ``cosine`` then reuse the embeddings."""
        import torch

        with torch.no_grad():
            for prompt in dict.fromkeys(prompts):
                if prompt not in self._read:
                    text = self.model.encode_text(self.tokenizer([prompt]), normalize=True)
                    self._read[prompt] = text[0]
            read = [self._read[prompt] for prompt in prompts]
            return [100 * max(float(s @ r), 0.0) for s, r in zip(self.embed(pictures), read, strict=True)]

    def embed(self, pictures: list[Any]) -> list[Any]:
        """Return the images' embeddings, unit vectors; recently encoded images are cached."""
        import torch

        found = []
        for picture in pictures:
            rgb = picture.convert("RGB")
            key = (rgb.size, sha256(rgb.tobytes()).digest())
            if key not in self._seen:
                with torch.no_grad():
                    # One image per pass: rounding depends on the batch size.
                    self._seen[key] = self.model.encode_image(self.transform(rgb)[None], normalize=True)[0]
            self._seen.move_to_end(key)
            found.append(self._seen[key])
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def cosine(self, one: Any, other: Any) -> float:
        """Return the cosine of two images' embeddings, −1 to 1."""
        first, second = self.embed([one, other])
        return min(max(float(first @ second), -1.0), 1.0)


_kept: dict[str, ClipScorer] = {}


def _keep(name: str, scorer: ClipScorer) -> ClipScorer:
    """Keep the demo's scorer and one other: the large ones need gigabytes."""
    demo = SCORERS["demo"].full
    for other in [known for known in _kept if demo not in (known, name)]:
        del _kept[other]
    _kept[name] = scorer
    return scorer


def demo_scorer(folder: Path) -> ClipScorer:
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
        _keep(name, ClipScorer(name, model, transform, tokenizer))
    return _kept[name]


def real_scorer(
    on_progress: OnProgress | None = None,
    stop: Callable[[], bool] | None = None,
    source: ScorerWeights = SCORERS[DEFAULT],
) -> ClipScorer | str:
    """Load a Hub scorer from the cache or the Hub; if it is unavailable, return the reason.

    Args:
        on_progress: called during the download, as by ``hub.fetch``.
        stop: cancels the download when it returns true.
        source: the scorer's weights.

    Raises:
        Stopped: ``stop`` returned true.
    """
    prepare()
    import open_clip

    if source.full not in _kept:
        try:
            weights = scorer_weights(on_progress, stop, source.repository, source.file)
        except ComparerError as error:
            return f"the weights of {source.full} are not on this machine. {error}"
        try:
            # Given a file, open_clip makes no request; its defaults are the preprocessing of these weights.
            model, _, transform = open_clip.create_model_and_transforms(source.architecture, pretrained=str(weights))
        except Exception as error:  # a damaged file raises many kinds; images are useful without scores
            log.warning("%s cannot be loaded: %s: %s", weights, type(error).__name__, error)
            return f"the weights of {source.full} cannot be loaded: delete {weights.name} to fetch it again"
        _keep(source.full, ClipScorer(source.full, model, transform, open_clip.get_tokenizer(source.architecture)))
    return _kept[source.full]


def local_scorer(source: ScorerWeights) -> ClipScorer:
    """Load a scorer from a local file; an ``open_clip_config.json`` beside it defines the preprocessing.

    Raises:
        ComparerError: open_clip does not know the architecture, or the file does not hold its weights.
    """
    prepare()
    import open_clip

    config, file = open_clip.get_model_config(source.architecture), Path(source.file)
    if config is None:
        raise ComparerError(
            f"open_clip has no architecture '{source.architecture}': choose one of "
            "open_clip.list_models(), such as ViT-B-32 or ViT-L-14-quickgelu."
        )
    if any(name.startswith("hf_") for name in config["text_cfg"]):
        raise ComparerError(f"{source.architecture} needs a tokenizer of the hub, which is not supported.")
    with file.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    name = f"{source.full} {digest[:8]}"
    if name not in _kept:
        try:
            beside = file.with_name("open_clip_config.json")
            read = json.loads(beside.read_text(encoding="utf-8"))["preprocess_cfg"] if beside.is_file() else {}
            known = ("mean", "std", "interpolation", "resize_mode")
            changed = {f"image_{key}": read[key] for key in known if key in read}
            model, _, transform = open_clip.create_model_and_transforms(
                source.architecture, pretrained=str(file), weights_only=True, **changed
            )
        except Exception as error:  # of many kinds: pickled code, other shapes, a damaged file
            log.warning("%s cannot be loaded: %s: %s", file, type(error).__name__, error)
            raise ComparerError(f"'{file.name}' does not contain weights of {source.architecture}.") from error
        tokenizer = open_clip.get_tokenizer(source.architecture)
        _keep(name, ClipScorer(source.full, model, transform, tokenizer, digest))
    return _kept[name]


def scorer_for(
    checkpoint: Any,
    on_progress: OnProgress | None = None,
    stop: Callable[[], bool] | None = None,
    wanted: str = "",
) -> ClipScorer | str:
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
