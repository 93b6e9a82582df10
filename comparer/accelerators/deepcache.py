"""DeepCache (Ma et al., CVPR 2024, arXiv:2312.00858), by the package DeepCache."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from comparer.accelerators.base import Accelerator, Report, parameter


@dataclass(frozen=True)
class DeepCache(Accelerator):
    """Reuse the U-Net's deep features for some evaluations and recompute only its shallow blocks.

    Attributes:
        interval: one full evaluation every so many; 1 to 20, default 3. 1 skips nothing; higher is faster
            and further from the baseline.
        branch: how deep the recomputed part reaches, from the top; 0 to 20, default 0. 0 is the fastest;
            a checkpoint has about three for each resolution.
    """

    title: ClassVar[str] = "DeepCache"
    summary: ClassVar[str] = "Keeps the U-Net's deep features for a few steps and recomputes only the shallow ones."
    order: ClassVar[int] = 20
    families: ClassVar[frozenset[str]] = frozenset({"sd1", "sd2", "sdxl"})

    interval: int = parameter(3, "One full evaluation every so many; 1 skips nothing.", 1, 20, 1)
    branch: int = parameter(0, "How deep the part that is always computed reaches; 0 is the fastest.", 0, 20, 1)

    def why_not(self, request: Any, family: str, denoiser: dict) -> str | None:
        """Refuse families without a U-Net, U-Nets without a mid block, and branches the U-Net lacks."""
        if family not in self.families:
            return f"DeepCache needs a U-Net: it does not serve the family '{family}'."
        if denoiser.get("mid_block_type", "UNetMidBlock2DCrossAttn") is None:
            return "DeepCache needs a U-Net with a mid block: this checkpoint has none."
        allowed = branches(denoiser)
        if self.branch not in allowed:
            return (
                f"DeepCache: branch {self.branch} does not exist in this checkpoint: "
                f"choose one of {', '.join(map(str, allowed))}."
            )
        return None

    @contextmanager
    def apply(self, pipe: Any, settings: Any) -> Iterator[Report]:
        """Run the package's helper for one call, counting evaluations itself."""
        report = Report({"full": 0, "shallow": 0})
        helper = _counting_helper()(pipe, self, report)
        helper.enable()
        try:
            yield report
        finally:
            helper.disable()


def branches(denoiser: dict) -> list[int]:
    """List the branch numbers that a U-Net has: 3 × resolution + layer, as the package counts them.

    Each resolution has its residual layers and, but for the last, a downsampler.
    """
    levels = len(denoiser["block_out_channels"])
    layers = denoiser.get("layers_per_block", 2)
    counts = [layers] * levels if isinstance(layers, int) else list(layers)
    depth = [count + (level < levels - 1) for level, count in enumerate(counts)]
    return [3 * level + layer for level in range(levels) for layer in range(min(depth[level], 3))]


def _counting_helper() -> type:
    """Derive from the package's helper: one that counts evaluations.

    The package looks the step up by its time step, which is wrong wherever a sampler visits a time step twice
    (PNDM, Heun); the count is right for all and the same for the rest.
    """
    from DeepCache import DeepCacheSDHelper

    class CountingHelper(DeepCacheSDHelper):
        def __init__(self, pipe: Any, parameters: DeepCache, report: Report) -> None:
            super().__init__(pipe)
            self.report = report
            self.shape: tuple[int, ...] | None = None
            self.set_params(cache_interval=parameters.interval, cache_branch_id=parameters.branch)

        def wrap_unet_forward(self) -> None:
            forward = self.function_dict["unet_forward"] = self.pipe.unet.forward
            self.evaluation = -1

            def counted_forward(sample: Any, *args: Any, **kwargs: Any) -> Any:
                self.evaluation += 1
                self.cur_timestep = self.evaluation
                if sample.shape != self.shape:  # features of another batch shape are of no use
                    self.shape, self.start_timestep = sample.shape, self.evaluation
                full = (self.evaluation - self.start_timestep) % self.params["cache_interval"] == 0
                self.report.counts["full" if full else "shallow"] += 1
                self.report.schedule += "F" if full else "."
                return forward(sample, *args, **kwargs)

            self.pipe.unet.forward = counted_forward

    return CountingHelper
