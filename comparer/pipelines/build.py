"""Build one component of a pipeline from its weights, tensor by tensor, and say exactly what it then holds.

diffusers' and transformers' own loaders fill what is missing with random numbers and go on; here every tensor that a
module has and the files lack, or have in another shape, is counted, and is an error unless it was allowed.
"""

from dataclasses import asdict, dataclass, field, replace
from typing import Any

from comparer.checkpoints import convert
from comparer.checkpoints.files.tensors import reading
from comparer.checkpoints.inspection.fingerprint import digest, fingerprint
from comparer.checkpoints.inspection.health import Health
from comparer.checkpoints.read import read_json
from comparer.checkpoints.sources import Source
from comparer.errors import Incomplete
from comparer.text import quote

NAMED = 3  # tensors that are named where many could be


@dataclass(frozen=True)
class Filled:
    """A component as it was loaded.

    Attributes:
        component: as ``unet``.
        class_name: of the module.
        source: the file and the dictionary's key, relative to the checkpoint.
        half: "ema", "raw", or "" where nothing says which.
        how: how that was recognised.
        stripped: prefixes of training wrappers that were taken off its names.
        why: why these weights.
        parameters: numbers in all of its tensors.
        stored: numbers by stored dtype.
        dtype: that it runs in.
        fingerprint: of the values as loaded.
        named: of the values under their names.
        health: of the values as loaded.
        missing: tensors of the module that the files lack.
        unexpected: tensors of the files that the module lacks.
        misshaped: tensors of both, with another shape.
        files: that it was read from.
    """

    component: str
    class_name: str
    source: str
    half: str
    how: str
    stripped: tuple[str, ...]
    why: str
    parameters: int
    stored: dict[str, int]
    dtype: str
    fingerprint: str
    named: str
    health: Health
    missing: tuple[str, ...] = ()
    unexpected: tuple[str, ...] = ()
    misshaped: tuple[str, ...] = ()
    files: tuple[str, ...] = field(default=(), compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return what ``run.json`` says of it."""
        return asdict(self) | {"health": asdict(self.health) | {"sound": self.health.sound}}


def build(source: Source, class_name: str, dtype: str, incomplete: bool = False) -> tuple[Any, Filled]:
    """Build a component and fill it.

    Args:
        source: its weights.
        class_name: as the pipeline's index names it.
        dtype: torch's name; layers that the class keeps in float32 are in float32.
        incomplete: fill what is missing with random values of seed 0 instead of refusing.

    Returns:
        The module on the CPU, for inference, and what it holds.

    Raises:
        ComparerError: a file cannot be read, or tensors are missing or of another shape.
    """
    import torch

    config = read_json(source.config / "config.json")
    module = convert.module(config, class_name)
    wanted = module.state_dict()
    fit = convert.fit(source.part, config, module)
    missing, misshaped = list(fit.missing), list(fit.misshaped)
    if (missing or misshaped) and not incomplete:
        raise Incomplete(_told(source, fit))
    kept = tuple(getattr(module, "_keep_in_fp32_modules", None) or ())
    found: dict[str, Any] = {}
    health, digests = Health(), {}
    with reading(source.part.tensors) as read:
        for name, value in fit.values(read, wanted):
            found[name] = _cast(value, name, dtype, kept)
            digests[name] = digest(name, found[name])
            health.see(name, found[name])
    if missing or misshaped:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            drawn = convert.module(config, class_name, empty=False).state_dict()
        for name in (*missing, *misshaped):
            found[name] = _cast(drawn[name], name, dtype, kept)
            digests[name] = digest(name, found[name])
    module.load_state_dict(found, strict=False, assign=True)
    convert.tied(module).requires_grad_(False)
    made = fingerprint(digests)
    part = source.part
    return module, Filled(
        source.component, class_name, part.source, part.half, part.how, part.stripped, source.why,
        part.parameters, part.dtypes,
        dtype, made.values, made.names, health, fit.missing, fit.unexpected, tuple(misshaped),
        tuple(map(str, source.files)),
    )  # fmt: skip


def _cast(value: Any, name: str, dtype: str, kept: tuple[str, ...]) -> Any:
    import torch

    if not value.is_floating_point():
        return value
    # T5's own rule: these layers overflow in float16.
    whole = dtype == "float16" and any(part in name.split(".") for part in kept)
    wanted = torch.float32 if whole else getattr(torch, dtype)
    # A copy of its own: what is mapped would change with the file.
    return value.to(wanted, copy=True).contiguous()


def _told(source: Source, fit: convert.Fit) -> str:
    shapes = [f"{name}: {sizes}" for name, sizes in fit.misshaped.items()]
    counts = [
        f"{len(names)} {what} ({', '.join(quote(name) for name in names[:NAMED])}{', …' if len(names) > NAMED else ''})"
        for what, names in (("missing", fit.missing), ("of another shape", shapes), ("unexpected", fit.unexpected))
        if names
    ]
    return (
        f"{quote(source.part.source, 200)} does not fill the {source.component}: of its tensors {', '.join(counts)}; "
        "'incomplete=yes' fills them with random values and marks the result."
    )


def refill(filled: Filled, module: Any) -> Filled:
    """Return what a component holds after its values were changed, by a LoRA say."""
    health, digests = Health(), {}
    for name, value in module.state_dict().items():
        digests[name] = digest(name, value.cpu())
        health.see(name, value.cpu())
    made = fingerprint(digests)
    return replace(filled, fingerprint=made.values, named=made.names, health=health)
