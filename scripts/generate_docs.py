"""Keep what documents repeat from the code as the code has it: ``python scripts/generate_docs.py``.

A document has each part between two marks, ``<!-- options -->`` and ``<!-- /options -->`` say.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import partial
from inspect import cleandoc
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
SCHEMA = ROOT / "comparer" / "results" / "run.schema.json"
DOCUMENTS = (
    "README.md", "docs/accelerators.md", "docs/metrics.md", "docs/models.md", "docs/options.md", "docs/run-format.md",
)  # fmt: skip
sys.path.insert(0, str(ROOT))

from comparer.accelerators.registry import REGISTRY, Accelerator, parse_stack  # noqa: E402
from comparer.accelerators.tgate import TGATE  # noqa: E402
from comparer.engine.macs import macs, ratio  # noqa: E402
from comparer.metrics.registry import METRICS  # noqa: E402
from comparer.metrics.scorers import DEFAULT, SCORERS  # noqa: E402
from comparer.models.catalog import CATALOG  # noqa: E402
from comparer.models.families.registry import FAMILIES  # noqa: E402
from comparer.models.tiny import native_config  # noqa: E402
from comparer.options import OPTIONS  # noqa: E402
from comparer.request import compatibility  # noqa: E402
from comparer.request.request import Settings  # noqa: E402
from comparer.results import run_schema  # noqa: E402


def options() -> str:
    """Write the options as a Markdown table."""
    rows = ["| flag | variable | default | |", "| --- | --- | --- | --- |"]
    for option in OPTIONS:
        takes = option.takes.replace("|", "\\|")
        names = ", ".join(f"`{name}`" for name in (option.variable, option.also) if name)
        rows.append(f"| `{option.flag} {takes}` | {names} | {option.default} | {option.help} |")
    return "\n".join(rows)


def models() -> str:
    """Write the catalogue as a Markdown table, with the accelerators that serve each model."""
    rows = ["| name | | pixels | float16 weights | accelerators |", "| --- | --- | --- | --- | --- |"]
    for model in CATALOG.values():
        serve = ", ".join(kind.title for kind in REGISTRY.values() if model.family in kind.families())
        size = f"about {model.gigabytes:g} GB" if model.gigabytes else "in the repository"
        rows.append(f"| `{model.name}` | {model.title} | {model.size} | {size} | {serve} |")
    return "\n".join(rows)


def parameters(kind: type[Accelerator]) -> str:
    """Write an accelerator's parameters as a Markdown table."""
    rows = ["| parameter | default | range | |", "| --- | --- | --- | --- |"]
    for item in fields(kind):
        low, high, default = item.metadata["low"], item.metadata["high"], _say(item.default)
        if item.name in kind.stacked:
            default += f"; {_say(kind.stacked[item.name])} in a stack"
        allowed = "yes or no" if low is None else f"{low:g} to {high:g}"
        rows.append(f"| `{item.name}` | {default} | {allowed} | {item.metadata['help']} |")
    return "\n".join(rows)


def _say(value: object) -> str:
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


STACKS = {
    "DeepCache(interval=2)": "DeepCache(interval=2)",
    "DeepCache(interval=3)": "DeepCache(interval=3)",
    "DeepCache(interval=5)": "DeepCache(interval=5)",
    "ToMe(ratio=0.5)": "ToMe(ratio=0.5)",
    "Guidance cutoff where the gate is": "Guidance cutoff(after={share})",
    "T-GATE that reuses no self-attention": "T-GATE(gate_step={gate}, sp_interval=1)",
    "T-GATE": "T-GATE(gate_step={gate})",
    "DeepCache + T-GATE": "DeepCache+T-GATE(gate_step={gate})",
    "ToMe + DeepCache": "ToMe+DeepCache",
    "ToMe + DeepCache + T-GATE": "ToMe+DeepCache+T-GATE(gate_step={gate})",
}
"""The rows of the table; the gate is T-GATE's usual one."""


def mac_table(families: Iterable[str] = FAMILIES, steps: int = 25) -> str:
    """Write, in Markdown, what an evaluation of each family's published model costs and what the stacks save.

    Args:
        families: names of ``FAMILIES``, a column each.
        steps: of DDIM with guidance, at the model's own size.
    """
    published = [FAMILIES[family].largest for family in families]
    columns = [(model, native_config(model.name)) for model in published]
    asked = [Settings(("",), width=m.size, height=m.size, steps=steps, guidance=m.guidance) for m, _ in columns]
    titles = [f"{m.title.removesuffix(f' {m.size}')}, {m.size}" for m, _ in columns]
    evaluation = [
        f"{macs(*given, settings, (), m.family) / steps / 1e12:.3f}"
        for (m, given), settings in zip(columns, asked, strict=True)
    ]
    rows = [["", *titles], ["---"] * (len(titles) + 1), ["one evaluation, 10¹²", *evaluation]]
    for name, parts in STACKS.items():
        cells = []
        for (model, given), settings in zip(columns, asked, strict=True):
            gate = TGATE.usual(model.family, steps)["gate_step"]
            built = parse_stack(parts.format(gate=gate, share=gate / steps))
            served = all(model.family in accelerator.families() for accelerator in built)
            cells.append(f"{ratio(*given, settings, built, model.family):.2f}×" if served else "–")
        rows.append([name, *cells])
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def multiply_accumulates() -> str:
    """Write the table of what the stacks save; it takes half a minute."""
    return mac_table()


def _has_section(kind: type[Accelerator]) -> bool:
    text = (ROOT / "docs" / "accelerators.md").read_text(encoding="utf-8")
    return f"<!-- {kind.__name__} -->" in text


def further_accelerators() -> str:
    """Write a section for every accelerator that has none written by hand."""
    kinds = [kind for kind in REGISTRY.values() if kind not in WRITTEN_BY_HAND]
    about = {kind: cleandoc(sys.modules[kind.__module__].__doc__ or "") for kind in kinds}
    return "\n\n".join(f"## {kind.title}\n\n{about[kind]}\n\n{parameters(kind)}" for kind in kinds)


def metrics() -> str:
    """Write the similarity metrics as a Markdown table."""
    rows = ["| number | what it is | range | better | needs |", "| --- | --- | --- | --- | --- |"]
    for metric in METRICS.values():
        low, high = (f"{end:g}".replace("-", "−") if end is not None else "" for end in (metric.low, metric.high))
        span = f"{low} to {high}" if high else f"{low}{metric.unit} and up"
        better = "higher" if metric.higher_is_closer else "lower"
        rows.append(f"| {metric.title} | {metric.about} | {span} | {better} | {metric.needs or '–'} |")
    return "\n".join(rows)


def scorers() -> str:
    """Write the scores that can decide as a Markdown table."""
    rows = [
        "| name | score | architecture and weights | measures | licence of the weights | prompt limit | download |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for each in SCORERS.values():
        name = f"`{each.name}`" + (" (default)" if each.name == DEFAULT else "")
        limit = "reads no prompt" if each.context is None else f"{each.context} tokens"
        about = f"{each.measures}; {each.direction}"
        size = f"{each.gigabytes:g} GB" if each.repository else "in the repository"
        model = f"{each.architecture}, {each.weights}" if each.weights else each.architecture
        rows.append(f"| {name} | {each.title} | {model} | {about} | {each.licence} | {limit} | {size} |")
    return "\n".join(rows)


def run_format() -> str:
    """Write every field of ``run.json`` as Markdown, from its JSON Schema."""
    schema = run_schema.schema()
    tables = [_fields("run.json", schema)]
    for name, each in schema["$defs"].items():
        if "oneOf" in each:  # docs/accelerators.md has their parameters
            listed = [
                "name",
                *dict.fromkeys(key for kind in each["oneOf"] for key in kind["properties"] if key != "name"),
            ]
            names = ", ".join(f"`{key}`" for key in listed)
            tables.append(f"### {name}\n\n{each['description']} Its fields, by its kind, are {names}.")
        else:
            tables.append(_fields(name, each))
    return "\n\n".join(tables)


def _fields(name: str, schema: dict) -> str:
    rows = ["| field | type | |", "| --- | --- | --- |"]
    for key, each in schema["properties"].items():
        optional = "" if key in schema.get("required", schema["properties"]) else "; may be missing"
        rows.append(f"| `{key}` | {_kind(each)}{optional} | {each.get('description', '')} |")
        inner = each.get("items") or each.get("additionalProperties") or each
        if isinstance(inner, dict):  # an object without a name of its own
            for sub, its in inner.get("properties", {}).items():
                rows.append(f"| `{key}` · `{sub}` | {_kind(its)} | {its.get('description', '')} |")
    return f"### {name}\n\n{schema['description']}\n\n" + "\n".join(rows)


def _kind(schema: Any) -> str:
    """Say a type in words: "list of numbers", "a call, or null"."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name})"
    if "anyOf" in schema:
        return ", or ".join(map(_kind, schema["anyOf"]))
    if "const" in schema or "enum" in schema and "type" not in schema:
        return "fixed value" if "const" in schema else "text"
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = {
        "string": "text",
        "integer": "whole number",
        "number": "number",
        "boolean": "true or false",
        "null": "null",
    }
    said = []
    for kind in kinds:
        if kind == "array":
            inner = "pair" if "prefixItems" in schema.get("items", {}) else _kind(schema["items"])
            said.append(f"list: {inner}")
        elif kind == "object":
            said.append(
                f"map: {_kind(more)}" if isinstance(more := schema.get("additionalProperties"), dict) else "object"
            )
        else:
            said.append(words[kind] + (_range(schema) if kind in ("integer", "number") else ""))
    return ", or ".join(said)


def _range(schema: dict) -> str:
    low, high, above = (schema.get(key) for key in ("minimum", "maximum", "exclusiveMinimum"))
    if above is not None:
        return f" above {above:g}"
    if low is None:
        return ""
    return f" from {low:g}" if high is None else f" {low:g} to {high:.10g}"


WRITTEN_BY_HAND = [kind for kind in REGISTRY.values() if _has_section(kind)]
PARTS: dict[str, Callable[[], str]] = {
    "options": options,
    "models": models,
    "matrix": lambda: f"```text\n{compatibility.text()}\n```",
    **{kind.__name__: partial(parameters, kind) for kind in WRITTEN_BY_HAND},
    "further-accelerators": further_accelerators,
    "metrics": metrics,
    "scorers": scorers,
    "run-format": run_format,
    "macs": multiply_accumulates,
}


def up_to_date(text: str, names: Iterable[str] = PARTS) -> str:
    """Return a document's text with today's parts, of those that it has."""
    for name in names:
        begin, end = f"<!-- {name} -->", f"<!-- /{name} -->"
        if begin in text:
            today = f"{begin}\n{PARTS[name]()}\n{end}"
            text = re.sub(f"{begin}.*?{end}", lambda _, today=today: today, text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    SCHEMA.write_text(json.dumps(run_schema.schema(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    for path in map(ROOT.joinpath, DOCUMENTS):
        path.write_text(up_to_date(path.read_text(encoding="utf-8")), encoding="utf-8")
