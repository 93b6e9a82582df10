"""Blind test as HTML: start screen, pair, result. All visitor input is escaped."""

from collections import Counter, defaultdict
from html import escape
from pathlib import Path
from urllib.parse import quote

from comparer.blind.anonymise import sealed
from comparer.blind.plot import ballots
from comparer.blind.sessions import Session
from comparer.blind.votes import ARM, BAD, BASELINE, CANNOT_TELL, TIE, Preference, Vote
from comparer.reporting.html.verdict_cards import name
from comparer.reporting.viewer import viewer
from comparer.results.comparison import Comparison
from comparer.text import counted

CHOICES = (
    ("a", "a side", "A is better", "A</kbd><kbd>←"),
    ("tie", "tie", "Tie", "T"),
    ("bad", "bad", "Both bad", "X"),
    ("b", "b side", "B is better", "B</kbd><kbd>→"),
)
KEYS = (
    "<kbd>A</kbd> or <kbd>←</kbd>, <kbd>B</kbd> or <kbd>→</kbd>, <kbd>T</kbd> for a tie, <kbd>X</kbd> if both are bad"
)


def entrance(
    comparison: Comparison, arm: int, seed: int, open_: Session | None, others: int, error: str = ""
) -> str:  # fmt: skip
    """Render the start screen.

    Args:
        comparison: the comparison to judge.
        arm: 1 or more.
        seed: initial value of the seed.
        open_: the session that this person can resume.
        others: number of votes on this arm so far; after seeing their result, judging would no longer be blind.
        error: error message, "" for none.
    """
    arms, pairs = comparison.request.arms, len(comparison.pairs(arm))
    go_on = begin = show = ""
    if open_:
        done = f"{len(open_.votes)} of {len(open_.trials)}"
        go_on = f'<button type="button" class="primary" data-act="resume">Go on: {done} judged</button>'
    if pairs:
        title, kind = ("Begin anew", "") if open_ else ("Begin", ' class="primary"')
        begin = (
            "<label>Seed of the order and of the sides"
            f'<input class="seed" type="number" min="0" step="1" value="{seed}"></label>'
            f'<button type="button"{kind} data-act="begin">{title}</button>'
        )
    if others:
        show = f'<button type="button" data-act="show">Show the result of {counted(others, "vote")}</button>'
    alert = f'<p class="status error" role="alert">{escape(error)}</p>' if error else ""
    what = f"{counted(pairs, 'pair')}: {name(arms[arm].name)} against {name(arms[0].name)}." if pairs else ""
    return (
        '<div class="blind"><p class="lead">Which would you choose, not knowing which is which?</p>'
        "<p>Two pictures of one prompt and seed, A and B, in random order; names, times and scores are hidden. You say "
        "which is better. Which was which you see at the end, not after each pair: whoever learns it on the way "
        f"begins to guess.</p><p>{what or 'There is no pair to judge yet.'}</p>{alert}"
        f'<p class="acts">{go_on}{begin}{show}</p><p class="keys">Keys: {KEYS}.</p></div>'
    )


def pair(comparison: Comparison, folder: Path, session: Session) -> str:
    """Render the session's next pair; apart from the pixels, nothing depends on which side is which arm.

    Raises:
        ComparerError: an image is missing.
    """
    number, total = len(session.votes), len(session.trials)
    trial, settings = session.trials[number], comparison.request.settings
    sides = trial.a, session.arm - trial.a
    shots = [comparison.shot(arm, trial.prompt, trial.seed) for arm in sides]
    one, other = (folder / shot.file if shot else folder / "none" for shot in shots)
    prompt = settings.prompts[trial.prompt]
    shown = viewer.blind(sealed(one, other), prompt, trial.seed, settings.width, settings.height)
    buttons = "".join(
        f'<button type="button" class="{kind}" data-vote="{vote}">{title} <kbd aria-hidden="true">{key}</kbd></button>'
        for vote, kind, title, key in CHOICES
    )
    finish = '<button type="button" data-act="finish">Finish now</button>' if number else ""
    return (
        f'<div class="judging" data-number="{number}"><p class="pace" role="status"><b>Pair {number + 1} of {total}</b>'
        f'<span>Seed {session.seed}</span></p><div class="bar" aria-hidden="true">'
        f'<i style="width:{100 * number / total:.1f}%"></i></div><h1>{escape(prompt)}</h1>{viewer.fragment(shown)}'
        f'<div class="ballot" role="group" aria-label="Which is better?">{buttons}</div>'
        f'<div class="leave">{finish}<button type="button" data-act="leave">Leave: the votes are kept</button></div>'
        "</div>"
    )


def outcome(comparison: Comparison, folder: Path, found: Preference, votes: list[Vote]) -> str:
    """Render the result of the votes, with every judged pair and what was chosen."""
    said = found.sentence.removeprefix(found.kind).lstrip(":, ")
    side = "arm" if found.wins > found.losses else "baseline"
    kind = "cannot-tell" if found.kind == CANNOT_TELL else f"{side}-preferred"
    arm, base = name(found.names[1]), name(found.names[0])
    card = (
        f'<div class="card {kind} verdict" tabindex="-1"><h2>{arm} against {base}, judged blind</h2>'
        f"<strong>{found.wins}<em>to</em>{found.losses}</strong><b>{name(found.kind)}</b>"
        f"<span>{escape(said[:1].upper() + said[1:])}</span></div>"
    )
    return (
        f'<div class="blind">{card}{ballots(found)}<p>{escape(found.clip_sentence)}</p>'
        f'<p class="note">{escape(found.note)}</p>{_chosen(comparison, folder, found, votes)}'
        '<p class="acts"><button type="button" data-act="again">Judge again</button></p></div>'
    )


def _chosen(comparison: Comparison, folder: Path, found: Preference, votes: list[Vote]) -> str:
    """List every prompt with its judged pairs, the baseline's picture first, and what was chosen."""
    prompts: dict[int, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for vote in sorted(votes, key=lambda each: (each.prompt, each.seed)):
        prompts[vote.prompt][vote.seed][vote.choice] += 1
    rows = []
    for prompt, seeds in prompts.items():
        total = sum(seeds.values(), Counter())
        text = escape(comparison.request.settings.prompts[prompt])
        shots = "".join(_pair(comparison, folder, found, prompt, seed, count) for seed, count in seeds.items())
        rows.append(f"<li><p><span>{text}</span><span>{_tally(found, total)}</span></p><div>{shots}</div></li>")
    return f'<h3>What was chosen</h3><ul class="chosen">{"".join(rows)}</ul>'


def _pair(
    comparison: Comparison, folder: Path, found: Preference, prompt: int, seed: int, count: Counter[str]
) -> str:  # fmt: skip
    ahead, images, settings = count[ARM] - count[BASELINE], "", comparison.request.settings
    for arm, won in ((0, ahead < 0), (found.arm, ahead > 0)):
        if shot := comparison.shot(arm, prompt, seed):
            title = escape(comparison.request.arms[arm].name)
            images += (
                f'<img src="gradio_api/file={quote(str(folder.resolve() / shot.file))}" loading="lazy"'
                f' width="{settings.width}" height="{settings.height}"{" class=won" if won else ""}'
                f' alt="{title}, seed {seed}{", preferred" if won else ""}">'
            )
    return f"<figure>{images}<figcaption>Seed {seed}: {_tally(found, count)}</figcaption></figure>"


def _tally(found: Preference, count: Counter[str]) -> str:
    """Write who was chosen how often: "DeepCache", or "DeepCache 2, tie 1"."""
    names = {ARM: found.names[1], BASELINE: found.names[0], TIE: "tie", BAD: "both bad"}
    said = [(name(names[choice]), count[choice]) for choice in (ARM, BASELINE, TIE, BAD) if count[choice]]
    return said[0][0] if count.total() == 1 else ", ".join(f"{title} {number}" for title, number in said)
