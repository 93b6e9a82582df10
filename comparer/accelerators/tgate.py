"""T-GATE (Zhang et al., 2024, arXiv:2404.02747), with the schedule of the package tgate 1.0.0."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple

from comparer.accelerators.base import Accelerator, Report, denoiser_of, no_guidance, parameter
from comparer.accelerators.deepcache import refresh
from comparer.accelerators.halves import one_half
from comparer.accelerators.recipe import CANNOT, RESCALED, Recipe, RecipeContext
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.models.families.base import Family
from comparer.models.families.registry import FAMILIES


class _Known(NamedTuple):
    """What the package and its authors have for a pipeline class.

    Attributes:
        loader: the package's loader, "" if there is none.
        with_deepcache: its loader for both, "" if there is none.
        gate: the authors' gate_step of 25 steps.
        parameters: the authors' other parameters, where they are not the defaults.
    """

    loader: str
    with_deepcache: str = ""
    gate: int = 10
    parameters: dict[str, int] = {}


_KNOWN = {
    "StableDiffusionPipeline": _Known("TgateSDLoader", "TgateSDDeepCacheLoader"),
    "StableDiffusionXLPipeline": _Known("TgateSDXLLoader", "TgateSDXLDeepCacheLoader"),
    "PixArtAlphaPipeline": _Known("TgatePixArtAlphaLoader", gate=15, parameters={"sp_interval": 3}),
    "PixArtSigmaPipeline": _Known("TgatePixArtSigmaLoader", gate=15, parameters={"sp_interval": 3}),
}


@dataclass(frozen=True)
class TGATE(Accelerator):
    """Keep the cross-attention outputs of one step and drop guidance from there on.

    Before the gate, self-attention outputs may be reused between steps. After the gate, the unconditional half runs
    alone, with the mean of both halves' cross-attention outputs kept from the step before.

    Attributes:
        gate_step: steps before the gate; 1 to the steps − 1, default 10 (of 25; PixArt's authors take 15).
            Lower is faster and further from the baseline.
        sp_interval: before the gate, self-attention is computed every ``sp_interval`` steps; 1 to 50, default 5, and 1
            beside another accelerator. 1 reuses none; higher is faster and further from the baseline.
        fi_interval: the same after the gate; 1 to 50, default 1.
        warm_up: steps at the start whose self-attention is always computed; 0 to 50, default 2, and 0 beside
            another accelerator.
    """

    title: ClassVar[str] = "T-GATE"
    summary: ClassVar[str] = "Keeps cross-attention outputs after a step and drops guidance; reuses self-attention."
    order: ClassVar[int] = 30
    stacked: ClassVar[dict[str, Any]] = {"sp_interval": 1, "warm_up": 0}  # the package's, with DeepCache

    gate_step: int = parameter(10, "Steps before cross-attention is kept and guidance dropped.", 1, 149, 1)
    sp_interval: int = parameter(
        5,
        "Before the gate, compute self-attention every N steps; 1 reuses none.",
        1,
        50,
        1,
        label="Self-attention interval before the gate",
    )
    fi_interval: int = parameter(
        1,
        "After the gate, compute self-attention every N steps; 1 reuses none.",
        1,
        50,
        1,
        label="Self-attention interval after the gate",
    )
    warm_up: int = parameter(2, "Steps at the start whose self-attention is always computed.", 0, 50, 1)

    @classmethod
    def usual(cls, family: str, steps: int) -> dict[str, int]:
        """Return the authors' settings, gate scaled to the number of steps: 10 of 25; PixArt 15, and sp_interval 3."""
        known = _KNOWN.get(FAMILIES[family].pipeline if family in FAMILIES else "", _Known(""))
        return {"gate_step": max(1, min(round(steps * known.gate / 25), steps - 1)), **known.parameters}

    @classmethod
    def serves(cls, family: Family) -> bool:
        """Return whether the package has a loader for the family's pipeline."""
        return family.pipeline in _KNOWN

    def why_not(self, request: Any, family: str, denoiser: dict, factor: int = 8) -> str | None:
        """Refuse calls without guidance, second-order samplers, and gates outside the steps."""
        if family not in self.families():
            return f"T-GATE does not know the family '{family}': choose one of {', '.join(self.families())}."
        settings = request.settings
        if reason := no_guidance(self.title, settings, denoiser):
            return reason
        if samplers.find(settings.sampler).order > 1:
            return (
                f"T-GATE's schedule counts one evaluation per step, but {samplers.canonical(settings.sampler)} makes "
                "two: choose a first-order sampler, such as DPM++ 2M."
            )
        if settings.steps < 2:
            return f"T-GATE needs a step before its gate and one after it: set 2 steps or more, not {settings.steps}."
        if self.gate_step >= settings.steps:
            return (
                f"T-GATE: gate_step {self.gate_step} is out of range for {settings.steps} steps: "
                f"1 to {settings.steps - 1} is allowed, {self.usual(family, settings.steps)['gate_step']} is usual."
            )
        return None

    @contextmanager
    def apply(self, pipe: Any, settings: Any) -> Iterator[Report]:
        """Wrap the attention processors and run only the unconditional half after the gate, for one call."""
        from tgate.tgate_utils import tgate_scheduler

        report = Report({"with guidance": 0, "without guidance": 0, "attention reused": 0, "attention computed": 0})
        denoiser, phase = denoiser_of(pipe), _Phase()

        def on_step(step: int) -> None:
            if step < 0:
                return
            phase.cross, phase.own, keep_shape = tgate_scheduler(
                step, self.gate_step, self.sp_interval, self.fi_interval, self.warm_up
            )
            phase.mean = not keep_shape
            if step in (self.gate_step - 1, self.gate_step):
                refresh(denoiser)

        processors = denoiser.attn_processors
        denoiser.set_attn_processor(
            {
                # Attention outside transformer blocks adds a residual of its own, which must not be kept.
                name: _Keeping(processor, phase, report.counts) if "transformer_blocks" in name else processor
                for name, processor in processors.items()
            }
        )
        try:
            with one_half(pipe, settings, half=0, first=self.gate_step, report=report, on_step=on_step):
                yield report
        finally:
            denoiser.set_attn_processor(processors)

    def did(self, counts: dict[str, int]) -> str:
        """Report how many evaluations were guided, and how many attention outputs were reused."""
        guided, reused = counts["with guidance"], counts["attention reused"]
        attention = reused + counts["attention computed"]
        return f"{guided} guided, {counts['without guidance']} not; {reused} of {attention} attention outputs reused"

    def no_effect(self, report: Report) -> str | None:
        """Report that the gate was not reached."""
        if report.counts["without guidance"] or report.counts["attention reused"]:
            return None
        return f"T-GATE: gate_step {self.gate_step} was not reached; set it lower than the steps."

    def write_recipe(self, made: Recipe, context: RecipeContext) -> None:
        """Use the tgate package's loader, beside DeepCache the one for both."""
        deep, more = context.stack.get("DeepCache"), ""
        known = _KNOWN.get(context.family.pipeline, _Known(""))
        loader = known.with_deepcache if deep else known.loader
        if not loader:
            beside = " beside DeepCache" if deep else ""
            raise ComparerError(f"{CANNOT} T-GATE's package has no loader for {context.family.title}{beside}.")
        if deep:
            more = f", cache_interval={deep.interval}, cache_branch_id={deep.branch}"
            made.undo.append("pipe.deepcache.disable()")
        if context.settings.guidance_rescale:
            made.differs.append(RESCALED)
        made.imports += ["from functools import partial", f"from tgate import {loader}"]
        made.needs.append("tgate")
        made.apply += [
            f"# T-GATE keeps cross-attention outputs from step {self.gate_step} on and drops guidance there. It leaves",
            "# its changes in the model, so that pictures without it are made first.",
            f"{loader}(pipe{more})",
        ]
        made.call = (
            f"partial(pipe.tgate, gate_step={self.gate_step}, sp_interval={self.sp_interval}, "
            f"fi_interval={self.fi_interval}, warm_up={self.warm_up})"
        )


_NEITHER = {"cache": False, "reuse": False}


@dataclass
class _Phase:
    """What this step's attention does: keep its outputs, reuse kept ones, keep the mean of both halves."""

    cross: dict[str, bool] = field(default_factory=lambda: _NEITHER)
    own: dict[str, bool] = field(default_factory=lambda: _NEITHER)
    mean: bool = False


class _Keeping:
    """An attention processor that keeps the outputs of another and reuses them, as the phase says."""

    def __init__(self, processor: Any, phase: _Phase, counts: dict[str, int]) -> None:
        self.processor, self.phase, self.counts, self.kept = processor, phase, counts, None

    def __call__(
        self, attn: Any, hidden_states: Any, encoder_hidden_states: Any = None, *args: Any, **kwargs: Any
    ) -> Any:
        say = self.phase.own if encoder_hidden_states is None else self.phase.cross
        if say["reuse"] and self.kept is not None:
            self.counts["attention reused"] += 1
            return self.kept
        self.counts["attention computed"] += 1
        output = self.processor(attn, hidden_states, encoder_hidden_states, *args, **kwargs)
        if say["cache"]:
            self.kept = output
            if self.phase.mean:
                unconditional, conditional = output.chunk(2)
                self.kept = (unconditional + conditional) / 2
        return output
