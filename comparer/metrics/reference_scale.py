"""Reference points for similarities: the baseline's own repeats, and the baseline with another seed."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from comparer.metrics.similarity import similarity
from comparer.metrics.similarity_data import Mean, mean


def noise_floor(repeats: Sequence[Sequence[Any]], scorer: Any = None) -> Mean | None:
    """Measure how much the baseline differs from itself.

    Args:
        repeats: for every (prompt, seed), the baseline's images of all repeats, as for ``similarity``; each
            repeat is compared with the first.
        scorer: an ``EmbeddingScorer`` or None.

    Returns:
        None if nothing was repeated.
    """
    return mean([similarity(first, again, scorer) for first, *others in repeats for again in others])


def seed_distance(prompts: Sequence[Sequence[Any]], scorer: Any = None, most: int = 100) -> Mean | None:
    """Measure how much the baseline's images of one prompt differ between seeds.

    Args:
        prompts: for every prompt, the baseline's images of all seeds, as for ``similarity``.
        scorer: an ``EmbeddingScorer`` or None.
        most: maximum number of pairs to measure; if there are more, evenly spread ones are taken.

    Returns:
        None if every prompt has only one seed.
    """
    pairs = [pair for pictures in prompts for pair in combinations(pictures, 2)]
    taken = min(len(pairs), most)
    return mean([similarity(*pairs[number * len(pairs) // taken], scorer) for number in range(taken)])
