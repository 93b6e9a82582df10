"""Scores from embeddings of images and prompts, whatever the model: every image and prompt is embedded once."""

import json
from abc import ABC, abstractmethod
from collections import OrderedDict
from hashlib import sha256
from typing import Any

from comparer.metrics.scorers import ScorerWeights

REMEMBERED = 4096  # embeddings: about 12 MB with ViT-L-14


class EmbeddingScorer(ABC):
    """A loaded model that compares images, and caches the embeddings of recent ones.

    Attributes:
        source: the score's entry: its title, licence and more.
        name: architecture and weights.
        context: maximum number of prompt tokens, start and end included; longer prompts are cut, the end token kept.
            None for a model that reads no prompt.
        preprocessing: image preprocessing: size, resizing, mean, standard deviation.
        digest: SHA-256 of the weights if they are a local file, else "".
    """

    def __init__(
        self, source: ScorerWeights, preprocessing: dict[str, Any], context: int | None, digest: str = ""
    ) -> None:
        """Remember what the score is, and start with no embedding."""
        self.source, self.name, self.preprocessing = source, source.full, preprocessing
        self.context, self.digest = context, digest
        self._seen: OrderedDict[tuple, Any] = OrderedDict()

    def record(self) -> dict:
        """Return the scorer's metadata, stored with every score, as plain data."""
        model, _, weights = self.name.partition("/")
        said = json.loads(json.dumps(self.preprocessing))  # tuples as lists, as a file would have them
        told = {"model": model, "weights": weights, "preprocessing": said, "context": self.context}
        return told | ({"sha256": self.digest} if self.digest else {})

    def truncates(self, prompt: str) -> bool:
        """Return whether the end of the prompt is not read; a model that reads no prompt leaves none out."""
        del prompt
        return False

    @abstractmethod
    def encode_image(self, rgb: Any) -> Any:
        """Return the embedding of an RGB image, a unit vector; called without gradients."""

    @abstractmethod
    def points(self, cosine: float) -> float:
        """Return the score of an image whose embedding has this cosine with the other one, −1 to 1."""

    def beside(self, base: Any, other: Any) -> float:
        """Score a PIL image against the baseline's: for a model that reads no prompt."""
        return self.points(self.cosine(base, other))

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
                    self._seen[key] = self.encode_image(rgb)
            self._seen.move_to_end(key)
            found.append(self._seen[key])
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
        return found

    def cosine(self, one: Any, other: Any) -> float:
        """Return the cosine of two images' embeddings, −1 to 1; exactly 1 for equal pixels."""
        first, second = self.embed([one, other])
        return 1.0 if first is second else min(max(float(first @ second), -1.0), 1.0)


class PromptScorer(EmbeddingScorer):
    """A loaded model that scores images against their prompts, and caches the embeddings of prompts, too."""

    def __init__(self, source: ScorerWeights, preprocessing: dict[str, Any], context: int, digest: str = "") -> None:
        """Remember what the score is, and start with no embedding."""
        super().__init__(source, preprocessing, context, digest)
        self.limit = context
        self._read: dict[str, Any] = {}

    def truncates(self, prompt: str) -> bool:
        """Return whether the prompt is longer than the context."""
        return self.tokens(prompt) > self.limit

    @abstractmethod
    def tokens(self, prompt: str) -> int:
        """Return the number of the prompt's tokens, start and end included."""

    @abstractmethod
    def encode_prompt(self, prompt: str) -> Any:
        """Return the prompt's embedding, a unit vector; called without gradients."""

    def score(self, pictures: list[Any], prompts: list[str]) -> list[float]:
        """Score PIL images against their prompts, one each; ``embed`` and ``cosine`` then reuse the embeddings."""
        import torch

        with torch.no_grad():
            for prompt in dict.fromkeys(prompts):
                if prompt not in self._read:
                    self._read[prompt] = self.encode_prompt(prompt)
        read = [self._read[prompt] for prompt in prompts]
        return [self.points(float(s @ r)) for s, r in zip(self.embed(pictures), read, strict=True)]
