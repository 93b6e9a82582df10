"""Plots of a curve over timesteps as SVG text, such as the w(t) that a training output keeps beside its weights."""

import math
from collections.abc import Sequence

from comparer.reporting.markup import join, markup
from comparer.reporting.plots.svg import EDGE, GRID, SMALL, WIDTH, scale, svg, text, width, wrapped

ACCENT = "var(--color-accent, #0d9488)"
TALL = 160  # units of the vertical axis
MOST = 400  # points: more are not seen apart


def curve(name: str, values: Sequence[float]) -> str:
    """Plot a value per timestep as a line, starting at timestep 0; values that are not finite break it.

    Args:
        name: name of the curve in the file.
        values: two or more.

    Returns:
        An <svg>; "" if no value is finite.
    """
    step = max(1, math.ceil(len(values) / MOST))
    places = sorted({*range(0, len(values), step), len(values) - 1})
    known = [value for value in values if math.isfinite(value)]
    if not known or len(values) < 2:
        return ""
    low, high = min(known), max(known)
    aside = 0.0 if high - low > 1e-9 * max(abs(low), abs(high)) else abs(low) / 10 or 1
    y, heights = scale(low - aside, high + aside, TALL, 0)
    left = 2 * EDGE + 4 + max(width(f"{height:g}", SMALL) for height in heights)
    x, ticks = scale(0, len(values) - 1, left, WIDTH - EDGE)
    path, pen = "", "M"
    for place in places:
        if not math.isfinite(values[place]):
            pen = "M"
            continue
        path, pen = f"{path}{pen}{x(place):.1f} {y(values[place]):.1f}", "L"
    axes = join(
        markup('<path d="M{:.2f} {:.2f}H{}" stroke="currentColor" {}/>', left, y(height), WIDTH - EDGE, GRID)
        + text(left - 12, y(height) + 5, f"{height:g}", "end")
        for height in heights
    )
    axes += join(text(x(tick), TALL + 24, f"{tick:g}", "middle") for tick in ticks[:-1])
    axes += text(WIDTH - EDGE, TALL + 24, "timestep", "end")
    title, down = wrapped(name, EDGE, 0, SMALL)
    line = markup('<path d="{}" fill="none" stroke="{}" stroke-width="2"/>', path, ACCENT)
    told = f"{len(values)} timesteps, from {values[0]:g} to {values[-1]:g}, {low:g} to {high:g}"
    body = markup('{}<g transform="translate(0 {:g})">{}{}</g>', title, down + 12, axes, line)
    return svg(f"{name} over the timesteps", [(name, told)], down + TALL + 46, body)
