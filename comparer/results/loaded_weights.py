"""Weights each arm loaded, and how they differ from the baseline's."""

from typing import Any

from comparer.checkpoints.inspection.fingerprint import ignored
from comparer.results.comparison import Comparison
from comparer.text import counted, quote

HALVES = {"ema": "EMA", "raw": "raw"}


def card(comparison: Comparison, arm: int) -> dict[str, Any]:
    """Return an arm's weights card: its own, or the baseline's if it has the same weights; {} if unknown."""
    own = comparison.request.arms[arm].weights is not None
    return comparison.variants.get(arm, {}) if own else comparison.checkpoint


def components(comparison: Comparison, arm: int) -> dict[str, dict[str, Any]]:
    """Return the contents of an arm's components, by name; {} for records from before they were counted."""
    return card(comparison, arm).get("components", {})


def incomplete(comparison: Comparison, arm: int) -> str:
    """Describe an arm's random tensors: "incomplete: 12 tensors random"; "" if there are none."""
    held = components(comparison, arm).values()
    random = sum(len(each.get("missing", ())) + len(each.get("misshaped", ())) for each in held)
    return f"incomplete: {counted(random, 'tensor')} random" if random else ""


def identical(comparison: Comparison, arm: int) -> str:
    """Say what was added to an arm's weights, or chosen among them, and changed no value; "" if everything did.

    Such as "identical weights: its own VAE", or "identical weights: unet, EMA and raw".
    """
    said = list(card(comparison, arm).get("identical", ()))
    base = components(comparison, 0)
    for name, each in components(comparison, arm).items() if arm else ():
        halves = {each["half"], base.get(name, {}).get("half")}
        if halves == set(HALVES) and as_baseline(comparison, arm, name):
            said.append(f"{name}, EMA and raw")
    return f"identical weights: {', '.join(said)}" if said else ""


def unused(comparison: Comparison, arm: int) -> list[str]:
    """Name the tensors of the arm's files that no component uses, a sentence per component; bookkeeping is left out."""
    said = []
    for component, each in components(comparison, arm).items():
        names = [name for name in each.get("unexpected", ()) if not ignored(name)]
        if names:
            few = ", ".join(quote(name) for name in names[:3]) + (", …" if len(names) > 3 else "")
            title = comparison.request.arms[arm].name
            said.append(f"{title}: {counted(len(names), 'tensor')} of its {component} not used ({few}).")
    return said


def as_baseline(comparison: Comparison, arm: int, component: str) -> bool:
    """Return whether an arm's component holds the baseline's values under the same names, in the same dtype."""
    one, other = (components(comparison, number).get(component) for number in (0, arm))
    if not one or not other:
        return False
    return all(one[key] == other[key] for key in ("named", "dtype"))


def apart(comparison: Comparison) -> list[str]:
    """List the names of the arms whose calls were not interleaved with the baseline's."""
    arms = comparison.request.arms
    return [arms[number].name for block in comparison.blocks if 0 not in block for number in block]
