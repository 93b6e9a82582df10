"""DeepCache (Ma et al., CVPR 2024, arXiv:2312.00858), using the package DeepCache."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from comparer.accelerators.base import Accelerator, Report, kind_of, parameter
from comparer.accelerators.recipe import CANNOT, Recipe, RecipeContext
from comparer.errors import ComparerError
from comparer.models.families.base import Family

_TWICE = (
    "DeepCache's package looks an evaluation up by its time step, and this sampler visits one twice, where "
    "Comparer counts evaluations"
)


@dataclass(frozen=True)
class DeepCache(Accelerator):
    """Reuse the U-Net's deep features for some evaluations and recompute only its shallow blocks.

    Attributes:
        interval: run one full evaluation every ``interval`` evaluations; 1 to 20, default 3. 1 skips nothing;
            higher is faster and further from the baseline.
        branch: how deep the recomputed part reaches, from the top; 0 to 20, default 0. 0 is the fastest;
            a checkpoint has about three for each resolution.
    """

    title: ClassVar[str] = "DeepCache"
    summary: ClassVar[str] = "Keeps the U-Net's deep features for a few steps and recomputes only the shallow ones."
    order: ClassVar[int] = 20

    interval: int = parameter(3, "Run the full U-Net every N evaluations; 1 skips nothing.", 1, 20, 1)
    branch: int = parameter(0, "How deep the part that is always computed reaches; 0 is the fastest.", 0, 20, 1)

    @classmethod
    def serves(cls, family: Family) -> bool:
        """Return whether the family has a U-Net."""
        return family.denoiser == "unet"

    @property
    def amount(self) -> str:
        """The interval: "×3"."""
        return f"×{self.interval}"

    def why_not(self, request: Any, family: str, denoiser: dict, factor: int = 8) -> str | None:
        """Refuse families without a U-Net, U-Nets without a mid block, and branches the U-Net lacks."""
        if family not in self.families():
            return f"DeepCache needs a U-Net, but {kind_of(family)} has none: choose T-GATE or Guidance cutoff."
        if denoiser.get("mid_block_type", "UNetMidBlock2DCrossAttn") is None:
            return "DeepCache needs a U-Net with a mid block, but this one has none: choose another accelerator."
        allowed = branches(denoiser)
        if self.branch not in allowed:
            return (
                f"DeepCache: branch {self.branch} does not exist in this checkpoint: "
                f"choose one of {', '.join(map(str, allowed))}."
            )
        return None

    @contextmanager
    def apply(self, pipe: Any, settings: Any) -> Iterator[Report]:
        """Run the package's helper for one call and count evaluations separately."""
        report = Report({"full": 0, "shallow": 0})
        helper = _counting_helper()(pipe, self, report)
        helper.enable()
        pipe.unet.deepcache = helper
        try:
            yield report
        finally:
            del pipe.unet.deepcache
            helper.disable()

    def no_effect(self, report: Report) -> str | None:
        """Report that the interval is 1, or longer than the call."""
        if report.counts["shallow"]:
            return None
        if self.interval == 1:
            return "DeepCache: interval 1 runs the full U-Net at every evaluation; set it to 2 or more."
        return "DeepCache: the call had too few steps to skip anything; use more steps."

    def write_recipe(self, made: Recipe, context: RecipeContext) -> None:
        """Use DeepCache's helper; beside T-GATE, T-GATE's loader does that."""
        if context.offload != "none":
            raise ComparerError(f"{CANNOT} DeepCache's package does not work with an offloaded model.")
        made.needs.append("DeepCache")
        if context.visits_twice:
            made.differs.append(_TWICE)
        if "TGATE" in context.stack:
            return  # its package has a loader for both
        made.imports.append("from DeepCache import DeepCacheSDHelper")
        made.apply += [
            f"# DeepCache computes the whole U-Net in one evaluation of {self.interval}, else its shallow part alone.",
            "helper = DeepCacheSDHelper(pipe=pipe)",
            f"helper.set_params(cache_interval={self.interval}, cache_branch_id={self.branch})",
            "helper.enable()",
        ]
        made.undo.append("helper.disable()")


def refresh(denoiser: Any) -> None:
    """Force the next evaluation to be full, if DeepCache is applied to this denoiser."""
    if helper := getattr(denoiser, "deepcache", None):
        helper.shape = None


def branches(denoiser: dict) -> list[int]:
    """List the branch numbers of a U-Net: 3 × resolution + layer, as the package counts them.

    Each resolution has its residual layers and, except for the last, a downsampler.
    """
    levels = len(denoiser["block_out_channels"])
    layers = denoiser.get("layers_per_block", 2)
    counts = [layers] * levels if isinstance(layers, int) else list(layers)
    depth = [count + (level < levels - 1) for level, count in enumerate(counts)]
    return [3 * level + layer for level in range(levels) for layer in range(min(depth[level], 3))]


def _counting_helper() -> type:
    """Derive from the package's helper: one that counts evaluations.

    The package looks the step up by its time step, which is wrong wherever a sampler visits a time step twice
    (PNDM, Heun); the count is right for all and the same for the rest. It counts in a hook of torch's, which
    stays where an offload hook of accelerate's replaces ``forward``.
    """
    from DeepCache import DeepCacheSDHelper

    class CountingHelper(DeepCacheSDHelper):  # type: ignore[misc]
        def __init__(self, pipe: Any, parameters: DeepCache, report: Report) -> None:
            super().__init__(pipe)
            self.report = report
            self.set_params(cache_interval=parameters.interval, cache_branch_id=parameters.branch)

        def wrap_unet_forward(self) -> None:
            self.shape: tuple[int, ...] | None = None
            self.evaluation = -1
            self.handle = self.pipe.unet.register_forward_pre_hook(self.before, with_kwargs=True)

        def before(self, _: Any, args: tuple, kwargs: dict) -> None:
            self.evaluation += 1
            self.cur_timestep = self.evaluation
            shape = (args or tuple(kwargs.values()))[0].shape
            if shape != self.shape:  # features of another batch shape are of no use
                self.shape, self.start_timestep = shape, self.evaluation
            full = (self.evaluation - self.start_timestep) % self.params["cache_interval"] == 0
            self.report.counts["full" if full else "shallow"] += 1
            self.report.schedule += "F" if full else "."

        def unwrap_modules(self) -> None:
            self.handle.remove()
            self.function_dict["unet_forward"] = self.pipe.unet.forward  # never wrapped
            super().unwrap_modules()

    return CountingHelper
