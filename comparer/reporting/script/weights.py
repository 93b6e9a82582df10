"""Script lines that load an arm's weights with diffusers; weights it cannot load are refused. No torch."""

import re
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any

from comparer.accelerators.recipe import CANNOT
from comparer.checkpoints.spec import DTYPES
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.models.families.registry import FAMILIES
from comparer.results.comparison import Comparison
from comparer.text import quote

NAME = r"[A-Za-z_]\w*"
SCHEDULERS_OWN = "the scheduler's configuration"
_HUB = {where for model in CATALOG.values() if model.gigabytes for where in (model.source, model.base)}
# As save_pretrained calls them: unet/diffusion_pytorch_model.fp16-00001-of-00002.safetensors
_SAVED = {
    library: re.compile(
        rf"((?P<folder>[\w.-]+)/)?{stem}(\.(?P<variant>[a-zA-Z_]\w*))?(-\d+-of-\d+)?\.(safetensors|bin)"
    )
    for library, stem in (("diffusers", "diffusion_pytorch_model"), ("transformers", "(pytorch_)?model"))
}


@dataclass
class Loading:
    """Script lines that load a pipeline.

    Attributes:
        lines: body of a function that assigns the pipeline to ``pipe``.
        paths: locations, by the name of their option.
        hub: the options that are Hub repositories.
        classes: (package, class) of each import.
        loras: number of LoRAs.
    """

    lines: list[str] = field(default_factory=list)
    paths: dict[str, str] = field(default_factory=dict)
    hub: list[str] = field(default_factory=list)
    classes: set[tuple[str, str]] = field(default_factory=set)
    loras: int = 0


def plain(value: Any, pattern: str, what: str) -> str:
    """Validate a value of the record, which may come from anybody, for verbatim use in the script; return it.

    Args:
        value: value from the record.
        pattern: regular expression of harmless values, in ASCII.
        what: name of the value in the error message.

    Raises:
        ComparerError: the value does not match.
    """
    if not isinstance(value, str) or not re.fullmatch(pattern, value, re.ASCII):
        raise ComparerError(f"{CANNOT} its record has '{quote(value)}' as {what}.")
    return value


def loading(comparison: Comparison, arm: int, before: str = "") -> Loading:
    """Return the script lines that load an arm's pipeline.

    Args:
        comparison: the run.
        arm: position of the arm.
        before: prefix of the names of the options.

    Raises:
        ComparerError: diffusers has no documented way to load such weights.
    """
    return _Writer(comparison, arm, before).write()


class _Writer:
    """Writes the lines for one arm, piece by piece."""

    def __init__(self, comparison: Comparison, arm: int, before: str) -> None:
        self.card, self.before = comparison.card(arm), before
        self.weights = comparison.request.settings_of(arm).weights
        self.family = FAMILIES[self.card["family"]]
        dtype = self.card.get("dtype") or comparison.environment["dtype"]
        self.dtype = f"dtype=torch.{plain(dtype, '|'.join(DTYPES), 'a dtype')}"
        self.parts: dict[str, dict[str, Any]] = self.card.get("components", {})
        for name, part in self.parts.items():
            plain(name, NAME, "a component's name")
            plain(part["class_name"], NAME, "a component's class")
        self.made = Loading(classes={("diffusers", self.family.pipeline)})
        self.given: list[str] = []  # components that are loaded by themselves

    def write(self) -> Loading:
        for name, part in self.parts.items():
            if part["missing"] or part["misshaped"]:
                raise ComparerError(f"{CANNOT} the {name} lacks tensors, which were filled with random values.")
        if adapted := self.card.get("adapted"):
            names = ", ".join(quote(name) for name in adapted)
            raise ComparerError(f"{CANNOT} diffusers by itself would load {names} with other names or other scales.")
        if self.weights.vae:
            self._vae()
        over = [name for name, part in self.parts.items() if part["instead_of"] and name not in self.given]
        if len(over) > 1 and len(over) + len(self.given) == len(self.parts):
            self._single_file()
        else:
            self._folder(over)
        self._schedule()
        for number, (file, weight) in enumerate(self.weights.loras, 1):
            self.made.loras, name = number, f"lora_{number}"
            self.made.lines += [
                f"lora = Path({self._path(f'lora-{number}', file)})",
                f"pipe.load_lora_weights(lora.parent, weight_name=lora.name, adapter_name={name!r})",
                f"pipe.fuse_lora(lora_scale={weight!r}, adapter_names=[{name!r}])  # into the weights themselves",
                "pipe.unload_lora_weights()",
            ]
        return self.made

    def _folder(self, over: list[str]) -> None:
        """Load a folder as ``save_pretrained`` leaves it, here or on the hub; what is not of it by itself, before."""
        base, revision = self.weights.base, self.card.get("revision", "")
        model = CATALOG.get(base or self.weights.checkpoint)
        frame = self._path("base", base) if base else ""
        own = self._path("model", self.weights.checkpoint)
        for name in over:
            self._component(name, own, frame)
        frame = frame or own
        if model and model.base:  # its repository has the denoiser and nothing else
            if self.family.denoiser not in self.given:
                self._component(self.family.denoiser, frame, frame, revision)
            frame, revision = self._path("rest", model.base), self.card.get("base_revision", "")
        variant = self._variant()
        for name, part in self.parts.items():
            found, only = self._saved(name), len(part["present"]) == 1
            usual = (
                found and found["folder"] == name and ((found["variant"] or "") in (variant, "" if only else variant))
            )
            if name not in self.given and not usual:
                self._component(name, frame, frame, revision)
        more = [("revision", revision), ("variant", variant)]
        self._pipeline("from_pretrained", [frame, *(f"{name}={value!r}" for name, value in more if value)])

    def _variant(self) -> str:
        """Return the variant of the pipeline's files: the denoiser's, or the first that a component has."""
        if not self.parts:  # a run that was made before components were recorded
            return {"default": ""}.get(self.card["variant"], self.card["variant"])
        names = [self.family.denoiser, *self.parts]
        found = [self._saved(name) for name in names if name not in self.given]
        return next((match["variant"] for match in found if match and match["variant"]), "")

    def _saved(self, name: str) -> re.Match[str] | None:
        """Return how a component's file is called, where ``from_pretrained`` finds it."""
        part = self.parts[name]
        plain = part["files"] and not part["stripped"] and ": " not in part["source"]
        return _SAVED[_library(name)].fullmatch(part["files"][0]) if plain else None

    def _component(self, name: str, where: str, frame: str, revision: str = "") -> None:
        """Load a component by itself: from its folder, or from a file that has its weights and nothing else."""
        part, found = self.parts[name], self._saved(name)
        plain = not part["stripped"] and ": " not in part["source"] and len(part["files"]) == 1
        if found:
            more = (("subfolder", found["folder"]), ("revision", revision), ("variant", found["variant"]))
            call, said = "from_pretrained", [where, *(f"{key}={value!r}" for key, value in more if value)]
        elif _library(name) == "diffusers" and plain and frame:
            (file,) = part["files"]
            path = where if file == part["of"] else f"str(Path({where}) / {file!r})"
            call, said = "from_single_file", [path, f"config={frame}", f"subfolder={name!r}"]
        else:
            raise ComparerError(
                f"{CANNOT} the {name} was read from '{quote(part['source'], 200)}', which diffusers has no documented "
                "way to load; a diffusers folder of the same weights would do."
            )
        self._add(name, part["class_name"], call, said)

    def _vae(self) -> None:
        """Load an autoencoder that is not the checkpoint's."""
        part, where = self.parts["vae"], self.weights.vae
        if PurePath(part["of"]).suffix:
            frame = "base" if self.weights.base else "model"
            call, said = (
                "from_single_file",
                [self._path("vae", where), f"config={self._option(frame)}", "subfolder='vae'"],
            )
        else:
            inside = where in CATALOG or (part["of"] == "vae" and PurePath(where).name != "vae")
            call, said = "from_pretrained", [self._path("vae", where), *(["subfolder='vae'"] if inside else [])]
        self._add("vae", part["class_name"], call, said)

    def _add(self, name: str, kind: str, call: str, said: list[str]) -> None:
        self.made.classes.add((_library(name), kind))
        self.given.append(name)
        self.made.lines.append(f"{name} = {kind}.{call}({', '.join([*said, self.dtype])})")

    def _single_file(self) -> None:
        """Load a file in the original layout of Stable Diffusion."""
        part, base = self.parts[self.family.denoiser], self.weights.base
        if part["half"] == "ema" and len(part["present"]) > 1:
            raise ComparerError(
                f"{CANNOT} '{quote(part['of'])}' holds EMA and raw weights, the EMA ones were compared, and diffusers "
                "reads the raw ones of such a file."
            )
        if not PurePath(part["of"]).suffix or any(part["stripped"] for part in self.parts.values()):
            raise ComparerError(f"{CANNOT} diffusers has no documented way to load '{quote(part['of'])}'.")
        where, family = self._path("model", self.weights.checkpoint), self.family.name
        published = next(model.name for model in CATALOG.values() if model.family == family and model.gigabytes)
        self._pipeline("from_single_file", [where, f"config={self._path('config', base or published)}"])

    def _schedule(self) -> None:
        """Set what was not the schedule of the folder that the configs come from."""
        configs = self.card.get("configs", {})
        reason = " ".join(str(configs.get("prediction_reason", SCHEDULERS_OWN)).split())
        if reason == SCHEDULERS_OWN:
            return
        changed: dict[str, Any] = {"prediction_type": configs["prediction_type"]}
        if configs.get("rescale_betas_zero_snr") or "ztsnr" in self.card["extra"]:
            changed |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
        said = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        self.made.lines += [
            f"# {''.join(c if c.isprintable() else '?' for c in reason)}"[:110],
            f"pipe.scheduler = type(pipe.scheduler).from_config(pipe.scheduler.config, {said})",
        ]

    def _pipeline(self, call: str, arguments: list[str]) -> None:
        arguments += [f"{name}={name}" for name in self.given] + [self.dtype]
        arguments += [f"{argument.name}={argument.value!r}" for argument in self.family.load]
        listed = [f"    {argument}," for argument in arguments]
        self.made.lines += [f"pipe = {self.family.pipeline}.{call}(", *listed, ")"]

    def _path(self, name: str, where: str) -> str:
        """Make an option of where something is; return how the script says it."""
        option = self.before + name
        found = "assets/demo" if where == "demo" else CATALOG[where].source if where in CATALOG else where
        self.made.paths[option] = found
        if found in _HUB:
            self.made.hub.append(option)
        return self._option(name)

    def _option(self, name: str) -> str:
        return f"options.{self.before}{name}".replace("-", "_")


def _library(component: str) -> str:
    return "transformers" if component.startswith("text_encoder") else "diffusers"
