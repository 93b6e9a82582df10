"""Build one component of a pipeline from its weights, tensor by tensor, and say exactly what it then holds.

diffusers' and transformers' own loaders fill what is missing with random numbers and go on; here every tensor that a
module has and the files lack, or have in another shape, is counted, and is an error unless it was allowed.
"""

from collections.abc import Iterable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from comparer.checkpoints.fingerprint import digest, fingerprint, ignored
from comparer.checkpoints.health import Health
from comparer.checkpoints.sources import Source
from comparer.checkpoints.tensors import reading
from comparer.errors import ComparerError, shown

NAMED = 3  # tensors that are named where many could be
NESTED = "text_model."  # transformers takes and gives its text models' names with it and without


@dataclass(frozen=True)
class Filled:
    """A component as it was loaded.

    Attributes:
        component: as ``unet``.
        class_name: of the module.
        source: the file and the dictionary's key, relative to the checkpoint.
        half: "ema", "raw", or "" where nothing says which.
        how: how that was recognised.
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


def module_of(source: Source, library: str, class_name: str, empty: bool = True) -> Any:
    """Build a component from its configuration, its parameters without memory if ``empty``.

    Raises:
        ComparerError: there is no such class, or the configuration is not one of it.
    """
    import diffusers
    import transformers
    from accelerate import init_empty_weights

    kind = getattr({"diffusers": diffusers, "transformers": transformers}.get(library), class_name, None)
    if kind is None:
        raise ComparerError(f"There is no class {shown(class_name)} of {shown(library)} for the {source.component}.")
    # Buffers that no file holds are computed, so they need memory.
    with init_empty_weights(include_buffers=False) if empty else nullcontext():
        if library == "diffusers":
            return kind.from_config(kind.load_config(source.config, local_files_only=True)).eval()
        config = kind.config_class.from_pretrained(source.config, local_files_only=True)
        return kind(config).eval()


def build(source: Source, library: str, class_name: str, dtype: str, incomplete: bool = False) -> tuple[Any, Filled]:
    """Build a component and fill it.

    Args:
        source: its weights.
        library: of its class, "diffusers" or "transformers".
        class_name: as the pipeline's index names it.
        dtype: torch's name; layers that the class keeps in float32 are in float32.
        incomplete: fill what is missing with random values of seed 0 instead of refusing.

    Returns:
        The module on the CPU, for inference, and what it holds.

    Raises:
        ComparerError: a file cannot be read, or tensors are missing or of another shape.
    """
    import torch

    module = module_of(source, library, class_name)
    wanted = module.state_dict()
    names = matched([tensor.name for tensor in source.part.tensors], wanted)
    kept = tuple(getattr(module, "_keep_in_fp32_modules", None) or ())
    found, misshaped, unexpected = {}, [], []
    health, digests = Health(), {}
    with reading(source.part.tensors) as read:
        for tensor in source.part.tensors:
            name = names.get(tensor.name)
            if name is None:
                unexpected += [] if ignored(tensor.name) else [tensor.name]
                continue
            value = read(tensor)
            if value.shape != wanted[name].shape:
                misshaped.append(name)
                continue
            value = _cast(value, name, dtype, kept)
            found[name] = value
            digests[name] = digest(name, value)
            health.see(name, value)
    missing = [name for name in wanted if name not in found and name not in misshaped]
    missing = [name for name in missing if not ignored(name) and not tied(module, name)]
    if (missing or misshaped) and not incomplete:
        raise ComparerError(_told(source, missing, misshaped, unexpected))
    if missing or misshaped:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            drawn = module_of(source, library, class_name, empty=False).state_dict()
        for name in (*missing, *misshaped):
            found[name] = _cast(drawn[name], name, dtype, kept)
            digests[name] = digest(name, found[name])
    module.load_state_dict(found, strict=False, assign=True)
    if hasattr(module, "tie_weights"):
        module.tie_weights()
    module.requires_grad_(False)
    made = fingerprint(digests)
    part = source.part
    return module, Filled(
        source.component, class_name, part.source, part.half, part.how, source.why, part.parameters, part.dtypes,
        dtype, made.values, made.names, health, tuple(missing), tuple(unexpected), tuple(misshaped),
        tuple(map(str, source.files)),
    )  # fmt: skip


def matched(names: Iterable[str], wanted: Iterable[str]) -> dict[str, str]:
    """Match names of a file with a module's: equal, or but for the prefix that text models have or not.

    >>> matched(["text_model.a", "b", "c"], ["a", "text_model.b"])
    {'text_model.a': 'a', 'b': 'text_model.b'}
    """
    known = set(wanted)
    found = {}
    for name in names:
        forms = (name, name.removeprefix(NESTED), NESTED + name)
        if form := next((form for form in forms if form in known), ""):
            found[name] = form
    return found


def tied(module: Any, name: str) -> bool:
    """Say whether a module has this tensor under another name as well, so that files may leave it out."""
    known = getattr(module, "_tied_weights_keys", None) or ()
    return any(name == each or name.endswith(f".{each}") for each in known)


def _cast(value: Any, name: str, dtype: str, kept: tuple[str, ...]) -> Any:
    import torch

    if not value.is_floating_point():
        return value
    # T5's own rule: these layers overflow in float16.
    whole = dtype == "float16" and any(part in name.split(".") for part in kept)
    wanted = torch.float32 if whole else getattr(torch, dtype)
    # A copy of its own: what is mapped would change with the file.
    return value.to(wanted, copy=True).contiguous()


def _told(source: Source, missing: list[str], misshaped: list[str], unexpected: list[str]) -> str:
    total = len(missing) + len(misshaped) + sum(1 for _ in source.part.tensors)
    counts = [
        f"{len(names)} {what} ({', '.join(map(shown, names[:NAMED]))}{', …' if len(names) > NAMED else ''})"
        for what, names in (("missing", missing), ("of another shape", misshaped), ("unexpected", unexpected))
        if names
    ]
    return (
        f"{source.part.source} does not fill the {source.component}: of {total} tensors {', '.join(counts)}; "
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
