"""The report's sheet: a table of all images, one column per arm, one row per prompt and seed; a click opens the viewer.

The head of a column is the arm's chip. The sheet also stores the images: the viewer reads them from here, and of two
equal images the second refers to the first.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from comparer.reporting.html import chips
from comparer.reporting.html.tables import seen
from comparer.reporting.html.verdict_cards import name
from comparer.reporting.markup import Markup, join, markup
from comparer.reporting.report import embed
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import Shot

SMALL = 256  # pixels: narrower pictures are enlarged without smoothing
STYLE = r'style="([a-z0-9:;.%-]*)"'
OPEN = 6  # rows that are shown before the others are folded away


def sheet(analysis: Analysis, files: dict[str, Path], kind: str) -> Iterator[str]:
    """Render the sheet piece by piece, one image at a time.

    Args:
        analysis: of a comparison, finished or not.
        files: as returned by ``embed.different``.
        kind: "full" or "reduced".
    """
    comparison = analysis.comparison
    arms = range(len(comparison.request.arms))
    shots = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    items = [item for item in comparison.request.items() if any((arm, *item) in shots for arm in arms)]
    if not items:
        yield Markup("<p>There is no picture yet.</p>")
        return
    held = set[str]()
    heads = [without_styles(chips.drawn(each))[0] for each in analysis.arms]
    yield from _table(comparison, heads, items[:OPEN], shots, files, held, kind)
    if len(items) > OPEN:
        yield markup('<details class="more"><summary>{} more rows</summary>', len(items) - OPEN)
        names = [name(arm.name) for arm in comparison.request.arms]
        yield from _table(comparison, names, items[OPEN:], shots, files, held, kind)
        yield Markup("</details>")


def rules(analysis: Analysis) -> str:
    """Return the style rules of a sheet: its number of columns, and the places of the bars in its chips."""
    found = {place: None for each in analysis.arms for place in without_styles(chips.drawn(each))[1]}
    arms = f".report .sheet {{ --arms: {len(analysis.arms)}; }}"
    return "\n".join([arms, *(f'.report [data-at="{place}"] {{ {place} }}' for place in found)])


def without_styles(text: str) -> tuple[str, list[str]]:
    """Take the style attributes out, which the report's policy forbids; return the text and what they said.

    Each becomes a ``data-at`` that a rule can name. A quote in the text is never a user's: those are escaped.
    """
    return Markup(re.sub(STYLE, r'data-at="\1"', str(text))), re.findall(STYLE, text)


def _table(
    comparison: Comparison, heads: Sequence[str], items: Sequence[tuple[int, int]],
    shots: dict[tuple[int, int, int], Shot], files: dict[str, Path], held: set[str], kind: str,
) -> Iterator[str]:  # fmt: skip
    settings, numbers = comparison.request.settings, embed.numbers(files)
    yield markup(
        '<div class="scroll" tabindex="0" role="region" aria-label="Pictures"><table class="{}">'
        "<thead><tr>{}</tr></thead>",
        "sheet small" if settings.width < SMALL else "sheet",
        join(markup('<th scope="col">{}</th>', head) for head in heads),
    )
    before = -1
    for prompt, seed in items:
        # Each prompt stands by itself: what is written from right to left turns nothing around it.
        text = markup('<b class="prompt" dir="auto">{}</b> ', settings.prompts[prompt]) if prompt != before else ""
        yield markup(
            '<tbody><tr><th scope="rowgroup" colspan="{}"><div>{}<span>seed {}</span></div></th></tr><tr>',
            len(heads),
            text,
            seed,
        )
        before = prompt
        for arm in range(len(heads)):
            shot = shots.get((arm, prompt, seed))
            if shot is None:
                yield Markup('<td class="none">not made</td>')
                continue
            yield from _cell(comparison, shot, shots.get((0, prompt, seed)), numbers, files, held, kind)
        yield Markup("</tr></tbody>")
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
