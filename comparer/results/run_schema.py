"""JSON Schema of ``run.json``, generated from the types of the record and their docstrings.

``scripts/generate_docs.py`` writes it to ``run.schema.json`` and to docs/run-format.md.
"""

import re
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from comparer.accelerators.base import Accelerator
from comparer.accelerators.registry import REGISTRY
from comparer.checkpoints.inspection.health import Health
from comparer.checkpoints.spec import Weights
from comparer.metrics.latents import Divergence, Step
from comparer.metrics.registry import METRICS
from comparer.metrics.similarity_data import Mean, Similarity
from comparer.pipelines.environment import Environment
from comparer.pipelines.weights_card import ComponentCard, PipelineConfigs, WeightFile, WeightsCard
from comparer.request.request import ARM_NAMES, REQUEST_NAMES, SIDES, Arm, Request, Settings
from comparer.results.comparison import Comparison
from comparer.results.conditions import Conditions
from comparer.results.figures import Figures
from comparer.results.records import Call, ExtraTurns, NotRun, Scorer, Shot
from comparer.results.run_json import BY_ARM, NAMES_ON_DISK, SCHEMA
from comparer.stats.intervals import Estimate, Interval
from comparer.stats.offers import Offer
from comparer.stats.quality import Quality
from comparer.stats.speed import Speed
from comparer.stats.tail import Tail
from comparer.stats.verdict import Thresholds, Verdict

TYPES = (
    Request, Settings, Thresholds, Arm, Weights, Environment, WeightsCard, WeightFile, ComponentCard, Health,
    PipelineConfigs, Scorer, Call, ExtraTurns, Shot, Similarity, Mean, NotRun, Conditions, Divergence, Step, Figures,
    Estimate, Interval, Verdict, Speed, Quality, Tail, Offer,
)  # fmt: skip
"""The types of the record, in the order of docs/run-format.md."""
GENERATED = (Comparison, Settings, Thresholds, Weights, Environment, WeightsCard, Figures, Verdict)
"""The types that pydantic describes, with those that they contain."""
MAY_BE_MISSING = {
    "Comparison": ("verdicts", "extra_turns"), "Request": ("repeat_seconds",),
    "Arm": ("steps", "like", "weights", "side"), "NotRun": ("unneeded",), "WeightFile": ("weight",),
    "WeightsCard": ("identical", "adapted"), "Similarity": tuple(METRICS), "Mean": tuple(METRICS),
    "Scorer": ("title", "licence", "floor"),
}  # fmt: skip
"""Fields that a record may lack: those that only some have, and those that came later, as every metric may."""
COUNT, TEXT, SECONDS = {"type": "integer", "minimum": 0}, {"type": "string"}, {"type": "number", "minimum": 0}
STAGES = ("text", "denoising", "decoding")


def schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of the current format. Unlike a reader, it allows no unknown field."""
    from pydantic import TypeAdapter

    inputs = [(kind.__name__, "serialization", TypeAdapter(kind)) for kind in GENERATED]
    _, generated = TypeAdapter.json_schemas(inputs, ref_template="#/$defs/{model}")  # type: ignore[arg-type]
    found = {name: each["properties"] for name, each in generated["$defs"].items()} | _others()
    found["Call"]["stages"] = {
        **_closed(dict.fromkeys(STAGES, SECONDS)),
        "description": "seconds of each part of the call",
    }
    found["Health"]["sound"] = {"type": "boolean", "description": "whether nothing is wrong"}
    for kind, renamed in ((Comparison, NAMES_ON_DISK), (Request, REQUEST_NAMES), (Arm, ARM_NAMES)):
        found[kind.__name__] = {renamed.get(name, name): each for name, each in found[kind.__name__].items()}
    record = found.pop("Comparison") | {
        "environment": _ref(Environment),
        "checkpoint": _ref(WeightsCard),  # typed where it is written; a reader takes those of every version
        "variants": _map(_ref(WeightsCard)),
        "figures": {"type": "array", "items": _ref(Figures), "description": "figures of every arm"},
        "verdicts": _map(_ref(Verdict)) | {"description": "by arm; not there while the run is in progress"},
    }
    for name in BY_ARM:
        record[name]["propertyNames"] = {"pattern": "^[0-9]+$"}
    record = {"schema": {"const": SCHEMA, "description": f"number of the format: {SCHEMA}"}, **record}
    parts = {_on_disk(kind.__name__): _object(kind, found[kind.__name__]) for kind in TYPES}
    parts["accelerator"] = {
        "description": "An accelerator and its parameters; docs/accelerators.md explains them.",
        "oneOf": [_accelerator(kind) for kind in REGISTRY.values()],
    }
    whole = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "run.json of Comparer"}
    return _tidy(whole | _object(Comparison, record) | {"$defs": parts})


def _others() -> dict[str, dict[str, Any]]:
    """Return the fields of the types that have a ``from_json`` of their own."""
    metrics = {name: metric.json_schema() for name, metric in METRICS.items()}
    return {
        "Request": {
            "settings": _ref(Settings),
            "arms": {"type": "array", "items": _ref(Arm), "minItems": 1},
            "warmups": COUNT,
            "noise": TEXT,
            "repeats": COUNT,
            "extras": {"type": "array", "items": TEXT},
            "scorer": TEXT,
            "thresholds": _ref(Thresholds),
            "repeat_seconds": SECONDS,
        },
        "Arm": {
            "name": TEXT,
            "accelerators": {"type": "array", "items": {"$ref": "#/$defs/accelerator"}},
            "steps": COUNT,
            "matches_time_of": COUNT,
            "weights": _ref(Weights),
            "side": {"enum": list(SIDES)},
        },
        "Similarity": {"identical": {"type": "boolean"}, **metrics},
        "Mean": {"pairs": COUNT, "identical": COUNT, **metrics},
    }


def _accelerator(kind: type[Accelerator]) -> dict[str, Any]:
    """Return the schema of an accelerator, from its declared parameters."""
    names = {bool: "boolean", int: "integer", float: "number"}
    properties: dict[str, Any] = {"name": {"const": kind.__name__}}
    for each in fields(kind):
        bounds = {"minimum": each.metadata["low"], "maximum": each.metadata["high"]}
        properties[each.name] = {
            "type": names[type(each.default)],
            **{key: bound for key, bound in bounds.items() if bound is not None},
            "description": each.metadata["help"],
        }
    return _closed(properties)


def _closed(properties: dict[str, Any], missing: Sequence[str] = ()) -> dict[str, Any]:
    """Return the schema of an object with these fields, ``missing`` ones optional, and no others."""
    required = [name for name in properties if name not in missing]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def _object(kind: type, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a type whose fields are described in its docstring."""
    about, described = _docstring(kind)
    if kind is Settings:  # it repeats the fields of Weights
        described |= _docstring(Weights)[1]
    fields = {name: _described(each, described.get(name)) for name, each in properties.items()}
    return {**_closed(fields, MAY_BE_MISSING.get(kind.__name__, ())), "description": about}


def _described(each: dict[str, Any], text: str | None) -> dict[str, Any]:
    return each if text is None or "description" in each else {**each, "description": text}


def _docstring(kind: type) -> tuple[str, dict[str, str]]:
    """Return a type's summary and, by name on disk, what its docstring and those of its bases say of its fields."""
    described: dict[str, str] = {}
    for each in reversed(kind.__mro__[:-1]):
        _, _, section = (each.__doc__ or "").partition("Attributes:\n")
        for names, text in re.findall(r"^ {8}(\w[\w, ]*): (.*(?:\n {12}.*)*)", section, re.MULTILINE):
            said = " ".join(text.split()).rstrip(".").replace("None", "null").replace("``", "`")
            described |= dict.fromkeys(names.split(", "), said)
    renamed = {**NAMES_ON_DISK, **REQUEST_NAMES, **ARM_NAMES}
    about = " ".join((kind.__doc__ or "").partition("\n\n")[0].split())
    return about, {renamed.get(name, name): text for name, text in described.items()}


def _ref(kind: type) -> dict[str, Any]:
    return {"$ref": f"#/$defs/{_on_disk(kind.__name__)}"}


def _map(values: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": values}


def _on_disk(name: str) -> str:
    """Write a class name as the definition is called: ``NotRun`` is "not_run"."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()


def _tidy(each: Any) -> Any:
    """Drop the titles and defaults that pydantic adds, and call every definition by its name."""
    if isinstance(each, list):
        return [_tidy(one) for one in each]
    if not isinstance(each, dict):
        return each
    if "title" in each and not set(each) - {"title", "description"}:  # a type with a ``from_json`` of its own
        rest = {key: one for key, one in each.items() if key != "title"}
        return {"$ref": f"#/$defs/{_on_disk(each['title'])}"} | rest
    added = {"title", "default"} if {"type", "anyOf"} & set(each) else set()
    kept = {key: one for key, one in each.items() if key not in added or isinstance(one, dict)}
    if "$ref" in kept:
        kept["$ref"] = "#/$defs/" + _on_disk(kept["$ref"].rpartition("/")[2])
    return {key: _tidy(one) for key, one in kept.items()}
