"""Read and write ``run.json``. ``run_schema`` describes its format."""

from dataclasses import asdict
from functools import cache
from typing import Any

from comparer.errors import ComparerError
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.text import quote

SCHEMA = 1
NAMES_ON_DISK = {"interim_looks": "looks"}  # by attribute
BY_ARM = ("conditions", "divergence", "resident", "reserved", "variants")


def to_json(comparison: Comparison) -> dict:
    """Return plain data for ``run.json``, with every arm's figures; after the run has ended, with its verdict by the
    thresholds of the request.
    """
    seen = Analysis(comparison)
    plain = asdict(comparison, dict_factory=_flat)
    data = {NAMES_ON_DISK.get(name, name): value for name, value in plain.items()}
    data |= {name: {str(arm): value for arm, value in data[name].items()} for name in BY_ARM}
    data |= {"request": comparison.request.to_json(), "figures": [asdict(each.figures) for each in seen.arms]}
    if comparison.state != "running":  # they take their time
        judged = (
            each for each in seen.arms if each.not_comparable or (each.number and comparison.call_pairs(each.number))
        )
        data["verdicts"] = {str(each.number): asdict(each.verdict) for each in judged}
    return {"schema": SCHEMA, **data}


def from_json(data: dict) -> Comparison:
    """Build a comparison from ``to_json``'s data of any version up to the current one; figures are recomputed.

    Unknown fields are ignored: a later version may have more of them under the same version number
    (docs/run-format.md).

    Raises:
        ComparerError: the version number is later than the current one, or the request is invalid.
        ValueError, KeyError: a field is missing or has another type.
    """
    from pydantic import ValidationError

    if (found := data["schema"]) > SCHEMA:
        raise ComparerError(
            f"This run has the format {quote(found)}, but this Comparer reads formats up to {SCHEMA}: "
            "open it with a newer Comparer."
        )
    needed = {name: data[name] for name in ("request", "scorer", "calls", "shots")}
    on_disk = {name: data[on_disk] for name, on_disk in NAMES_ON_DISK.items() if on_disk in data}
    try:
        return _reader().validate_python(data | needed | on_disk)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ValueError(f"{place}: {first['msg']}") from error


@cache
def _reader() -> Any:
    """Return what checks the types of the data and builds a comparison from it."""
    from pydantic import TypeAdapter

    return TypeAdapter(Comparison)


def _flat(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Build the plain data of a dataclass; the values of ``Similarity`` and ``Mean`` lie beside their other fields."""
    data = dict(pairs)
    return data | data.pop("values") if "identical" in data else data
