"""Parse the selection of a grid as people type it: "1-3" prompts, "7,9" seeds."""

from comparer.errors import ComparerError
from comparer.request.parse import parse_seeds
from comparer.request.request import Request


def rows(request: Request, prompts: str = "", seeds: str = "") -> tuple[tuple[int, int], ...] | None:
    """Return the selected (prompt number from 0, seed)s, in the order of the request; None for all.

    Args:
        request: the request to select from.
        prompts: numbers from 1, as "1", "1,3" or "2-4"; "" for all.
        seeds: in the same syntax; "" for all.

    Raises:
        ComparerError: a selected prompt or seed does not exist.
    """
    items = request.items()
    known = {"prompt": {prompt + 1 for prompt, _ in items}, "seed": {seed for _, seed in items}}
    asked = {"prompt": _numbers("prompts", prompts), "seed": _numbers("seeds", seeds)}
    for what, numbers in asked.items():
        for number in numbers or ():
            if number not in known[what]:
                raise ComparerError(f"There is no {what} {number} in this comparison.")
    if not any(asked.values()):
        return None
    return tuple(
        (prompt, seed)
        for prompt, seed in items
        if (not asked["prompt"] or prompt + 1 in asked["prompt"]) and (not asked["seed"] or seed in asked["seed"])
    )


def _numbers(what: str, text: str) -> tuple[int, ...]:
    text = str(text or "").strip()
    if "-1" in [part.strip() for part in text.split(",")]:
        raise ComparerError(f"The {what} of a grid are numbers, such as 1,3 or 2-4.")
    return parse_seeds(text) if text else ()
