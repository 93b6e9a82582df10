"""What runs with what: every accelerator and stack × family × sampler order × guidance, asked of the rules."""

from dataclasses import asdict, dataclass
from itertools import chain, combinations
from string import ascii_letters

from comparer.accelerators import REGISTRY, Accelerator, build_stack, stack
from comparer.models.catalog import FAMILIES
from comparer.request import Request, Settings

CONDITIONS = (("DDIM", 7.5), ("DDIM", 1.0), ("Heun", 7.5), ("Heun", 1.0))
"""A sampler of first and one of second order, each with guidance on and off."""

DENOISERS: dict[str, dict] = {
    "sd1": {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2},
    "sd2": {"block_out_channels": [320, 640, 1280, 1280], "layers_per_block": 2},
    "sdxl": {"block_out_channels": [320, 640, 1280], "layers_per_block": 2},
    "pixart-alpha": {},
    "pixart-sigma": {},
}
"""The part of each family's real denoiser configuration that the rules read."""


@dataclass(frozen=True)
class Cell:
    """One answer: this stack for this family, sampler and guidance; ``reason`` is None where it works."""

    accelerators: tuple[Accelerator, ...]
    family: str
    request: Request
    reason: str | None


def stacks(family: str, steps: int) -> list[tuple[Accelerator, ...]]:
    """List every accelerator and every stack with usual parameters.

    Where an accelerator's defaults are other ones beside others, the stack with its defaults alone is listed too.
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


def cells(family: str, denoiser: dict, steps: int = 25) -> list[Cell]:
    """Ask the rules about every stack under every condition.

    Args:
        family: a name of ``catalog.FAMILIES``.
        denoiser: its denoiser's configuration.
        steps: of the request that is asked about; 4 or more.
    """
    asked = [
        Request(Settings(prompts=("a",), sampler=sampler, guidance=guidance, steps=steps))
        for sampler, guidance in CONDITIONS
    ]
    return [
        Cell(built, family, request, stack.why_not(built, request, family, denoiser))
        for built in stacks(family, steps)
        for request in asked
    ]


def text() -> str:
    """Write the matrix, 25 steps, with every reason below it; stacks of three that serve nobody are left out."""
    columns = [cells(family, DENOISERS[family]) for family in FAMILIES]
    letters: dict[str | None, str] = {None: "+"}
    rows: dict[tuple, list[str]] = {}  # a stack that differs in parameters alone is said only where they matter
    for start in range(0, len(columns[0]), len(CONDITIONS)):
        accelerators = columns[0][start].accelerators
        reasons = [[cell.reason for cell in column[start : start + len(CONDITIONS)]] for column in columns]
        if len(accelerators) < 3 or any(None in those for those in reasons):
            for reason in chain(*reasons):
                letters.setdefault(reason, ascii_letters[len(letters) - 1])
            marks = ["".join(map(letters.__getitem__, those)) for those in reasons]
            rows.setdefault((*map(type, accelerators), *marks), [_label(accelerators), *marks])
    lines = [["", *FAMILIES], *rows.values()]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    table = ["  ".join(word.ljust(width) for word, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    legend = (
        "Four marks a family: a first-order sampler with guidance and without, a second-order one (Heun) with",
        "guidance and without. + works, and a letter says why not:",
    )
    return "\n".join([*table, "", *legend, *(f"{letter}  {why}" for why, letter in letters.items() if why)])


def _label(accelerators: tuple[Accelerator, ...]) -> str:
    """Name a stack, with the parameters that are not what ``build_stack`` takes by itself."""
    usual = build_stack([(accelerator.title, {}) for accelerator in accelerators])
    said = []
    for accelerator, other in zip(accelerators, usual, strict=True):
        changed = {k: v for k, v in asdict(accelerator).items() if v != getattr(other, k)}
        inside = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        said.append(accelerator.title + (f"({inside})" if inside else ""))
    return " + ".join(said)
