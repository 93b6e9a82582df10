"""The report: one HTML file with everything of a comparison, readable with nothing but a browser."""

from collections.abc import Iterable, Iterator
from pathlib import Path

from comparer import __version__
from comparer.atomic import replacing
from comparer.errors import ComparerError
from comparer.reporting.html.chips import answer_line
from comparer.reporting.html.details import latents, likeness, times, uncertainty
from comparer.reporting.html.tables import arms_table, notes_list
from comparer.reporting.html.verdict_cards import name
from comparer.reporting.markup import Markup, join, markup
from comparer.reporting.plots.svg import PAGE
from comparer.reporting.report import embed
from comparer.reporting.report import sections as report_sections
from comparer.reporting.report.embed import FULL, KINDS, QUALITY, WIDEST
from comparer.reporting.report.image_sheet import rules, sheet
from comparer.reporting.viewer import viewer
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.run_json import SCHEMA
from comparer.text import counted

HERE = Path(__file__).parent / "static"
NO_MAP = "No difference map: the pictures in this report are reduced, and it would show what the reduction changed."

LOOK = "look", "Viewer", ""


def save_report(comparison: Comparison, folder: Path, pictures: str = FULL) -> Path:
    """Save the report atomically as ``report.html`` in the run folder and return its path.

    Args:
        comparison: finished or not.
        folder: its run folder, with the images.
        pictures: "full" for the PNGs as they are, "reduced" for lossy WebP of at most 512 pixels per side, without
            the difference map.

    Raises:
        ComparerError: an image is not in the folder or cannot be read, ``pictures`` is neither of the two, or the
            file cannot be written.
    """
    path = folder / "report.html"
    try:
        with replacing(path) as partial, partial.open("w", encoding="utf-8", errors="replace") as file:
            file.writelines(_pieces(comparison, folder, pictures))
    except OSError as error:
        raise ComparerError(f"The report cannot be written: {error.strerror or error}.") from error
    return path


def report(comparison: Comparison, folder: Path, pictures: str = FULL) -> str:
    """Return the content that ``save_report`` saves; arguments and errors are the same."""
    return "".join(_pieces(comparison, folder, pictures))


def _known(pictures: str) -> None:
    if pictures not in KINDS:
        raise ComparerError(f"'{pictures}' is not a choice for the pictures of a report: choose {' or '.join(KINDS)}.")


def _pieces(comparison: Comparison, folder: Path, pictures: str) -> Iterator[str]:
    """Write the report piece by piece, for all pictures at once may not fit into memory."""
    _known(pictures)
    files = embed.different(comparison, folder)
    analysis = Analysis(comparison)
    code, look = f"{viewer.script()};\n{_beside('js')}", f"{viewer.style()}\n{_beside('css')}\n{rules(analysis)}"
    sections, folds = _sections(analysis), _folds(comparison)
    parts: dict[str, Iterable[str]] = {
        "policy": [
            f"default-src 'none'; script-src {viewer.digest(code)}; style-src {viewer.digest(look)}; "
            "img-src data: blob:; base-uri 'none'; form-action 'none'"
        ],
        "style": [look],
        "title": [Markup.escape(f"{_title(comparison)}, {comparison.created[:10]}")],
        "head": [_head(analysis)],
        "pictures": sheet(analysis, files, pictures),
        "viewer": [_viewer(comparison, files, pictures), _which(comparison, files, pictures)],
        "contents": [markup('<a href="#{}">{}</a>', key, title) for key, title, _ in (LOOK, *sections, *folds)],
        "sections": [
            markup('<section id="{}"><h2>{}</h2>{}</section>', key, title, _classed(text))
            for key, title, text in sections
        ],
        "folds": [
            markup('<details id="{}"><summary><h2>{}</h2></summary>{}</details>', key, title, _classed(text))
            for key, title, text in folds
        ],
        "version": [f"Comparer {__version__}", _commit(comparison), f"; run format {SCHEMA}"],
        "script": [code],
    }
    first, *rest = _beside("html").split("{{")
    yield first
    for place in rest:  # each is filled once: what is filled in may itself hold what looks like a place
        key, after = place.split("}}", 1)
        yield from parts[key]
        yield after


def _sections(analysis: Analysis) -> list[tuple[str, str, str]]:
    """List (id, title, HTML) of what lies open, as far as there is any."""
    found = [
        ("figures", "Figures", arms_table(analysis)),
        ("intervals", "How sure the figures are", uncertainty(analysis)),
        ("times", "Times", times(analysis)),
        ("likeness", "How alike the pictures are", likeness(analysis)),
        ("latents", "How the latents part", latents(analysis.comparison)),
        ("notes", "What the figures rest on", notes_list(analysis)),
    ]
    return [each for each in found if each[2]]


def _folds(comparison: Comparison) -> list[tuple[str, str, str]]:
    """List (id, title, HTML) of what is folded away, as far as it is known."""
    found = [
        ("experiment", "Experiment card", report_sections.experiment(comparison)),
        ("environment", "Environment", report_sections.environment(comparison)),
        ("weights", "Weights card", report_sections.weights(comparison)),
        ("reproduce", "How to make it again", report_sections.reproduce(comparison)),
    ]
    return [each for each in found if each[2]]


def _title(comparison: Comparison) -> str:
    return comparison.checkpoint.get("title") or comparison.request.settings.checkpoint


def _head(analysis: Analysis) -> str:
    """Write the title, the settings in one line, how far the run came, the answer, and what was not run."""
    comparison = analysis.comparison
    request, s, machine = comparison.request, comparison.request.settings, comparison.environment
    facts = [
        f"{counted(len(s.prompts), 'prompt')} × {counted(len(s.seeds), 'seed')}",
        f"{s.sampler}, {counted(s.steps, 'step')}",
        f"guidance {s.guidance:g}",
        f"{s.width} × {s.height}",
        f"batches of {s.batch_size}" if s.batch_size > 1 else "",
        " ".join(filter(None, (machine.get("device_name"), machine.get("dtype")))),
        comparison.created[:10],
    ]
    asked = len(request.items()) * len(request.arms)
    state = {"finished": "", "running": "Not finished", "stopped": "Stopped"}.get(comparison.state, "Failed")
    why = comparison.message if state == "Failed" else ""
    told = markup("<b>{}.</b> {} of {} images are here. {}", state, len(comparison.shots), asked, why)
    early = markup('<p class="state">{}</p>', told) if state else ""
    return markup(
        '<h1 dir="auto">{}</h1><p class="under">{}</p>{}{}{}',
        _title(comparison),
        join((markup("<span>{}</span>", fact) for fact in facts if fact), Markup(" · ")),
        early,
        answer_line(analysis),
        _not_run(comparison),
    )


def _not_run(comparison: Comparison) -> str:
    """List the arms that were not run, with the reasons."""
    items = join(
        markup("<li><b>{}</b> was not run: {}.</li>", name(comparison.request.arms[each.arm].name), each.reason)
        for each in comparison.not_run
    )
    return markup('<ul class="not-run">{}</ul>', items) if items else ""


def _viewer(comparison: Comparison, files: dict[str, Path], pictures: str) -> str:
    """Write the viewer, whose pictures are those of the sheet: "#picture-1" is the address of an image there."""
    shown = viewer.data(comparison, ".")
    numbers = embed.numbers(files)
    for pair in shown["pairs"]:
        for shot in filter(None, pair["shots"]):
            shot["url"] = f"#{numbers[shot['file']]}"
    return viewer.fragment(shown | ({} if pictures == FULL else {"no_map": NO_MAP}))


def _which(comparison: Comparison, files: dict[str, Path], pictures: str) -> str:
    """Say which pictures the report holds."""
    made, kept = len(files), len(set(files.values()))
    if not made:
        return ""
    once = "" if made == kept else f" ({kept} different ones, each of them stored once)"
    said = (
        f"This file contains {counted(made, 'picture')}{once} as full PNGs, pixel for pixel."
        if pictures == FULL
        else markup(
            "This file contains {}{} <b>reduced</b>: lossy WebP (quality {}) of at "
            "most {} pixels per side. Visible differences are those of the reduced pictures, and there is no "
            "difference map. All figures are from the full pictures.",
            counted(made, "picture"),
            once,
            QUALITY,
            WIDEST,
        )
    )
    return markup('<p class="held">{}</p>', said)


def _commit(comparison: Comparison) -> str:
    found = comparison.environment.get("comparer", "")
    return markup("; the run itself with commit {}", found) if found else ""


def _classed(text: str) -> str:
    """Take the plots' style attribute off, which the policy forbids; a quote in it is never a user's."""
    return text.replace(PAGE, Markup('class="plot"'))


def _beside(ending: str) -> str:
    return (HERE / f"report.{ending}").read_text(encoding="utf-8")
