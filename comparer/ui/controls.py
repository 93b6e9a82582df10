"""The left column: what is asked for. Components in the order that people know from other tools."""

from dataclasses import Field, fields
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from comparer.accelerators import REGISTRY
from comparer.checkpoints.read import names, resolve
from comparer.config import Config
from comparer.demo.scenes import COLOURS, EXAMPLES, KINDS, PLACES, RADII, unknown_words
from comparer.door import ask
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.models.samplers import SAMPLERS
from comparer.request import NOISE, Request, read_prompts
from comparer.results import LITERAL, WEIGHTED
from comparer.timing import pace
from comparer.ui import results

PRIVATE: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


class Controls:
    """The components that a request is read from, by name, and the handlers that belong to them alone."""

    def __init__(self, config: Config) -> None:
        """Build nothing yet; ``build`` does."""
        self.config = config
        self.parts: dict[str, Any] = {}
        self.accelerators: list[tuple[str, str, Any]] = []  # kind, parameter ("" for its switch), component

    def inputs(self) -> list[Any]:
        """List all components, in the order that ``read`` takes their values."""
        return [*self.parts.values(), *(component for _, _, component in self.accelerators)]

    def read(self, values: tuple) -> Request:
        """Build the request from the components' values.

        Raises:
            ComparerError: a value is not allowed; the sentence says which and what is.
        """
        named = dict(zip(self.parts, values, strict=False))
        width, height = named.pop("width"), named.pop("height")
        chosen: dict[str, dict[str, Any]] = {}
        for (kind, parameter, _), value in zip(self.accelerators, values[len(self.parts) :], strict=True):
            if not parameter and value:
                chosen[kind] = {}
            elif parameter and kind in chosen:
                chosen[kind][parameter] = value
        accelerators = [REGISTRY[kind](**parameters) for kind, parameters in chosen.items()]
        filled = {name: "" if value is None else value for name, value in named.items()}
        return ask(self.config, accelerators=accelerators, size=(width, height), **filled)

    def build(self) -> None:
        """Draw the controls and wire what belongs to them alone."""
        parts, demo, limits = self.parts, CATALOG["demo"], self.config.limits
        with gr.Row(equal_height=True):
            parts["checkpoint"] = gr.Dropdown(
                choices(self.config), value="demo", label="Checkpoint", scale=8, min_width=200
            )
            self.refresh = gr.Button("Refresh", scale=1, min_width=84, size="sm", elem_classes="beside")
        parts["prompt"] = gr.Textbox(
            EXAMPLES[0], label="Prompt", info="One a line; each line is a row.", lines=2, max_lines=8
        )
        self.told = gr.HTML(elem_id="told", padding=False)
        with gr.Accordion("What the demo model knows", open=False) as self.knows:
            gr.HTML(_words())
            gr.Examples(
                [[text] for text in EXAMPLES], [parts["prompt"]], label="Examples: press one", api_visibility="private"
            )
        parts["negative_prompt"] = gr.Textbox(
            "", label="Negative prompt", placeholder="What the pictures should not show", lines=1
        )
        with gr.Row():
            parts["sampler"] = gr.Dropdown(list(SAMPLERS), value=demo.sampler, label="Sampler", min_width=120)
            parts["steps"] = gr.Slider(1, limits.steps, demo.steps, step=1, label="Steps", min_width=160)
        with gr.Row():
            parts["width"] = gr.Number(demo.size, label="Width", step=8, precision=0, min_width=90)
            parts["height"] = gr.Number(demo.size, label="Height", step=8, precision=0, min_width=90)
            parts["batch_size"] = gr.Number(1, label="Batch size", precision=0, min_width=90)
        parts["guidance"] = gr.Slider(
            0, min(20, limits.guidance), demo.guidance, step=0.1, label="Guidance (CFG scale)"
        )
        with gr.Row(equal_height=True):
            parts["seeds"] = gr.Textbox("-1", label="Seed", info="−1 random · 1,2,3 · 1-8", scale=4, min_width=130)
            self.dice = gr.Button("Random", min_width=74, size="sm", elem_classes="beside")
            self.reuse = gr.Button("Reuse last", min_width=84, size="sm", elem_id="reuse", elem_classes="beside")
        self._accelerators()
        with gr.Accordion("More", open=False):
            self.file = gr.UploadButton("Prompts from a file", file_types=[".txt"], size="sm", elem_id="file")
            parts["guidance_rescale"] = gr.Slider(
                0, 1, 0, step=0.05, label="Guidance rescale", info="Against over-exposure at high guidance; 0 is off"
            )
            parts["warmups"] = gr.Slider(
                0, limits.warmups, 1, step=1, label="Warm-ups",
                info="Untimed calls of every arm before the first timed one",
            )  # fmt: skip
            parts["noise"] = gr.Radio(
                [("A generator a picture", NOISE[0]), ("One draw a batch, on the device", NOISE[1])], value=NOISE[0],
                label="Starting noise", info="The first is the same in every batch and on every device",
            )  # fmt: skip
        self._wire()

    def _wire(self) -> None:
        parts, config = self.parts, self.config
        self.dice.click(lambda: "-1", None, parts["seeds"], **PRIVATE)
        self.refresh.click(lambda: gr.update(choices=choices(config)), None, parts["checkpoint"], **PRIVATE)
        self.file.upload(self._from_file, self.file, [parts["prompt"], self.told], **PRIVATE)
        names_of = ("sampler", "steps", "width", "height", "guidance")
        parts["checkpoint"].input(
            self._defaults, parts["checkpoint"], [*(parts[name] for name in names_of), self.knows], **PRIVATE
        )
        prompts = [parts[name] for name in ("prompt", "negative_prompt", "checkpoint")]
        for component in prompts:
            component.change(remarks, prompts, self.told, **PRIVATE)

    def _from_file(self, file: str) -> tuple:
        try:
            return read_prompts(Path(file)).strip(), ""
        except ComparerError as error:
            return gr.skip(), _note(escape(self.config.tell(error)))

    def _defaults(self, name: str) -> list:
        try:
            model = resolve(name, self.config).model
        except ComparerError:
            model = CATALOG.get(name, CATALOG["demo"])  # the plan says why it cannot be loaded
        values = [model.sampler, model.steps, model.size, model.size, model.guidance]
        return [*values, gr.update(visible=name == "demo")]

    def plan(self, *values: Any) -> str:
        """Say what Generate would make and how long it would take, or why it cannot; as HTML."""
        try:
            request = self.read(values)
        except ComparerError as error:
            return f'<p class="plan wrong" role="status">{escape(self.config.tell(error))}</p>'
        seconds = pace.estimate(request, self.config)
        took = "the first run tells how long it takes" if seconds is None else f"about {results.duration(seconds)}"
        return f'<p class="plan">{escape(results.announce(request))}; {took}.</p>'

    def _accelerators(self) -> None:
        """Draw every accelerator's switch and parameters from its dataclass."""
        for name, kind in REGISTRY.items():
            with gr.Group():
                switch = gr.Checkbox(True, label=kind.title, info=kind.summary)
                self.accelerators.append((name, "", switch))
                with gr.Row() as row:
                    self.accelerators += [(name, item.name, _parameter(item)) for item in fields(kind)]
                switch.change(lambda on: gr.update(visible=on), switch, row, **PRIVATE)


def choices(config: Config) -> list[tuple[str, str]]:
    """List (what is shown, name) of every checkpoint; the catalogue first, local ones newest first."""
    return [(CATALOG[name].title if name in CATALOG else name, name) for name in names(config)]


def remarks(prompt: str, negative: str, checkpoint: str) -> str:
    """Say what will not be understood in a prompt: words the demo never saw, weights; as HTML."""
    said = []
    if checkpoint == "demo" and (words := unknown_words(prompt or "")):
        listed = ", ".join(f"<b>{escape(word)}</b>" for word in words[:12])
        said.append(f"The demo model has never seen: {listed}.")
    if WEIGHTED.search(f"{prompt} {negative}"):
        said.append(LITERAL)
    return _note(" ".join(said)) if said else ""


def _note(inside: str) -> str:
    return f'<p class="note" role="status">{inside}</p>'


def _parameter(item: Field) -> gr.components.Component:
    label, data = item.name.replace("_", " ").capitalize(), item.metadata
    if isinstance(item.default, bool):
        return gr.Checkbox(item.default, label=label, info=data["help"])
    return gr.Slider(
        data["low"], data["high"], item.default, step=data["step"], label=label, info=data["help"], min_width=150
    )


def _words() -> str:
    groups = {"Sizes": RADII, "Colours": COLOURS, "Shapes": KINDS, "Places": PLACES}
    rows = "".join(f"<dt>{name}</dt><dd>{', '.join(words)}</dd>" for name, words in groups.items())
    return f'<dl class="words">{rows}</dl>'
