"""Plots as SVG text: all times, divergence per step, intervals side by side.

Embedded in the page, they inherit its fonts and colours; ``standalone`` converts them to files.
"""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from statistics import median, median_low

from comparer.metrics.latents import Step
from comparer.reporting.markup import Markup, join, markup
from comparer.reporting.plots.svg import (
    EDGE,
    GRID,
    GROUND,
    PAGE,
    SMALL,
    WIDTH,
    Row,
    chart,
    scale,
    svg,
    text,
    width,
    wrapped,
)
from comparer.stats.intervals import Estimate
from comparer.text import counted, percent

ACCENT = "var(--color-accent, #0d9488)"
RADII = 4.5, 3.5, 2.5, 1.5
HIGH = 40  # units that dots may be stacked on each side, before smaller ones are tried
# Colour-blind safe and visible on both backgrounds; dashes and shapes differ as well.
COLOURS = "#0072b2", "#d55e00", "#009e73", "#b5578f", "#8a7a00"
DASHES = "none", "8 4", "2 3", "10 3 2 3"
SHAPES = (
    "M-1 0A1 1 0 1 1 1 0A1 1 0 1 1-1 0Z",
    "M-.9-.9H.9V.9H-.9Z",
    "M0-1.2L1.15.8H-1.15Z",
    "M0-1.3L1.3 0L0 1.3L-1.3 0Z",
)
ASIDE = 24  # units between an axis of intervals and the edge: room for labels and arrows
TALL = 220  # units of the divergence's axis
ALONE = Markup(
    "<style>:root{color:#1f2937;background:#ffffff;font-family:system-ui,sans-serif;font-variant-numeric:tabular-nums}"
    "@media(prefers-color-scheme:dark){:root{color:#e5e7eb;background:#0b0f19}"
    '[fill="#ffffff"]{fill:#0b0f19}}</style>'
    '<rect width="100%" height="100%" fill="#ffffff"/>'
)


def times(arms: Sequence[tuple[str, Sequence[float]]]) -> str:
    """Plot a dot per measured time and strokes at the median, one row per arm; equal times are stacked.

    Args:
        arms: (name, seconds per image) of each; the first is the baseline, and other medians are a share of its.

    Returns:
        An <svg>; "" if there is no time at all.

    Raises:
        ValueError: a time is not finite, or below 0.
    """
    every = [time for _, seconds in arms for time in seconds]
    _finite(every)
    if not every:
        return ""
    if min(every) < 0:
        raise ValueError(f"{min(every)} seconds: a time is not below 0")
    x, ticks = scale(0, max(every) or 1, EDGE, WIDTH - EDGE)
    for radius in RADII:
        stacks = [_stacked([x(time) for time in sorted(seconds)], 2 * radius) for _, seconds in arms]
        if max(abs(y) for stack in stacks for _, y in stack) <= HIGH:
            break
    base = median(arms[0][1]) if arms[0][1] else 0
    rows = []
    for number, ((name, seconds), stack) in enumerate(zip(arms, stacks, strict=True)):
        if not seconds:
            rows.append(Row(name, "no times", "no times"))
            continue
        middle, reach = median(seconds), max(abs(y) for _, y in stack) + radius + 11
        said = f"median {middle:.3f} s" + (f" · {percent(middle / base)} of the baseline" if number and base else "")
        count = counted(len(seconds), "time")
        told = f"{said}; {count}, {min(seconds):.3f} to {max(seconds):.3f} s"
        look = markup('fill="{}"', ACCENT) if number else Markup('fill="currentColor" fill-opacity="0.55"')
        dots = join(markup('<circle cx="{:.2f}" cy="{:.2f}" r="{}"/>', dot, y, radius) for dot, y in stack)
        bar = markup(
            '<path d="M{:.2f} {:.2f}v9M{:.2f} {:.2f}v-9" stroke="currentColor"', x(middle), -reach, x(middle), reach
        )
        bar += Markup(' stroke-width="2.5"/>')
        rows.append(Row(name, said, told, markup("<g {}>{}</g>{}", look, dots, bar), 2 * reach))
    labels = [(x(tick), f"{tick:g}") for tick in ticks]
    return chart("Seconds per picture", "Seconds per picture; the strokes mark the median", rows, labels, [])


def divergence(arms: Sequence[tuple[str, Sequence[Step]]]) -> str:
    """Plot the relative L2 distance from the baseline over the sampler's steps, one line per arm.

    Marks are filled where an accelerator skipped work in the step, else hollow. A distance that is None or not
    finite breaks the line.

    Args:
        arms: (name, steps) of each, without the baseline: steps from 1, distances as shares of 1, from 0.

    Returns:
        An <svg>; "" if there is no distance at all.
    """
    known = [distance for _, steps in arms for step in steps if (distance := _percent(step)) is not None]
    if not known:
        return ""
    last = max(2, *(step.step for _, steps in arms for step in steps))
    y, heights = scale(0, max(known) or 1, TALL, 0)
    left = 2 * EDGE + 4 + max(width(f"{height:g} %", SMALL) for height in heights)
    x, whole = scale(1, last, left, WIDTH - EDGE)
    radius = min(4.0, max(1.5, (WIDTH - left) / last / 3))
    key, lines, down = Markup(), Markup(), 0.0
    for number, (name, steps) in enumerate(arms):
        style = markup(
            'stroke="{}" stroke-dasharray="{}" stroke-width="2" fill="none"',
            COLOURS[number % len(COLOURS)],
            DASHES[number % len(DASHES)],
        )
        words, height = wrapped(name, 58, down, SMALL)
        key += markup(
            '<path d="M{} {:g}h36" {}/>{}{}', EDGE, down + 13, style, _mark(number, 30, down + 13, 4, True), words
        )
        down += height
        path, marks, pen = "", "", "M"
        for step in steps:
            if (distance := _percent(step)) is None:
                pen = "M"
                continue
            path, pen = f"{path}{pen}{x(step.step):.2f} {y(distance):.2f}", "L"
            marks += _mark(number, x(step.step), y(distance), radius, bool(step.skipped))
        lines += markup('<g class="line"><path d="{}" {}/>{}</g>', path, style, marks)
    key += _mark(0, EDGE + 5, down + 17, 4, True, "currentColor") + text(
        EDGE + 16, down + 22, "work skipped in the step"
    )
    key += _mark(0, 225, down + 17, 4, False, "currentColor") + text(236, down + 22, "full step")
    key += text(EDGE, down + 52, "Relative L2 distance from the baseline's latents")
    axes = join(
        markup('<path d="M{:.2f} {:.2f}H{}" stroke="currentColor" {}/>', left, y(height), WIDTH - EDGE, GRID)
        + text(left - 12, y(height) + 5, f"{height:g} %", "end")
        for height in heights
    )
    for step_number in [1, *(round(tick) for tick in whole if tick > 1.5 and abs(tick - round(tick)) < 1e-6)]:
        axes += text(x(step_number), TALL + 24, str(step_number), "middle")
    axes += text(WIDTH - EDGE, TALL + 44, "sampler step", "end")
    told = [(name, _course(steps)) for name, steps in arms]
    body = markup('{}<g transform="translate(0 {:g})">{}{}</g>', key, down + 68, axes, lines)
    return svg("Divergence from the baseline, step by step", told, down + 68 + TALL + 50, body)


def intervals(
    rows: Sequence[tuple[str, Estimate]],
    label: str,
    form: Callable[[float], str] | str,
    threshold: float | None = None,
    neutral: float | None = None,
) -> str:
    """Plot a row per estimate: its value as a point, and its interval as a line.

    An interval so wide that it would make most of the others too small to see ends in an arrow.

    Args:
        rows: (name, estimate) of each. One without an interval has no line, one without a value is "undefined".
        label: name of the estimated quantity.
        form: formats a value with its unit: a function, or a format such as "{:.2f}×".
        threshold: position of a dashed line; None for none.
        neutral: the value that means no difference, marked with a thin line; None for none.

    Returns:
        An <svg>; "" if there are no rows.

    Raises:
        ValueError: a value, an interval's end, the threshold or the neutral value is not finite.
    """
    if not rows:
        return ""
    say = form.format if isinstance(form, str) else form
    ruled = [value for value in (threshold, neutral) if value is not None]
    values = [estimate.value for _, estimate in rows if estimate.value is not None]
    spans = [estimate.interval for _, estimate in rows if estimate.value is not None and estimate.interval]
    ends = [(span.low, span.high) for span in spans]
    _finite([*ruled, *values, *(end for pair in ends for end in pair)])
    x, ticks = scale(*_window([*values, *ruled] or [0.0], ends), ASIDE, WIDTH - ASIDE)
    drawn = []
    for name, estimate in rows:
        if estimate.value is None:
            why = f"undefined: {estimate.why_not}" if estimate.why_not else "undefined"
            drawn.append(Row(name, "undefined", why))
            continue
        said = told = say(estimate.value)
        line = ""
        if estimate.interval:
            low, high = estimate.interval.low, estimate.interval.high
            said = told = f"{said} ({say(low)} to {say(high)})"
            line = _whisker(x(low), x(high))
        elif estimate.why_not:
            told = f"{said}; no interval: {estimate.why_not}"
        point = markup('<circle cx="{:.2f}" cy="0" r="5" stroke="none"/>', x(estimate.value))
        marks = markup('<g fill="{}" stroke="{}" stroke-width="2.5">{}{}</g>', ACCENT, ACCENT, line, point)
        drawn.append(Row(name, said, told, marks, 16))
    levels = {span.level for span in spans}
    caption, rules = label, []
    if len(levels) == 1:
        interval = "interval" if len(spans) == 1 else "intervals"
        caption += f", {100 * levels.pop():.4g} % {interval}"
    if neutral is not None:
        caption += f" · line: {say(neutral)}"
        rules.append((x(neutral), Markup('stroke-opacity="0.6"')))
    if threshold is not None:
        caption += f" · dashed: {say(threshold)}"
        rules.append((x(threshold), Markup('stroke-width="1.5" stroke-dasharray="5 4"')))
    return chart(label, caption, drawn, [(x(tick), say(tick)) for tick in ticks] if values else [], rules)


def standalone(svg: str) -> str:
    """Convert a plot of the functions above to a file, for light and dark; "" stays ""."""
    plain = re.sub(r'="var\(--[a-z-]+, (#[0-9a-f]{6})\)"', r'="\1"', str(svg))  # a quote is never a user's
    return plain.replace(f"{PAGE}>", f'xmlns="http://www.w3.org/2000/svg">{ALONE}', 1)


def _window(points: Sequence[float], ends: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Choose an axis that holds all points, and of the intervals what does not squash the others."""
    least, most = min(points), max(points)
    usual = median_low(high - low for low, high in ends) if ends else 0
    room = max((most - least) / 2, 2 * usual)
    low = min([least, *(max(low, least - room) for low, _ in ends)])
    high = max([most, *(min(high, most + room) for _, high in ends)])
    aside = 0.0 if high - low > 1e-9 * max(abs(low), abs(high)) else abs(low) / 10 or 1
    return low - aside, high + aside


def _stacked(places: Sequence[float], apart: float) -> list[tuple[float, float]]:
    """Give sorted places heights, so that none lies on another: 0, then above and below in turn."""
    found, ends = [], []  # type: list[tuple[float, float]], list[float]
    for place in places:
        level = next((number for number, end in enumerate(ends) if place - end >= apart), len(ends))
        ends[level : level + 1] = [place]
        found.append((place, (level + 1) // 2 * apart * (-1) ** level))
    return found


def _whisker(low: float, high: float) -> str:
    """Draw a line between two places, with a stroke at each end, or an arrow at the edge that it goes beyond."""
    line = markup('<path class="interval" d="M{:.2f} 0H{:.2f}"/>', max(low, ASIDE), min(high, WIDTH - ASIDE))
    for at, edge, side in ((low, ASIDE, -1), (high, WIDTH - ASIDE, 1)):
        if (at - edge) * side > 0.01:
            line += markup('<path class="beyond" stroke="none" d="M{} 0l{} -6v12z"/>', edge + 10 * side, -10 * side)
        else:
            line += markup('<path d="M{:.2f} -5V5"/>', at)
    return line


def _percent(step: Step) -> float | None:
    return None if step.distance is None or not math.isfinite(step.distance) else 100 * step.distance


def _course(steps: Sequence[Step]) -> str:
    """Tell an arm's divergence in words."""
    known = [(distance, step.step) for step in steps if (distance := _percent(step)) is not None]
    if not known:
        return "no distances"
    most, when = max(known)
    skipped = sum(bool(step.skipped) for step in steps)
    return (
        f"{known[-1][0]:.3g} % in step {known[-1][1]}, at most {most:.3g} % in step {when}; "
        f"work skipped in {skipped} of {len(steps)} steps"
    )


def _mark(number: int, x: float, y: float, radius: float, filled: bool, colour: str = "") -> str:
    """Draw the mark of an arm by its number."""
    colour = colour or COLOURS[number % len(COLOURS)]
    return markup(
        '<path class="{}" transform="translate({:.2f} {:.2f}) scale({:.3g})" '
        'd="{}" fill="{}" stroke="{}" '
        'stroke-width="{:.3g}"/>',
        "skipped" if filled else "full",
        x,
        y,
        radius,
        SHAPES[number % len(SHAPES)],
        colour if filled else GROUND,
        colour,
        1.5 / radius,
    )


def _finite(values: Iterable[float]) -> None:
    for value in values:
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a finite number")
