"""The part ``real`` of calibration.py: real comparisons whose truth is known, on the demo checkpoint and a CPU.

Half compare the baseline with itself, half with itself made slower by a known share, in turns, all through
``comparer.engine.compare.compare``. The plant is an accelerator of this file alone: the product cannot name it, so a
run folder with it is written as any other and cannot be read back. Run folders are temporary.
"""

import math
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median, stdev
from typing import Any, ClassVar

import numpy as np
from common import PROMPT, ROOT, load_average, machine, table

sys.path.insert(0, str(ROOT))

from comparer.accelerators.base import Accelerator, Report, denoiser_of, parameter
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Finished
from comparer.request.request import Arm, Request, Settings
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.stats.intervals import wilson
from comparer.stats.power import level_at, power

SLOW_DOWN = 1.05  # what is planted: the whole call takes so many times as long
CALL, EVALUATED, ADDED = "nanoseconds of the call", "nanoseconds evaluated", "nanoseconds added"

# Of this thread's work, not of the wall: where others take the processor away, more work lasts longer in proportion,
# while a wait by the wall's clock would overshoot by whatever they took (6.3 % for 5 % beside three busy processes).
now = time.thread_time


@dataclass(frozen=True)
class Slower(Accelerator):
    """Add to every evaluation of the denoiser a share of its own work, for nothing; the pictures stay the same.

    Attributes:
        by: the share; 0 only measures.
    """

    title: ClassVar[str] = "Slower"
    summary: ClassVar[str] = "Works for nothing after every evaluation of the denoiser."
    lossy: ClassVar[bool] = False
    order: ClassVar[int] = 99

    by: float = parameter(0.05, "Share of an evaluation's own work that is added to it.", 0, 10)

    def why_not(self, request: Any, family: str, denoiser: dict, factor: int = 8) -> str | None:
        """Serve every request."""
        return None

    @contextmanager
    def apply(self, pipe: Any, settings: Any) -> Iterator[Report]:
        """Spin after every evaluation of one call; the report has the work of all, of evaluations and of spinning."""
        report, began, entered = Report({CALL: 0, EVALUATED: 0, ADDED: 0}), 0.0, now()

        def before(*_: Any) -> None:
            nonlocal began
            began = now()

        def after(*_: Any) -> None:
            took = now() - began
            report.counts[EVALUATED] += round(1e9 * took)
            report.counts[ADDED] += round(1e9 * spin(self.by * took))

        denoiser = denoiser_of(pipe)
        handles = denoiser.register_forward_pre_hook(before), denoiser.register_forward_hook(after)
        try:
            yield report
        finally:
            report.counts[CALL] = round(1e9 * (now() - entered))
            for handle in handles:
                handle.remove()


def spin(seconds: float) -> float:
    """Keep the processor busy for so long; return how long it was."""
    began = now()
    while (spun := now() - began) < seconds:
        pass
    return spun


def compared(arm: Arm, config: Config, seeds: Sequence[int], steps: int) -> Comparison:
    """Compare the baseline with an arm that makes the same pictures."""
    request = Request(Settings((PROMPT,), steps=steps, seeds=tuple(seeds)), (Arm("Baseline"), arm))
    (*_, last) = compare(request, config)
    if not isinstance(last, Finished) or not Analysis(last.comparison).arms[1].evidence.identical:
        raise RuntimeError(f"{arm.name} did not make the baseline's pictures")
    return last.comparison


def adding(part: float) -> float:
    """Return ``Slower.by`` that makes whole calls ``SLOW_DOWN`` times the work, from the evaluations' part of a call.

    10 % of half of a call are 5 % of it.
    """
    return (SLOW_DOWN - 1) / part


def evaluated(comparison: Comparison) -> float:
    """Return the denoiser's part of a call without what was added, from a comparison with ``Slower``."""
    call, denoiser, added = _counted(comparison)
    return denoiser / (call - added)


def planted(comparison: Comparison) -> float:
    """Return what was added to a comparison's calls, as a share of their work without it."""
    call, _, added = _counted(comparison)
    return added / (call - added)


def _counted(comparison: Comparison) -> list[int]:
    counts = Analysis(comparison).arms[1].figures.reports[Slower.title]
    return [counts[what] for what in (CALL, EVALUATED, ADDED)]


def rows(same: Sequence[Comparison], slower: Sequence[Comparison]) -> list[list[str]]:
    """Count what came out.

    Args:
        same: of the baseline with itself.
        slower: of the baseline with ``Slower``.
    """
    found = [[Analysis(comparison).arms[1].speed_up for comparison in kind] for kind in (same, slower)]
    spreads = [stdev(Analysis(comparison).arms[1].evidence.log_ratios()[0]) for comparison in (*same, *slower)]
    n = found[0][0].n
    chance = power(math.log(SLOW_DOWN), median(spreads) / math.sqrt(n), n - 1, level_at(1))
    truths = [0.0] * len(same) + [-math.log(SLOW_DOWN)] * len(slower)
    errors = [math.log(one.value) - truth for one, truth in zip((*found[0], *found[1]), truths, strict=True)]
    again, plant = "the baseline again", f"{100 * SLOW_DOWN - 100:g} % slower"
    return [
        [f"{again}: the interval holds 1", "97.5 %", share([one.interval.holds(1) for one in found[0]])],
        [f"{again}: verdicts", "–", verdicts(same)],
        [f"{plant}: the interval holds 1/{SLOW_DOWN}", "97.5 %",
            share([one.interval.holds(1 / SLOW_DOWN) for one in found[1]])],
        [f"{plant}: shown, the whole interval below 1", f"{100 * chance:.0f} % by the median spread",
            share([one.interval.high < 1 for one in found[1]])],
        [f"{plant}: verdicts", "–", verdicts(slower)],
        ["spread (standard deviation) of the log ratios of calls", "–", ranged(spreads, 3)],
        ["error of the speed-ups / error by the intervals (root mean squares)", "1",
            ratio(errors, [spread / math.sqrt(n) for spread in spreads])],
        ["work added to the slower calls, in % of the rest", f"{100 * SLOW_DOWN - 100:g}",
            ranged([100 * planted(comparison) for comparison in slower], 2)],
    ]  # fmt: skip


def share(answers: Sequence[bool]) -> str:
    """Write a count and its Wilson interval: ``19 of 20 (76–99 %)``."""
    low, high = wilson(sum(answers), len(answers))
    return f"{sum(answers)} of {len(answers)} ({100 * low:.0f}–{100 * high:.0f} %)"


def ratio(errors: Sequence[float], expected: Sequence[float]) -> str:
    """Write the ratio of two root mean squares with the middle 95 % of 10,000 resamples of the comparisons."""
    squares = np.square([errors, expected])
    picked = squares[:, np.random.default_rng(0).integers(0, len(errors), (10_000, len(errors)))].mean(axis=2)
    low, high = np.quantile(np.sqrt(picked[0] / picked[1]), [0.025, 0.975])
    return f"{math.sqrt(squares[0].mean() / squares[1].mean()):.2f} ({low:.2f}–{high:.2f})"


def verdicts(comparisons: Sequence[Comparison]) -> str:
    """Count the headlines: ``Not faster, identical images 12, Speed undecided, identical images 8``."""
    counts = Counter(Analysis(comparison).arms[1].verdict.headline for comparison in comparisons)
    return ", ".join(f"{headline} {count}" for headline, count in counts.most_common())


def ranged(values: Sequence[float], digits: int) -> str:
    """Write the median and the range."""
    return f"{median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def real(comparisons: int, seeds: int, steps: int) -> str:
    """Compare and count.

    Args:
        comparisons: of each kind, the same and the slower, in turns.
        seeds: calls of each comparison, 2 or more.
        steps: of each call.
    """
    started, busiest = load_average(), 0.0
    same: list[Comparison] = []
    slower: list[Comparison] = []
    with tempfile.TemporaryDirectory() as folder:
        config = Config(runs=Path(folder), device="cpu")
        part = evaluated(compared(Arm("Measured", (Slower(0.0),)), config, range(max(seeds, 8)), steps))
        plant = Arm("Slower", (Slower(adding(part)),))
        for number in range(comparisons):
            own = range(number * seeds, (number + 1) * seeds)
            same.append(compared(Arm("Again"), config, own, steps))
            slower.append(compared(plant, config, own, steps))
            busiest = max(busiest, os.getloadavg()[0] if hasattr(os, "getloadavg") else 0)
            print(f"{2 * number + 2} of {2 * comparisons} comparisons", file=sys.stderr)
        about = machine("cpu")
    seconds = median(call.seconds for comparison in same for call in comparison.calls)
    return (
        f"{seeds} calls a comparison and arm, {steps} steps, {seconds:.3f} s the median call, of which the denoiser "
        f"{100 * part:.0f} %; {about}; {started}, at most {busiest:.2f} with this program's own\n\n"
        + table(["real", "promised", f"counted in {comparisons} comparisons each"], rows(same, slower))
    )
