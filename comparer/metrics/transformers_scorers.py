"""PickScore and DINOv2 similarity, computed by models of transformers that are loaded from a folder.

PickScore is logit_scale.exp() · cos(image, prompt) of a CLIP that was trained on people's choices (Kirstain et al.
2023, arXiv:2305.01569). DINOv2 similarity is 100 · cos of two images' class tokens (Oquab et al. 2023,
arXiv:2304.07193).
"""

from pathlib import Path
from typing import Any

from comparer.metrics.embedding import EmbeddingScorer, PromptScorer
from comparer.metrics.scorers import ScorerWeights
from comparer.models.libraries import prepare


class PickScorer(PromptScorer):
    """A CLIP model of transformers whose score is the logit that it was trained with."""

    def __init__(self, source: ScorerWeights, model: Any, images: Any, tokenizer: Any, digest: str = "") -> None:
        """Wrap transformers' model, image processor and tokenizer."""
        context: int = model.config.text_config.max_position_embeddings
        super().__init__(source, _about(images), context, digest)
        self.model, self.images, self.tokenizer = model.eval(), images, tokenizer
        self.scale = float(model.logit_scale.detach().exp())

    def tokens(self, prompt: str) -> int:
        """Return the number of the prompt's tokens, start and end included."""
        return len(self.tokenizer(prompt).input_ids)

    def encode_prompt(self, prompt: str) -> Any:
        """Return the prompt's embedding, a unit vector."""
        read = self.tokenizer([prompt], truncation=True, max_length=self.context, return_tensors="pt")
        return _unit(self.model.get_text_features(**read).pooler_output)

    def encode_image(self, rgb: Any) -> Any:
        """Return the embedding of an RGB image, a unit vector."""
        return _unit(self.model.get_image_features(**self.images(rgb, return_tensors="pt")).pooler_output)

    def points(self, cosine: float) -> float:
        """Return logit_scale.exp() · cos."""
        return self.scale * cosine


class DinoScorer(EmbeddingScorer):
    """A DINOv2 model, which compares images and reads no prompt."""

    def __init__(self, source: ScorerWeights, model: Any, images: Any, digest: str = "") -> None:
        """Wrap transformers' model and image processor."""
        super().__init__(source, _about(images), None, digest)
        self.model, self.images = model.eval(), images

    def encode_image(self, rgb: Any) -> Any:
        """Return the class token of an RGB image, a unit vector."""
        return _unit(self.model(**self.images(rgb, return_tensors="pt")).last_hidden_state[:, 0])

    def points(self, cosine: float) -> float:
        """Return 100 · cos: 100 for the baseline's own image."""
        return 100 * cosine


def load(source: ScorerWeights, weights: Path, processor: Path, digest: str = "") -> EmbeddingScorer:
    """Load a scorer from the folders of its model and of its image processor and tokenizer.

    Raises:
        OSError, ValueError, RuntimeError: a folder does not hold them.
    """
    prepare()
    import torch
    import transformers

    kind = getattr(transformers, source.model)
    # No other code than transformers' own, and no pickle, is loaded from the folder.
    model, told = kind.from_pretrained(
        weights, local_files_only=True, dtype=torch.float32, use_safetensors=True, output_loading_info=True
    )
    if missing := sorted(told["missing_keys"]):
        raise ValueError(f"{weights} has no {missing[0]}")
    if source.model == "Dinov2Model":
        images = transformers.BitImageProcessor.from_pretrained(processor, local_files_only=True)
        return DinoScorer(source, model, images, digest)
    images = transformers.CLIPImageProcessor.from_pretrained(processor, local_files_only=True)
    tokenizer = transformers.CLIPTokenizer.from_pretrained(processor, local_files_only=True)
    return PickScorer(source, model, images, tokenizer, digest)


def _unit(vectors: Any) -> Any:
    return (vectors / vectors.norm(dim=-1, keepdim=True))[0]


def _about(images: Any) -> dict[str, Any]:
    """Return an image processor's settings by open_clip's names."""
    from PIL.Image import Resampling

    size, crop = dict(images.size), dict(images.crop_size)
    return {
        "size": [crop["height"], crop["width"]],
        "resize": size.get("shortest_edge") or [size["height"], size["width"]],
        "mean": list(images.image_mean),
        "std": list(images.image_std),
        "interpolation": Resampling(images.resample).name.lower(),
        "resize_mode": "shortest" if "shortest_edge" in size else "squash",
    }
