"""Build one component of a pipeline from its weights, tensor by tensor, and record exactly what was loaded.

The loaders of diffusers and transformers fill missing tensors with random numbers and continue. Here, every tensor
of the module that is missing from the files or has another shape is counted, and is an error unless allowed.
"""

import re
from dataclasses import dataclass, field, replace
from typing import Any

from comparer.checkpoints import convert, quantised
from comparer.checkpoints.files import foreign
from comparer.checkpoints.files.tensors import reading
from comparer.checkpoints.inspection.fingerprint import digest, fingerprint
from comparer.checkpoints.inspection.health import Health
from comparer.checkpoints.read import read_json
from comparer.checkpoints.sources import Source
from comparer.errors import ComparerError, Foreign, Incomplete
from comparer.text import counted, few, quote

NAMED = 3  # maximum number of tensors named in a list


@dataclass(frozen=True)
class Filled:
    """A component as it was loaded.

    Attributes:
        component: name of the component, e.g. ``unet``.
        class_name: class of the module.
        source: file and dictionary key, relative to the checkpoint.
        half: "ema", "raw", or "" if unknown.
        how: how EMA or raw was recognised.
        stripped: prefixes of training wrappers that were removed from the tensor names.
        why: why these weights were chosen.
        parameters: number of values in all tensors.
        stored: number of values by stored dtype.
        dtype: dtype the component runs in.
        fingerprint: fingerprint of the values as loaded.
        named: fingerprint of the values with their names.
        health: health of the values as loaded.
        missing: tensors of the module that the files lack.
        unexpected: tensors of the files that the module lacks.
        misshaped: tensors of both, with different shapes.
        files: files the component was read from.
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


def build(source: Source, class_name: str, dtype: str, incomplete: bool = False) -> tuple[Any, Filled]:
    """Build a component and load its weights.

    Args:
        source: the component's weights.
        class_name: class name as in the pipeline's index.
        dtype: name of the torch dtype; layers that the class keeps in float32 stay in float32.
        incomplete: fill missing tensors with random values of seed 0 instead of raising.

    Returns:
        The module on the CPU, in inference mode, and a record of what was loaded.

    Raises:
        ComparerError: a file cannot be read, or tensors are missing or have another shape.
    """
    import torch

    config = read_json(source.config / "config.json")
    module = convert.module(config, class_name)
    wanted = module.state_dict()
    part, scales = quantised.split(source.part)
    fit = convert.fit(part, config, module)
    quantised.check_surplus(part, fit.unexpected)
    missing, misshaped = list(fit.missing), list(fit.misshaped)
    _check_channels(source, fit)
    if (missing or misshaped) and not incomplete:
        raise _unfilled(source, class_name, fit, wanted)
    kept = tuple(getattr(module, "_keep_in_fp32_modules", None) or ())
    found: dict[str, Any] = {}
    health, digests = Health(), {}
    with reading(source.part.tensors) as read:
        for name, value in fit.values(quantised.scaling(read, scales), wanted):
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
    # Copy: a memory-mapped tensor would change with the file.
    return value.to(wanted, copy=True).contiguous()


_ANOTHER_WIDTH = re.compile(r"\d+×(\d+) instead of \d+×(?!\1\b)")


def _check_channels(source: Source, fit: convert.Fit) -> None:
    """Refuse a U-Net or a VAE of another model: no random values would make it fit."""
    what, where = source.component, quote(source.part.source, 200)
    shape = fit.misshaped.get("conv_in.weight", "")
    if what == "unet" and re.match(r"(\d+)×\d+×3×3 instead of \1×", shape):
        raise Foreign(
            f"{where} is not a text-to-image U-Net: its first layer is {shape}, and the second number is the "
            "channels that it takes (9 for inpainting, 8 for instruct-pix2pix)."
        )
    texts = (shape for name, shape in fit.misshaped.items() if name.endswith("attn2.to_k.weight"))
    if what == "unet" and (width := next((each for each in texts if _ANOTHER_WIDTH.match(each)), "")):
        raise Foreign(
            f"{where} is a U-Net of another model: its attention to the text is {width}, and the second number is "
            "the width of the text encoder; choose another base."
        )
    shape = fit.misshaped.get("decoder.conv_in.weight", "")
    if what == "vae" and (found := re.match(r"(\d+)×(\d+)×3×3 instead of \1×(\d+)×", shape)):
        raise Foreign(
            f"{where} is a VAE of another model: its latents have {found[2]} channels, but this model's have "
            f"{found[3]}."
        )


def _unfilled(source: Source, class_name: str, fit: convert.Fit, wanted: dict[str, Any]) -> ComparerError:
    """Return the error for weights that lack tensors; random ones are offered only where most of a module is there."""
    what, where = source.component, quote(source.part.source, 200)
    fits = len(wanted) - len(fit.missing) - len(fit.misshaped)
    if not fits or (2 * fits < len(wanted) and (fit.unexpected or fit.misshaped)):
        known = foreign.adapter(source.part.tensors) or foreign.tiny_autoencoder(source.part.tensors)
        kind = f"{known}, not a {what}" if known else f"not a {what} of this kind"
        return Foreign(
            f"{where} is {kind}: {fits} of the {len(wanted)} tensors of a {class_name} are in it, with "
            f"{counted(len(fit.unexpected), 'other tensor')}{f' ({few(fit.unexpected)})' if fit.unexpected else ''}"
            f"{f'; {len(fit.misshaped)} have another shape' if fit.misshaped else ''}."
        )
    return Incomplete(_told(source, fit))


def _told(source: Source, fit: convert.Fit) -> str:
    shapes = [f"{name}: {sizes}" for name, sizes in fit.misshaped.items()]
    counts = [
        f"{len(names)} {what} ({', '.join(quote(name) for name in names[:NAMED])}{', …' if len(names) > NAMED else ''})"
        for what, names in (("missing", fit.missing), ("of another shape", shapes), ("unexpected", fit.unexpected))
        if names
    ]
    return (
        f"{quote(source.part.source, 200)} does not match the {source.component}; tensors: {', '.join(counts)}. "
        "'incomplete=yes' fills them with random values and marks the result."
    )


def refill(filled: Filled, module: Any) -> Filled:
    """Update the record of a component after its values were changed, e.g. by a LoRA."""
    health, digests = Health(), {}
    for name, value in module.state_dict().items():
        digests[name] = digest(name, value.cpu())
        health.see(name, value.cpu())
    made = fingerprint(digests)
    return replace(filled, fingerprint=made.values, named=made.names, health=health)
