"""Recipes: script lines that apply an accelerator as its package's or diffusers' own documentation does. No torch."""

from dataclasses import dataclass, field
from typing import Any

from comparer.models.families.base import Family

CANNOT = "The script cannot be written:"
RESCALED = "Comparer rescales guidance also where it has ended, which changes nothing but the rounding"


@dataclass
class Recipe:
    """Script lines that apply a stack for one call.

    Attributes:
        apply: lines that apply it to ``pipe``.
        call: expression to call instead of ``pipe``.
        undo: lines that undo it.
        imports: import lines.
        needs: the packages that are required.
        differs: why its images cannot equal Comparer's, bit for bit; () if they must.
    """

    apply: list[str] = field(default_factory=list)
    call: str = "pipe"
    undo: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RecipeContext:
    """Inputs of a recipe.

    Attributes:
        settings: the call's ``Settings``.
        family: the model's family.
        offload: how the model is offloaded: none, model or sequential.
        device: the device's name.
        timesteps: the time steps of the call's evaluations, in order.
        stack: the accelerators that are applied together, by class name.
    """

    settings: Any
    family: Family
    offload: str = "none"
    device: str = "cpu"
    timesteps: tuple[float, ...] = ()
    stack: dict[str, Any] = field(default_factory=dict)

    @property
    def visits_twice(self) -> bool:
        """Return whether the sampler evaluates at one time step twice."""
        return len(set(self.timesteps)) < len(self.timesteps)
