"""The report's sheet: a table of all images, one column per arm, one row per seed; a click opens the viewer.

The sheet also stores the images: the viewer reads them from here, and of two equal images the second refers to the
first.
"""

from collections.abc import Iterator
from pathlib import Path

from comparer.reporting.html.tables import seen
from comparer.reporting.html.verdict_cards import badges, name
from comparer.reporting.markup import Markup, join, markup
from comparer.reporting.report import embed
from comparer.results.comparison import Comparison
from comparer.results.records import Shot

SMALL = 256  # pixels: narrower pictures are enlarged without smoothing


def sheet(comparison: Comparison, files: dict[str, Path], kind: str) -> Iterator[str]:
    """Render the sheet piece by piece, one image at a time.

    Args:
        comparison: finished or not.
        files: as returned by ``embed.different``.
        kind: "full" or "reduced".
    """
    arms, settings = comparison.request.arms, comparison.request.settings
    shots = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    numbers, held = embed.numbers(files), set[str]()
    head = join(
        markup('<th scope="col">{}{}</th>', name(arm.name), badges(comparison, number))
        for number, arm in enumerate(arms)
    )
    if not shots:
        yield Markup("<p>There is no picture yet.</p>")
    look = "sheet small" if settings.width < SMALL else "sheet"
    for prompt, text in enumerate(settings.prompts):
        seeds = [seed for seed in settings.seeds if any((arm, prompt, seed) in shots for arm in range(len(arms)))]
        if not seeds:
            continue
        yield (
            markup(
                '<h3 class="prompt" dir="auto">{}</h3>'
                '<div class="scroll" tabindex="0" role="region" aria-label="Pictures of prompt {}">'
                '<table class="{}"><thead><tr><td></td>{}</tr></thead>',
                text,
                prompt + 1,
                look,
                head,
            )
        )
        for seed in seeds:
            yield markup('<tr><th scope="row">Seed {}</th>', seed)
            for arm in range(len(arms)):
                shot = shots.get((arm, prompt, seed))
                if shot is None:
                    yield Markup('<td class="none">not made</td>')
                    continue
                base = shots.get((0, prompt, seed))
                yield from _cell(comparison, shot, base, numbers, files, held, kind)
            yield Markup("</tr>")
        yield Markup("</table></div>")


def _cell(
    comparison: Comparison, shot: Shot, base: Shot | None, numbers: dict[str, str], files: dict[str, Path],
    held: set[str], kind: str,
) -> Iterator[str]:  # fmt: skip
    number, settings = numbers[shot.file], comparison.request.settings
    beside = markup("&amp;arm={}", shot.arm) if shot.arm else ""
    title = f"{comparison.request.arms[shot.arm].name}, seed {shot.seed}"
    yield markup('<td><a href="#pair={}:{}{}"><img alt="{}" ', shot.prompt, shot.seed, beside, title)
    yield f'width="{settings.width}" height="{settings.height}" decoding="async" '
    if number in held:
        yield f'data-same="{number}">'
    else:
        held.add(number)
        yield f'id="{number}" src="{embed.data_uri(files[shot.file], kind)}">'
    same = " · identical" if base and shot.arm and numbers[base.file] == number and not shot.not_finite else ""
    yield markup("</a><p>{}{}</p></td>", seen(comparison, shot, [comparison.calls[shot.call]], whole=not same), same)
