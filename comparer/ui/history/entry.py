"""Entries of the history as HTML: prompt, worst pair, verdict per arm, checkpoint and date. All texts are escaped."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from json import dumps
from pathlib import Path
from urllib.parse import quote

from comparer.reporting.markup import Markup, join, markup
from comparer.runs import index
from comparer.runs.card import ArmCard
from comparer.runs.index import Entry
from comparer.stats.verdict import WIDE
from comparer.text import counted, digits, file_size, signed
from comparer.ui import permalink
from comparer.ui.results.status import name as broken

CHIPS = 8  # arms that are shown of one run
WORDS = 160  # characters of a prompt
STATES = {
    "running": "being made",
    "cut off": "not finished",
    "stopped": "stopped",
    "failed": "failed",
    "damaged": "damaged",
}
DIALOG = Markup(
    '<dialog aria-labelledby="ask-title"><h2 id="ask-title">Delete this run?</h2><p></p><div>'
    '<button type="button" data-do="answer" value="" autofocus>Keep it</button>'
    '<button type="button" data-do="answer" value="delete" class="danger">Delete</button></div></dialog>'
)


def draw(shown: Sequence[Entry], runs: Path, chosen: Sequence[str], busy: set[str]) -> str:
    """Render a list of runs, grouped by the day on which they were started.

    Args:
        shown: newest first.
        runs: the folder of runs.
        chosen: names of the runs selected for comparison.
        busy: names of the runs in progress.
    """
    days = [
        markup(
            "<section><h2>{}</h2><ul>{}</ul></section>",
            _day(day),
            join(_entry(each, runs, chosen, busy) for each in found),
        )
        for day, found in groupby(shown, key=lambda entry: entry.card.created[:10])
    ]
    return markup('<div class="past" data-chosen="{}">{}{}</div>', dumps(list(chosen)), join(days), DIALOG)


def when(created: str) -> str:
    """Format the start time of a run: "21 November 2026, 16:33 UTC"."""
    return f"{_day(created)}, {created[11:16]} UTC"


def _day(created: str) -> str:
    day = datetime.fromisoformat(created)
    return f"{day.day} {day:%B %Y}"


def _entry(entry: Entry, runs: Path, chosen: Sequence[str], busy: set[str]) -> str:
    card, folder = entry.card, runs / entry.name
    state = (
        "" if card.state == "finished" else markup('<span class="badge">{}</span>', STATES.get(card.state, card.state))
    )
    facts = [markup('<time datetime="{}">{}</time>', card.created, card.created[11:16])]
    if card.damaged:
        said = markup("<h3>{}{}</h3><p>{}</p>", entry.name, state, card.damaged)
    else:
        said = markup("<h3>{}{}</h3>{}", _prompts(card.prompts) or entry.title, state, _arms(card.arms))
        said += markup('<p class="checkpoint">{}</p>', entry.title)
        facts.append(counted(card.pictures, "image"))
    facts.append(file_size(index.size(folder)))
    return markup(
        '<li class="run{}">{}<div class="what">{}</div>'
        '<div class="side"><p>{}</p>'
        '<div class="acts">{}</div></div></li>',
        " damaged" if card.damaged else "",
        _pictures(entry, folder),
        said,
        join(markup("<span>{}</span>", fact) for fact in facts),
        _acts(entry, runs, chosen, busy),
    )


def _pictures(entry: Entry, folder: Path) -> str:
    """Draw the worst pair small; a press on it opens it."""
    card = entry.card
    found = [file for file in card.thumbs or card.files if (folder / file).is_file()]
    images = join(
        # Relative: the page may be served below a path of its own.
        markup(
            '<img src="gradio_api/file={}" loading="lazy" alt="" width="112" height="112">',
            quote(str((folder / file).resolve())),
        )
        for file in found
    )
    if not images:
        return Markup('<div class="worst none"></div>')
    arm, prompt, seed = card.worst
    arms = card.arms
    what = f"{arms[arm].name} beside {arms[0].name}" if arm and arm < len(arms) else "the baseline"
    label = f"Open the worst pair: {what}, prompt {prompt + 1}, seed {seed}"
    data = markup('data-do="open" data-name="{}" data-pair="{}:{}" data-arm="{}"', entry.name, prompt, seed, arm or 1)
    return markup(
        '<button type="button" class="worst" {} aria-label="{}" title="{}">{}</button>', data, label, label, images
    )


def _prompts(prompts: Sequence[str]) -> str:
    if not prompts:
        return ""
    first, more = prompts[0], ""
    if len(prompts) > 1:
        more = markup(" <small>and {}</small>", counted(len(prompts) - 1, "more prompt"))
    return markup(
        '<span class="prompt"><bdi>{}{}</bdi>{}</span>', first[:WORDS], "…" if len(first) > WORDS else "", more
    )


def _arms(arms: Sequence[ArmCard]) -> str:
    own = [arm for number, arm in enumerate(arms) if (number or arm.headline) and not arm.rival]
    drawn = [_arm(arm) for arm in own[:CHIPS]]
    if len(own) > CHIPS:
        drawn.append(markup("<li>and {} more</li>", len(own) - CHIPS))
    return markup('<ul class="chips">{}</ul>', join(drawn)) if drawn else ""


def _arm(arm: ArmCard) -> str:
    look = arm.look
    large = markup("<b>{}</b> ", figure(arm)) if arm.value is not None else ""
    said = markup("{}<i>{}</i>", large, arm.headline) if arm.headline or large else ""
    said += markup("<small>{}</small>", arm.fewer) if arm.fewer else ""
    if arm.why_not:
        said, look = Markup("<i>not run</i>"), "not-run"
    return markup(
        '<li class="{}" title="{}"><span>{}</span><span>{}</span></li>',
        look,
        arm.why_not or arm.sentence,
        broken(arm.name),
        said,
    )


def figure(arm: ArmCard) -> str:
    """Format an arm's speed-up, or its difference in score, with its interval: "1.80× (1.60–2.02)"."""
    if arm.value is None:
        return ""
    if arm.clip:
        spread = "" if arm.low is None or arm.high is None else f" ({signed(arm.low)} to {signed(arm.high)})"
        return f"{arm.score} {signed(arm.value)}{spread}"
    wide = arm.low is None or arm.high is None or arm.high > WIDE * arm.value
    places = digits(arm.value)
    return f"{arm.value:.{places}f}×" + ("" if wide else f" ({arm.low:.{places}f}–{arm.high:.{places}f})")


def _acts(entry: Entry, runs: Path, chosen: Sequence[str], busy: set[str]) -> str:
    name, damaged = entry.name, entry.card.damaged
    about = f"the run of {when(entry.card.created)}" + (f", {entry.title}" if entry.title else "")
    acts = []
    if not damaged:
        pressed = str(entry.name in chosen).lower()
        acts = [
            markup(
                '<button type="button" data-do="open" data-name="{}" aria-label="Open {}">Open</button>', name, about
            ),
            markup(
                '<button type="button" data-do="choose" data-name="{}" aria-pressed="{}" '
                'aria-label="Lay {} beside another">Side by side</button>',
                name,
                pressed,
                about,
            ),
            markup(
                '<a href="{}" data-do="link" aria-label="Copy a link to {}">Link</a>',
                permalink.query(entry.name),
                about,
            ),
        ]
    made = f"Its {counted(entry.card.pictures, 'image')} and its record" if not damaged else "Its folder"
    ask = f"{about[0].upper()}{about[1:]} ({entry.name}). {made} will be gone for good."
    why = index.why_not_deleted(runs, entry, busy)
    off = markup(' disabled title="Not deleted from here: {}"', why) if why else ""
    acts.append(
        markup(
            '<button type="button" data-do="delete" data-name="{}" data-ask="{}" class="danger"{} '
            'aria-label="Delete {}">Delete</button>',
            name,
            ask,
            off,
            about,
        )
    )
    return join(acts)
