"""Controls of the arms: accelerators, alone or stacked, with parameters generated from their dataclasses."""

from dataclasses import Field, fields
from typing import Any

import gradio as gr

from comparer.accelerators.registry import REGISTRY, Accelerator, build, build_stack
from comparer.models.catalog import CATALOG
from comparer.models.families.base import Model
from comparer.models.families.registry import FAMILIES
from comparer.reporting.markup import markup
from comparer.request.build import FIVE
from comparer.request.request import Request
from comparer.ui.gradio_options import PRIVATE

AT_FIRST = "DeepCache"
EACH, STACK, BOTH, PAIR = "each", "stack", "both", "pair"
MODES = [("Each alone", EACH), ("One stack", STACK), ("Both", BOTH), ("Each alone, and DeepCache + T-GATE", PAIR)]
SHOWN = 1  # parameters of an accelerator that are seen at once; the others unfold
ALL_FIVE = "baseline, DeepCache, ToMe, T-GATE, DeepCache + T-GATE"


class Arms:
    """The components that a request's arms are read from, and the handlers that use nothing else."""

    def __init__(self) -> None:
        """Start with empty tables; components are created in ``build``."""
        self.switches: dict[str, gr.Checkbox] = {}
        self.parameters: dict[tuple[str, str], Any] = {}

    def inputs(self) -> list[Any]:
        """List all components, in the order in which ``read`` takes their values."""
        return [self.mode, *self.switches.values(), *self.parameters.values()]

    def read(self, values: tuple, whole: bool = False) -> list[tuple[Accelerator, ...]]:
        """Build the accelerators of every arm but the baseline; if ``whole``, of one stack of all.

        In a stack, a parameter that was left at its default takes its default for stacks.

        Raises:
            ComparerError: a parameter is out of range.
        """
        mode, switched = STACK if whole else values[0], dict(zip(self.switches, values[1:], strict=False))
        chosen: dict[str, dict[str, Any]] = {name: {} for name, on in switched.items() if on}
        for (name, parameter), value in zip(self.parameters, values[1 + len(self.switches) :], strict=True):
            if name in chosen:
                chosen[name][parameter] = value
        alone = [(build(name, parameters),) for name, parameters in chosen.items()]
        if len(alone) < 2 or mode == EACH:
            return alone
        together = [name for name in chosen if mode != PAIR or name in FIVE[-1]]
        moved = [(name, {p: v for p, v in chosen[name].items() if v != _default(name, p)}) for name in together]
        stacked = [build_stack(moved)] if len(moved) > 1 else []
        return stacked if mode == STACK else alone + stacked

    def build(self) -> None:
        """Create the components."""
        # Ticked switches that are unavailable now, and parameters set by hand.
        self.away, self.touched = gr.State({}), gr.State([])
        with gr.Row(equal_height=True, elem_id="accelerators"):
            gr.HTML("<h2>Accelerators</h2>", padding=False)
            self.five = gr.Button("Compare all five", size="sm", scale=0, min_width=150, elem_id="five")
        self.about = gr.HTML(_about_arms(), elem_id="about-arms", padding=False)
        columns = []
        for name, kind in REGISTRY.items():
            with gr.Group():
                switch = gr.Checkbox(name == AT_FIRST, label=kind.title, info=kind.summary, elem_classes="switch")
                self.switches[name] = switch
                with gr.Column(visible=name == AT_FIRST, elem_classes="parameters") as column:
                    self._draw(name, fields(kind)[:SHOWN])
                    if fields(kind)[SHOWN:]:
                        with gr.Accordion(f"More {kind.title} settings", open=False):
                            self._draw(name, fields(kind)[SHOWN:])
                columns.append(column)
        self.mode = gr.Radio(MODES, value=EACH, label="Arms", visible=False, elem_id="arms")
        self.expected = gr.HTML(elem_id="expected", padding=False)
        switches = list(self.switches.values())
        gr.on([switch.change for switch in switches], _switched, switches, [self.mode, *columns], **PRIVATE)
        self.five.click(self._five, self.away, [self.mode, *switches], **PRIVATE)
        for parameter in self.scaled():
            self.parameters[parameter].input(
                lambda touched, which=parameter: [*touched, which], self.touched, self.touched, **PRIVATE
            )

    def _draw(self, name: str, parameters: tuple[Field, ...]) -> None:
        for item in parameters:
            self.parameters[name, item.name] = _control(item)

    def _five(self, away: dict) -> list:
        wanted = [REGISTRY[name].title in FIVE and name not in away for name in self.switches]
        return [gr.update(value=PAIR, visible=True), *wanted]

    def scaled(self) -> list[tuple[str, str]]:
        """List the (accelerator, parameter)s whose default depends on the steps."""
        few, many = (
            {n: kind.usual(CATALOG["demo"].family, steps) for n, kind in REGISTRY.items()} for steps in (10, 100)
        )
        return [(name, item) for name, usual in few.items() for item in usual if usual[item] != many[name][item]]

    def rescale(self, family: str, steps: int, touched: list, values: list) -> list:
        """Return the values of ``scaled`` at these steps: the default unless set by hand, clamped to the range."""
        found = []
        for (name, parameter), value in zip(self.scaled(), values, strict=True):
            by_hand = [name, parameter] in [list(which) for which in touched]
            wanted = value if by_hand else REGISTRY[name].usual(family, steps)[parameter]
            found.append(max(min(wanted, steps - 1), 1))
        return found

    def filled(self, request: Request, away: dict) -> dict:
        """Return updates of the components that restore a request's arms."""
        names = {kind: name for name, kind in REGISTRY.items()}
        stacks = [[names[type(a)] for a in arm.accelerators] for arm in request.arms if len(arm.accelerators) > 1]
        alone = [names[type(arm.accelerators[0])] for arm in request.arms if len(arm.accelerators) == 1]
        named = {name for stack in stacks for name in stack} | set(alone)
        mode = EACH if not stacks else STACK if not alone else BOTH if set(stacks[0]) == named else PAIR
        updates: dict[Any, Any] = {self.mode: gr.update(value=mode, visible=len(named) > 1)}
        # Stacks first: the values of an arm with the accelerator alone take precedence.
        for arm in sorted(request.arms, key=lambda arm: -len(arm.accelerators)):
            for a in arm.accelerators:
                for item in fields(a):
                    value = getattr(a, item.name)
                    usual = len(arm.accelerators) > 1 and a.stacked.get(item.name) == value
                    updates[self.parameters[names[type(a)], item.name]] = item.default if usual else value
        updates |= {switch: name in named for name, switch in self.switches.items()}
        return updates | {
            self.away: {name: name in named for name in away},
            self.touched: [which for which in self.scaled() if which[0] in named],
        }

    def usual(self, family: str, steps: int) -> dict:
        """Return updates of the parameters that depend on the family and the steps."""
        updates = {}
        for name, kind in REGISTRY.items():
            usual = kind.usual(family, steps)
            for parameter in {parameter for known in FAMILIES for parameter in kind.usual(known, steps)}:
                updates[self.parameters[name, parameter]] = usual.get(parameter, _default(name, parameter))
        return updates

    def available(self, request: Request, model: Model, denoiser: dict, ticked: tuple, away: dict) -> dict:
        """Return updates of the switches: greyed out, with the reason, if an accelerator cannot serve the request.

        ``away`` remembers which of these were ticked until they are available again. An accelerator is checked with its
        default parameters: errors of a parameter are corrected at the parameter.
        """
        updates: dict[Any, Any] = {}
        kept, missing = dict(away), []
        for (name, switch), on in zip(self.switches.items(), ticked, strict=True):
            kind = REGISTRY[name]
            usual = kind(**kind.usual(model.family, request.settings.steps))
            reason = usual.why_not(request, model.family, denoiser, model.factor)
            value: dict[str, Any] = {"value": False} if reason else {}
            if reason and name not in kept:
                kept[name] = bool(on)
            elif not reason and name in kept:
                value = {"value": kept.pop(name)}
            if reason and kind.title in FIVE:
                missing.append(kind.title)
            info = f"Not here: {reason}" if reason else kind.summary
            updates[switch] = gr.update(interactive=reason is None, info=info, **value)
        return updates | {
            self.away: kept,
            self.five: gr.update(interactive=not missing),
            self.about: _about_arms(missing),
        }

    def watched(self) -> list[Any]:
        """List the components that ``available`` updates."""
        return [*self.switches.values(), self.away, self.five, self.about]


def _about_arms(missing: list[str] | None = None) -> str:
    five = f"All five: not here, without {' and '.join(missing)}." if missing else f"All five: {ALL_FIVE}."
    return markup('<p class="about">An arm is one column of the comparison. {}</p>', five)


def _default(name: str, parameter: str) -> Any:
    return next(item.default for item in fields(REGISTRY[name]) if item.name == parameter)


def _switched(*on: bool) -> list:
    """Show the modes if there is more than one accelerator, and the parameters of each that is ticked."""
    return [gr.update(visible=sum(map(bool, on)) > 1), *(gr.update(visible=bool(each)) for each in on)]


def _control(item: Field) -> gr.components.Component:
    data = item.metadata
    label = data["label"] or item.name.replace("_", " ").capitalize()
    if isinstance(item.default, bool):
        return gr.Checkbox(item.default, label=label, info=data["help"])
    return gr.Slider(data["low"], data["high"], item.default, step=data["step"], label=label, info=data["help"])
