"""Reference data of base models: prompts, usual configs, and ranges of scores."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from comparer.checkpoints.read import Checkpoint
from comparer.checkpoints.spec import NAMES
from comparer.demo.scenes import EXAMPLES
from comparer.models.catalog import CATALOG, DEMO
from comparer.request.request import Settings

SEEDS = (0, 1)
RANGE = Path(__file__).with_name("demo.json")  # made by benchmarks/sanity_range.py
# Unlike each other, so that a scorer cannot take one for another; of assets/prompts/general.csv.
PHOTOS = (
    "a red bicycle leaning against a blue wooden door",
    "a snow-covered mountain reflected in a calm lake",
    "a black cat asleep on a pile of old books",
    "a plate of sushi with chopsticks on a dark slate",
)


@dataclass(frozen=True)
class Range:
    """Range of the mean over a check's images for a healthy base model.

    Attributes:
        mean, spread: over checks with other seeds; the spread is their standard deviation.
        checks: number of these checks.
        low, high: accepted range: four spreads to either side; None where more or less is no fault.
    """

    mean: float
    spread: float
    checks: int
    low: float | None
    high: float | None

    def right(self, value: float) -> bool:
        """Return whether a mean lies within the range."""
        return (self.low is None or value >= self.low) and (self.high is None or value <= self.high)


@dataclass(frozen=True)
class Base:
    """A base model.

    Attributes:
        name: "demo", or a family's name.
        prompts: the four prompts to generate.
        factor: the VAE's scaling factor.
        prediction: the prediction type.
        surely: whether a healthy checkpoint always has this prediction type; fine-tunes of others may change it.
        ranges: of "clip" and "detail" where they are known.
        how: settings used for the ranges' images, as readable text.
    """

    name: str
    prompts: tuple[str, ...]
    factor: float
    prediction: str
    surely: bool = False
    ranges: dict[str, Range] = field(default_factory=dict)
    how: str = ""

    @property
    def demo(self) -> bool:
        """Whether this is the demo model."""
        return self.name == "demo"


def base_of(checkpoint: Checkpoint) -> Base:
    """Return a checkpoint's base model: the demo if its tokenizer has the demo's words, else its family."""
    if checkpoint.demo:
        return _demo()
    family = checkpoint.family
    return Base(family.name, PHOTOS, family.vae_scaling, family.prediction(checkpoint.denoiser.get("sample_size")))


def _demo() -> Base:
    factor = _json(DEMO / "vae" / "config.json")["scaling_factor"]
    prediction = _json(DEMO / "scheduler" / "scheduler_config.json")["prediction_type"]
    kept = _json(RANGE) if RANGE.is_file() else {"ranges": {}, "how": ""}
    ranges = {name: Range(**found) for name, found in kept["ranges"].items()}
    return Base("demo", EXAMPLES, factor, prediction, True, ranges, kept["how"])


def settings_of(checkpoint: Checkpoint, base: Base) -> Settings:
    """Return the generation settings: native size, and the demo's own sampler where its range is used."""
    model = CATALOG["demo"] if base.demo else checkpoint.model
    size = checkpoint.model.size
    weights = {name: getattr(checkpoint.weights, name) for name in NAMES}
    asked = {"sampler": model.sampler, "steps": model.steps, "guidance": model.guidance, "width": size, "height": size}
    return Settings(base.prompts, seeds=SEEDS, **asked, **weights)


def _json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
