"""Compatibility matrix: every accelerator and stack × family × sampler order × guidance, checked by the rules."""

from dataclasses import dataclass, replace
from itertools import chain, combinations
from string import ascii_letters

from comparer.accelerators import stack
from comparer.accelerators.registry import REGISTRY, Accelerator, build_stack
from comparer.models.families.registry import FAMILIES
from comparer.models.tiny import native_config
from comparer.request.request import Request, Settings
from comparer.text import aligned

CONDITIONS = (("DDIM", 7.5), ("DDIM", 1.0), ("Heun", 7.5), ("Heun", 1.0))
"""A sampler of first and one of second order, each with guidance on and off."""


@dataclass(frozen=True)
class Cell:
    """One cell: a stack for a family, sampler and guidance; ``reason`` is None if the stack is supported."""

    accelerators: tuple[Accelerator, ...]
    family: str
    request: Request
    reason: str | None


def stacks(family: str, steps: int) -> list[tuple[Accelerator, ...]]:
    """List every accelerator and every stack, with their usual parameters.

    If an accelerator's defaults differ inside a stack, the stack with the stand-alone defaults is listed, too.
    """
    found: list[tuple[Accelerator, ...]] = []
    for size in range(1, len(REGISTRY) + 1):
        for kinds in combinations(REGISTRY.values(), size):
            usual = [(kind.title, kind.usual(family, steps)) for kind in kinds]
            alone = tuple(build_stack([part])[0] for part in usual)
            for built in (build_stack(usual), tuple(sorted(alone, key=lambda a: a.order))):
                if built not in found:
                    found.append(built)
    return found


def cells(family: str, denoiser: dict, settings: Settings) -> list[Cell]:
    """Check every stack under every condition.

    Args:
        family: a key of ``FAMILIES``.
        denoiser: the config of the family's denoiser.
        settings: 4 steps or more; the conditions replace its sampler and guidance.
    """
    asked = [Request(replace(settings, sampler=sampler, guidance=guidance)) for sampler, guidance in CONDITIONS]
    return [
        Cell(built, family, request, stack.why_not(built, request, family, denoiser))
        for built in stacks(family, settings.steps)
        for request in asked
    ]


def published(family: str) -> list[Cell]:
    """Return the cells of the family's largest published model at its native size, 25 steps."""
    model = FAMILIES[family].largest
    _, denoiser = native_config(model.name)
    return cells(family, denoiser, Settings(prompts=("a",), steps=25, width=model.size, height=model.size))


def text() -> str:
    """Format the matrix for 25 steps, with all reasons below; stacks of three without any support are omitted."""
    columns = [published(family) for family in FAMILIES]
    letters: dict[str | None, str] = {None: "+"}
    rows: dict[tuple, list[str]] = {}  # a stack that differs only in parameters is listed only if its marks differ
    for start in range(0, len(columns[0]), len(CONDITIONS)):
        accelerators = columns[0][start].accelerators
        reasons = [[cell.reason for cell in column[start : start + len(CONDITIONS)]] for column in columns]
        if len(accelerators) < 3 or any(None in those for those in reasons):
            for reason in chain(*reasons):
                letters.setdefault(reason, ascii_letters[len(letters) - 1])
            marks = ["".join(map(letters.__getitem__, those)) for those in reasons]
            rows.setdefault((*map(type, accelerators), *marks), [stack.label(accelerators, first=False), *marks])
    lines = [["", *FAMILIES], *rows.values()]
    legend = (
        "Four marks per family: a first-order sampler with guidance and without, a second-order one (Heun) with",
        "guidance and without. + works, and a letter says why not:",
    )
    table = aligned(lines, indent="")
    return "\n".join([*table, "", *legend, *(f"{letter}  {why}" for why, letter in letters.items() if why)])
