"""What similarities are measured against: the baseline's own repeats, and another seed of the baseline's."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

from comparer.metrics.similarity import similarity
from comparer.metrics.similarity_data import Mean, mean


def noise_floor(repeats: Sequence[Sequence[Any]], scorer: Any = None) -> Mean | None:
    """Measure how much the baseline differs from itself.

    Args:
        repeats: for every (prompt, seed) the baseline's pictures of all repeats, as ``similarity`` takes them; each
            repeat is compared with the first.
        scorer: a ``ClipScorer`` or None.

    Returns:
        None where nothing was repeated.
    """
    return mean([similarity(first, again, scorer) for first, *others in repeats for again in others])


def seed_distance(prompts: Sequence[Sequence[Any]], scorer: Any = None, most: int = 100) -> Mean | None:
    """Measure how much the baseline's pictures of one prompt differ from seed to seed.

    Args:
        prompts: for every prompt the baseline's pictures of all seeds, as ``similarity`` takes them.
        scorer: a ``ClipScorer`` or None.
        most: pairs that are measured; of more, evenly spread ones are taken.

    Returns:
        None where every prompt has one seed.
    """
    pairs = [pair for pictures in prompts for pair in combinations(pictures, 2)]
    taken = min(len(pairs), most)
    return mean([similarity(*pairs[number * len(pairs) // taken], scorer) for number in range(taken)])
