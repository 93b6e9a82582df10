"""The turns that were repeated for the timing, in words."""

import math

from comparer.results.comparison import Comparison
from comparer.results.records import ExtraTurns
from comparer.text import counted, duration

OFF = "No extra turns: they were switched off."


def sentences(comparison: Comparison) -> list[str]:
    """Say of each process how many extra turns it made and why no more, in one sentence."""
    return [said for each in comparison.extra_turns if (said := _sentence(each, comparison.request.repeat_seconds))]


def _sentence(made: ExtraTurns, budget: float) -> str:
    """Return the sentence; "" if the run ended before the first turn.

    >>> _sentence(ExtraTurns(0, 4, 12.0, "reached", 0.021), 20)
    '4 extra turns of one call in 12 s: its speed-ups are known to ±2.1 %.'
    """
    width = "" if made.half_width is None else f"±{100 * math.expm1(made.half_width):.2g} %"
    if not made.turns:
        return {
            "reached": f"No extra turns: the speed-ups of one call are known to {width} without them.",
            "off": OFF,
            "long": f"No extra turns: one takes longer than the {budget:g} s allowed for them.",
            "budget": f"No extra turns: none fits in the {budget:g} s allowed for them.",
            "failed": "No extra turns: no other arm is left.",
        }.get(made.why, "")
    known = f"its speed-ups are known to {width}" if width else "their spread is not known yet"
    end = {
        "reached": known,
        "planned": f"as many as the first turns suggested for ±3 %; {known}",
        "budget": f"no more fit in the {budget:g} s allowed for them; {known}",
        "failed": "then no other arm was left",
    }.get(made.why, "then the run was stopped")
    return f"{counted(made.turns, 'extra turn')} of one call in {duration(made.seconds)}: {end}."
