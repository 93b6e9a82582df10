"""Read and write ``run.json``."""

from collections.abc import Callable
from dataclasses import asdict, fields
from typing import Any

from comparer.errors import ComparerError
from comparer.metrics.latents import Divergence
from comparer.metrics.similarity_data import Mean, Similarity
from comparer.request.request import Request
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.conditions import Conditions
from comparer.results.records import Call, NotRun, Scorer, Shot
from comparer.text import quote

SCHEMA = 1
ON_DISK = {"interim_looks": "looks"}  # names on disk stay
IN_CODE = {name: field for field, name in ON_DISK.items()}
BY_ARM = ("conditions", "divergence", "resident", "reserved", "variants")


def to_json(comparison: Comparison) -> dict:
    """Return plain data for ``run.json``, with every arm's figures; after the run has ended, with its verdict.

    Verdicts are by the default thresholds.
    """
    seen = Analysis(comparison)
    data = {"schema": SCHEMA, **{ON_DISK.get(k, k): v for k, v in asdict(comparison).items() if k != "request"}}
    data |= {name: {str(arm): value for arm, value in data[name].items()} for name in BY_ARM}
    data |= {"request": comparison.request.to_json(), "figures": [asdict(each.figures) for each in seen.arms]}
    if comparison.state != "running":  # they take their time
        judged = (each for each in seen.arms[1:] if comparison.call_pairs(each.number))
        data["verdicts"] = {str(each.number): asdict(each.verdict) for each in judged}
    return data


def from_json(data: dict) -> Comparison:
    """Build a comparison from ``to_json``'s data of any version up to the current one; figures are recomputed.

    Unknown fields are ignored: a later version may have more of them under the same version number
    (docs/run-format.md).

    Raises:
        ComparerError: the version number is later than the current one, or the request is invalid.
    """
    if (found := data["schema"]) > SCHEMA:
        raise ComparerError(
            f"This run has the format {quote(found)}, and this Comparer reads formats up to {SCHEMA}: "
            "open it with a newer Comparer."
        )
    distance = data.get("seed_distance")
    return Comparison(
        **_known(Comparison, {IN_CODE.get(name, name): value for name, value in data.items()})
        | {
            "request": Request.from_json(data["request"]),
            "scorer": Scorer(**_known(Scorer, data["scorer"]) | {"truncated": tuple(data["scorer"]["truncated"])}),
            "calls": [
                Call(**_known(Call, call) | {"steps": tuple(call["steps"]), "pixels": tuple(call.get("pixels", ()))})
                for call in data["calls"]
            ],
            "shots": [_shot(shot) for shot in data["shots"]],
            "not_run": [NotRun(**_known(NotRun, failure)) for failure in data.get("not_run", [])],
            "macs": tuple(data.get("macs", ())),
            "not_available": tuple(data.get("not_available", ())),
            "batches": [[tuple(item) for item in batch] for batch in data.get("batches", [])],
            "conditions": _by_arm(data, "conditions", Conditions.from_json),
            "seed_distance": Mean(**_known(Mean, distance)) if distance else None,
            "divergence": _by_arm(data, "divergence", lambda all_: [Divergence.from_json(each) for each in all_]),
            "resident": _by_arm(data, "resident", int),
            "reserved": _by_arm(data, "reserved", int),
            "variants": _by_arm(data, "variants", dict),
        }
    )


def _known(kind: Any, data: dict) -> dict:
    """Return what of the data a dataclass has."""
    names = {item.name for item in fields(kind)}
    return {name: value for name, value in data.items() if name in names}


def _by_arm(data: dict, name: str, read: Callable[[Any], Any]) -> dict[int, Any]:
    """Read what is kept by arm: the keys of JSON are text."""
    return {int(arm): read(value) for arm, value in data.get(name, {}).items()}


def _shot(data: dict) -> Shot:
    alike = data.get("similarity")
    again = tuple(Similarity(**_known(Similarity, each)) for each in data.get("again", ()))
    similarity = Similarity(**_known(Similarity, alike)) if alike else None
    return Shot(**_known(Shot, data) | {"similarity": similarity, "again": again})
