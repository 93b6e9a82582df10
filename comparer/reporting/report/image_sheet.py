"""The report's sheet: a table of all images, one column per arm, one row per seed; a click opens the viewer.

The sheet also stores the images: the viewer reads them from here, and of two equal images the second refers to the
first.
"""

from collections.abc import Iterator
from html import escape
from pathlib import Path

from comparer.reporting.html.tables import seen
from comparer.reporting.html.verdict_cards import name, random_badge
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
    head = "".join(
        f'<th scope="col">{name(arm.name)}{random_badge(comparison, number)}</th>' for number, arm in enumerate(arms)
    )
    if not shots:
        yield "<p>There is no picture yet.</p>"
    look = "sheet small" if settings.width < SMALL else "sheet"
    for prompt, text in enumerate(settings.prompts):
        seeds = [seed for seed in settings.seeds if any((arm, prompt, seed) in shots for arm in range(len(arms)))]
        if not seeds:
            continue
        yield (
            f'<h3 class="prompt" dir="auto">{escape(text)}</h3>'
            f'<div class="scroll" tabindex="0" role="region" aria-label="Pictures of prompt {prompt + 1}">'
            f'<table class="{look}"><thead><tr><td></td>{head}</tr></thead>'
        )
        for seed in seeds:
            yield f'<tr><th scope="row">Seed {seed}</th>'
            for arm in range(len(arms)):
                shot = shots.get((arm, prompt, seed))
                if shot is None:
                    yield '<td class="none">not made</td>'
                    continue
                base = shots.get((0, prompt, seed))
                yield from _cell(comparison, shot, base, numbers, files, held, kind)
            yield "</tr>"
        yield "</table></div>"


def _cell(
    comparison: Comparison, shot: Shot, base: Shot | None, numbers: dict[str, str], files: dict[str, Path],
    held: set[str], kind: str,
) -> Iterator[str]:  # fmt: skip
    number, settings = numbers[shot.file], comparison.request.settings
    beside = f"&amp;arm={shot.arm}" if shot.arm else ""
    title = escape(f"{comparison.request.arms[shot.arm].name}, seed {shot.seed}")
    yield f'<td><a href="#pair={shot.prompt}:{shot.seed}{beside}"><img alt="{title}" '
    yield f'width="{settings.width}" height="{settings.height}" decoding="async" '
    if number in held:
        yield f'data-same="{number}">'
    else:
        held.add(number)
        yield f'id="{number}" src="{embed.data_uri(files[shot.file], kind)}">'
    same = " · identical" if base and shot.arm and numbers[base.file] == number else ""
    yield f"</a><p>{seen(shot, [comparison.calls[shot.call]], whole=not same)}{same}</p></td>"
