"""Run and pair in the page's address, so that a link opens what somebody else saw. No gradio."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from comparer.results.comparison import Comparison


def query(name: str, pair: tuple[int, int] | None = None, arm: int = 1) -> str:
    """Build the query string of the page's address: "?run=NAME&pair=2:17&arm=1".

    Args:
        name: the run's name, as ``store.find`` takes it.
        pair: prompt number from 0 and seed.
        arm: the arm compared with the baseline.
    """
    said = {"run": name} | ({} if pair is None else {"pair": f"{pair[0]}:{pair[1]}", "arm": str(arm)})
    return "?" + urlencode(said, safe=":/")


def pair_of(seen: Comparison, said: Mapping[str, str]) -> tuple[tuple[int, int] | None, int]:
    """Parse the pair and the arm of an address; (None, 1) if the run has no such pair.

    The arm is 0 if the run has only the baseline.

    Args:
        seen: the run.
        said: the address's ``pair`` and ``arm``, untrusted.
    """
    pair, arm, alone = str(said.get("pair", "")), str(said.get("arm", "1")), len(seen.request.arms) == 1
    nothing = None, 0 if alone else 1
    if not re.fullmatch(r"\d{1,6}:\d{1,10}", pair, re.ASCII) or not re.fullmatch(r"\d{1,4}", arm, re.ASCII):
        return nothing
    prompt, seed = map(int, pair.split(":"))
    made = any((shot.prompt, shot.seed) == (prompt, seed) for shot in seen.shots)
    known = alone or 0 < int(arm) < len(seen.request.arms)
    return ((prompt, seed), 0 if alone else int(arm)) if made and known else nothing
