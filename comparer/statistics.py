"""Intervals and means: plain arithmetic on the figures that are reported."""

import math

Z95 = 1.959963984540054  # two-sided 95 % of the standard normal


def wilson(successes: int, n: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share, as fractions of 1.

    E. B. Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", JASA 22 (1927).
    Unlike the textbook's ±, it stays inside 0..1 and keeps its width at shares of 0 and 1.

    Args:
        successes: how many of the trials succeeded, 0..n.
        n: independent trials. None at all tell nothing: (0, 1).

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
