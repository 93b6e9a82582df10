"""Statistics of votes on pairs: preferred side, certainty, further prompts needed, and agreement with CLIP.

Plain arithmetic; see docs/blind.md for a description. A vote is for the arm, for the baseline, a tie, or "both bad";
only the first two are **decided**, and the test uses only those. Votes on one prompt are not independent: they are
averaged over the people who judged a pair, then over the prompt's pairs, and the prompts are what is tested.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from comparer.stats import sign_flip
from comparer.stats.intervals import Estimate, difference
from comparer.stats.power import HOPELESS, level_at
from comparer.stats.sign_flip import EVEN
from comparer.stats.verdict import about_level, difference_text, level_text
from comparer.text import counted, decimals

ARM, BASELINE, TIE, BAD = "arm", "baseline", "tie", "bad"
UNDECIDED = "Undecided"
SAME, OPPOSITE, OPEN = "same direction", "opposite", "undecided"


@dataclass(frozen=True)
class Vote:
    """One person's choice on one pair: ``choice`` is "arm", "baseline", "tie" or "bad"."""

    prompt: int
    seed: int
    choice: str


@dataclass(frozen=True)
class Preference:
    """Result of the votes on one arm against the baseline.

    Attributes:
        arm: position in ``request.arms``, 1 or more.
        names: names of the baseline and the arm.
        wins, losses, ties, bad: votes for the arm, for the baseline, for neither, and votes that call both bad.
        prompts: (won, lost, even): prompts in which the arm's share is above, below, at one half.
        judges: number of people who voted.
        repeated: votes on a pair that the same person had already judged; not included in any other count.
        look: number of this look at the result: 1, plus one per earlier look that was followed by votes.
        p: p-value of the two-sided sign-flip test over prompts, 0 to 1; None without a decided vote.
        share: mean over prompts of the arm's share of the decided votes (``prompt_shares``), with its interval at
            ``level``; its ``why_not`` gives the reason if it is None.
        more_prompts: further prompts that would probably settle the result at the next look; None if it is settled, or
            if no number would.
        clip: mean of the arm's CLIP score − the baseline's over the judged pairs, each counted once; its interval
            has the same level.
        not_scored: why ``clip`` is None.
        higher: (k, n): of n decided votes on pairs with unequal CLIP scores, k are for the image with the higher score.
        score, difference: name of the score, and of a difference between two.
    """

    arm: int
    names: tuple[str, str]
    wins: int
    losses: int
    ties: int
    bad: int
    prompts: tuple[int, int, int]
    judges: int
    repeated: int
    look: int
    p: float | None
    share: Estimate
    more_prompts: int | None
    clip: Estimate
    not_scored: str
    higher: tuple[int, int]
    score: str = "CLIP score"
    difference: str = "CLIP difference"

    @property
    def decided(self) -> int:
        """Return the number of votes for one of the two sides."""
        return self.wins + self.losses

    @property
    def votes(self) -> int:
        """Return the number of all votes."""
        return self.decided + self.ties + self.bad

    @property
    def level(self) -> float:
        """Return the level of the test and the intervals at this look."""
        return level_at(self.look)

    @property
    def settled(self) -> bool:
        """Return whether the test distinguishes the two sides at this look: the interval leaves out one half."""
        return self.share.interval is not None and not self.share.interval.holds(EVEN)

    @property
    def ahead(self) -> int:
        """Return which side has the larger share: 1 for the arm, −1 for the baseline, 0 for neither."""
        beyond = (EVEN if self.share.value is None else self.share.value) - EVEN
        return (beyond > sign_flip.TIE) - (beyond < -sign_flip.TIE)

    @property
    def kind(self) -> str:
        """Return "<name> is preferred" or "Undecided"."""
        return f"{self.names[self.ahead > 0]} is preferred" if self.settled else UNDECIDED

    @property
    def sentence(self) -> str:
        """Describe which side is preferred, with the figures, or what would probably decide."""
        if self.p is None or self.share.value is None:
            return f"{UNDECIDED}: {self.share.why_not}."
        prompts, least = sum(self.prompts), sign_flip.fewest(self.level)
        if least is None or prompts < least:
            return f"{UNDECIDED}: {self._too_few(prompts)} So far: {self._votes()}."
        larger = share_text(max(self.share.value, 1 - self.share.value))
        of = f"{larger} of the decided votes, averaged over {counted(prompts, 'prompt')}"
        tested = f"({p_text(self.p, 1 - self.level)})"
        if self.settled:
            return f"{self.kind}, in {of} {tested}."
        if not self.ahead:
            return f"{UNDECIDED}: each side has {of}; more prompts settle nothing while they stay even."
        offer = f"they are too near to each other for {HOPELESS} more prompts to settle it"
        if self.more_prompts is not None:
            offer = f"about {counted(self.more_prompts, 'more prompt')} would probably settle it"
        return f"{UNDECIDED}: {self.names[self.ahead > 0]} was preferred in {of} {tested}; {offer}."

    def _too_few(self, prompts: int) -> str:
        """Say how many prompts are needed: with fewer, no votes refuse one half."""
        least = sign_flip.fewest(level_at(self.look + 1))
        if least is None:
            return f"the result was looked at {self.look} times, too often to be settled by further votes in this run."
        return (
            f"votes on {counted(prompts, 'prompt')} are too few, however they fall. "
            f"At the next look, votes on at least {least} prompts are needed."
        )

    def _votes(self) -> str:
        return f"{counted(self.wins, 'vote')} for {self.names[1]}, {self.losses} for {self.names[0]}"

    @property
    def note(self) -> str:
        """Describe which votes were counted and which were not, the share, and the level of the intervals."""
        people = "1 person" if self.judges == 1 else f"{self.judges} people"
        said = [f"{counted(self.votes, 'vote')} by {people}; ties and “both bad” are left out of the test."]
        if self.share.value is not None and (interval := self.share.interval):
            won, lost, even = self.prompts
            ends = share_text(interval.low).removesuffix(" %"), share_text(interval.high)
            said.append(
                f"{self.names[1]}’s share of the decided votes, each prompt counted the same, is "
                f"{share_text(self.share.value)} ({level_text(self.level)} interval {' to '.join(ends)}); by prompts "
                f"{won} to {lost}{f', {even} even' if even else ''}. Votes on one prompt are not independent, so the "
                f"test counts every prompt once. {about_level(self.look)}"
            )
        if self.repeated:
            said.append(
                f"{counted(self.repeated, 'vote')} on pairs that the same person had judged before: not counted."
            )
        return " ".join(said)

    @property
    def agreement(self) -> str:
        """Compare with the CLIP difference: "same direction", "opposite", or "undecided" if either is undecided."""
        interval = self.clip.interval
        if not self.settled or not interval or interval.low <= 0 <= interval.high:
            return OPEN
        return SAME if (interval.low > 0) == (self.ahead > 0) else OPPOSITE

    @property
    def clip_sentence(self) -> str:
        """Describe in one sentence whether the CLIP difference of the same pairs agrees with the votes."""
        if self.clip.value is None:
            return f"It is not known whether the {self.score} agrees: {self.not_scored}."
        figure, (k, n) = difference_text(self.clip), self.higher
        singly = f"; {k} of {counted(n, 'decided vote')} went to the higher {self.score}" if n else ""
        if self.agreement == SAME:
            return f"The {self.difference} of the same pairs points the same way: {figure}{singly}."
        if self.agreement == OPPOSITE:
            return f"The {self.difference} of the same pairs says the opposite: {figure}{singly}."
        interval = self.clip.interval
        known = interval is not None and not interval.low <= 0 <= interval.high
        open_ = f"the {self.difference} is" if self.settled else "the votes are" if known else "both are"
        return (
            f"It is not known whether the {self.difference} of the same pairs agrees, because "
            f"{open_} undecided: {figure}{singly}."
        )


def preference(
    arm: int,
    names: tuple[str, str],
    votes: Sequence[Vote],
    scores: Mapping[tuple[int, int], tuple[float, float]],
    judges: int,
    repeated: int = 0,
    not_scored: str = "",
    look: int = 1,
) -> Preference:
    """Compute the figures from the votes that count.

    Args:
        arm: position in ``request.arms``.
        names: names of the baseline and the arm.
        votes: each person's first vote on each pair.
        scores: (prompt number, seed) -> CLIP scores of the baseline's and the arm's image, if both are known.
        judges: number of people who voted.
        repeated: number of votes that were left out.
        not_scored: reason for missing scores.
        look: number of this look at the result, 1 or more.
    """
    count = Counter(vote.choice for vote in votes)
    level, shares = level_at(look), list(prompt_shares(votes).values())
    decided = [vote for vote in votes if vote.choice in (ARM, BASELINE)]
    signs = Counter((each > EVEN + sign_flip.TIE) - (each < EVEN - sign_flip.TIE) for each in shares)
    judged = [pair for pair in dict.fromkeys((vote.prompt, vote.seed) for vote in votes) if pair in scores]
    clip = difference([scores[p][0] for p in judged], [scores[p][1] for p in judged], [p[0] for p in judged], level)
    compared = [(vote, *scores[vote.prompt, vote.seed]) for vote in decided if (vote.prompt, vote.seed) in scores]
    higher = [(b > a) == (vote.choice == ARM) for vote, a, b in compared if a != b]
    none = f"none of {counted(len(votes), 'vote')} is for one of the two" if votes else "there is no vote yet"
    p = sign_flip.p_value(shares) if shares else None
    settled = p is not None and sign_flip.refuses(p, level)
    return Preference(
        arm,
        names,
        count[ARM],
        count[BASELINE],
        count[TIE],
        count[BAD],
        (signs[1], signs[-1], signs[0]),
        judges,
        repeated,
        look,
        p,
        sign_flip.mean_share(shares, level, p) if shares else Estimate(why_not=none),
        None if settled else sign_flip.more_prompts(shares, level_at(look + 1)),
        clip,
        not_scored or "there are no scores of these pairs",
        (sum(higher), len(higher)),
    )


def prompt_shares(votes: Sequence[Vote]) -> dict[int, float]:
    """Return prompt number -> the arm's share of the decided votes: the mean over the prompt's pairs.

    Votes of several people on a pair are averaged first: they judge the same two images, so they are no further
    evidence about other pairs. A pair or a prompt without a decided vote is left out.

    >>> prompt_shares([Vote(0, 1, "arm"), Vote(0, 1, "baseline"), Vote(0, 2, "arm"), Vote(1, 1, "tie")])
    {0: 0.75}
    """
    pairs: dict[int, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for vote in votes:
        if vote.choice in (ARM, BASELINE):
            pairs[vote.prompt][vote.seed].append(vote.choice == ARM)
    return {prompt: fmean(map(fmean, seeds.values())) for prompt, seeds in pairs.items()}


def p_text(p: float, limit: float) -> str:
    """Format a p-value with the largest one that settles the result.

    >>> p_text(0.1461, 0.025), p_text(0.0002, 0.025)
    ('p = 0.146; at most 0.025 is needed', 'p below 0.001; at most 0.025 is needed')
    """
    fewest = max(3, math.ceil(-math.log10(limit)))  # so that what is "below" is also below the limit
    said = f"below {10**-fewest:.{fewest}f}" if p < 10**-fewest else f"= {p:.{decimals([p], limit, fewest)}f}"
    return f"p {said}; at most {limit:.4g} is needed"


def share_text(share: float) -> str:
    """Format a share with the digits that tell it from one half; an end that only leaves out one half is open.

    >>> share_text(0.75), share_text(0.5), share_text(0.501), share_text(math.nextafter(0.5, 1))
    ('75 %', '50 %', '50.1 %', 'above 50 %')
    """
    if share != EVEN and abs(share - EVEN) <= sign_flip.TIE:
        return f"{'above' if share > EVEN else 'below'} {100 * EVEN:.0f} %"
    return f"{100 * share:.{decimals([100 * share], 100 * EVEN, 0)}f} %"
