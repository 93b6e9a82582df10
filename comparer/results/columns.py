"""Columns of the result table: title, value and format of each, once for page, report, terminal and Markdown.

A new column is an entry of ``COLUMNS``; in ``pairs.csv``, of ``pair_columns``.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from comparer.metrics.registry import METRICS
from comparer.metrics.ssim import SSIM
from comparer.results import void
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.comparison import Comparison
from comparer.results.figures import average, share
from comparer.results.marks import marked
from comparer.results.notes import fewer_steps, interval, loss, ratio
from comparer.results.records import Call, Shot
from comparer.stats.intervals import Estimate
from comparer.text import digits, gib, percent, signed

PAGE, TERMINAL, MARKDOWN = "page and report", "terminal", "Markdown"
TABLES = frozenset({PAGE, TERMINAL, MARKDOWN})


@dataclass(frozen=True)
class Column:
    """One column of the result table, a row per arm.

    Attributes:
        title: its heading, in which ``{0}`` is the ``Scorer``.
        value: returns an arm's value; None or "" for an empty cell.
        write: formats a value.
        where: the places that show it. A table leaves out a column that is empty for every arm.
        baseline: the baseline's cell; None to compute it as for the other arms.
        estimate: returns the value with its interval, which Markdown shows instead of the value alone.
        of_baseline: returns the arm's value / the baseline's, a percentage behind the value.
    """

    title: str
    value: Callable[[ArmAnalysis], Any]
    write: Callable[[Any], str] = str
    where: frozenset[str] = TABLES
    baseline: str | None = None
    estimate: Callable[[ArmAnalysis], Estimate] | None = None
    of_baseline: Callable[[ArmAnalysis], float | None] | None = None

    def heading(self, comparison: Comparison) -> str:
        """Return its heading, with the name of the score that was used."""
        return self.title.format(comparison.scorer)

    def text(self, each: ArmAnalysis, where: str) -> str:
        """Return an arm's cell without its percentage of the baseline; "" if it is empty."""
        if each.number == 0 and self.baseline is not None:
            return self.baseline
        if where == MARKDOWN and self.estimate:
            return interval(self.estimate(each), self.write)
        value = self.value(each)
        return "" if value in (None, "") else self.write(value)

    def part(self, each: ArmAnalysis) -> str:
        """Return an arm's percentage of the baseline; "" for none."""
        return percent(self.of_baseline(each)) if self.of_baseline and each.number else ""


def _verdict(each: ArmAnalysis) -> str:
    why = each.whole.comparison.skip_reason(each.number)
    if not each.number and not each.not_comparable:
        return "baseline"
    return f"Not run: {why}" if why else each.verdict.sentence


def _did(each: ArmAnalysis) -> str:
    """Say what marks an arm's head, and what its accelerators did or why it was not run."""
    why = each.whole.comparison.skip_reason(each.number)
    did = f"not run: {why}" if why else "; ".join(each.no_effect_reasons) or each.work
    return "; ".join(filter(None, (marked(each.whole.comparison, each.number), did)))


def _seconds(seconds: float) -> str:
    return f"{seconds:.{digits(seconds)}f}"


COLUMNS = (
    Column("Arm", lambda each: each.arm.name),
    Column("Verdict", _verdict, where=frozenset({MARKDOWN})),
    Column(
        "Speed-up", lambda each: each.figures.speed_up, ratio, baseline="baseline", estimate=lambda each: each.speed_up
    ),
    Column(
        "Seconds per image", lambda each: each.figures.seconds, _seconds,
        of_baseline=lambda each: each.time_share,
    ),
    Column(
        "Least / median / most",
        lambda each: (each.figures.fastest, each.figures.median_seconds, each.figures.slowest) if each.calls else None,
        lambda times: " / ".join(map(_seconds, times)),
        where=frozenset({TERMINAL, MARKDOWN}),
    ),
    Column("it/s", lambda each: each.figures.steps_per_second, "{:.1f}".format),
    Column("{0.title}", lambda each: each.figures.clip_score, "{:.2f}".format),
    Column(
        "{0.difference}", lambda each: each.clip_difference.value, signed, where=frozenset({MARKDOWN}), baseline="",
        estimate=lambda each: each.clip_difference,
    ),
    Column(
        "{0.loss}", lambda each: each.figures.clip_loss, loss, baseline="", estimate=lambda each: each.clip_loss,
    ),
    Column("In equal time", lambda each: fewer_steps(each, "headline"), where=frozenset({MARKDOWN}), baseline=""),
    Column(SSIM.title, lambda each: each.similarity and each.similarity.ssim, SSIM.show),
    Column(
        "Peak memory", lambda each: each.peak, gib,
        of_baseline=lambda each: share(each.peak, each.whole.arms[0].peak),
    ),
    Column("Images", lambda each: each.figures.pictures, where=frozenset({TERMINAL})),
    Column("Calls", lambda each: len({call.batch for call in each.calls}), where=frozenset({MARKDOWN})),
    Column("What it did", _did, where=frozenset({PAGE, TERMINAL})),
)  # fmt: skip
"""The result table, in order."""


def shown(analysis: Analysis, where: str) -> tuple[list[ArmAnalysis], list[Column]]:
    """Return the rows and columns of the result table at one of the places: no arm without calls, no empty column."""
    skip_reason = analysis.comparison.skip_reason
    arms = [each for each in analysis.arms if each.figures.calls or skip_reason(each.number)]
    chosen = [column for column in COLUMNS if where in column.where]
    return arms, [column for column in chosen if any(column.text(each, where) for each in arms)]


def result_table(analysis: Analysis, where: str) -> list[list[str]]:
    """Return the result table as plain text: the headings, then a row per arm; a percentage follows in brackets."""
    arms, columns = shown(analysis, where)
    rows = [[column.heading(analysis.comparison) for column in columns]]
    for each in arms:
        cells = ((column.text(each, where), column.part(each)) for column in columns)
        rows.append([f"{text} ({part})" if part else text for text, part in cells])
    return rows


@dataclass(frozen=True)
class Pair:
    """The baseline's shot and an arm's of one prompt and seed.

    Attributes:
        comparison, arm: where they come from.
        base, other: the two shots. If one is void, only this is said of the pair.
    """

    comparison: Comparison
    arm: int
    base: Shot
    other: Shot

    def seconds(self, arm: int) -> float | None:
        """Return an arm's mean seconds per image in the calls of the pair's batch and process; None without any."""
        if self.void:
            return None
        beside: Call = self.comparison.calls[self.other.call]
        which = arm, beside.batch, beside.process
        return average([c.seconds / c.pictures for c in self.comparison.calls if (c.arm, c.batch, c.process) == which])

    @property
    def void(self) -> str:
        """Which of the two images are not numbers, and where the NaN or the infinity is; "" if both are numbers."""
        arms = [self.comparison.request.arms[number].name for number in (0, self.arm)]
        told = zip(arms, map(void.caption, (self.base, self.other)), strict=True)
        return "; ".join(f"{name}: {text}" for name, text in told if text)


def _speed_up(pair: Pair) -> float | None:
    mine, base = pair.seconds(pair.arm), pair.seconds(0)
    return None if mine is None or base is None else base / mine


def _difference(pair: Pair) -> float | None:
    one, other = pair.base.clip_score, pair.other.clip_score
    return None if one is None or other is None else other - one


def _metric(name: str) -> Callable[[Pair], float | None]:
    return lambda pair: pair.other.similarity.values.get(name) if pair.other.similarity else None


SIX, FOUR = "{:.6f}".format, "{:.4f}".format
PairColumn = tuple[Callable[[Pair], Any], Callable[[Any], str]]


def pair_columns() -> dict[str, PairColumn]:
    """Return the columns of ``pairs.csv`` by name: a pair's value (None for an empty cell), and its format."""
    return {
        "arm": (lambda pair: pair.comparison.request.arms[pair.arm].name, str),
        "prompt_number": (lambda pair: pair.base.prompt + 1, str),
        "prompt": (lambda pair: pair.comparison.request.settings.prompts[pair.base.prompt], str),
        "seed": (lambda pair: pair.base.seed, str),
        "baseline_seconds": (lambda pair: pair.seconds(0), SIX),
        "arm_seconds": (lambda pair: pair.seconds(pair.arm), SIX),
        "speed_up": (_speed_up, SIX),
        "baseline_clip": (lambda pair: pair.base.clip_score, FOUR),
        "arm_clip": (lambda pair: pair.other.clip_score, FOUR),
        "clip_difference": (_difference, FOUR),
        "identical": (
            lambda pair: (
                None if pair.void else "yes" if pair.base.pixels and pair.base.pixels == pair.other.pixels else "no"
            ),
            str,
        ),
        **{name: (_metric(name), FOUR) for name in METRICS},
        "baseline_file": (lambda pair: pair.base.file, str),
        "arm_file": (lambda pair: pair.other.file, str),
        "void": (lambda pair: pair.void, str),
    }  # fmt: skip


def pairs(comparison: Comparison) -> Iterator[Pair]:
    """Yield every pair of every arm with the baseline, in order, with the void ones."""
    for arm in range(1, len(comparison.request.arms)):
        for base, other in comparison.pairs(arm, void=True):
            yield Pair(comparison, arm, base, other)
