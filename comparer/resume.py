"""Go on with an earlier run: what of it stays, and what is still to be made."""

from dataclasses import replace

from comparer.errors import ComparerError
from comparer.request import Request
from comparer.results import Comparison
from comparer.verdict import Thresholds


def continued(before: Comparison, request: Request) -> Comparison:
    """Return the comparison that goes on from an earlier one, in a process of its own.

    Batches that every arm has made to the last repeat stay as they are, with their scores. Whatever is missing is
    cut into new batches; a batch that is half made is made again, because both sides of a pair are timed in one
    process. An arm that ran out of memory is not run again.

    Args:
        before: as it was saved.
        request: the earlier one, or the same with more seeds or with prompts added behind the others. More of
            either after the end of the earlier run counts as another look at its figures.

    Raises:
        ComparerError: the request asks something else.
    """
    if _question(before.request) != _question(request):
        raise ComparerError("The run cannot be continued: its settings, arms or measuring are not those asked for.")
    prompts, seeds = before.request.settings.prompts, before.request.settings.seeds
    if request.settings.prompts[: len(prompts)] != prompts or not set(seeds) <= set(request.settings.seeds):
        raise ComparerError("The run cannot be continued: prompts and seeds can be added, and none taken away.")
    whole = [number for number in range(len(before.batches)) if _whole(before, number)]
    new_numbers = {old: new for new, old in enumerate(whole)}
    calls = [position for position, call in enumerate(before.calls) if call.batch in new_numbers]
    new_calls = {old: new for new, old in enumerate(calls)}
    batches = [before.batches[number] for number in whole]
    done = {item for batch in batches for item in batch}
    left = [item for item in request.items() if item not in done]
    size = request.settings.batch_size
    more = before.state == "finished" and request.settings != before.request.settings
    arms = tuple(
        mine if mine.steps is not None else asked for mine, asked in zip(before.request.arms, request.arms, strict=True)
    )
    return replace(
        before,
        request=replace(request, arms=arms),
        state="running",
        message="",
        calls=[replace(before.calls[old], batch=new_numbers[before.calls[old].batch]) for old in calls],
        shots=[replace(shot, call=new_calls[shot.call]) for shot in before.shots if shot.call in new_calls],
        batches=batches + [left[start : start + size] for start in range(0, len(left), size)],
        process=before.process + 1,
        looks=before.looks + more,
    )


def unmade(comparison: Comparison) -> dict[int, list[tuple[int, int]]]:
    """Return number -> items of the batches that no call has been made of."""
    made = {call.batch for call in comparison.calls}
    return {number: items for number, items in enumerate(comparison.batches) if number not in made}


def unrepeated(comparison: Comparison) -> dict[int, list[tuple[int, int]]]:
    """Return number -> items of the batches whose noise floor is asked for and takes a further run of the baseline."""
    request = comparison.request
    if "noise-floor" not in request.also or request.repeats > 1:
        return {}
    known = {(shot.prompt, shot.seed) for shot in comparison.shots if shot.again}
    return {number: items for number, items in enumerate(comparison.batches) if not known.issuperset(items)}


def untraced(comparison: Comparison) -> list[tuple[int, int]]:
    """Return the items whose latents are still to be laid beside the baseline's: the first call's, or none."""
    failed = {failure.arm for failure in comparison.not_run}
    left = set(comparison.request.traced()) - failed - comparison.divergence.keys()
    return comparison.batches[0] if "divergence" in comparison.request.also and left else []


def extended(request: Request, seeds: int) -> Request:
    """Return the request with so many seeds more, counted on from its largest."""
    known = request.settings.seeds
    after = range(max(known) + 1, max(known) + 1 + seeds)
    return replace(request, settings=replace(request.settings, seeds=(*known, *after)))


def more_seeds(seen: Comparison, thresholds: Thresholds) -> int:
    """Return how many more seeds would probably settle the arm that needs fewest; 0 where that is too many to run."""
    arms = [number for number, arm in enumerate(seen.request.arms) if number and arm.like is None]
    verdicts = [seen.verdict(arm, thresholds) for arm in arms]
    needed = min((verdict.more_seeds for verdict in verdicts if verdict.more_seeds), default=0)
    settings, limits = seen.request.settings, seen.request.limits
    pictures = len(settings.prompts) * (len(settings.seeds) + needed) * len(seen.request.arms)
    return needed if pictures <= limits.pictures else 0


def _question(request: Request) -> tuple:
    """Return what must be equal for two runs to be one."""
    return (
        replace(request.settings, prompts=(), seeds=()),
        tuple(replace(arm, steps=None) if arm.like is not None else arm for arm in request.arms),
        request.warmups,
        request.noise,
        request.repeats,
        request.also,
        request.scorer,
    )


def _whole(before: Comparison, number: int) -> bool:
    arms = set(range(len(before.request.arms))) - {failure.arm for failure in before.not_run}
    made = {(call.arm, call.repeat) for call in before.calls if call.batch == number}
    return {(arm, repeat) for arm in arms for repeat in range(before.request.repeats)} <= made
