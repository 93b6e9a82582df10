"""The left column: what is asked for. Components in the order that people know from other tools."""

from dataclasses import Field, dataclass, fields
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
from comparer.request import Request


@dataclass
class Controls:
    """The components that a request is read from, in the order of ``read``'s arguments."""

    checkpoint: gr.Dropdown
    prompt: gr.Textbox
    negative_prompt: gr.Textbox
    sampler: gr.Dropdown
    steps: gr.Slider
    width: gr.Number
    height: gr.Number
    batch_size: gr.Number
    guidance: gr.Slider
    seeds: gr.Textbox
    warmups: gr.Slider
    accelerators: list[gr.components.Component]

    def inputs(self) -> list[Any]:
        """List all components, the accelerators' switches and parameters last."""
        named = [getattr(self, item.name) for item in fields(self)[:-1]]
        return [*named, *self.accelerators]


def read(config: Config, values: tuple) -> Request:
    """Build the request from the components' values.

    Raises:
        ComparerError: a value is not allowed; the sentence says which and what is.
    """
    checkpoint, prompt, negative, sampler, steps, width, height, batch, guidance, seeds, warmups, *rest = values
    accelerators = []
    for kind in REGISTRY.values():
        switched_on = rest.pop(0)
        parameters = {item.name: rest.pop(0) for item in fields(kind)}
        if switched_on:
            accelerators.append(kind(**parameters))
    return ask(
        config, prompt, checkpoint, accelerators, negative, sampler, "" if steps is None else steps,
        "" if guidance is None else guidance, (width, height), seeds or "", batch, warmups,
    )  # fmt: skip


def choices(config: Config) -> list[tuple[str, str]]:
    """List (what is shown, name) of every checkpoint; the catalogue first, local ones newest first."""
    return [(CATALOG[name].title if name in CATALOG else name, name) for name in names(config)]


def build(config: Config) -> tuple[gr.Button, Controls]:
    """Draw the controls and wire what belongs to them alone.

    Returns the "Reuse last" button too: the page wires it, which knows the last seeds.
    """
    demo, limits = CATALOG["demo"], config.limits
    with gr.Row(equal_height=True):
        checkpoint = gr.Dropdown(choices(config), value="demo", label="Checkpoint", scale=8, min_width=200)
        refresh = gr.Button("Refresh", scale=1, min_width=84, size="sm", elem_classes="beside")
    prompt = gr.Textbox(EXAMPLES[0], label="Prompt", info="One a line; each line is a row.", lines=2, max_lines=8)
    told = gr.HTML(elem_id="told", padding=False)
    with gr.Accordion("What the demo model knows", open=False) as knows:
        gr.HTML(_words())
        gr.Examples([[text] for text in EXAMPLES], [prompt], label="Examples: press one", api_visibility="private")
    negative = gr.Textbox("", label="Negative prompt", placeholder="What the pictures should not show", lines=1)
    with gr.Row():
        sampler = gr.Dropdown(list(SAMPLERS), value=demo.sampler, label="Sampler", min_width=120)
        steps = gr.Slider(1, limits.steps, demo.steps, step=1, label="Steps", min_width=160)
    with gr.Row():
        width = gr.Number(demo.size, label="Width", step=8, precision=0, min_width=90)
        height = gr.Number(demo.size, label="Height", step=8, precision=0, min_width=90)
        batch = gr.Number(1, label="Batch size", precision=0, min_width=90)
    guidance = gr.Slider(0, 20, demo.guidance, step=0.1, label="Guidance (CFG scale)")
    with gr.Row(equal_height=True):
        seeds = gr.Textbox("-1", label="Seed", info="−1 random · 1,2,3 · 1-8", scale=4, min_width=130)
        dice = gr.Button("Random", min_width=74, size="sm", elem_classes="beside")
        reuse = gr.Button("Reuse last", min_width=84, size="sm", elem_id="reuse", elem_classes="beside")
    accelerators = _accelerators()
    with gr.Accordion("Measuring", open=False):
        warmups = gr.Slider(
            0, limits.warmups, 1, step=1, label="Warm-ups", info="Untimed calls of every arm before the first timed one"
        )
    dice.click(lambda: "-1", None, seeds, queue=False, api_visibility="private")
    refresh.click(lambda: gr.update(choices=choices(config)), None, checkpoint, queue=False, api_visibility="private")

    def defaults(name: str) -> list:
        try:
            model = resolve(name, config).model
        except ComparerError:
            model = CATALOG.get(name, CATALOG["demo"])  # Generate says why it cannot be loaded
        values = [model.sampler, model.steps, model.size, model.size, model.guidance]
        return [*values, gr.update(visible=name == "demo")]

    targets = [sampler, steps, width, height, guidance, knows]
    checkpoint.input(defaults, checkpoint, targets, queue=False, api_visibility="private")
    for component in (prompt, checkpoint):
        component.change(strange, [prompt, checkpoint], told, queue=False, show_progress="hidden", api_visibility="private")  # fmt: skip # noqa: E501
    return reuse, Controls(
        checkpoint, prompt, negative, sampler, steps, width, height, batch, guidance, seeds, warmups, accelerators
    )


def strange(prompt: str, checkpoint: str) -> str:
    """Name the words that the demo model has never seen, as HTML; "" for other checkpoints."""
    from html import escape

    words = unknown_words(prompt or "") if checkpoint == "demo" else []
    if not words:
        return ""
    listed = ", ".join(f"<b>{escape(word)}</b>" for word in words[:12])
    return f'<p class="note" role="status">The demo model has never seen: {listed}.</p>'


def _accelerators() -> list[gr.components.Component]:
    """Draw every accelerator's switch and parameters from its dataclass."""
    components: list[gr.components.Component] = []
    for kind in REGISTRY.values():
        with gr.Group():
            switch = gr.Checkbox(True, label=kind.title, info=kind.summary)
            with gr.Row() as row:
                parameters = [_parameter(item) for item in fields(kind)]
            switch.change(
                lambda on: gr.update(visible=on), switch, row, queue=False, show_progress="hidden",
                api_visibility="private",
            )  # fmt: skip
        components += [switch, *parameters]
    return components


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
