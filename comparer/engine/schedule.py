"""The schedule of a run: which calls are made, and in which order. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle

from comparer.request.request import Request


@dataclass(frozen=True)
class Planned:
    """A planned call.

    Attributes:
        arm: position of the arm.
        items: (prompt number, seed) of every image.
        kind: WARM_UP, CHOICE (choose the steps that match another arm's time), TIMED, EXTRA (timed, in a turn that is
            added after all batches), AGAIN (noise floor) or TRACE (latents).
        batch, repeat: batch and repeat of a timed call; for AGAIN, the batch that is generated again.
    """

    arm: int
    items: list[tuple[int, int]]
    kind: str = "generating"
    batch: int = -1
    repeat: int = 0


WARM_UP, CHOICE, TIMED, AGAIN, TRACE = "warm-up", "choice", "generating", "again", "trace"
EXTRA = "repeating"
TOLD = {
    WARM_UP: "Warming up",
    CHOICE: "Timing, to choose the fewer steps",
    EXTRA: "Repeating for the timing",
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


def williams_design(count: int) -> list[list[int]]:
    """Return the orders of a number of arms, one per turn, that balance position and the effect of the call before.

    The design of E. J. Williams, "Experimental designs balanced for the estimation of residual effects of treatments",
    Australian Journal of Scientific Research A 2, 1949: over all turns, each arm is at each position equally often, and
    follows every other arm of its turn equally often. An even number of arms needs one Latin square, an odd number the
    square and its mirror: as many turns as arms, or twice as many. Arms are renumbered so that the first turn has them
    in their own order, and each turn is followed by its mirror: after every second turn a steady slow-down has affected
    all arms alike.

    Args:
        count: number of arms, 1 or more.

    >>> williams_design(2), williams_design(3)
    ([[0, 1], [1, 0]], [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1], [2, 0, 1], [1, 0, 2]])
    """
    # 0, 1, −1, 2, −2, … modulo count: the steps between neighbours are all different, or all but for the sign.
    zigzag = [(place + 1) // 2 * (1 if place % 2 else -1) % count for place in range(count)]
    number = {arm: place for place, arm in enumerate(zigzag)}
    # With an even number, the other half of the square is the mirror of this one.
    shifts = range(count if count % 2 else count // 2)
    square = [[number[(arm + shift) % count] for arm in zigzag] for shift in shifts]
    return [turn for row in square for turn in (row, row[::-1])]


def plan(request: Request, left: RemainingWork | None = None, blocks: Sequence[Sequence[int]] = ()) -> list[Planned]:
    """List every call of a run, warm-ups first. Turns follow ``williams_design``; arms that a batch lacks are left out.

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
        likes = (request.arms[arm].matches_time_of for arm in open_)
        known = [0, *dict.fromkeys(like for like in likes if like is not None)]
        items = next(items for arms, items in batches.values() if open_[0] in arms)
        for number in range(CHOICES):
            first += [Planned(arm, items, CHOICE) for arm in known[:: -1 if number % 2 else 1]]
        first += warm(open_)
    rounds = [(number, repeat) for number in batches for repeat in range(request.repeats)]

    def timed(of: Sequence[int]) -> list[Planned]:
        return [
            Planned(of[place], batches[number][1], TIMED, number, repeat)
            for order, (number, repeat) in zip(cycle(williams_design(len(of))), rounds, strict=False)
            for place in order
            if of[place] in batches[number][0]
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
