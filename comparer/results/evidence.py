"""Collect what the statistics need of an arm and the baseline from a record."""

from comparer.results.comparison import Comparison
from comparer.stats.evidence import Evidence, TimedCall


def evidence(comparison: Comparison, arm: int, base: int = 0) -> Evidence:
    """Collect an arm's times per call, with all repeats of a call together, and its scores per pair.

    Args:
        comparison: finished or not.
        arm: position of the arm.
        base: arm to compare with, the baseline by default.
    """
    mine, other = (
        {(call.batch, call.process, call.repeat): call.seconds for call in comparison.valid_calls(which)}
        for which in (base, arm)
    )
    turns: dict[tuple[int, int], list[tuple[float, float]]] = {}
    for batch, process, repeat in sorted(mine.keys() & other.keys()):
        both = mine[batch, process, repeat], other[batch, process, repeat]
        turns.setdefault((batch, process), []).append(both)
    pairs, request = comparison.pairs(arm, base), comparison.request
    judged = [number for number, each in enumerate(request.arms) if number and each.matches_time_of is None]
    return Evidence(
        calls=[
            TimedCall(
                [one for one, _ in times],
                [two for _, two in times],
                len(comparison.batches[batch]),
                comparison.batches[batch][0][0],
            )
            for (batch, _), times in turns.items()
        ],
        pairs=[(one.prompt, one.clip_score, other.clip_score) for one, other in pairs],
        not_scored=comparison.scorer.why_not or Evidence.not_scored,
        identical=bool(pairs) and all(one.pixels and one.pixels == other.pixels for one, other in pairs),
        adaptive=any(each.adaptive for each in request.arms[arm].accelerators),
        interim_looks=comparison.interim_looks,
        arms=len([number for number in judged if not comparison.skip_reason(number)]),
    )
