"""Specification of a pipeline's weights, written as one line. Plain data, no torch.

    CHECKPOINT; weights=raw; base=sd-1.5; lora=style.safetensors:0.8; vae=other; dtype=float16; prediction=v

All settings but the checkpoint are optional. The page, the API and the command line use the same line.
"""

import math
from dataclasses import asdict, dataclass, fields, replace
from pathlib import PurePath
from typing import Any

from comparer.errors import ComparerError
from comparer.text import quote

HALVES = ("ema", "raw")
DTYPES = ("float32", "float16", "bfloat16")
PREDICTIONS = ("epsilon", "v")
MOST_LORAS = 8


@dataclass(frozen=True)
class Weights:
    """The weights that a pipeline is built from; equal ones give the same pipeline.

    Attributes:
        checkpoint: a catalogue name, or ``folder/name`` as local ones are listed.
        half: "ema", "raw", or "" for EMA if available.
        base: the checkpoint that supplies missing components of a training output, or the configs of a file in
            the original layout; "" for none.
        loras: (file, weight −10 to 10), in the order in which they are added.
        vae: the checkpoint or file whose VAE replaces the built-in one; "" for the built-in one.
        dtype: "float32", "float16" or "bfloat16"; "" for the installation's default.
        incomplete: whether tensors may be missing; they get random values, and the result is marked.
        prediction: "epsilon" or "v", what the denoiser predicts; "" for what its files say.
    """

    checkpoint: str = "demo"
    half: str = ""
    base: str = ""
    loras: tuple[tuple[str, float], ...] = ()
    vae: str = ""
    dtype: str = ""
    incomplete: bool = False
    prediction: str = ""

    def __post_init__(self) -> None:
        """Raise ``ComparerError`` for values of the wrong type or range."""
        for name in ("checkpoint", "half", "base", "vae", "dtype", "prediction"):
            if not isinstance(getattr(self, name), str):
                raise ComparerError(f"The {name} of the weights is not text.")
        if self.half not in ("", *HALVES):
            raise ComparerError(f"There are no '{quote(self.half)}' weights: choose {' or '.join(HALVES)}.")
        if self.dtype not in ("", *DTYPES):
            raise ComparerError(f"'{quote(self.dtype)}' is not a dtype of weights: choose {', '.join(DTYPES)}.")
        if self.prediction not in ("", *PREDICTIONS):
            raise ComparerError(f"'{quote(self.prediction)}' is not a prediction: choose {' or '.join(PREDICTIONS)}.")
        if not isinstance(self.incomplete, bool):
            raise ComparerError("'incomplete' must be yes or no.")
        if len(self.loras) > MOST_LORAS:
            raise ComparerError(f"{len(self.loras)} LoRAs were requested: at most {MOST_LORAS} are allowed.")
        for lora in self.loras:
            if len(lora) != 2 or not isinstance(lora[0], str) or not lora[0]:
                raise ComparerError("A LoRA is written as FILE or FILE:WEIGHT.")
            if isinstance(lora[1], bool) or not isinstance(lora[1], int | float) or not math.isfinite(lora[1]):
                raise ComparerError(f"The weight '{quote(lora[1])}' of a LoRA is not a number.")
            if not -10 <= lora[1] <= 10:
                raise ComparerError(f"The weight {lora[1]:g} of a LoRA is out of range: -10 to 10 is allowed.")

    @property
    def is_default(self) -> bool:
        """Whether only the checkpoint is set."""
        return replace(self, checkpoint="") == Weights("")

    def text(self) -> str:
        """Format as the line that ``parse`` reads."""
        said = [self.checkpoint]
        said += [f"{key}={value}" for key, value in (("weights", self.half), ("base", self.base)) if value]
        said += [f"lora={file}:{weight:g}" for file, weight in self.loras]
        last = (("vae", self.vae), ("dtype", self.dtype), ("prediction", self.prediction))
        said += [f"{key}={value}" for key, value in last if value]
        return "; ".join([*said, *(["incomplete=yes"] if self.incomplete else [])])

    def label(self) -> str:
        """Return a short label, used as an arm's name.

        >>> Weights("runs/step_024000", "raw", "demo", (("a/style.safetensors", 0.8),)).label()
        'step_024000, raw, LoRA style × 0.8'
        """
        said = [PurePath(self.checkpoint).name or self.checkpoint]
        said += [{"ema": "EMA", "raw": "raw"}[self.half]] if self.half else []
        said += [f"LoRA {PurePath(file).stem} × {weight:g}" for file, weight in self.loras]
        said += [f"VAE of {PurePath(self.vae).name}"] if self.vae else []
        said += [f"{self.prediction}-prediction"] if self.prediction else []
        return ", ".join([*said, *([self.dtype] if self.dtype else [])])

    def to_json(self) -> dict[str, Any]:
        """Return plain data for JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> "Weights":
        """Create from ``to_json``'s data; ``TypeError`` or ``KeyError`` if the data is invalid."""
        return cls(**data | {"loras": tuple((file, weight) for file, weight in data.get("loras", ()))})


NAMES = tuple(item.name for item in fields(Weights))


def parse(text: str, like: Weights | None = None) -> Weights:
    """Parse a line such as ``step_024000; weights=raw; base=demo``.

    Args:
        text: a line as in the module's docstring.
        like: the weights to modify where the line names no checkpoint.

    Raises:
        ComparerError: a key is unknown or repeated, or its value is not allowed.

    >>> parse("a/b; lora=x.safetensors; lora=y.safetensors:0.5; weights=raw").loras
    (('x.safetensors', 1.0), ('y.safetensors', 0.5))
    >>> parse("weights=raw", parse("a/b; base=demo")).text()
    'a/b; weights=raw; base=demo'
    """
    found: dict[str, Any] = {}
    loras: list[tuple[str, float]] = []
    for number, word in enumerate(part.strip() for part in text.split(";")):
        key, equals, value = (part.strip() for part in word.partition("="))
        if number == 0 and word and key not in _KEYS:
            found["checkpoint"] = word
        elif not word:
            continue
        elif not equals or key not in _KEYS:
            raise ComparerError(
                f"'{quote(word)}' is not known: after the checkpoint write {', '.join(f'{k}=…' for k in _KEYS)}."
            )
        elif not value:
            raise ComparerError(f"'{key}=' has no value.")
        elif key == "lora":
            loras.append(_lora(value))
        elif _KEYS[key] in found:
            raise ComparerError(f"'{key}' is given twice.")
        else:
            found[_KEYS[key]] = _yes(value) if key == "incomplete" else value
    if "checkpoint" not in found and like is None:
        raise ComparerError("No checkpoint is named: choose one.")
    given = found | ({"loras": tuple(loras)} if loras else {})
    return Weights(**given) if "checkpoint" in found else replace(like or Weights(), **given)


_KEYS = {"weights": "half", "base": "base", "lora": "loras", "vae": "vae", "dtype": "dtype",
         "prediction": "prediction", "incomplete": "incomplete"}  # fmt: skip


def _lora(value: str) -> tuple[str, float]:
    file, colon, weight = value.rpartition(":")
    try:
        return (file, float(weight)) if colon and file else (value, 1.0)
    except ValueError:  # C:\lora.safetensors
        return value, 1.0


def _yes(value: str) -> bool:
    if value not in ("yes", "no"):
        raise ComparerError(f"'incomplete={quote(value)}' is not valid: write incomplete=yes or incomplete=no.")
    return value == "yes"
