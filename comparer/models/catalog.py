"""Catalogue: the demo, and the published models of every family. No torch."""

from comparer.assets import ASSETS
from comparer.models.families.base import Model
from comparer.models.families.registry import FAMILIES

DEMO = ASSETS / "demo"
CATALOG: dict[str, Model] = {
    model.name: model
    for model in (
        Model("demo", "Demo: coloured shapes (runs anywhere)", str(DEMO), "sd1", 128, 2.0, min_size=64),
        *(model for family in FAMILIES.values() for model in family.models),
    )
}
