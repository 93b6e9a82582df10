"""Sort orders of a comparison's pairs."""

from comparer.results.comparison import Comparison

AS_ASKED, SCORE, LIKENESS = "As asked", "Worst score first", "Least alike first"
ORDERS = (AS_ASKED, SCORE, LIKENESS)


def distance(comparison: Comparison, arm: int, order: str) -> dict[tuple[int, int], float]:
    """Return (prompt number, seed) -> sort value, lowest for the worst pair; pairs without a value are left out.

    Args:
        comparison: finished or not.
        arm: the arm whose pairs with the baseline are sorted.
        order: ``SCORE``, the arm's score − the baseline's, or ``LIKENESS``, SSIM.
    """
    found = {}
    for base, other in comparison.pairs(arm):
        if order == SCORE and base.clip_score is not None and other.clip_score is not None:
            found[other.prompt, other.seed] = other.clip_score - base.clip_score
        elif order == LIKENESS and other.similarity:
            found[other.prompt, other.seed] = other.similarity.ssim
    return found


def ordered(comparison: Comparison, arm: int, order: str = AS_ASKED) -> list[tuple[int, int]]:
    """List the (prompt number, seed)s that have an image.

    Args:
        comparison: finished or not.
        arm: the arm whose pairs with the baseline are sorted.
        order: one of ``ORDERS``: as asked, by the score that the arm lost, or by SSIM. Pairs without a value come
            last, as asked.
    """
    made = {(shot.prompt, shot.seed) for shot in comparison.shots}
    items = [item for item in comparison.request.items() if item in made]
    worst = distance(comparison, arm, order)
    return sorted(items, key=lambda item: (item not in worst, worst.get(item, 0)))
