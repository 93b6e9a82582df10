"""Controls of the compared checkpoints: the weights of every arm, as rows."""

import re
from collections.abc import Sequence
from typing import Any

import gradio as gr

from comparer.checkpoints.listing import DOWNLOAD, YOURS, Entry, Listing, listing
from comparer.checkpoints.peek import FILE, LORA, PIPELINE, WEIGHTS
from comparer.checkpoints.spec import DTYPES, PREDICTIONS, Weights
from comparer.config import Config
from comparer.models.catalog import CATALOG
from comparer.request.request import Request
from comparer.ui.gradio_options import PRIVATE

ACCELERATORS, CHECKPOINTS = "accelerators", "checkpoints"
ROWS = 5  # beside the baseline
HALVES = [("EMA where it is", ""), ("EMA", "ema"), ("Raw", "raw")]
OWN_WEIGHT = re.compile(r":-?\d+(\.\d+)?$")  # of a LoRA, behind its file


class Which:
    """Controls that select the weights of a checkpoint."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build_half`` and ``build``."""
        self.config = config

    def build_half(self) -> None:
        """Create the control that most people need."""
        self.half = gr.Dropdown(HALVES, value="", label="Weights", scale=3, min_width=150)

    def build(self, listed: Listing) -> None:
        """Create the remaining controls."""
        with gr.Row():
            self.base = gr.Dropdown(
                label="Base",
                info="Has what a training output lacks",
                min_width=150,
                value="",
                choices=_or("None", bases(listed)),
            )
            self.vae = gr.Dropdown(
                label="VAE",
                info="In the place of its own",
                min_width=150,
                value="",
                choices=_or("Its own", whatever(listed)),
            )
        with gr.Row():
            self.loras = gr.Dropdown(
                lora_files(listed), value=[], multiselect=True, allow_custom_value=True, label="LoRA",
                info="One or more files", scale=3, min_width=170,
            )  # fmt: skip
            self.scale = gr.Number(1, label="LoRA weight", info="−10 to 10", step=0.05, min_width=90)
        with gr.Row():
            self.dtype = gr.Dropdown(
                [("This installation's", ""), *((name, name) for name in DTYPES)], value="", label="Dtype",
                min_width=150,
            )  # fmt: skip
            self.prediction = gr.Dropdown(
                _or("As its files say", [(name, name) for name in PREDICTIONS]), value="", label="Prediction",
                min_width=150,
            )  # fmt: skip

    def inputs(self) -> list[Any]:
        """List all components, in the order in which ``read`` takes their values."""
        return [self.half, self.base, self.vae, self.loras, self.scale, self.dtype, self.prediction]

    def read(self, checkpoint: Any, values: tuple, incomplete: bool) -> str:
        """Return the selected weights as a line that ``checkpoints.spec.parse`` reads.

        Raises:
            ComparerError: a value is not allowed.
        """
        half, base, vae, loras, scale, dtype, prediction = values
        added = tuple(self.chosen_loras(loras, scale))
        chosen = (checkpoint or "", half or "", base or "", added, vae or "", dtype or "", incomplete, prediction or "")
        return Weights(*chosen).text()

    def filled(self, weights: Weights) -> dict:
        """Return updates of the components that select these weights."""
        named = {self.half: weights.half, self.base: weights.base, self.vae: weights.vae, self.dtype: weights.dtype}
        return named | {self.prediction: weights.prediction} | self.with_loras(weights.loras)

    def with_loras(self, loras: Sequence[tuple[str, float]]) -> dict:
        """Return updates that select these LoRAs, (file, weight) each."""
        scales = {weight for _, weight in loras}
        alike = len(scales) == 1
        files = [file if alike else f"{file}:{weight:g}" for file, weight in loras]
        choices = list(dict.fromkeys([*lora_files(listing(self.config)), *files]))
        return {self.loras: gr.update(value=files, choices=choices), self.scale: scales.pop() if alike else 1}

    def chosen_loras(self, names: Sequence[str] | None, scale: Any) -> list[tuple[str, float]]:
        """Return the selected LoRAs, (file, weight) each; a file's name may include its weight."""
        weight = 1.0 if scale is None else float(scale)
        return [(_file(name), _weight(name, weight)) for name in names or []]

    def refreshed(self, listed: Listing) -> dict:
        """Return updates with the checkpoints and files that are available now."""
        return {
            self.base: gr.update(choices=_or("None", bases(listed))),
            self.vae: gr.update(choices=_or("Its own", whatever(listed))),
            self.loras: gr.update(choices=lora_files(listed)),
        }


class VariantRow:
    """An arm with weights other than the baseline's."""

    def __init__(self, config: Config, number: int) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config, self.number, self.which = config, number, Which(config)

    def build(self, listed: Listing) -> None:
        """Create the row."""
        with gr.Group(visible=self.number == 1, elem_classes="arm") as self.group:
            with gr.Row(equal_height=True):
                # A distinct label: "Checkpoint" is the baseline's.
                self.checkpoint = gr.Dropdown(
                    whatever(listed), value=None, label=f"Arm {self.number + 1}", scale=5, min_width=190
                )
                self.which.build_half()
            with gr.Accordion("Base, VAE, LoRA, dtype", open=False) as self.fold:
                self.which.build(listed)
                self.remove = gr.Button("Remove this arm", size="sm", visible=self.number > 1)

    def inputs(self) -> list[Any]:
        """List the components; the first one tells whether the row is used."""
        return [self.checkpoint, *self.which.inputs()]


class Variants:
    """The kind of comparison, accelerators or checkpoints, and the rows of the latter."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config, self.rows = config, [VariantRow(config, number) for number in range(1, ROWS + 1)]

    def build(self, listed: Listing) -> None:
        """Create the components."""
        self.what = gr.Radio(
            [("Accelerators", ACCELERATORS), ("Checkpoints", CHECKPOINTS)], value=ACCELERATORS, label="Compare",
            elem_id="what",
        )  # fmt: skip
        with gr.Column(visible=False, elem_id="variants") as self.column:
            with gr.Row(equal_height=True, elem_id="checkpoints"):
                gr.HTML("<h2>Checkpoints</h2>", padding=False)
                self.halves = gr.Button("EMA beside raw", size="sm", scale=0, min_width=150, elem_id="halves")
            gr.HTML(
                '<p class="about">The baseline is the checkpoint above; every arm below is compared with it, from the '
                "same noise.</p>",
                padding=False,
                elem_id="about-checkpoints",
            )
            for row in self.rows:
                row.build(listed)
            with gr.Row(equal_height=True):
                self.add = gr.Button("Add a checkpoint", size="sm", min_width=150, elem_id="add")
            self.every = gr.Checkbox(
                False, label="With accelerators", info="Those ticked below, as one stack on every arm"
            )
        self.open = gr.State([True] + [False] * (ROWS - 1))  # which rows are seen

    def inputs(self) -> list[Any]:
        """List all components, in the order in which ``read`` takes their values."""
        return [self.what, self.every, *(part for row in self.rows for part in row.inputs())]

    def read(self, values: tuple, incomplete: bool) -> tuple[str, bool, list[str]]:
        """Return the kind of comparison, whether accelerators apply to every arm, and a line per arm that is used.

        Raises:
            ComparerError: a value is not allowed.
        """
        what, every, rest = values[0], bool(values[1]), values[2:]
        each = len(self.rows[0].inputs())
        lines = []
        for number, row in enumerate(self.rows):
            checkpoint, *which = rest[number * each : (number + 1) * each]
            if checkpoint:
                lines.append(row.which.read(checkpoint, tuple(which), incomplete))
        return what, every, lines if what == CHECKPOINTS else []

    def wire(self, checkpoint: gr.Dropdown, first: Which, accelerators: gr.Column) -> None:
        """Connect the handlers that add, remove and fill rows; ``checkpoint`` and ``first`` are the baseline's."""
        switches = [self.what, self.every]
        gr.on([part.change for part in switches], self._switched, switches, [self.column, accelerators], **PRIVATE)
        groups = [row.group for row in self.rows]
        self.add.click(self._added, self.open, [self.open, self.add, *groups], **PRIVATE)
        self.halves.click(self._halves, [checkpoint, *first.inputs()], [first.half, *self.rows[0].inputs()], **PRIVATE)
        for number, row in enumerate(self.rows):
            row.remove.click(
                lambda seen, number=number: self._removed(seen, number), self.open,
                [self.open, self.add, *groups, row.checkpoint], **PRIVATE,
            )  # fmt: skip
            row.checkpoint.input(
                lambda name, base, own: over(name, base, own, self.config), [row.checkpoint, checkpoint, first.base],
                [row.which.base, row.fold], **PRIVATE,
            )  # fmt: skip

    def _switched(self, what: str, every: bool) -> list:
        on_all = what == CHECKPOINTS
        return [
            gr.update(visible=on_all),
            gr.update(visible=not on_all or every, elem_classes=["every-arm"] if on_all else []),
        ]

    def _opened(self, seen: list[bool]) -> dict:
        groups = {row.group: gr.update(visible=on) for row, on in zip(self.rows, seen, strict=True)}
        return {self.open: seen, self.add: gr.update(visible=not all(seen)), **groups}

    def _added(self, seen: list[bool]) -> dict:
        first = seen.index(False) if False in seen else len(seen)
        return self._opened([on or number == first for number, on in enumerate(seen)])

    def _removed(self, seen: list[bool], which: int) -> dict:
        left = [on and number != which for number, on in enumerate(seen)]
        return self._opened(left) | {self.rows[which].checkpoint: None}

    def _halves(self, checkpoint: Any, *values: Any) -> list:
        """Make the first row the baseline's raw weights; a baseline that is raw becomes EMA."""
        half, *rest = values
        return ["ema" if half == "raw" else half, checkpoint, "raw", *rest]

    def filled(self, request: Request) -> dict:
        """Return updates of the components that restore a request's arms."""
        asked = [arm.weights for arm in request.arms if arm.weights is not None][:ROWS]
        updates: dict[Any, Any] = {self.what: CHECKPOINTS if asked else ACCELERATORS}
        if not asked:
            return updates
        updates |= {self.every: bool(request.arms[0].accelerators)}
        updates |= self._opened([number < len(asked) for number in range(ROWS)])
        for row, weights in zip(self.rows, [*asked, *[None] * ROWS], strict=False):
            updates |= {row.checkpoint: weights.checkpoint if weights else None}
            updates |= row.which.filled(weights or Weights())
        return updates

    def also(self) -> list[Any]:
        """List the components that ``filled`` updates besides ``inputs``."""
        return [self.open, self.add, *(row.group for row in self.rows)]

    def refreshed(self, listed: Listing) -> dict:
        """Return updates with the checkpoints and files that are available now."""
        updates: dict[Any, Any] = {row.checkpoint: gr.update(choices=whatever(listed)) for row in self.rows}
        for row in self.rows:
            updates |= row.which.refreshed(listed)
        return updates


def bases(listed: Listing) -> list[tuple[str, str]]:
    """List (label, name) of every pipeline: yours, installed, and what can be downloaded."""
    return [(_label(entry), entry.name) for entry in listed.of((PIPELINE,))]


def whatever(listed: Listing) -> list[tuple[str, str]]:
    """List (label, name) of everything that can be a checkpoint: pipelines, single files and training outputs."""
    return [(_label(entry), entry.name) for entry in listed.of((PIPELINE, FILE, WEIGHTS))]


def lora_files(listed: Listing) -> list[str]:
    """List the LoRAs. Files that do not show what they are can be typed."""
    return [entry.name for entry in listed.of((LORA,))]


def _label(entry: Entry) -> str:
    if entry.group == YOURS:
        return f"{entry.name} · yours{', EMA and raw' if len(entry.halves) == 2 else ''}"
    model = CATALOG[entry.name]
    where = f"not here: about {model.gigabytes:g} GB to download" if entry.group == DOWNLOAD else entry.group
    return f"{model.title} · {where}"


def over(name: Any, checkpoint: Any, base: Any, config: Config) -> tuple[Any, Any]:
    """Return updates of a base and its fold: weights need a base, initially the nearest one."""
    known = {entry.name: entry for entry in listing(config).entries}
    entry = known.get(name)
    if not name or name in CATALOG or (entry and entry.kind != WEIGHTS):
        return "", gr.update()
    whole = checkpoint in known and known[checkpoint].kind == PIPELINE
    return (entry and entry.base) or (checkpoint if whole else base or ""), gr.update(open=True)


def _or(none: str, choices: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(none, ""), *choices]


def _file(name: str) -> str:
    return OWN_WEIGHT.sub("", name)


def _weight(name: str, usual: float) -> float:
    found = OWN_WEIGHT.search(name)
    return float(found[0][1:]) if found else usual
