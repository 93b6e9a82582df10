"""Blind test as HTML: start screen, pair, result. All visitor input is escaped."""

from collections import Counter, defaultdict
from pathlib import Path
from urllib.parse import quote

from comparer.blind.anonymise import sealed
from comparer.blind.plot import ballots
from comparer.blind.trials import Session
from comparer.blind.votes import ARM, BAD, BASELINE, TIE, UNDECIDED, Preference, Vote
from comparer.reporting.html.verdict_cards import name
from comparer.reporting.markup import Markup, join, markup
from comparer.reporting.viewer import viewer
from comparer.results.comparison import Comparison
from comparer.text import counted

CHOICES = (
    ("a", "a side", "A is better", Markup("A</kbd><kbd>←")),
    ("tie", "tie", "Tie", "T"),
    ("bad", "bad", "Both bad", "X"),
    ("b", "b side", "B is better", Markup("B</kbd><kbd>→")),
)
KEYS = Markup(
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
        go_on = markup('<button type="button" class="primary" data-act="resume">Go on: {} judged</button>', done)
    if pairs:
        title, kind = ("Begin anew", "") if open_ else ("Begin", Markup(' class="primary"'))
        begin = markup(
            "<label>Seed of the order and of the sides"
            '<input class="seed" type="number" min="0" step="1" value="{}"></label>'
            '<button type="button"{} data-act="begin">{}</button>',
            seed,
            kind,
            title,
        )
    if others:
        show = markup('<button type="button" data-act="show">Show the result of {}</button>', counted(others, "vote"))
    alert = markup('<p class="status error" role="alert">{}</p>', error) if error else ""
    what: str = "There is no pair to judge yet."
    if pairs:
        what = markup("{}: {} against {}.", counted(pairs, "pair"), name(arms[arm].name), name(arms[0].name))
    return markup(
        '<div class="blind"><p class="lead">Which would you choose, not knowing which is which?</p>'
        "<p>Two pictures of one prompt and seed, A and B, in random order; names, times and scores are hidden. You say "
        "which is better. Which was which you see at the end, not after each pair: whoever learns it on the way "
        "begins to guess.</p><p>{}</p>{}"
        '<p class="acts">{}{}{}</p><p class="keys">Keys: {}.</p></div>',
        what,
        alert,
        go_on,
        begin,
        show,
        KEYS,
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
    buttons = join(
        markup(
            '<button type="button" class="{}" data-vote="{}">{} <kbd aria-hidden="true">{}</kbd></button>',
            kind,
            vote,
            title,
            key,
        )
        for vote, kind, title, key in CHOICES
    )
    finish = Markup('<button type="button" data-act="finish">Finish now</button>') if number else ""
    return markup(
        '<div class="judging" data-number="{}"><p class="pace" role="status"><b>Pair {} of {}</b>'
        '<span>Seed {}</span></p><div class="bar" aria-hidden="true">'
        '<i style="width:{:.1f}%"></i></div><h1>{}</h1>{}'
        '<div class="ballot" role="group" aria-label="Which is better?">{}</div>'
        '<div class="leave">{}<button type="button" data-act="leave">Leave: the votes are kept</button></div>'
        "</div>",
        number,
        number + 1,
        total,
        session.seed,
        100 * number / total,
        prompt,
        viewer.fragment(shown),
        buttons,
        finish,
    )


def outcome(comparison: Comparison, folder: Path, found: Preference, votes: list[Vote]) -> str:
    """Render the result of the votes, with every judged pair and what was chosen."""
    said = found.sentence.removeprefix(found.kind).lstrip(":, ")
    side = "arm" if found.ahead > 0 else "baseline"
    kind = "open" if found.kind == UNDECIDED else f"{side}-preferred"
    arm, base = name(found.names[1]), name(found.names[0])
    card = markup(
        '<div class="card {} verdict" tabindex="-1"><h2>{} against {}, judged blind</h2>'
        "<strong>{}<em>to</em>{}</strong><b>{}</b>"
        "<span>{}</span></div>",
        kind,
        arm,
        base,
        found.wins,
        found.losses,
        name(found.kind),
        said[:1].upper() + said[1:],
    )
    return markup(
        '<div class="blind">{}{}<p>{}</p>'
        '<p class="note">{}</p>{}'
        '<p class="acts"><button type="button" data-act="again">Judge again</button></p></div>',
        card,
        ballots(found),
        found.clip_sentence,
        found.note,
        _chosen(comparison, folder, found, votes),
    )


def _chosen(comparison: Comparison, folder: Path, found: Preference, votes: list[Vote]) -> str:
    """List every prompt with its judged pairs, the baseline's picture first, and what was chosen."""
    prompts: dict[int, dict[int, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for vote in sorted(votes, key=lambda each: (each.prompt, each.seed)):
        prompts[vote.prompt][vote.seed][vote.choice] += 1
    rows = []
    for prompt, seeds in prompts.items():
        total = sum(seeds.values(), Counter())
        text = comparison.request.settings.prompts[prompt]
        shots = join(_pair(comparison, folder, found, prompt, seed, count) for seed, count in seeds.items())
        rows.append(
            markup("<li><p><span>{}</span><span>{}</span></p><div>{}</div></li>", text, _tally(found, total), shots)
        )
    return markup('<h3>What was chosen</h3><ul class="chosen">{}</ul>', join(rows))


def _pair(
    comparison: Comparison, folder: Path, found: Preference, prompt: int, seed: int, count: Counter[str]
) -> str:  # fmt: skip
    ahead, images, settings = count[ARM] - count[BASELINE], Markup(), comparison.request.settings
    for arm, won in ((0, ahead < 0), (found.arm, ahead > 0)):
        if shot := comparison.shot(arm, prompt, seed):
            title = comparison.request.arms[arm].name
            images += markup(
                '<img src="gradio_api/file={}" loading="lazy" width="{}" height="{}"{} alt="{}, seed {}{}">',
                quote(str(folder.resolve() / shot.file)),
                settings.width,
                settings.height,
                " class=won" if won else "",
                title,
                seed,
                ", preferred" if won else "",
            )
    return markup("<figure>{}<figcaption>Seed {}: {}</figcaption></figure>", images, seed, _tally(found, count))


def _tally(found: Preference, count: Counter[str]) -> str:
    """Write who was chosen how often: "DeepCache", or "DeepCache 2, tie 1"."""
    names = {ARM: found.names[1], BASELINE: found.names[0], TIE: "tie", BAD: "both bad"}
    said = [(name(names[choice]), count[choice]) for choice in (ARM, BASELINE, TIE, BAD) if count[choice]]
    return said[0][0] if count.total() == 1 else join((markup("{} {}", *each) for each in said), ", ")
