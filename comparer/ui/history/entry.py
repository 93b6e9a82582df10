"""Entries of the history as HTML: date, settings, a small worst pair, verdict per arm. All texts are escaped."""

from collections.abc import Sequence
from datetime import datetime
from html import escape
from itertools import groupby
from json import dumps
from pathlib import Path
from urllib.parse import quote

from comparer.runs import index
from comparer.runs.card import ArmCard
from comparer.runs.index import Entry
from comparer.stats.verdict import WIDE
from comparer.text import counted, file_size, signed
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
DIALOG = (
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
        f"<section><h2>{_day(day)}</h2><ul>{''.join(_entry(each, runs, chosen, busy) for each in found)}</ul></section>"
        for day, found in groupby(shown, key=lambda entry: entry.card.created[:10])
    ]
    return f'<div class="past" data-chosen="{escape(dumps(list(chosen)))}">{"".join(days)}{DIALOG}</div>'


def when(created: str) -> str:
    """Format the start time of a run: "21 November 2026, 16:33 UTC"."""
    return f"{_day(created)}, {created[11:16]} UTC"


def _day(created: str) -> str:
    day = datetime.fromisoformat(created)
    return f"{day.day} {day:%B %Y}"


def _entry(entry: Entry, runs: Path, chosen: Sequence[str], busy: set[str]) -> str:
    card, folder = entry.card, runs / entry.name
    state = (
        "" if card.state == "finished" else f'<span class="badge">{STATES.get(card.state, escape(card.state))}</span>'
    )
    facts = [f'<time datetime="{escape(card.created)}">{escape(card.created[11:16])}</time>']
    if card.damaged:
        said = f"<h3>{escape(entry.name)}{state}</h3><p>{escape(card.damaged)}</p>"
    else:
        said = f"<h3>{escape(entry.title)}{state}</h3>{_prompts(card.prompts)}{_arms(card.arms)}"
        facts.append(counted(card.pictures, "picture"))
    facts.append(file_size(index.size(folder)))
    return (
        f'<li class="run{" damaged" if card.damaged else ""}">{_pictures(entry, folder)}<div class="what">{said}</div>'
        f'<div class="side"><p>{"".join(f"<span>{fact}</span>" for fact in facts)}</p>'
        f'<div class="acts">{_acts(entry, runs, chosen, busy)}</div></div></li>'
    )


def _pictures(entry: Entry, folder: Path) -> str:
    """Draw the worst pair small; a press on it opens it."""
    card = entry.card
    found = [file for file in card.thumbs or card.files if (folder / file).is_file()]
    images = "".join(
        # Relative: the page may be served below a path of its own.
        f'<img src="gradio_api/file={quote(str((folder / file).resolve()))}" loading="lazy" alt="" '
        'width="72" height="72">'
        for file in found
    )
    if not images:
        return '<div class="worst none"></div>'
    arm, prompt, seed = card.worst
    arms = card.arms
    what = f"{arms[arm].name} beside {arms[0].name}" if arm and arm < len(arms) else "the baseline"
    label = f"Open the worst pair: {what}, prompt {prompt + 1}, seed {seed}"
    data = f'data-do="open" data-name="{escape(entry.name)}" data-pair="{prompt}:{seed}" data-arm="{arm or 1}"'
    return (
        f'<button type="button" class="worst" {data} aria-label="{escape(label)}" title="{escape(label)}">'
        f"{images}</button>"
    )


def _prompts(prompts: Sequence[str]) -> str:
    first = prompts[0] if prompts else ""
    more = f" <small>and {len(prompts) - 1} more</small>" if len(prompts) > 1 else ""
    return f'<p class="prompt"><bdi>{escape(first[:WORDS])}{"…" if len(first) > WORDS else ""}</bdi>{more}</p>'


def _arms(arms: Sequence[ArmCard]) -> str:
    own = [arm for arm in arms[1:] if not arm.rival]
    drawn = [_arm(arm) for arm in own[:CHIPS]]
    if len(own) > CHIPS:
        drawn.append(f"<li>and {len(own) - CHIPS} more</li>")
    return f'<ul class="chips">{"".join(drawn)}</ul>' if drawn else ""


def _arm(arm: ArmCard) -> str:
    kind = arm.kind.lower().replace(" ", "-")
    said = f"<b>{figure(arm)}</b> <i>{escape(arm.kind)}</i>" if arm.value is not None else ""
    if arm.why_not:
        said, kind = "<i>not run</i>", "not-run"
    return (
        f'<li class="{escape(kind)}" title="{escape(arm.why_not or arm.sentence)}"><span>{broken(arm.name)}</span>'
        f"<span>{said}</span></li>"
    )


def figure(arm: ArmCard) -> str:
    """Format an arm's speed-up, or its difference in CLIP score, with its interval: "1.80× (1.60–2.02)"."""
    if arm.value is None:
        return ""
    if arm.clip:
        spread = "" if arm.low is None or arm.high is None else f" ({signed(arm.low)} to {signed(arm.high)})"
        return f"CLIP {signed(arm.value)}{spread}"
    wide = arm.low is None or arm.high is None or arm.high > WIDE * arm.value
    return f"{arm.value:.2f}×" + ("" if wide else f" ({arm.low:.2f}–{arm.high:.2f})")


def _acts(entry: Entry, runs: Path, chosen: Sequence[str], busy: set[str]) -> str:
    name, damaged = escape(entry.name), entry.card.damaged
    about = f"the run of {when(entry.card.created)}" + (f", {entry.title}" if entry.title else "")
    acts = []
    if not damaged:
        pressed = str(entry.name in chosen).lower()
        acts = [
            f'<button type="button" data-do="open" data-name="{name}" aria-label="Open {escape(about)}">Open</button>',
            f'<button type="button" data-do="choose" data-name="{name}" aria-pressed="{pressed}" '
            f'aria-label="Lay {escape(about)} beside another">Side by side</button>',
            f'<a href="{escape(permalink.query(entry.name))}" data-do="link" '
            f'aria-label="Copy a link to {escape(about)}">Link</a>',
        ]
    made = f"Its {counted(entry.card.pictures, 'picture')} and its record" if not damaged else "Its folder"
    ask = f"{about[0].upper()}{about[1:]} ({entry.name}). {made} will be gone for good."
    why = index.why_not_deleted(runs, entry, busy)
    off = f' disabled title="{escape(f"Not deleted from here: {why}")}"' if why else ""
    acts.append(
        f'<button type="button" data-do="delete" data-name="{name}" data-ask="{escape(ask)}" class="danger"{off} '
        f'aria-label="Delete {escape(about)}">Delete</button>'
    )
    return "".join(acts)
