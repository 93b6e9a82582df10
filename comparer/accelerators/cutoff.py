"""Guidance cutoff: guidance for the first steps only (Kynkäänniemi et al., NeurIPS 2024, arXiv:2404.07724)."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from comparer.accelerators.base import Accelerator, Report, no_guidance, parameter
from comparer.accelerators.halves import one_half
from comparer.accelerators.recipe import CANNOT, RESCALED, Recipe, RecipeContext
from comparer.errors import ComparerError
from comparer.models import samplers


@dataclass(frozen=True)
class GuidanceCutoff(Accelerator):
    """Drop the unconditional half of the batch after a share of the steps; later steps are not guided.

    An evaluation without guidance costs about half. Most of T-GATE's saving comes from this, so the guidance cutoff is
    the fair comparison for T-GATE.

    Attributes:
        after: the share of the steps, rounded to whole steps, that are guided; 0 to 1, default 0.5. 1 drops
            nothing; 0 guides no step. Lower is faster and further from the baseline.
    """

    title: ClassVar[str] = "Guidance cutoff"
    summary: ClassVar[str] = "Guides the first steps only; the rest run the prompt alone, at half the work."
    order: ClassVar[int] = 30

    after: float = parameter(
        0.5, "Share of the steps that are guided; 1 drops nothing.", 0, 1, 0.05, label="Guided share of steps"
    )

    def why_not(self, request: Any, family: str, denoiser: dict, factor: int = 8) -> str | None:
        """Refuse calls without guidance."""
        if family not in self.families():
            return f"Guidance cutoff does not know the family '{family}': choose one of {', '.join(self.families())}."
        return no_guidance(self.title, request.settings, denoiser)

    def guided(self, steps: int) -> int:
        """Return the number of guided steps."""
        return round(self.after * steps)

    @contextmanager
    def apply(self, pipe: Any, settings: Any) -> Iterator[Report]:
        """Run only the conditional half after the guided share, for one call."""
        report = Report({"with guidance": 0, "without guidance": 0})
        with one_half(pipe, settings, half=1, first=self.guided(settings.steps), report=report):
            yield report

    def no_effect(self, report: Report) -> str | None:
        """Report that the share rounds to all steps."""
        if report.counts["without guidance"]:
            return None
        return f"Guidance cutoff: after {self.after:g} guides every step; set it lower."

    def write_recipe(self, made: Recipe, context: RecipeContext) -> None:
        """End guidance in a callback, as diffusers documents it."""
        settings, family = context.settings, context.family
        guided, order = self.guided(settings.steps), samplers.find(settings.sampler).order
        if not family.on_step_end:
            raise ComparerError(
                f"{CANNOT} {family.title}'s pipeline has no callback that could end guidance, so diffusers "
                "documents no way to cut it off."
            )
        evaluations = samplers.evaluations(settings.sampler, settings.steps)
        last = max(evaluations - settings.steps * order, 0) + guided * order - 1
        if settings.guidance_rescale:
            made.differs.append(RESCALED)
        if guided == 0:
            made.apply.append("# No step is guided: a guidance scale of 1 is none.")
            made.call = 'lambda **asked: pipe(**asked | {"guidance_scale": 1.0})'
            return
        if last >= evaluations - 1:
            made.apply.append("# The cutoff lies at the end: every step is guided.")
            return
        inputs = list(family.embeddings)
        refresh = ["        helper.disable()  # features of a batch of two halves are of no use to one"] * (
            "DeepCache" in context.stack
        )
        made.apply += [
            f"# Guidance for {guided} of {settings.steps} steps, by a callback as in diffusers' documentation.",
            "def end_guidance(pipe, step, timestep, tensors):",
            f"    if step == {last}:",
            "        pipe._guidance_scale = 0.0",
            "        tensors = {name: both.chunk(2)[1] for name, both in tensors.items()}  # the prompt's half",
            *refresh,
            *(["        helper.enable()"] if refresh else []),
            "    return tensors",
            "",
        ]
        made.imports.append("from functools import partial")
        made.call = f"partial(pipe, callback_on_step_end=end_guidance, callback_on_step_end_tensor_inputs={inputs!r})"
