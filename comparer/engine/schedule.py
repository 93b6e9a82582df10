"""The schedule of a run: which calls it makes, and in which order. No torch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comparer.request.request import Request


@dataclass(frozen=True)
class Planned:
    """A call to come.

    Attributes:
        arm: its arm.
        items: its (prompt number, seed)s.
        kind: what it is for: WARM_UP, CHOICE of the steps that take another arm's time, TIMED, AGAIN for the noise
            floor, or TRACE of the latents.
        batch, repeat: of a timed call, and the batch of one that is made again.
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
    AGAIN: "Once more, for the noise floor",
    TRACE: "Once more, for the latents",
}
CHOICES = 2  # calls of each arm that the steps are chosen from


@dataclass(frozen=True)
class RemainingWork:
    """What is left of a run to be made.

    Attributes:
        batches: number -> (the arms that make it, its items).
        again: number -> items of those that the baseline makes again for the noise floor.
        traced: the arms whose latents are looked at, the baseline's besides.
        items: those whose latents they are.
    """

    batches: Mapping[int, tuple[Sequence[int], list[tuple[int, int]]]]
    again: Mapping[int, list[tuple[int, int]]]
    traced: Sequence[int]
    items: list[tuple[int, int]]

    @classmethod
    def of(cls, request: Request) -> "RemainingWork":
        """Return all of a request."""
        batches = dict(enumerate(request.batches()))
        again = batches if "noise-floor" in request.extras and request.repeats == 1 else {}
        traced = request.traced() if "divergence" in request.extras else []
        arms = range(len(request.arms))
        return cls({number: (arms, items) for number, items in batches.items()}, again, traced, batches[0])


def plan(request: Request, left: RemainingWork | None = None, blocks: Sequence[Sequence[int]] = ()) -> list[Planned]:
    """List every call of a run, warm-ups first.

    Args:
        request: what is asked for.
        left: what of it is to be made; all of it by default.
        blocks: arms that take turns; those of one block all end before the next one begins. () for one of all.
    """
    left = left or RemainingWork.of(request)
    batches, arms = left.batches, sorted({arm for those, _ in left.batches.values() for arm in those})
    # The first of every size.
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
        # A B, B A, A B: a machine that slows down hurts all arms alike.
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
    """Say what a call is, of so many batches: "DeepCache: call 2 of 3"."""
    name = request.arms[planned.arm].name
    if planned.kind != TIMED:
        return f"{TOLD[planned.kind]}: {name}"
    again = f", repeat {planned.repeat + 1} of {request.repeats}" if request.repeats > 1 else ""
    return f"{name}: call {planned.batch + 1} of {batches}{again}"
