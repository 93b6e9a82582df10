"""The schedule of a run: which calls are made, and in which order. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comparer.request.request import Request


@dataclass(frozen=True)
class Planned:
    """A planned call.

    Attributes:
        arm: position of the arm.
        items: (prompt number, seed) of every image.
        kind: WARM_UP, CHOICE (choose the steps that match another arm's time), TIMED, AGAIN (noise floor) or TRACE
            (latents).
        batch, repeat: batch and repeat of a timed call; for AGAIN, the batch that is generated again.
    """

    arm: int
    items: list[tuple[int, int]]
    kind: str = "generating"
    batch: int = -1
    repeat: int = 0


WARM_UP, CHOICE, TIMED, AGAIN, TRACE = "warm-up", "choice", "generating", "again", "trace"
TOLD = {
    WARM_UP: "Warming up",
    CHOICE: "Timing, to choose the fewer steps",
    AGAIN: "Repeating, for the noise floor",
    TRACE: "Repeating, for the latents",
}
CHOICES = 2  # calls per arm from which the steps are chosen


@dataclass(frozen=True)
class RemainingWork:
    """Remaining work of a run.

    Attributes:
        batches: number -> (arms that generate the batch, its items).
        again: number -> items of the batches that the baseline generates again for the noise floor.
        traced: arms whose latents are traced, in addition to the baseline's.
        items: items whose latents are traced.
    """

    batches: Mapping[int, tuple[Sequence[int], list[tuple[int, int]]]]
    again: Mapping[int, list[tuple[int, int]]]
    traced: Sequence[int]
    items: list[tuple[int, int]]

    @classmethod
    def of(cls, request: Request) -> "RemainingWork":
        """Return the work of a whole request."""
        batches = dict(enumerate(request.batches()))
        again = batches if "noise-floor" in request.extras and request.repeats == 1 else {}
        traced = request.traced() if "divergence" in request.extras else []
        arms = range(len(request.arms))
        return cls({number: (arms, items) for number, items in batches.items()}, again, traced, batches[0])


def plan(request: Request, left: RemainingWork | None = None, blocks: Sequence[Sequence[int]] = ()) -> list[Planned]:
    """List every call of a run, warm-ups first.

    Args:
        request: the request to plan.
        left: the remaining work; default: the whole request.
        blocks: groups of arms that take turns; one block ends before the next begins. () for a single block.
    """
    left = left or RemainingWork.of(request)
    batches, arms = left.batches, sorted({arm for those, _ in left.batches.values() for arm in those})
    # The first batch of every size.
    shapes = {len(items): items for _, items in reversed(batches.values())}.values()
    open_ = [arm for arm in arms if request.arms[arm].matches_time_of is not None and request.arms[arm].steps is None]

    def warm(of: Sequence[int]) -> list[Planned]:
        return [
            Planned(arm, items, WARM_UP)
            for items in shapes
            for _ in range(request.warmups)
            for arm in of
            if any(arm in those and len(its) == len(items) for those, its in batches.values())
        ]

    first = warm([arm for arm in arms if arm not in open_])
    if open_:
        known = [0, *(like for arm in open_ if (like := request.arms[arm].matches_time_of) is not None)]
        items = next(items for arms, items in batches.values() if open_[0] in arms)
        for number in range(CHOICES):
            first += [Planned(arm, items, CHOICE) for arm in known[:: -1 if number % 2 else 1]]
        first += warm(open_)
    rounds = [(number, repeat) for number in batches for repeat in range(request.repeats)]

    def timed(of: Sequence[int]) -> list[Planned]:
        # A B, B A, A B: a machine that slows down affects all arms alike.
        return [
            Planned(arm, batches[number][1], TIMED, number, repeat)
            for turn, (number, repeat) in enumerate(rounds)
            for arm in (of if turn % 2 == 0 else reversed(of))
            if arm in batches[number][0]
        ]

    last = [Planned(0, items, AGAIN, number) for number, items in left.again.items()]

    def trace(of: Sequence[int]) -> list[Planned]:
        return [Planned(arm, left.items, TRACE, 0) for arm in of if left.traced and arm in (0, *left.traced)]

    if len(blocks) > 1:
        calls = [call for block in blocks[1:] for call in (*warm(list(block)), *timed(block), *trace(block))]
        return warm(list(blocks[0])) + timed(blocks[0]) + last + trace(blocks[0]) + calls
    return first + timed(arms) + last + trace(range(len(request.arms)))


def describe_call(planned: Planned, request: Request, batches: int) -> str:
    """Describe a call, given the number of batches: "DeepCache: call 2 of 3"."""
    name = request.arms[planned.arm].name
    if planned.kind != TIMED:
        return f"{TOLD[planned.kind]}: {name}"
    again = f", repeat {planned.repeat + 1} of {request.repeats}" if request.repeats > 1 else ""
    return f"{name}: call {planned.batch + 1} of {batches}{again}"
