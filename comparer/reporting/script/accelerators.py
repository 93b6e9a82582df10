"""Script lines that apply each accelerator as its package's or diffusers' own documentation does. No torch."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from comparer.accelerators.registry import Accelerator
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.models.families.base import Family
from comparer.reporting.script.weights import CANNOT
from comparer.request.request import Settings

_GATES = {
    "sd1": "TgateSDLoader",
    "sd2": "TgateSDLoader",
    "sdxl": "TgateSDXLLoader",
    "pixart-alpha": "TgatePixArtAlphaLoader",
    "pixart-sigma": "TgatePixArtSigmaLoader",
}
_TWICE = (
    "DeepCache's package looks an evaluation up by its time step, and this sampler visits one twice, where "
    "Comparer counts evaluations"
)
_RESCALED = "Comparer rescales guidance also where it has ended, which changes nothing but the rounding"


@dataclass
class Recipe:
    """Script lines that apply a stack for one call.

    Attributes:
        apply: lines that apply it to ``pipe``.
        call: expression to call instead of ``pipe``.
        undo: lines that undo it.
        imports: import lines.
        needs: the packages that are required.
        differs: why its images cannot equal Comparer's, bit for bit; () if they must.
    """

    apply: list[str] = field(default_factory=list)
    call: str = "pipe"
    undo: list[str] = field(default_factory=list)
    imports: list[str] = field(default_factory=list)
    needs: list[str] = field(default_factory=list)
    differs: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class RecipeContext:
    """Inputs of a recipe: the call's settings, the family, the offloading, the device, the call's time steps."""

    settings: Settings
    family: Family
    offload: str = "none"
    device: str = "cpu"
    timesteps: tuple[float, ...] = ()

    @property
    def visits_twice(self) -> bool:
        """Return whether the sampler evaluates at one time step twice."""
        return len(set(self.timesteps)) < len(self.timesteps)


def way(stack: Sequence[Accelerator], asked: RecipeContext) -> Recipe:
    """Return the recipe that applies a stack.

    Raises:
        ComparerError: there is no documented way.
    """
    made, named = Recipe(), {type(part).__name__: part for part in stack}
    for part in sorted(stack, key=lambda part: part.order):
        name = type(part).__name__
        if name not in _WAYS:
            raise ComparerError(f"{CANNOT} nothing is known of how {part.title} is used without Comparer.")
        _WAYS[name](made, part, named, asked)
    made.undo.reverse()
    return made


def _tome(made: Recipe, tome: Any, named: dict[str, Any], asked: RecipeContext) -> None:
    made.imports.append("import tomesd")
    made.needs.append("tomesd")
    limit = str(tome.max_downsample)
    if not tome.max_downsample:
        limit = "finest"
        made.apply += [
            "# ToMe merges similar tokens before attention. It does so at the finest resolution that has attention.",
            "kinds = pipe.unet.config.down_block_types",
            'levels = [level for level, kind in enumerate(kinds) if "CrossAttn" in kind]',
            "finest = 2 ** min([*levels, len(kinds) - 1])",
        ]
    if tome.use_rand:
        made.apply += [
            "# Its random pattern of tokens that stay begins from torch's global generator at the first merge.",
            f"torch.manual_seed({tome.seed})",
        ]
    made.apply += [
        "tomesd.apply_patch(",
        f"    pipe, ratio={tome.ratio!r}, max_downsample={limit}, use_rand={tome.use_rand},",
        f"    merge_crossattn={tome.merge_crossattn}, merge_mlp={tome.merge_mlp},",
        ")",
    ]
    made.undo.append("tomesd.remove_patch(pipe)")
    if asked.device.startswith("cuda"):
        made.differs.append("merging tokens adds them up on a GPU in no fixed order")


def _deepcache(made: Recipe, deep: Any, named: dict[str, Any], asked: RecipeContext) -> None:
    if asked.offload != "none":
        raise ComparerError(f"{CANNOT} DeepCache's package loses its place in a model that is offloaded.")
    made.needs.append("DeepCache")
    if asked.visits_twice:
        made.differs.append(_TWICE)
    if "TGATE" in named:
        return  # its package has a loader for both
    made.imports.append("from DeepCache import DeepCacheSDHelper")
    made.apply += [
        f"# DeepCache computes the whole U-Net in one evaluation of {deep.interval}, else its shallow part alone.",
        "helper = DeepCacheSDHelper(pipe=pipe)",
        f"helper.set_params(cache_interval={deep.interval}, cache_branch_id={deep.branch})",
        "helper.enable()",
    ]
    made.undo.append("helper.disable()")


def _tgate(made: Recipe, gate: Any, named: dict[str, Any], asked: RecipeContext) -> None:
    deep, loader, more = named.get("DeepCache"), _GATES[asked.family.name], ""
    if deep:
        loader = "TgateSDXLDeepCacheLoader" if asked.family.name == "sdxl" else "TgateSDDeepCacheLoader"
        more = f", cache_interval={deep.interval}, cache_branch_id={deep.branch}"
        made.undo.append("pipe.deepcache.disable()")
    if asked.settings.guidance_rescale:
        made.differs.append(_RESCALED)
    made.imports += ["from functools import partial", f"from tgate import {loader}"]
    made.needs.append("tgate")
    made.apply += [
        f"# T-GATE keeps cross-attention outputs from step {gate.gate_step} on and drops guidance there. It leaves its",
        "# changes in the model, so that pictures without it are made first.",
        f"{loader}(pipe{more})",
    ]
    made.call = (
        f"partial(pipe.tgate, gate_step={gate.gate_step}, sp_interval={gate.sp_interval}, "
        f"fi_interval={gate.fi_interval}, warm_up={gate.warm_up})"
    )


def _cutoff(made: Recipe, cutoff: Any, named: dict[str, Any], asked: RecipeContext) -> None:
    settings, family = asked.settings, asked.family
    guided, order = cutoff.guided(settings.steps), samplers.find(settings.sampler).order
    if not family.on_step_end:
        raise ComparerError(
            f"{CANNOT} {family.title}'s pipeline has no callback that could end guidance, so there is no documented "
            "way to a guidance cutoff."
        )
    evaluations = samplers.evaluations(settings.sampler, settings.steps)
    last = max(evaluations - settings.steps * order, 0) + guided * order - 1
    if settings.guidance_rescale:
        made.differs.append(_RESCALED)
    if guided == 0:
        made.apply.append("# No step is guided: a guidance scale of 1 is none.")
        made.call = 'lambda **asked: pipe(**asked | {"guidance_scale": 1.0})'
        return
    if last >= evaluations - 1:
        made.apply.append("# The cutoff lies at the end: every step is guided.")
        return
    inputs = ["prompt_embeds", *(["add_text_embeds", "add_time_ids"] if family.name == "sdxl" else [])]
    refresh = ["        helper.disable()  # features of a batch of two halves are of no use to one"] * (
        "DeepCache" in named
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


_WAYS: dict[str, Callable[[Recipe, Any, dict[str, Any], RecipeContext], None]] = {
    "ToMe": _tome,
    "DeepCache": _deepcache,
    "TGATE": _tgate,
    "GuidanceCutoff": _cutoff,
}
