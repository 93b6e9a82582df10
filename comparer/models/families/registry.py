"""Registry of model families. No torch."""

from comparer.models.families.base import Family
from comparer.models.families.pixart_alpha import PIXART_ALPHA
from comparer.models.families.pixart_sigma import PIXART_SIGMA
from comparer.models.families.stable_diffusion_1 import STABLE_DIFFUSION_1
from comparer.models.families.stable_diffusion_2 import STABLE_DIFFUSION_2
from comparer.models.families.stable_diffusion_xl import STABLE_DIFFUSION_XL

FAMILIES: dict[str, Family] = {
    family.name: family
    for family in (STABLE_DIFFUSION_1, STABLE_DIFFUSION_2, STABLE_DIFFUSION_XL, PIXART_ALPHA, PIXART_SIGMA)
}
