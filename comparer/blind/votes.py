"""Statistics of votes on pairs: preferred side, certainty, further votes needed, and agreement with CLIP.

Plain arithmetic; see docs/blind.md for a description. A vote is for the arm, for the baseline, a tie, or "both bad";
only the first two are **decided**, and the test uses only those.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from comparer.stats.intervals import LEVEL, Estimate, Interval, difference
from comparer.stats.power import HOPELESS, POWER
from comparer.stats.verdict import CANNOT_TELL, difference_text
from comparer.text import counted

ARM, BASELINE, TIE, BAD = "arm", "baseline", "tie", "bad"
SAME, OPPOSITE, OPEN = "same direction", "opposite", "cannot tell"


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
        prompts: (won, lost, even): prompts in which the arm has more, fewer, as many decided votes as the baseline.
        judges: number of people who voted.
        repeated: votes on a pair that the same person had already judged; not included in any other count.
        p: p-value of the exact two-sided sign test over decided votes, 0 to 1; None without any.
        share: wins / (wins + losses), with its exact interval; its ``why_not`` gives the reason if it is None.
        more: further votes that would probably settle the result; None if it is settled, or if no number would.
        clip: mean of the arm's CLIP score − the baseline's over the judged pairs, each counted once.
        not_scored: why ``clip`` is None.
        higher: (k, n): of n decided votes on pairs with unequal CLIP scores, k are for the image with the higher score.
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
    p: float | None
    share: Estimate
    more: int | None
    clip: Estimate
    not_scored: str
    higher: tuple[int, int]

    @property
    def decided(self) -> int:
        """Return the number of votes for one of the two sides."""
        return self.wins + self.losses

    @property
    def votes(self) -> int:
        """Return the number of all votes."""
        return self.decided + self.ties + self.bad

    @property
    def settled(self) -> bool:
        """Return whether the test distinguishes the two sides at 95 %."""
        return self.p is not None and self.p <= 1 - LEVEL

    @property
    def kind(self) -> str:
        """Return "<name> is preferred" or "Cannot tell"."""
        return f"{self.names[self.wins > self.losses]} is preferred" if self.settled else CANNOT_TELL

    @property
    def sentence(self) -> str:
        """Describe which side is preferred, with the figures, or how many more votes would probably decide."""
        if self.p is None:
            return f"{CANNOT_TELL}: {self.share.why_not}."
        most = max(self.wins, self.losses)
        of = f"{most} of {counted(self.decided, 'decided vote')} (p {p_text(self.p)})"
        if self.settled:
            return f"{self.kind}, in {of}."
        if self.wins == self.losses:
            return f"{CANNOT_TELL}: each side has {of}; more votes settle nothing while they stay even."
        offer = f"they are too near to each other for {HOPELESS} more votes to settle it"
        if self.more is not None:
            offer = f"about {counted(self.more, 'more vote')} would probably settle it"
        return f"{CANNOT_TELL}: {self.names[self.wins > self.losses]} was preferred in {of}; {offer}."

    @property
    def note(self) -> str:
        """Describe which votes were counted and which were not, and how certain the result is by prompts."""
        people = "1 person" if self.judges == 1 else f"{self.judges} people"
        said = [f"{counted(self.votes, 'vote')} by {people}; ties and “both bad” are left out of the test."]
        if interval := self.share.interval:
            low, high = (f"{100 * end:.0f}" for end in (interval.low, interval.high))
            share = f"{100 * (self.share.value or 0):.0f} %"
            said.append(f"{self.names[1]}’s share of the decided votes is {share} (95 % interval {low} to {high} %).")
        won, lost, even = self.prompts
        prompts = won + lost + even
        if prompts == 1 < self.decided:
            said.append("All votes are on one prompt: other prompts may differ.")
        elif 1 < prompts < self.decided:
            by, ties = p_text(sign_test(won, lost)), f", {even} even" if even else ""
            said.append(
                "The test assumes independent votes; if votes on one prompt are correlated, it is too sure. With the "
                f"majority of each prompt counted once: {won} to {lost}{ties} (p {by})."
            )
        if self.repeated:
            said.append(
                f"{counted(self.repeated, 'vote')} on pairs that the same person had judged before: not counted."
            )
        return " ".join(said)

    @property
    def agreement(self) -> str:
        """Compare with the CLIP difference: "same direction", "opposite", or "cannot tell" if either is undecided."""
        interval = self.clip.interval
        if not self.settled or not interval or interval.low <= 0 <= interval.high:
            return OPEN
        return SAME if (interval.low > 0) == (self.wins > self.losses) else OPPOSITE

    @property
    def clip_sentence(self) -> str:
        """Describe in one sentence whether the CLIP difference of the same pairs agrees with the votes."""
        if self.clip.value is None:
            return f"It is not known whether the CLIP score agrees: {self.not_scored}."
        figure, (k, n) = difference_text(self.clip), self.higher
        singly = f"; {k} of {counted(n, 'decided vote')} went to the higher CLIP score" if n else ""
        if self.agreement == SAME:
            return f"The CLIP difference of the same pairs points the same way: {figure}{singly}."
        if self.agreement == OPPOSITE:
            return f"The CLIP difference of the same pairs says the opposite: {figure}{singly}."
        interval = self.clip.interval
        known = interval is not None and not interval.low <= 0 <= interval.high
        open_ = "the CLIP difference is" if self.settled else "the votes are" if known else "both are"
        return (
            "It is not known whether the CLIP difference of the same pairs agrees, because "
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
    """
    count = Counter(vote.choice for vote in votes)
    wins, losses = count[ARM], count[BASELINE]
    decided, balance = [vote for vote in votes if vote.choice in (ARM, BASELINE)], defaultdict[int, int](int)
    for vote in decided:
        balance[vote.prompt] += 1 if vote.choice == ARM else -1
    signs = Counter((each > 0) - (each < 0) for each in balance.values())
    judged = [pair for pair in dict.fromkeys((vote.prompt, vote.seed) for vote in votes) if pair in scores]
    clip = difference([scores[p][0] for p in judged], [scores[p][1] for p in judged], [p[0] for p in judged])
    compared = [(vote, *scores[vote.prompt, vote.seed]) for vote in decided if (vote.prompt, vote.seed) in scores]
    higher = [(b > a) == (vote.choice == ARM) for vote, a, b in compared if a != b]
    more = None
    if decided and sign_test(wins, losses) > 1 - LEVEL:
        more = more_decided(max(wins, losses), min(wins, losses))
        more = None if more is None else math.ceil(more * len(votes) / len(decided))
    return Preference(
        arm,
        names,
        wins,
        losses,
        count[TIE],
        count[BAD],
        (signs[1], signs[-1], signs[0]),
        judges,
        repeated,
        sign_test(wins, losses) if decided else None,
        share(wins, losses, len(votes)),
        more,
        clip,
        not_scored or "there are no CLIP scores of these pairs",
        (sum(higher), len(higher)),
    )


def share(wins: int, losses: int, votes: int) -> Estimate:
    """Estimate wins / (wins + losses) with its exact interval; ``votes`` is the total, to explain a missing value."""
    n = wins + losses
    if not n:
        none = f"none of {counted(votes, 'vote')} is for one of the two" if votes else "there is no vote yet"
        return Estimate(why_not=none)
    return Estimate(wins / n, clopper_pearson(wins, n), n=n, clusters=n)


def sign_test(wins: int, losses: int) -> float:
    """Return the exact two-sided p of the sign test: how often a fair coin is at least as far from even.

    p = min(1, 2 · Σ C(n, i) / 2ⁿ over i ≤ min(wins, losses)), n = wins + losses: the binomial test of a share of one
    half, ties left out (W. J. Dixon and A. M. Mood, "The Statistical Sign Test", JASA 41, 1946; W. J. Conover,
    "Practical Nonparametric Statistics", 3rd ed., 1999, section 3.4). No votes at all: 1.

    Raises:
        ValueError: a count is below 0.

    >>> sign_test(9, 3)
    0.14599609375
    """
    if min(wins, losses) < 0:
        raise ValueError(f"{wins} and {losses} votes: choose 0 or more")
    n = wins + losses
    return min(1.0, sum(math.comb(n, i) for i in range(min(wins, losses) + 1)) / 2 ** (n - 1)) if n else 1.0


def clopper_pearson(wins: int, n: int, level: float = LEVEL) -> Interval:
    """Return the exact interval of a share: the shares that a two-sided binomial test of equal tails does not refuse.

    C. J. Clopper and E. S. Pearson, "The Use of Confidence or Fiducial Limits Illustrated in the Case of the
    Binomial", Biometrika 26, 1934, by quantiles of the beta distribution. It leaves out one half exactly where
    ``sign_test`` is at or below 1 − level.

    Args:
        wins: 0..n.
        n: 1 or more.
        level: 0 to 1, exclusive.

    >>> found = clopper_pearson(9, 12)
    >>> round(found.low, 4), round(found.high, 4)
    (0.4281, 0.9451)
    """
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    low = float(betaincinv(wins, n - wins + 1, tail)) if wins else 0.0
    high = float(betaincinv(wins + 1, n - wins, 1 - tail)) if wins < n else 1.0
    return Interval(low, high, level)


def more_decided(wins: int, losses: int, level: float = LEVEL, wanted: float = POWER) -> int | None:
    """Return the number of further decided votes with which the sign test would probably distinguish the sides.

    The smallest m for which, given the votes so far and taking the current share as the true one, a binomial number of
    wins among m further votes makes the test succeed with the wanted probability (J. Cohen, "Statistical Power Analysis
    for the Behavioral Sciences", 1988, chapter 5, here without his approximation). A prediction, not a guarantee: few
    votes estimate the share poorly.

    Args:
        wins: votes for the side that leads.
        losses: votes for the other side; fewer than ``wins``, otherwise no number suffices.
        level: confidence level of the test.
        wanted: probability of success.

    Returns:
        1 or more; None if 1,000 more are not enough.
    """
    from scipy.special import bdtr, bdtrc

    if wins <= losses:
        return None
    most = -1  # losses with which the test still succeeds
    for more in range(1, HOPELESS + 1):
        n = wins + losses + more
        while bdtr(most + 1, n, 0.5) <= (1 - level) / 2:
            most += 1
        needed = n - most - wins
        chance = 1.0 if needed <= 0 else bdtrc(needed - 1, more, wins / (wins + losses)) if needed <= more else 0.0
        if chance >= wanted:
            return more
    return None


def p_text(p: float) -> str:
    """Format a p-value: "= 0.146", "below 0.001"."""
    return f"= {p:.3f}" if p >= 0.001 else "below 0.001"
