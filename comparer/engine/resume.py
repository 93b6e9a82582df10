"""Resume a run: what can be reused and what still has to be generated."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import zip_longest

from comparer.accelerators.stack import label
from comparer.engine.schedule import RemainingWork
from comparer.errors import ComparerError
from comparer.request.request import Arm, Request
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.text import quote

MEASURING = ("warmups", "noise", "repeats", "extras", "scorer")  # what a request has besides settings and arms


def continued(before: Comparison, request: Request) -> Comparison:
    """Return the comparison that resumes an earlier one, in a new process.

    Batches that every arm has finished, including all repeats, are reused with their scores. Batches that lack only
    arms appended after the others are reused, too; these arms are timed together with the baseline, which runs once
    more. All missing items are split into new batches. A partly finished batch is generated again, because both sides
    of a pair are timed in one process. An arm that ran out of memory is not run again.

    Args:
        before: the comparison as it was saved.
        request: the earlier request, or the same one with more seeds, with appended prompts or with appended arms.
            Whatever is added to the figures after verdicts were shown, at a stop as at the end, counts as another
            interim look; a new arm has its own figures and does not affect the others'.

    Raises:
        ComparerError: the request differs in anything else; the message names what differs, with both values.
    """
    if differs := _difference(before.request, request):
        raise ComparerError(f"The run cannot be resumed: {differs}.")
    kept = {number: stay for number in range(len(before.batches)) if (stay := _kept(before, number))}
    whole = list(kept)
    new_numbers = {old: new for new, old in enumerate(whole)}
    calls = [
        position for position, call in enumerate(before.calls) if (call.arm, call.process) in kept.get(call.batch, ())
    ]
    new_calls = {old: new for new, old in enumerate(calls)}
    batches = [before.batches[number] for number in whole]
    done = {item for batch in batches for item in batch}
    left = [item for item in request.items() if item not in done]
    size = request.settings.batch_size
    # A run in progress shows no verdict; one interrupted in a later part has shown those of an earlier part. New arms
    # alone are questions of their own.
    seen = any(before.call_pairs(arm) for arm in range(1, len(before.request.arms)))
    seen = seen and (before.state != "running" or before.process > 0)
    more = seen and (request.settings != before.request.settings or bool(left) and before.state != "finished")
    chosen = {number: arm for number, arm in enumerate(before.request.arms) if arm.steps is not None}
    arms = tuple(chosen.get(number, arm) for number, arm in enumerate(request.arms))
    return replace(
        before,
        request=replace(request, arms=arms),
        state="running",
        message="",
        calls=[replace(before.calls[old], batch=new_numbers[before.calls[old].batch]) for old in calls],
        shots=[replace(shot, call=new_calls[shot.call]) for shot in before.shots if shot.call in new_calls],
        batches=batches + [left[start : start + size] for start in range(0, len(left), size)],
        process=before.process + 1,
        interim_looks=before.interim_looks + more,
    )


def left(comparison: Comparison) -> RemainingWork:
    """Return the remaining work; an appended arm is run together with the baseline, which runs once more."""
    return RemainingWork(unmade(comparison), unrepeated(comparison), *untraced(comparison))


def unmade(comparison: Comparison) -> dict[int, tuple[list[int], list[tuple[int, int]]]]:
    """Return number -> (arms, items) of the batches for which an arm has no call."""
    arms, failed = range(len(comparison.request.arms)), {failure.arm for failure in comparison.not_run}
    made: dict[int, set[int]] = {}
    for call in comparison.calls:
        made.setdefault(call.batch, set()).add(call.arm)
    found = {}
    for number, items in enumerate(comparison.batches):
        missing = [
            arm for arm in arms if arm not in made.get(number, set()) and (number not in made or arm not in failed)
        ]
        if missing:
            found[number] = (sorted({0, *missing}), items)
    return found


def made_before(comparison: Comparison, arm: int, items: list[tuple[int, int]], pixels: Sequence[str]) -> bool:
    """Return whether an earlier process generated these images, e.g. the baseline's when an arm was appended.

    Raises:
        ComparerError: the images exist and their pixels differ.
    """
    shots = [comparison.shot(arm, *item) for item in items]
    kept = [shot.pixels for shot in shots if shot and comparison.calls[shot.call].process < comparison.process]
    if kept and kept != list(pixels):
        from comparer.pipelines.caveats import MOVED

        moved = next((remark for remark in reversed(comparison.remarks) if remark.startswith(MOVED)), "")
        because = f" ({moved.removeprefix(f'{MOVED}: ').rstrip('.')})" if moved else ""
        raise ComparerError(
            f"The run cannot be resumed: the baseline's pictures are no longer identical to the kept ones{because}, so "
            "a later arm would be compared with other pictures. Start a new run."
        )
    return bool(kept)


def unrepeated(comparison: Comparison) -> dict[int, list[tuple[int, int]]]:
    """Return number -> items of the batches that still need a second baseline run for the requested noise floor."""
    request = comparison.request
    if "noise-floor" not in request.extras or request.repeats > 1:
        return {}
    known = {(shot.prompt, shot.seed) for shot in comparison.shots if shot.again}
    return {number: items for number, items in enumerate(comparison.batches) if not known.issuperset(items)}


def untraced(comparison: Comparison) -> tuple[list[int], list[tuple[int, int]]]:
    """Return arms that still need a latent trace, and the items to trace.

    The items are those of the first call.
    """
    failed = {failure.arm for failure in comparison.not_run}
    left = set(comparison.request.traced()) - failed - comparison.divergence.keys()
    return (sorted(left) if "divergence" in comparison.request.extras else []), comparison.batches[0]


def more_seeds(analysis: Analysis) -> int:
    """Return how many more seeds settle the speed that needs the fewest turns; 0 if that exceeds the limits."""
    seen = analysis.comparison
    offers = [each.verdict.more_turns for each in analysis.arms[1:] if each.arm.matches_time_of is None]
    settings, limits = seen.request.settings, seen.request.limits
    turns = min((offer.more for offer in offers if offer), default=0)
    needed = math.ceil(turns * settings.batch_size / len(settings.prompts))
    pictures = len(settings.prompts) * (len(settings.seeds) + needed) * len(seen.request.arms)
    return needed if pictures <= limits.pictures else 0


def _difference(before: Request, now: Request) -> str:
    """Say what keeps two requests from being one run: the first value that differs, before and now; "" for nothing."""
    one, other = ({**vars(r.settings), **{name: getattr(r, name) for name in MEASURING}} for r in (before, now))
    for name in one:
        if name not in ("prompts", "seeds") and one[name] != other[name]:
            return f"{name.replace('_', ' ')} was {_shown(one[name])} and is now {_shown(other[name])}"
    for number, (was, is_) in enumerate(zip_longest(_arms(before), _arms(now))):
        if was and was != is_:
            return f"arm {number} was {_described(was)} and is now {_described(is_) if is_ else 'missing'}"
    for kind in ("prompts", "seeds"):
        was, is_ = (getattr(r.settings, kind) for r in (before, now))
        for value in was:
            if value not in is_:
                return f"{kind} can be added, but '{quote(value)}' was removed"
    if now.settings.prompts[: len(before.settings.prompts)] != before.settings.prompts:
        return "prompts can be added at the end, but their order was changed"
    return ""


def _shown(value: object) -> str:
    """Format a setting's value for a sentence."""
    if isinstance(value, tuple):
        return ", ".join(":".join(map(str, each)) if isinstance(each, tuple) else str(each) for each in value) or "none"
    return f"'{quote(value)}'" if isinstance(value, str) else str(value)


def _described(arm: Arm) -> str:
    """Describe an arm for a sentence: its name, its accelerators, and its weights if they are its own."""
    parts = [label(arm.accelerators) if arm.accelerators else "", arm.weights.text() if arm.weights else ""]
    more = ", ".join(part for part in parts if part and part != arm.name)
    return f"'{quote(arm.name)}'" + (f" ({quote(more)})" if more else "")


def _arms(request: Request) -> tuple[Arm, ...]:
    """Return the arms; which fewer steps one takes is chosen on the way."""
    return tuple(replace(arm, steps=None) if arm.matches_time_of is not None else arm for arm in request.arms)


def _kept(before: Comparison, number: int) -> set[tuple[int, int]]:
    """Return the (arm, process) whose calls of a batch stay: the arm's to the last repeat, with the baseline's.

    None do where anything is missing but arms behind the others; nor where the arm whose time one of those takes with
    fewer steps stands among the others: the two are measured beside each other.
    """
    request, failed = before.request, {failure.arm for failure in before.not_run}
    made = Counter((call.arm, call.process) for call in before.calls if call.batch == number)
    whole = {which for which, times in made.items() if times == request.repeats or which[0] in failed}
    paired = {(arm, process) for arm, process in whole if (0, process) in whole or 0 in failed}
    done = {arm for arm, _ in paired}
    missing = set(range(len(request.arms))) - failed - done
    others = done - {0}
    if missing and (
        not others or min(missing) < max(others) or {request.arms[arm].matches_time_of for arm in missing} & others
    ):
        return set()
    processes = {process for arm, process in paired if arm}
    return {(arm, process) for arm, process in paired if arm or not processes or process in processes}
