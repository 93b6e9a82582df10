"""Estimates with confidence intervals: plain arithmetic on times and scores. docs/statistics.md explains each.

This module does not depend on arms or images. Undefined values are None with a reason, never NaN; NaN inputs are
rejected.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, median

Z95 = 1.959963984540054  # two-sided 95 % of the standard normal
LEVEL = 0.95
ROUNDING = 1e-12  # a spread below this is floating-point rounding
DRIFT_LEVEL = 0.99  # one stable run in a hundred is called unstable
DRIFT_LEAST = 4  # times in each half


@dataclass(frozen=True)
class Interval:
    """A confidence interval.

    Attributes:
        low, high: its bounds, ``low`` ≤ ``high``.
        level: between 0 and 1.
    """

    low: float
    high: float
    level: float = LEVEL

    def holds(self, value: float) -> bool:
        """Return whether the interval contains the value, its ends included."""
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Estimate:
    """A figure with its uncertainty.

    Attributes:
        value: the figure; None if undefined.
        interval: None if there is none.
        why_not: why the value or the interval is missing, "" if both are present.
        n: number of values used: calls of a speed-up, shots of a difference in quality.
        clusters: number of independent groups of values, such as prompts; n if every value is one.
        median, worst: of the single values; None if there are none.
        constant: all values are equal to rounding, so that the interval is the point itself: no spread was observed,
            which does not prove that there is none.
        remark: what must be stated with the interval, "" for nothing.
    """

    value: float | None = None
    interval: Interval | None = None
    why_not: str = ""
    n: int = 0
    clusters: int = 0
    median: float | None = None
    worst: float | None = None
    constant: bool = False
    remark: str = ""


def mean(values: Sequence[float], clusters: Sequence[Hashable] | None = None, level: float = LEVEL) -> Estimate:
    """Estimate a mean with its t interval, over values or over clusters of values.

    Without clusters this is Student's interval, mean ± t·s/√n with n − 1 degrees of freedom. With clusters, the
    error and the degrees of freedom are those of ``clustered_error``. Values that all belong to one cluster say nothing
    about other clusters: they are then treated as independent, and the remark states this.

    Args:
        values: any unit; the result has the same. The smallest is the worst.
        clusters: the label of each value's cluster; None if every value is independent.
        level: 0 to 1, exclusive.

    Raises:
        ValueError: a value is not finite, the numbers of labels and values differ, or the level is out of range.

    >>> found = mean([1.0, 2.0, 3.0])
    >>> found.value, round(found.interval.low, 4), round(found.interval.high, 4)
    (2.0, -0.4841, 4.4841)
    """
    _finite(values)
    if not 0 < level < 1:
        raise ValueError(f"a level of {level}: choose one between 0 and 1")
    labels: Sequence[Hashable] = range(len(values)) if clusters is None else clusters
    if len(labels) != len(values):
        raise ValueError(f"{len(values)} values, but {len(labels)} labels of clusters")
    if not values:
        return Estimate(why_not="there are no values")
    n, found, middle = len(values), len(set(labels)), fmean(values)
    plain = Estimate(middle, None, "", n, found, median(values), min(values))
    if n == 1:
        return replace(plain, why_not="one value has no spread")
    if constant(values):
        return replace(plain, interval=Interval(middle, middle, level), constant=True)
    if found == 1:
        labels = range(n)
        plain = replace(plain, remark="all values are of one cluster: the interval says nothing about others")
    error, freedom = clustered_error(values, labels)
    if error <= ROUNDING * max(map(abs, values)):
        return replace(plain, why_not="the clusters' means are all equal although the values are not")
    half = t_quantile((1 + level) / 2, freedom) * error
    return replace(plain, interval=Interval(middle - half, middle + half, level))


def clustered_error(values: Sequence[float], clusters: Sequence[Hashable]) -> tuple[float, float]:
    """Return the cluster-robust standard error of the mean and its degrees of freedom.

    The bias-reduced estimator "CR2" of R. M. Bell and D. F. McCaffrey, "Bias Reduction in Standard Errors for
    Linear Regression with Multi-Stage Samples", Survey Methodology 28(2), 2002, with their Satterthwaite degrees of
    freedom, for a regression on a constant alone, where both have a closed form. With q_g the share of the values
    that lie in cluster g and S_g the sum of its deviations from the mean:

        error² = Σ S_g² / (1 − q_g) / n²
        freedom = 1 / (Σ q_g² + (Σ r_g)² − Σ r_g²),  r_g = q_g² / (1 − q_g)

    With G clusters of equal size these give the t interval over the clusters' means with G − 1 degrees of freedom;
    with clusters of one value, Student's. G. W. Imbens and M. Kolesár, "Robust Standard Errors in Small Samples",
    Review of Economics and Statistics 98(4), 2016, recommend them where clusters are few or unequal.

    Args:
        values: at least two.
        clusters: the label of each value's cluster; at least two different ones.
    """
    n, middle = len(values), fmean(values)
    sizes, sums = Counter(clusters), dict.fromkeys(clusters, 0.0)
    for value, label in zip(values, clusters, strict=True):
        sums[label] += value - middle
    shares = {label: size / n for label, size in sizes.items()}
    square = sum(sums[label] ** 2 / (1 - share) for label, share in shares.items()) / n**2
    r = [share**2 / (1 - share) for share in shares.values()]
    freedom = 1 / (sum(q**2 for q in shares.values()) + sum(r) ** 2 - sum(x**2 for x in r))
    return math.sqrt(square), freedom


def log_ratios(calls: Sequence[tuple[Sequence[float], Sequence[float]]]) -> list[float]:
    """Return each call's log of baseline time / arm time, averaged over the call's repeats.

    Args:
        calls: (the baseline's seconds, the arm's seconds) of every call, one per repeat, at least one of each.

    Raises:
        ValueError: a time is not finite and above 0, or a call has none.
    """
    for times in (times for call in calls for times in call):
        _finite(times)
        if not times or min(times) <= 0:
            raise ValueError(f"times of {list(times)} seconds: each call needs one or more, all above 0")
    return [fmean(map(math.log, base)) - fmean(map(math.log, arm)) for base, arm in calls]


def ratio(logs: Sequence[float], clusters: Sequence[Hashable], level: float = LEVEL) -> Estimate:
    """Estimate a ratio of times from logarithms of ratios: their geometric mean with its t interval on the log scale.

    Ratios are averaged as logarithms, so that twice as fast and half as fast cancel (P. J. Fleming and J. J.
    Wallace, "How Not to Lie with Statistics", CACM 29(3), 1986).

    Args:
        logs: logarithms of baseline time / arm time.
        clusters: the label of each value's cluster; all different where values are independent.
        level: 0 to 1, exclusive.

    >>> found = ratio([math.log(x) for x in (2.0, 2.2, 2.1)], range(3))
    >>> round(found.value, 3), round(found.interval.low, 3), round(found.interval.high, 3), round(found.worst, 3)
    (2.098, 1.864, 2.362, 2.0)
    """
    found = mean(logs, clusters, level)
    if found.value is None or found.median is None or found.worst is None:
        return replace(found, why_not="there are no calls of both arms")
    interval = found.interval and Interval(math.exp(found.interval.low), math.exp(found.interval.high), level)
    why = "one turn has no spread" if found.n == 1 else found.why_not
    middle, worst = math.exp(found.median), math.exp(found.worst)
    return replace(
        found, value=math.exp(found.value), interval=interval, median=middle, worst=worst, why_not=why, remark=""
    )


def difference(
    baseline: Sequence[float], arm: Sequence[float], prompts: Sequence[Hashable], level: float = LEVEL
) -> Estimate:
    """Estimate the mean of arm − baseline over pairs of shots, clustered by prompt; a higher score is better.

    Args:
        baseline: scores of the baseline's shots, in any unit; the result has the same.
        arm: scores of the arm's shots, pair by pair.
        prompts: each pair's prompt.
        level: 0 to 1, exclusive.
    """
    found = mean([a - b for b, a in zip(baseline, arm, strict=True)], prompts, level)
    if found.n == 1:
        return replace(found, why_not="one pair has no spread")
    about = "one prompt: the interval is about other seeds of it, not about other prompts"
    return replace(found, remark=about if found.remark else "")


def drift(seconds: Sequence[float], level: float = DRIFT_LEVEL) -> Estimate:
    """Estimate late time / early time of equal work, to detect whether the machine changed during a run.

    Compares the second half of the times with the first (the middle one of an odd number is left out): B. L. Welch's
    interval for a difference of means, "The Generalization of 'Student's' Problem when Several Different Population
    Variances Are Involved", Biometrika 34, 1947, on logarithms. If the interval does not contain 1, the halves differ
    by more than their spread explains.

    Args:
        seconds: in chronological order, all above 0. Below eight values the interval is None.
        level: 0 to 1, exclusive; 1 − level is the share of stable runs that are called unstable.
    """
    half = len(seconds) // 2
    if half < DRIFT_LEAST:
        return Estimate(why_not=f"fewer than {2 * DRIFT_LEAST} times are not enough to see drift", n=len(seconds))
    logs = log_ratios([([time], [1.0]) for time in seconds])
    parts = logs[:half], logs[-half:]
    change = fmean(parts[1]) - fmean(parts[0])
    plain = Estimate(math.exp(change), n=2 * half, clusters=2)
    if all(map(constant, parts)):
        return replace(plain, interval=Interval(math.exp(change), math.exp(change), level), constant=True)
    squares = [clustered_error(part, range(half))[0] ** 2 for part in parts]
    freedom = sum(squares) ** 2 / sum(square**2 / (half - 1) for square in squares)
    width = t_quantile((1 + level) / 2, freedom) * math.sqrt(sum(squares))
    return replace(plain, interval=Interval(math.exp(change - width), math.exp(change + width), level))


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share, as fractions of 1.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
    Unlike the textbook's ±, it stays inside 0..1 and keeps its width at shares of 0 and 1.

    Args:
        successes: number of successful trials, 0..n.
        n: number of independent trials. With none, the interval is (0, 1).

    Raises:
        ValueError: ``successes`` is not in 0..n.

    >>> [round(bound, 4) for bound in wilson(8, 10)]
    [0.4902, 0.9433]
    >>> [round(bound, 4) for bound in wilson(200, 200)]
    [0.9812, 1.0]
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes of {n} trials: choose 0..{n}")
    if n == 0:
        return 0.0, 1.0
    share, spread = successes / n, Z95**2 / n
    middle = (share + spread / 2) / (1 + spread)
    half = math.sqrt(spread * (share * (1 - share) + spread / 4)) / (1 + spread)
    # At the ends rounding would leave 0 and 1 by one part in 10¹⁶.
    low = 0.0 if successes == 0 else middle - half
    high = 1.0 if successes == n else middle + half
    return low, high


def constant(values: Sequence[float]) -> bool:
    """Return whether all values are equal up to rounding."""
    return max(values) - min(values) <= ROUNDING * max(1.0, *map(abs, values))


def t_quantile(share: float, freedom: float) -> float:
    """Return the quantile of Student's t distribution at probability ``share``; ``freedom`` is above 0."""
    from scipy.special import stdtrit

    return float(stdtrit(freedom, share))


def _finite(values: Sequence[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
