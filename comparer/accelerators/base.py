"""Base of all accelerators: a frozen dataclass of parameters that is applied to a pipeline and undone."""

from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from comparer.accelerators.recipe import CANNOT, Recipe, RecipeContext
from comparer.errors import ComparerError
from comparer.models.families.base import Family
from comparer.models.families.registry import FAMILIES
from comparer.text import quote


def parameter(
    default: Any,
    help: str,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    label: str = "",
) -> Any:
    """Declare a parameter: its default, range and cost; the page builds its control from this declaration.

    ``label`` is the page's name for the parameter if the field name alone is unclear.
    """
    return field(default=default, metadata={"help": help, "low": low, "high": high, "step": step, "label": label})


@dataclass(frozen=True)
class Accelerator(ABC):
    """Base of all accelerators. A new one is one file and one line of the registry.

    Class attributes:
        title: display name on the page, in reports and on the command line.
        summary: one sentence for the page.
        lossy: whether images change; an exact accelerator must reproduce the baseline's pixels.
        adaptive: whether the work depends on the image, so that the time varies with the prompt.
        order: position in a stack, applied from low to high and undone in reverse.
        stacked: defaults that differ when stacked with another accelerator.
    """

    title: ClassVar[str]
    summary: ClassVar[str]
    lossy: ClassVar[bool] = True
    adaptive: ClassVar[bool] = False
    order: ClassVar[int]
    stacked: ClassVar[dict[str, Any]] = {}

    def __post_init__(self) -> None:
        """Raise ``ComparerError`` for values of the wrong type or out of range."""
        for item in fields(self):
            value, low, high = getattr(self, item.name), item.metadata["low"], item.metadata["high"]
            expected = type(item.default)
            if expected is int and isinstance(value, float) and value.is_integer():
                object.__setattr__(self, item.name, value := int(value))  # sliders and JSON send 3.0
            if type(value) is not expected and not (expected is float and type(value) is int):
                kind = {"int": "a whole number", "float": "a number", "bool": "true or false"}
                allowed = kind.get(expected.__name__, expected.__name__)
                raise ComparerError(f"{self.title}: {item.name} '{quote(value)}' is not {allowed}.")
            if low is not None and not low <= value <= high:
                raise ComparerError(
                    f"{self.title}: {item.name} {quote(value)} is out of range: {low:g} to {high:g} is allowed."
                )
            if type(value) is int and expected is float:
                object.__setattr__(self, item.name, float(value))

    def __str__(self) -> str:
        """Format as the command line reads it: ``DeepCache(interval=3, branch=0)``."""
        inside = ", ".join(f"{item.name}={getattr(self, item.name)!r}" for item in fields(self))
        return f"{self.title}({inside})"

    @property
    def label(self) -> str:
        """Short name for a column: ``DeepCache(interval=5, branch=1)``, its first parameter and non-default values."""
        return self.named({})

    @property
    def amount(self) -> str:
        """The first parameter as people write it behind the title: "10"."""
        return f"{getattr(self, fields(self)[0].name):g}" if fields(self) else ""

    @property
    def short(self) -> str:
        """Name for the head of a column: "T-GATE 10"; the label where a further parameter differs from its default."""
        further = any(getattr(self, item.name) != item.default for item in fields(self)[1:])
        return self.label if further else f"{self.title} {self.amount}".strip()

    def named(self, defaults: dict[str, Any], first: bool = True) -> str:
        """Format the title and the relevant parameters.

        Args:
            defaults: defaults that differ from the dataclass's.
            first: whether to include the first parameter whatever its value.
        """
        items = fields(self)
        said = {item.name: getattr(self, item.name) for item in items}
        inside = ", ".join(
            f"{item.name}={said[item.name]!r}"
            for item in items
            if first and item is items[0] or said[item.name] != defaults.get(item.name, item.default)
        )
        return f"{self.title}({inside})" if inside else self.title

    @classmethod
    def serves(cls, family: Family) -> bool:
        """Return whether it supports the family; by default it supports all."""
        return True

    @classmethod
    def families(cls) -> list[str]:
        """List the names of the supported families."""
        return [name for name, family in FAMILIES.items() if cls.serves(family)]

    @classmethod
    def usual(cls, family: str, steps: int) -> dict[str, Any]:
        """Return the parameters whose usual value depends on the family and the steps, as initial control values."""
        return {}

    @abstractmethod
    def why_not(self, request: Any, family: str, denoiser: dict, factor: int = 8) -> str | None:
        """Return a one-sentence reason why this accelerator cannot serve the request, or None.

        Args:
            request: the whole ``Request``.
            family: the checkpoint's family.
            denoiser: the denoiser's config (its ``config.json``).
            factor: pixels per latent along a side.
        """

    @abstractmethod
    def apply(self, pipe: Any, settings: Any) -> AbstractContextManager["Report"]:
        """Apply to a loaded pipeline for the duration of one call, then undo. Yields the live report.

        Args:
            pipe: a diffusers pipeline with its scheduler set.
            settings: the call's ``Settings``, such as its steps and guidance.
        """

    def write_recipe(self, made: Recipe, context: RecipeContext) -> None:
        """Add the script lines that apply it without Comparer to a recipe.

        Raises:
            ComparerError: there is no documented way.
        """
        raise ComparerError(f"{CANNOT} Comparer does not know how to use {self.title} outside Comparer.")

    def did(self, counts: dict[str, int]) -> str:
        """Summarize what the accelerator did from its report's counts: "9 full, 16 shallow"."""
        return ", ".join(f"{count} {what}" for what, count in counts.items())

    def no_effect(self, report: "Report") -> str | None:
        """Return a one-sentence reason why a call most likely had no effect, or None if its counters show one.

        Args:
            report: of one call, or with the counts of several calls summed.
        """
        return None if any(report.counts.values()) else f"{self.title} skipped nothing."


def no_guidance(name: str, settings: Any, denoiser: dict) -> str | None:
    """Return the reason why a call has no two guided halves of a batch to drop one of; None if it has."""
    if settings.guidance <= 1:
        return f"{name} needs guidance, but guidance {settings.guidance:g} turns it off: set more than 1."
    if denoiser.get("time_cond_proj_dim") is not None:
        return (
            f"{name} needs a batch with a guided and an unguided half, but this checkpoint is distilled: it takes "
            "guidance as an input."
        )
    return None


def kind_of(family: str) -> str:
    """Return the common name of related families: "PixArt" for ``pixart-sigma``."""
    return FAMILIES[family].group or FAMILIES[family].title if family in FAMILIES else family


def denoiser_of(pipe: Any) -> Any:
    """Return the component that accelerators change: the transformer if there is one, else the U-Net."""
    transformer = getattr(pipe, "transformer", None)
    return pipe.unet if transformer is None else transformer


@dataclass
class Report:
    """What an accelerator did during one call: counters, and a schedule if it has one.

    ``counts`` are summed over an arm's calls on the page; ``schedule`` has one letter per evaluation
    (F full, . shallow or without guidance).
    """

    counts: dict[str, int] = field(default_factory=dict)
    schedule: str = ""
