"""Score the shots between the timed calls and compare them with the baseline's, from the saved files."""

from dataclasses import replace
from pathlib import Path
from statistics import fmean
from typing import Any

from comparer.metrics.similarity_data import Mean
from comparer.request.request import Settings
from comparer.results.comparison import Comparison
from comparer.results.records import Scorer


def record(scorer: Any, prompts: tuple[str, ...]) -> Scorer:
    """Return what scores and which prompts it truncates, or why no scorer is available."""
    if isinstance(scorer, str):
        return Scorer(why_not=scorer)
    cut = tuple(number for number, prompt in enumerate(prompts) if scorer.truncates(prompt))
    source = scorer.source
    return Scorer(
        scorer.name, truncated=cut, context=scorer.context, about=scorer.record(),
        title=source.title, licence=source.licence,
    )  # fmt: skip


def not_available(settings: Settings, scorer: Any) -> tuple[str, ...]:
    """List similarity metrics that are unavailable here and how to enable each."""
    from comparer.metrics import similarity

    return tuple(similarity.not_available(settings.width, settings.height, scorer).values())


def score(comparison: Comparison, folder: Path, scorer: Any, again: dict[str, list[Any]]) -> None:
    """Score every shot without a score, and measure its similarity to the baseline's; void ones are left out.

    Args:
        comparison: the comparison whose shots are scored.
        folder: folder of the shots' files.
        scorer: an ``EmbeddingScorer``, or None.
        again: file of a baseline shot -> images of its further runs, which are compared with that shot and dropped.
    """
    from comparer.metrics.similarity import opened, similarity

    shots, prompts = comparison.shots, comparison.request.settings.prompts
    if scorer:
        bases = {(shot.prompt, shot.seed): shot for shot in shots if shot.arm == 0 and not shot.not_finite}
        for position, shot in enumerate(shots):
            if shot.clip_score is not None or shot.not_finite:
                continue
            base, picture = bases.get((shot.prompt, shot.seed)), opened(folder / shot.file)
            if scorer.context is not None:
                (points,) = scorer.score([picture], [prompts[shot.prompt]])
            elif base:
                points = scorer.beside(opened(folder / base.file), picture)
            else:
                continue  # there is nothing to compare it with
            shots[position] = replace(shot, clip_score=points)
    first = {(shot.prompt, shot.seed): shot for shot in shots if shot.arm == 0 and not shot.not_finite}
    for position, shot in enumerate(shots):
        base = first.get((shot.prompt, shot.seed))
        if shot.not_finite:
            again.pop(shot.file, None)
        elif shot.arm and base and shot.similarity is None:
            shots[position] = replace(shot, similarity=similarity(folder / base.file, folder / shot.file, scorer))
        elif further := again.pop(shot.file, []):
            more = (similarity(folder / shot.file, picture, scorer) for picture in further)
            shots[position] = replace(shot, again=(*shot.again, *more))


def floor(comparison: Comparison, folder: Path, scorer: Any) -> float | None:
    """Score the baseline's images with wrong prompts, and return the mean: as ``Scorer.floor``.

    The scorer has the images' and the prompts' embeddings, so nothing is encoded again.
    """
    from comparer.metrics.similarity import opened

    wrong = _wrong_prompts(comparison.request.settings.prompts)
    if scorer is None or scorer.context is None or not wrong:
        return None
    made = [shot for shot in comparison.shots if shot.arm == 0 and not shot.not_finite]
    points = [scorer.score([opened(folder / shot.file)], [wrong[shot.prompt]])[0] for shot in made]
    return fmean(points) if points else None


def _wrong_prompts(prompts: tuple[str, ...]) -> list[str]:
    """Return for every prompt the next one with another text, after the last the first; [] if all are the same.

    >>> _wrong_prompts(("a", "b", "b", "c"))
    ['b', 'c', 'c', 'a']
    """
    count = len(prompts)
    if len(set(prompts)) < 2:
        return []
    after = ([prompts[(number + step) % count] for step in range(1, count)] for number in range(count))
    return [next(other for other in others if other != prompts[number]) for number, others in enumerate(after)]


def distance(comparison: Comparison, folder: Path, scorer: Any) -> Mean | None:
    """Measure how much the baseline's images of one prompt differ between seeds; None with one seed."""
    from comparer.metrics.reference_scale import seed_distance

    by_prompt: dict[int, list[Path]] = {}
    for shot in comparison.shots:
        if shot.arm == 0 and not shot.not_finite:
            by_prompt.setdefault(shot.prompt, []).append(folder / shot.file)
    return seed_distance(list(by_prompt.values()), scorer)
