"""Validate a request against its checkpoints, accelerators and scorer."""

from comparer.accelerators import stack
from comparer.checkpoints.find import resolve
from comparer.checkpoints.read import Checkpoint
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.metrics import scorers
from comparer.models import samplers
from comparer.request.request import Request


def validate(request: Request, config: Config) -> tuple[Checkpoint, ...]:
    """Validate a request against its checkpoints, accelerators and scorer; return one checkpoint per arm.

    Raises:
        ComparerError: with the reason, in one sentence.
    """
    asked = [request.settings_of(arm).weights for arm in range(len(request.arms))]
    found = {weights: resolve(weights, config) for weights in dict.fromkeys(asked)}
    first = found[asked[0]]
    if "=" in request.scorer and not config.trusted:
        raise ComparerError("Only the command line may read a scorer from a file: choose a scorer by its name.")
    score = scorers.choose(request.scorer, first.model.name, first.demo)
    if score.context is None and request.variants():
        raise ComparerError(
            f"{score.title} says how near an image is to the baseline's, so it cannot tell which of two checkpoints is "
            "better: choose another scorer."
        )
    for checkpoint in found.values():
        _check(request, checkpoint)
    return tuple(found[weights] for weights in asked)


def _check(request: Request, checkpoint: Checkpoint) -> None:
    for pixels in (request.settings.width, request.settings.height):
        if pixels < checkpoint.model.min_size:
            raise ComparerError(
                f"Size {pixels} is too small for {checkpoint.model.title}: "
                f"{checkpoint.model.min_size} to {request.limits.size} is allowed."
            )
        if pixels % (factor := checkpoint.model.factor):
            raise ComparerError(
                f"Size {pixels} is not a multiple of {factor}, as {checkpoint.model.title} needs: "
                f"try {max(1, round(pixels / factor)) * factor}."
            )
    settings, family = request.settings, checkpoint.family
    stack.check(request, checkpoint.model.family, checkpoint.denoiser, checkpoint.model.factor)
    if samplers.find(settings.sampler).distilled and not checkpoint.distilled:
        raise ComparerError(
            f"Sampler {settings.sampler} is for models distilled for it, but {checkpoint.model.title} is not: "
            f"choose {checkpoint.model.sampler}."
        )
    if settings.steps < family.min_steps:
        raise ComparerError(f"{family.title} needs at least {family.min_steps} steps, not {settings.steps}.")
    if settings.guidance_rescale and not family.rescale:
        raise ComparerError(f"{family.title} does not support guidance rescale: leave it at 0.")
