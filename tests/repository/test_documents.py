"""What the documents repeat from the code is what the code has."""

import json
import re
import sys
from dataclasses import fields

import pytest
from generate_docs import DOCUMENTS as GENERATED
from generate_docs import PARTS, SCHEMA, WRITTEN_BY_HAND, up_to_date

from comparer.accelerators.registry import REGISTRY
from comparer.models.families.registry import FAMILIES
from comparer.request import compatibility
from comparer.results import run_schema
from helpers.runs import ROOT

DOCUMENTS = {name: (ROOT / name).read_text(encoding="utf-8") for name in GENERATED}
LINKING = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md"))]
QUICK = [name for name in PARTS if name != "macs"]  # counting all of the real architectures takes half a minute


@pytest.mark.parametrize("name", DOCUMENTS)
def test_they_are_up_to_date(name):
    assert up_to_date(DOCUMENTS[name], QUICK) == DOCUMENTS[name], "run: make docs"


def test_the_schema_is_that_of_the_types():
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == run_schema.schema(), "run: make docs"


def test_every_part_has_its_place_and_the_models_two():
    text = "".join(DOCUMENTS.values())
    assert {name: text.count(f"<!-- {name} -->") for name in PARTS} == dict.fromkeys(PARTS, 1) | {"models": 2}
    assert all(text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") for name in PARTS)
    assert all("<!-- models -->" in DOCUMENTS[name] for name in ("README.md", "docs/models.md"))
    assert compatibility.text() in DOCUMENTS["docs/accelerators.md"]


def test_the_readme_is_short():
    text = DOCUMENTS["README.md"]
    assert len(text.splitlines()) <= 150 and len(text.split()) <= 1300


@pytest.mark.parametrize("path", LINKING, ids=lambda path: path.name if path.parent == ROOT else f"docs/{path.name}")
def test_every_relative_link_leads_to_a_file(path):
    links = re.findall(r"\]\(([^)\s]+)\)", path.read_text(encoding="utf-8"))
    files = {link.partition("#")[0] for link in links if "://" not in link} - {""}
    assert [name for name in files if not (path.parent / name).is_file()] == []


def test_the_index_lists_every_document():
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    listed = re.findall(r"^- \[(\S+)\]\((\S+)\): \S", index, re.MULTILINE)
    there = {path.name for path in (ROOT / "docs").iterdir() if path.suffix in (".md", ".txt")} - {"README.md"}
    assert sorted(listed) == sorted((name, name) for name in there)


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.title)
def test_an_accelerators_section_names_its_paper_and_every_parameter(kind):
    section = DOCUMENTS["docs/accelerators.md"].split(f"\n## {kind.title}\n")[1].split("\n## ")[0]
    if kind in WRITTEN_BY_HAND:
        (paper,) = re.findall(r"arxiv.org/abs/(\S+?)\)", section)
        assert paper in sys.modules[kind.__module__].__doc__
    for item in fields(kind):
        default = {True: "yes", False: "no"}[item.default] if isinstance(item.default, bool) else item.default
        assert re.search(rf"^\| `{item.name}` \| {default}\b", section, re.MULTILINE)


def test_what_was_changed_by_hand_is_put_right():
    spoiled = re.sub(r"(<!-- DeepCache -->\n).*?(<!-- /DeepCache -->)", r"\1x\n\2", DOCUMENTS["docs/accelerators.md"],
                     flags=re.DOTALL)  # fmt: skip
    assert spoiled != DOCUMENTS["docs/accelerators.md"] == up_to_date(spoiled, QUICK)


@pytest.mark.parametrize(
    ("column", "families"),
    [
        pytest.param(1, ["sd1"], marks=pytest.mark.full),
        pytest.param(0, tuple(FAMILIES), marks=pytest.mark.full),
    ],
)
def test_the_multiply_accumulates_are_those_of_the_command(column, families):
    from generate_docs import mac_table

    def rows(text):
        return [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines()]

    written = rows(re.search(r"<!-- macs -->\n(.*?)\n<!--", DOCUMENTS["docs/accelerators.md"], re.DOTALL)[1])
    if column:
        written = [[row[0], row[column]] for row in written]
    assert rows(mac_table(families)) == written


def test_the_cutoff_is_most_of_t_gates_saving():
    """As docs/accelerators.md says: without reuse of self-attention, T-GATE saves little more than guidance."""
    from comparer.accelerators.registry import parse_stack
    from comparer.engine.macs import ratio
    from comparer.models.tiny import native_config
    from comparer.request.request import Settings

    settings, given = Settings(("x",), width=512, height=512, steps=25, guidance=7.5), native_config("sd-1.5")
    cut, gate = (
        1 - 1 / ratio(*given, settings, parse_stack(stack), "sd1")
        for stack in ("GuidanceCutoff(after=0.4)", "T-GATE(gate_step=10, sp_interval=1)")
    )
    assert 0.9 < cut / gate < 1
