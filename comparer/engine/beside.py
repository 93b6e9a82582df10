"""What is found out beside the timed calls: every arm's work, and its memory on a CPU."""

import logging
from collections.abc import Callable, Collection, Sequence

from comparer.checkpoints.read import Checkpoint
from comparer.config import Config
from comparer.errors import ComparerError, Stopped
from comparer.request.request import Request
from comparer.results.comparison import Comparison

log = logging.getLogger(__name__)


def count(
    checkpoints: Sequence[Checkpoint], request: Request, stop: Callable[[], bool] = lambda: False
) -> tuple[int, ...]:
    """Count every arm's multiply-accumulates of the denoiser for one picture, without weights.

    Args:
        checkpoints: of every arm.
        request: what is asked for.
        stop: ends it when it returns true.

    An arm whose fewer steps are not chosen yet is counted with all of them.

    Raises:
        Stopped: ``stop`` said so.
    """
    from comparer.engine.macs import macs

    return tuple(
        macs(
            its.denoiser["_class_name"], its.denoiser, request.settings_of(number), arm.accelerators,
            its.model.family, stop,
        )
        for number, (arm, its) in enumerate(zip(request.arms, checkpoints, strict=True))
    )  # fmt: skip


def count_all(comparison: Comparison, checkpoints: Sequence[Checkpoint], stop: Callable[[], bool]) -> None:
    """Keep every arm's multiply-accumulates, or a remark where they cannot be counted.

    Raises:
        Stopped: ``stop`` said so.
    """
    try:
        comparison.macs = count(checkpoints, comparison.request, stop)
    except Stopped:
        raise
    except Exception as error:  # of a denoiser that diffusers loads and the counter does not know
        log.warning("multiply-accumulates were not counted", exc_info=True)
        comparison.remarks.append(f"Multiply-accumulates were not counted: {type(error).__name__}: {error}.")


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
    from comparer.engine.rss_probe import peak_resident

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
