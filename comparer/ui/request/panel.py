"""The left column: controls of the request, in the order that people know from other tools."""

from itertools import islice
from pathlib import Path
from typing import Any

import gradio as gr

from comparer.checkpoints.find import resolve, weight
from comparer.checkpoints.listing import Listing, listing
from comparer.checkpoints.spec import Weights
from comparer.config import Config
from comparer.demo.scenes import EXAMPLES
from comparer.errors import ComparerError
from comparer.metrics.scorers import SCORERS
from comparer.models import hub
from comparer.models.catalog import CATALOG
from comparer.models.families.base import Model
from comparer.models.samplers import SAMPLERS
from comparer.models.tiny import native_config
from comparer.reporting.markup import markup
from comparer.request import prompt_sets
from comparer.request.build import build_request
from comparer.request.prompt_files import TYPES, read_prompt_file
from comparer.request.prompt_syntax import lora_offer
from comparer.request.request import NOISE, Request, Settings, usual_repeat_seconds
from comparer.ui.gradio_options import PRIVATE
from comparer.ui.request import estimate
from comparer.ui.request.accelerators import Arms
from comparer.ui.request.checkpoints import CHECKPOINTS, Variants, Which, over, whatever
from comparer.ui.request.prompt_hints import note, remarks, words

ALSO_LABELS = {
    "equal-time": "Fewer steps in each arm's time",
    "noise-floor": "Noise floor",
    "divergence": "Latents, step by step",
    "memory": "Peak memory of a CPU",
}


class Controls:
    """The components that a request is read from, by name, and the handlers that use nothing else."""

    def __init__(self, config: Config) -> None:
        """Store the configuration; components are created in ``build``."""
        self.config = config
        self.parts: dict[str, Any] = {}
        self.arms, self.which, self.variants = Arms(), Which(config), Variants(config)

    def inputs(self) -> list[Any]:
        """List all components, in the order in which ``read`` takes their values."""
        return [*self.parts.values(), *self.which.inputs(), *self.variants.inputs(), *self.arms.inputs()]

    def read(self, values: tuple) -> Request:
        """Build the request from the components' values.

        Raises:
            ComparerError: a value is not allowed; the message names it and the allowed values.
        """
        cuts = [len(part) for part in (self.parts, self.which.inputs(), self.variants.inputs())]
        rest = iter(values)
        settings, which, variants = (tuple(islice(rest, cut)) for cut in cuts)
        named = dict(zip(self.parts, settings, strict=True))
        width, height, incomplete = named.pop("width"), named.pop("height"), bool(named.pop("incomplete"))
        filled = {name: "" if value is None else value for name, value in named.items()}
        filled["checkpoint"] = self.which.read(named["checkpoint"], which, incomplete)
        what, every, lines = self.variants.read(variants, incomplete)
        arms = self.arms.read(tuple(rest), whole=what == CHECKPOINTS) if what != CHECKPOINTS or every else []
        if what == CHECKPOINTS and not lines:
            raise ComparerError("Nothing to compare: choose a second checkpoint, or press EMA beside raw.")
        return build_request(self.config, accelerators=arms, size=(width, height), variants=lines, **filled)

    def baseline(self, values: tuple) -> str:
        """Return the weights selected for the baseline, as a line.

        Raises:
            ComparerError: a value is not allowed.
        """
        first = len(self.parts)
        named = dict(zip(self.parts, values[:first], strict=True))
        which = values[first : first + len(self.which.inputs())]
        return self.which.read(named["checkpoint"], which, bool(named["incomplete"]))

    def asked(self, values: tuple) -> Request:
        """Build the request, and reject one that compares nothing.

        Raises:
            ComparerError: as ``read``, or no accelerator is ticked.
        """
        request = self.read(values)
        if len(request.arms) < 2:
            raise ComparerError("Nothing to compare: tick an accelerator.")
        return request

    def build(self) -> None:
        """Create the controls and connect the handlers that use nothing else."""
        parts, demo, limits = self.parts, CATALOG["demo"], self.config.limits
        listed = listing(self.config)
        parts["checkpoint"] = gr.Dropdown(
            whatever(listed), value="demo", label="Checkpoint", info=_notes(listed), min_width=240
        )
        with gr.Row(elem_id="about-checkpoint"):
            small: dict[str, Any] = {"size": "sm", "min_width": 80}
            self.inspect = gr.Button("Inspect", elem_id="inspect", **small)
            self.check = gr.Button("Check", elem_id="check", **small)
            self.refresh = gr.Button("Refresh", elem_id="refresh", **small)
        self.fetch = gr.Button(visible=False, variant="primary", size="sm", elem_id="fetch")
        with gr.Accordion("EMA or raw, base, VAE, LoRA, dtype", open=False) as self.fold:
            self.which.build_half()
            self.which.build(listed)
            parts["incomplete"] = gr.Checkbox(
                False, label="Allow missing tensors", info="They become random, and the result is marked"
            )
        parts["prompt"] = gr.Textbox(EXAMPLES[0], label="Prompt", info="One prompt per line.", lines=2, max_lines=8)
        with gr.Row(equal_height=True, elem_id="from-file"):
            self.file = gr.UploadButton(
                "Prompts from a file", file_types=list(TYPES), size="sm", elem_id="file", min_width=140
            )
            self.fair_test = gr.Button(
                f"A fair test: {prompt_sets.FAIR_TEST} prompts", size="sm", elem_id="fair-test", min_width=140
            )
        self.counted = gr.HTML(elem_id="counted", padding=False)
        self.told = gr.HTML(elem_id="told", padding=False)
        self.use_loras = gr.Button("Use as LoRA", visible=False, size="sm", elem_id="use-loras")
        with gr.Accordion("What the demo model knows", open=False) as self.knows:
            gr.HTML(words())
            gr.Examples(
                [[text] for text in EXAMPLES], [parts["prompt"]], label="Examples: press one", api_visibility="private"
            )
        self.variants.build(listed)
        with gr.Column() as self.accelerators:
            self.arms.build()
        with gr.Row(elem_id="steps"):
            parts["sampler"] = gr.Dropdown(list(SAMPLERS), value=demo.sampler, label="Sampler", min_width=120)
            parts["steps"] = gr.Slider(1, limits.steps, demo.steps, step=1, label="Steps", min_width=160)
        parts["guidance"] = gr.Slider(0, limits.guidance, demo.guidance, step=0.1, label="Guidance (CFG scale)")
        with gr.Row(equal_height=True):
            parts["seeds"] = gr.Textbox("-1", label="Seed", info="−1 random · 1,2,3 · 1-8", scale=4, min_width=130)
            self.dice = gr.Button("Random", min_width=74, size="sm", elem_id="dice", elem_classes="beside")
            self.reuse = gr.Button("Last seed", min_width=84, size="sm", elem_id="reuse", elem_classes="beside")
        with gr.Row():
            parts["width"] = gr.Number(demo.size, label="Width", step=8, precision=0, min_width=90)
            parts["height"] = gr.Number(demo.size, label="Height", step=8, precision=0, min_width=90)
            parts["batch_size"] = gr.Number(1, label="Batch size", precision=0, min_width=90)
        parts["negative_prompt"] = gr.Textbox(
            "", label="Negative prompt", placeholder="What the pictures should not show", lines=1
        )
        with gr.Accordion("More settings", open=False):
            parts["guidance_rescale"] = gr.Slider(
                0, 1, 0, step=0.05, label="Guidance rescale", info="Against over-exposure at high guidance; 0 is off"
            )
            parts["warmups"] = gr.Slider(
                0, limits.warmups, 1, step=1, label="Warm-ups",
                info="Untimed calls of every arm before the first timed one",
            )  # fmt: skip
            parts["repeats"] = gr.Slider(
                1, limits.repeats, 1, step=1, label="Repeats",
                info="Timed calls of every batch, arms alternating; more tell the speed-up better",
            )  # fmt: skip
            parts["repeat_seconds"] = gr.Number(
                usual_repeat_seconds(limits), label="Seconds for repeats",
                info="After the pictures, extra timed turns until each speed-up is known to ± 3 %; 0 is off",
            )  # fmt: skip
            parts["noise"] = gr.Radio(
                [("One generator per picture", NOISE[0]), ("One draw per batch", NOISE[1])], value=NOISE[0],
                label="Starting noise",
                info="The first is the same in every batch and on every device; the second is drawn on the device",
            )  # fmt: skip
            parts["also"] = gr.CheckboxGroup(
                [(label, name) for name, label in ALSO_LABELS.items()], value=[], label="Measure also",
                info="Each takes untimed or further calls",
            )  # fmt: skip
            parts["scorer"] = gr.Dropdown(
                [("CLIP score that suits the checkpoint", ""), *((each.label, each.name) for each in SCORERS.values())],
                value="",
                label="Score that decides",
                info="What the quality verdict rests on",
            )
        self._wire()

    def _wire(self) -> None:
        parts = self.parts
        self.dice.click(lambda: "-1", None, parts["seeds"], **PRIVATE)
        self.refresh.click(self.refreshed, None, self.inputs(), **PRIVATE)
        self.variants.wire(parts["checkpoint"], self.which, self.accelerators)
        self.file.upload(self._from_file, self.file, [parts["prompt"], self.told, self.counted], **PRIVATE)
        self.fair_test.click(
            self._fill_fair_test,
            [parts["checkpoint"], self.which.base],
            [parts["prompt"], parts["seeds"], self.told, self.counted],
            **PRIVATE,
        )
        parts["prompt"].input(lambda: "", None, self.counted, **PRIVATE)
        defaults = [parts[name] for name in ("sampler", "steps", "width", "height", "guidance", "scorer")]
        which = [parts["checkpoint"], self.which.base]
        usual = list(self.arms.usual(CATALOG["demo"].family, 25))
        parts["checkpoint"].input(
            self._defaults,
            which,
            [*defaults, self.which.base, self.fold, self.knows, self.fetch, self.arms.touched, *usual],
            **PRIVATE,
        )
        scaled = [self.arms.parameters[which] for which in self.arms.scaled()]
        parts["steps"].input(
            self._rescale, [*which, parts["steps"], self.arms.touched, *scaled], scaled,
            trigger_mode="always_last", **PRIVATE,
        )  # fmt: skip
        for component in (prompts := [parts[name] for name in ("prompt", "negative_prompt", "checkpoint")]):
            component.change(self._hints, prompts, [self.told, self.use_loras], **PRIVATE)
        loras = [self.which.loras, self.which.scale]
        self.use_loras.click(
            self._use_loras, [parts["prompt"], *loras], [parts["prompt"], *loras, self.fold], **PRIVATE
        )

    def _hints(self, prompt: str, negative: str, checkpoint: str) -> tuple:
        offer = lora_offer(prompt or "", self.config)
        return remarks(prompt, negative, checkpoint, offer), gr.update(visible=bool(offer.found))

    def _use_loras(self, prompt: str, names: list[str], scale: Any) -> dict:
        """Move the LoRA tags of the prompts into the control of LoRAs."""
        offer = lora_offer(prompt or "", self.config)
        added = dict(self.which.chosen_loras(names, scale)) | {file: tag.weight for tag, file in offer.found}
        updates = self.which.with_loras(list(added.items())) | {self.fold: gr.update(open=True)}
        return updates | {self.parts["prompt"]: offer.without_tags(prompt or "")}

    def _from_file(self, file: str) -> tuple:
        try:
            found = read_prompt_file(Path(file))
        except ComparerError as error:
            return gr.skip(), note(self.config.redact(error)), ""
        return "\n".join(found.prompts), "", note(found.sentence)

    def _fill_fair_test(self, name: str, base: str) -> tuple:
        """Fill in the prompts of a fair test of the selected checkpoint, and one seed."""
        number, limits = prompt_sets.FAIR_TEST, self.config.limits
        if limits.prompts < number or limits.pictures < 2 * number:
            why = (
                f"A fair test has {number} prompts and at least {2 * number} pictures: here a run may have at most "
                f"{limits.prompts} prompts and {limits.pictures} pictures."
            )
            return gr.skip(), gr.skip(), note(why), ""
        found = prompt_sets.for_checkpoint(_weights(name, base), self.config)
        told = f"The first {number} of {len(found.prompts())} prompts of the set {found.name}, one seed"
        return "\n".join(found.fair_test()), "0", "", note(told)

    def _about(self, name: str, base: str = "") -> tuple[Model, dict]:
        """Return a checkpoint's model and its denoiser's configuration; what is usual where it cannot be read."""
        try:
            found = resolve(_weights(name, base), self.config)
            return found.model, found.denoiser
        except ComparerError:  # the plan says why
            model = CATALOG.get(name, CATALOG["sd-1.5"])
            return model, native_config(model.name)[1]

    def _defaults(self, name: str, base: str) -> dict:
        base, opened = over(name, base or "demo", base, self.config)
        model, _ = self._about(name, base)
        updates = {self.parts[part]: getattr(model, part) for part in ("sampler", "steps", "guidance")}
        updates |= {self.parts[part]: model.size for part in ("width", "height")}
        updates |= {self.parts["scorer"]: "", self.which.base: base, self.fold: opened}
        updates |= {self.knows: gr.update(visible=name == "demo"), self.fetch: self.fetchable(name)}
        return updates | {self.arms.touched: []} | self.arms.usual(model.family, model.steps)

    def _rescale(self, name: str, base: str, steps: Any, touched: list, *values: Any) -> Any:
        if not steps:
            return gr.skip()
        found = self.arms.rescale(self._about(name, base)[0].family, int(steps), touched, list(values))
        return found if len(found) > 1 else found[0]

    def fill(self, request: Request, away: dict) -> dict:
        """Return updates of the controls that restore a request."""
        settings = request.settings
        named = {name: getattr(settings, name) for name in self.parts if hasattr(settings, name)}
        named |= {name: getattr(request, name) for name in ("warmups", "repeats", "repeat_seconds", "noise")}
        named |= {"also": list(request.wanted()), "scorer": request.scorer if request.scorer in SCORERS else ""}
        named |= {"prompt": "\n".join(settings.prompts), "seeds": ",".join(map(str, settings.seeds))}
        shown = {self.knows: gr.update(visible=settings.checkpoint == "demo")}
        shown |= {self.fetch: self.fetchable(settings.checkpoint)}
        shown |= self.which.filled(settings.weights) | self.variants.filled(request)
        # A comparison of checkpoints without accelerators does not specify any.
        arms = self.arms.filled(request, away) if any(arm.accelerators for arm in request.arms) else {}
        return {self.parts[name]: value for name, value in named.items()} | shown | arms

    def fillable(self) -> list[Any]:
        """List the components that ``fill`` updates."""
        return [*self.inputs(), *self.variants.also(), self.knows, self.fetch, self.arms.away, self.arms.touched]

    def refreshed(self) -> dict:
        """Return updates of everything that lists checkpoints or files."""
        listed = listing(self.config)
        first = {self.parts["checkpoint"]: gr.update(choices=whatever(listed), info=_notes(listed))}
        return first | self.which.refreshed(listed) | self.variants.refreshed(listed)

    def fetched(self, name: str) -> dict:
        """Return updates for a model that has been downloaded."""
        return {**self.refreshed(), self.fetch: self.fetchable(name)}

    def fetchable(self, name: str) -> Any:
        """Show the download button if the model is on the Hub and not downloaded yet."""
        model = CATALOG.get(name)
        missing = model is not None and self.config.hub and not hub.here(model)
        return gr.update(visible=missing, value=f"Fetch it ({weight(model)})" if model and missing else None)

    def available(self, away: dict, values: tuple) -> dict:
        """Return updates of the accelerators' switches: which can serve the request; none while a value is wrong.

        Args:
            away: the ticked switches that are unavailable now.
            values: the values of ``inputs``.
        """
        named = dict(zip(self.inputs(), values, strict=True))
        name, sampler, guidance = (named[self.parts[part]] for part in ("checkpoint", "sampler", "guidance"))
        ticked = tuple(named[switch] for switch in self.arms.switches.values())
        model, denoiser = self._about(name, named[self.which.base])
        try:
            steps, width, height = (int(named[self.parts[part]]) for part in ("steps", "width", "height"))
            settings = Settings(("?",), name, "", sampler, steps, guidance, width, height)
            request = Request(settings, limits=self.config.limits)
            return self.arms.available(request, model, denoiser, ticked, away)
        except (ComparerError, TypeError, ValueError):  # the plan says what is wrong
            return {}

    def plan(self, *values: Any) -> str:
        """Describe what Generate would make and how long it would take, or why it cannot; as HTML."""
        try:
            return estimate.plan(self.asked(values), self.config)
        except ComparerError as error:
            return markup('<p class="plan wrong" role="status">{}</p>', self.config.redact(error))

    def fair(self, *values: Any) -> Any:
        """Return the label of the fair test's button; no update while a value is wrong."""
        try:
            return gr.update(value=estimate.fair_test(self.read(values), self.config))
        except ComparerError:  # the plan says why
            return gr.skip()

    def expected(self, *values: Any) -> Any:
        """Render the expected compute of every arm's denoiser."""
        try:
            return estimate.work(self.read(values), self.config)
        except ComparerError:  # the plan says why
            return ""


def _weights(name: str, base: str) -> Weights:
    """Return the selected checkpoint; catalogue models are complete, and a base may still be selected from before."""
    return Weights(name or "", base="" if name in CATALOG else base or "")


def _notes(listed: Listing) -> str | None:
    return " ".join(listed.notes) or None
