"""In which order a comparison's pairs are looked at."""

from comparer.results.comparison import Comparison

AS_ASKED, SCORE, LIKENESS = "As asked", "Worst CLIP first", "Least alike first"
ORDERS = (AS_ASKED, SCORE, LIKENESS)


def distance(comparison: Comparison, arm: int, order: str) -> dict[tuple[int, int], float]:
    """Return (prompt number, seed) -> what an order sorts by, the worst pair least; of pairs that can be told alone.

    Args:
        comparison: finished or not.
        arm: whose pairs with the baseline are looked at.
        order: ``SCORE``, by what the arm's CLIP score is above the baseline's, or ``LIKENESS``, by SSIM.
    """
    found = {}
    for base, other in comparison.pairs(arm):
        if order == SCORE and base.clip_score is not None and other.clip_score is not None:
            found[other.prompt, other.seed] = other.clip_score - base.clip_score
        elif order == LIKENESS and other.similarity:
            found[other.prompt, other.seed] = other.similarity.ssim
    return found


def ordered(comparison: Comparison, arm: int, order: str = AS_ASKED) -> list[tuple[int, int]]:
    """List the (prompt number, seed)s that have a picture.

    Args:
        comparison: finished or not.
        arm: whose pairs with the baseline are looked at.
        order: of ``ORDERS``: as asked, by the CLIP score that the arm lost, or by SSIM. Pairs that cannot be told
            come last, as asked.
    """
    made = {(shot.prompt, shot.seed) for shot in comparison.shots}
    items = [item for item in comparison.request.items() if item in made]
    worst = distance(comparison, arm, order)
    return sorted(items, key=lambda item: (item not in worst, worst.get(item, 0)))
