"""What is found out beside the timed calls: every arm's work, and its memory on a CPU."""

from collections.abc import Callable, Collection

from comparer.checkpoints.read import Checkpoint
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request import Request
from comparer.results import Comparison


def count(checkpoint: Checkpoint, request: Request, stop: Callable[[], bool] = lambda: False) -> tuple[int, ...]:
    """Count every arm's multiply-accumulates of the denoiser for one picture, without weights.

    An arm whose fewer steps are not chosen yet is counted with all of them.

    Raises:
        Stopped: ``stop`` said so.
    """
    from comparer.accelerators.macs import macs

    of, family = (checkpoint.denoiser["_class_name"], checkpoint.denoiser), checkpoint.model.family
    return tuple(
        macs(*of, request.settings_of(number), arm.accelerators, family, stop)
        for number, arm in enumerate(request.arms)
    )


def resident(
    comparison: Comparison,
    config: Config,
    skipped: Collection[int],
    stop: Callable[[], bool],
    tell: Callable[[str], None],
) -> None:
    """Measure every arm's peak memory that is not known yet, each in a process of its own.

    Args:
        comparison: gets what is found, and a remark where it could not be.
        config: the installation's choices.
        skipped: arms that are not run.
        stop: ends it when it returns true.
        tell: is told of every arm when its turn comes.

    Raises:
        Stopped: ``stop`` said so.
    """
    from comparer.resident import peak_resident

    request, items = comparison.request, comparison.batches[0]
    for number, arm in enumerate(request.arms):
        if number in skipped or number in comparison.resident:
            continue
        tell(f"Peak memory, in a process of its own: {arm.name}")
        settings = request.settings_of(number)
        try:
            comparison.resident[number] = peak_resident(
                settings, arm.accelerators, config, noise=request.noise, items=items, stop=stop
            )
        except ComparerError as error:
            comparison.remarks.append(f"The peak memory of {arm.name} was not measured: {error}")
