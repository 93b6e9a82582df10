"""The CLIP score of a picture and its prompt: 100·max(cos, 0) (Hessel et al. 2021, arXiv:2104.08718).

The weight of 100, not the paper's 2.5, is the field's habit (torchmetrics). Which CLIP it is belongs to the
number: the demo checkpoint is scored by its own small CLIP, every other one by OpenAI's ViT-B/32.
"""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from comparer.demo.networks import SCORER_NAME as DEMO_NAME
from comparer.errors import ComparerError
from comparer.models.download import OnProgress
from comparer.models.hub import scorer_weights
from comparer.models.libraries import prepare

log = logging.getLogger(__name__)
REAL_NAME, REAL_WEIGHTS = "ViT-B-32-quickgelu", "openai"


class ClipScorer:
    """A loaded open_clip model that remembers the prompts it has read.

    Attributes:
        name: architecture and weights.
        context: tokens a prompt may have, start and end included; longer ones are cut, the end token kept.
    """

    def __init__(self, name: str, model: Any, transform: Any, tokenizer: Any) -> None:
        """Wrap open_clip's model, evaluation transform and tokenizer."""
        self.name, self.model, self.transform, self.tokenizer = name, model.eval(), transform, tokenizer
        self.context: int = tokenizer.context_length
        self._read: dict[str, Any] = {}

    def truncates(self, prompt: str) -> bool:
        """Say whether the prompt is longer than the context."""
        return len(self.tokenizer.encode(prompt)) + 2 > self.context

    def score(self, pictures: list[Any], prompts: list[str]) -> list[float]:
        """Score PIL pictures against their prompts, one each."""
        import torch

        with torch.no_grad():
            for prompt in dict.fromkeys(prompts):
                if prompt not in self._read:
                    text = self.model.encode_text(self.tokenizer([prompt]), normalize=True)
                    self._read[prompt] = text[0]
            # One picture a pass: a batch would round differently with its size.
            seen = [self.model.encode_image(self.transform(p)[None], normalize=True)[0] for p in pictures]
            read = [self._read[prompt] for prompt in prompts]
            return [100 * max(float(s @ r), 0.0) for s, r in zip(seen, read, strict=True)]


_kept: dict[str, ClipScorer] = {}


def demo_scorer(folder: Path) -> ClipScorer:
    """Load the demo's own CLIP from its folder."""
    prepare()
    import open_clip

    if DEMO_NAME not in _kept:
        open_clip.add_model_config(folder / f"{DEMO_NAME}.json")
        model, _, transform = open_clip.create_model_and_transforms(
            DEMO_NAME, pretrained=str(folder / "model.safetensors"), precision="fp32"
        )
        context = open_clip.get_model_config(DEMO_NAME)["text_cfg"]["context_length"]
        tokenizer = open_clip.tokenizer.SimpleTokenizer(str(folder / "bpe.txt.gz"), context_length=context)
        _kept[DEMO_NAME] = ClipScorer(DEMO_NAME, model, transform, tokenizer)
    return _kept[DEMO_NAME]


def real_scorer(on_progress: OnProgress | None = None, stop: Callable[[], bool] | None = None) -> ClipScorer | str:
    """Load OpenAI's ViT-B/32, from this machine or the hub; return the reason where it cannot be had.

    Args:
        on_progress: called while the weights are fetched, as by ``hub.fetch``.
        stop: ends the fetching when it returns true.

    Raises:
        Stopped: ``stop`` returned true.
    """
    prepare()
    import open_clip

    name = f"{REAL_NAME}/{REAL_WEIGHTS}"
    if name not in _kept:
        try:
            weights = scorer_weights(on_progress, stop)
        except ComparerError as error:
            return f"the weights of {name} are not on this machine. {error}"
        try:
            # Given a file, open_clip asks no one; its defaults are the preprocessing of these weights.
            model, _, transform = open_clip.create_model_and_transforms(REAL_NAME, pretrained=str(weights))
        except Exception as error:  # of many kinds, for a damaged file; pictures are worth having without scores
            log.warning("%s cannot be loaded: %s: %s", weights, type(error).__name__, error)
            return f"the weights of {name} cannot be loaded: delete {weights.name} to fetch it anew"
        _kept[name] = ClipScorer(name, model, transform, open_clip.get_tokenizer(REAL_NAME))
    return _kept[name]


def scorer_for(
    checkpoint: Any, on_progress: OnProgress | None = None, stop: Callable[[], bool] | None = None
) -> ClipScorer | str:
    """Return the scorer that means something for this ``Checkpoint``, or why there is none.

    Arguments and errors as for ``real_scorer``.
    """
    if checkpoint.model.name == "demo":
        return demo_scorer(checkpoint.folder / "scorer")
    return real_scorer(on_progress, stop)
