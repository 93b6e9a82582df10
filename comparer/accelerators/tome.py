"""ToMe, token merging (Bolya & Hoffman, CVPR 2023 workshops, arXiv:2303.17604), using the package tomesd."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import ceil
from typing import Any, ClassVar

from comparer.accelerators.base import Accelerator, Report, kind_of, parameter
from comparer.accelerators.recipe import Recipe, RecipeContext
from comparer.errors import ComparerError
from comparer.models.families.base import Family

DOWNSAMPLES = (0, 1, 2, 4, 8)


@dataclass(frozen=True)
class ToMe(Accelerator):
    """Merge similar tokens before the U-Net's attention and copy the result back to each of them.

    Attributes:
        ratio: share of the tokens to merge; 0.01 to 0.75, default 0.5. Higher is faster and coarser.
        max_downsample: merge down to 1/max_downsample of the latent's resolution; 1, 2, 4, 8 or, by default, 0: the
            finest resolution at which the checkpoint has attention (1; SDXL 2).
        merge_crossattn: merge before cross-attention too; default off. Costs quality for little time.
        merge_mlp: merge before the feed-forward layers too; default off. Costs much quality.
        use_rand: choose the tokens to keep by a random pattern; default on. The package samples one pattern for
            a whole batch, and uses the fixed pattern if the model's batch is odd (guidance off, one image).
        seed: seed of that pattern, 0 to 9999, default 0. Every call starts from this seed, whatever ran before.
    """

    title: ClassVar[str] = "ToMe"
    summary: ClassVar[str] = "Merges similar tokens before attention; pays off at large sizes."
    order: ClassVar[int] = 10

    ratio: float = parameter(0.5, "Share of the tokens that is merged; higher is faster and coarser.", 0.01, 0.75, 0.01)
    max_downsample: int = parameter(
        0, "Merge down to 1/this of the full resolution: 1, 2, 4 or 8; 0 is the finest that has attention.", 0, 8, 1
    )
    merge_crossattn: bool = parameter(
        False, "Merge before cross-attention too; costs quality for little time.", label="Merge cross-attention"
    )
    merge_mlp: bool = parameter(
        False, "Merge before the feed-forward layers too; costs much quality.", label="Merge MLP"
    )
    use_rand: bool = parameter(
        True, "A random pattern of tokens that stay; one for the whole batch.", label="Random pattern"
    )
    seed: int = parameter(0, "Seed of that pattern; every call starts from it.", 0, 9999, 1, "Pattern seed")

    def __post_init__(self) -> None:
        """Validate as the base class does, and refuse a max_downsample that no U-Net has."""
        super().__post_init__()
        if self.max_downsample not in DOWNSAMPLES:
            raise ComparerError(
                f"ToMe: max_downsample {self.max_downsample} does not exist: "
                f"choose one of {', '.join(map(str, DOWNSAMPLES))}."
            )

    @classmethod
    def serves(cls, family: Family) -> bool:
        """Return whether the family has a U-Net."""
        return family.denoiser == "unet"

    @property
    def amount(self) -> str:
        """The share of merged tokens: "50 %"."""
        return f"{100 * self.ratio:g} %"

    def why_not(self, request: Any, family: str, denoiser: dict, factor: int = 8) -> str | None:
        """Refuse families without a U-Net, GLIGEN, a max_downsample above all attention, and unsupported sizes."""
        if family not in self.families():
            return f"ToMe needs a U-Net, but {kind_of(family)} has none: choose T-GATE or Guidance cutoff."
        if denoiser.get("attention_type", "default") != "default":
            return "ToMe does not support the GLIGEN layers of this checkpoint."
        finest = attention_downsamples(denoiser)[0]
        if 0 < self.max_downsample < finest:
            return (
                f"ToMe: max_downsample {self.max_downsample} would merge nothing, because this checkpoint's attention "
                f"begins at {finest}: choose {finest} or more, or 0."
            )
        width, height = request.settings.width, request.settings.height
        for downsample in attention_downsamples(denoiser):
            if not self._fits(width // factor, height // factor, downsample, self.max_downsample or finest):
                return (
                    f"ToMe cannot lay out the tokens of {width}×{height} at 1/{downsample} of the resolution: "
                    "choose a smaller max_downsample or another size."
                )
        return None

    def _fits(self, width: int, height: int, downsample: int, limit: int) -> bool:
        """Say whether tomesd, which infers the resolution from the number of tokens, infers the right one."""
        w, h = ceil(width / downsample), ceil(height / downsample)
        inferred = ceil((width * height // (w * h)) ** 0.5)
        if inferred > limit or int(w * h * self.ratio) == 0:
            return True  # nothing is merged
        return (ceil(width / inferred), ceil(height / inferred)) == (w, h) and min(w, h) > 1

    @contextmanager
    def apply(self, pipe: Any, settings: Any) -> Iterator[Report]:
        """Patch the U-Net with the package's patch and a per-call generator, and count merged tokens."""
        import tomesd

        unet = pipe.unet
        report = Report({"tokens merged": 0, "tokens before": 0, "merges": 0, "random patterns": 0})
        handles: list[Any] = []
        try:
            tomesd.apply_patch(
                unet,
                ratio=self.ratio,
                max_downsample=self.max_downsample or attention_downsamples(unet.config)[0],
                use_rand=self.use_rand,
                merge_crossattn=self.merge_crossattn,
                merge_mlp=self.merge_mlp,
            )
            handles.append(unet.register_forward_pre_hook(self._seeded(unet._tome_info["args"])))
            for block in unet.modules():
                if type(block).__name__ == "ToMeBlock":
                    if "_old_forward" in block.__dict__:  # accelerate's hook calls the forward that it found
                        block._old_forward = type(block).forward.__get__(block)
                    handles += self._counted(block, report)
            yield report
        finally:
            for handle in handles:
                handle.remove()
            tomesd.remove_patch(unet)
            for part in unet.modules():
                part.__dict__.pop("_tome_info", None)

    def did(self, counts: dict[str, int]) -> str:
        """Report the share of merged tokens, and how often the pattern was random."""
        share = counts["tokens merged"] / max(counts["tokens before"], 1)
        return (
            f"{share:.0%} of the tokens merged, {counts['merges']} times; {counts['random patterns']} random patterns"
        )

    def no_effect(self, report: Report) -> str | None:
        """Report that the ratio is less than a token, or that no attention is as fine as max_downsample requires."""
        if report.counts["merges"]:
            return None
        limit = f"max_downsample {self.max_downsample}" if self.max_downsample else "its default max_downsample"
        return (
            f"ToMe: ratio {self.ratio:g} of the tokens that attention has at {limit} was less than one token; "
            "set either one higher, or use a larger size."
        )

    def _seeded(self, arguments: dict) -> Any:
        """Return a hook that makes the generator where the first evaluation's latents are: offloading moves them."""
        import torch

        def before_evaluation(_unet: Any, inputs: tuple) -> None:
            if arguments["generator"] is None:
                device = inputs[0].device
                generator = torch.Generator("cpu" if device.type == "meta" else device)
                arguments["generator"] = generator.manual_seed(self.seed)

        return before_evaluation

    def _counted(self, block: Any, report: Report) -> list[Any]:
        """Hook a block to count the tokens that enter it and those that reach its layers; return the handles."""
        batch = tokens = 0

        def before_block(_block: Any, inputs: tuple) -> None:
            nonlocal batch, tokens
            batch, tokens, _ = inputs[0].shape

        def before_layer(layer: Any, inputs: tuple) -> None:
            kept = inputs[0].shape[1]
            if kept < tokens:
                report.counts["tokens merged"] += batch * (tokens - kept)
                report.counts["tokens before"] += batch * tokens
                report.counts["merges"] += 1
                report.counts["random patterns"] += layer is block.attn1 and self.use_rand and batch % 2 == 0

        layers = [layer for layer in (block.attn1, block.attn2, block.ff) if layer is not None]
        return [
            block.register_forward_pre_hook(before_block),
            *(layer.register_forward_pre_hook(before_layer) for layer in layers),
        ]

    def write_recipe(self, made: Recipe, context: RecipeContext) -> None:
        """Apply tomesd's patch."""
        made.imports.append("import tomesd")
        made.needs.append("tomesd")
        limit = str(self.max_downsample)
        if not self.max_downsample:
            limit = "finest"
            made.apply += [
                "# ToMe merges similar tokens before attention, at the finest resolution that has attention.",
                "kinds = pipe.unet.config.down_block_types",
                'levels = [level for level, kind in enumerate(kinds) if "CrossAttn" in kind]',
                "finest = 2 ** min([*levels, len(kinds) - 1])",
            ]
        if self.use_rand:
            made.apply += [
                "# Its random pattern of tokens that stay begins from torch's global generator at the first merge.",
                f"torch.manual_seed({self.seed})",
            ]
        made.apply += [
            "tomesd.apply_patch(",
            f"    pipe, ratio={self.ratio!r}, max_downsample={limit}, use_rand={self.use_rand},",
            f"    merge_crossattn={self.merge_crossattn}, merge_mlp={self.merge_mlp},",
            ")",
        ]
        made.undo.append("tomesd.remove_patch(pipe)")
        if context.device.startswith("cuda"):
            made.differs.append("merging tokens adds them up on a GPU in no fixed order")


def attention_downsamples(denoiser: Any) -> list[int]:
    """List the downsampling factors of the U-Net's transformer blocks relative to the latent, the finest first.

    >>> attention_downsamples({"down_block_types": ["DownBlock2D", "CrossAttnDownBlock2D"]})
    [2]
    """
    kinds = [*denoiser["down_block_types"]]
    levels = {level for level, kind in enumerate(kinds) if "CrossAttn" in kind}
    if "CrossAttn" in (denoiser.get("mid_block_type", "UNetMidBlock2DCrossAttn") or ""):
        levels.add(len(kinds) - 1)
    return [2**level for level in sorted(levels)]
