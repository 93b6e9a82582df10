"""What the documents repeat from the code is what the code has."""

import re
import sys
from dataclasses import fields

import pytest
from generate_docs import PARTS, up_to_date

from comparer.accelerators.registry import REGISTRY
from comparer.request import compatibility
from helpers.runs import ROOT

DOCUMENTS = {
    name: (ROOT / name).read_text(encoding="utf-8")
    for name in ("README.md", "docs/accelerators.md", "docs/run-format.md")
}
QUICK = [name for name in PARTS if name != "macs"]  # counting all of the real architectures takes half a minute


@pytest.mark.parametrize("name", DOCUMENTS)
def test_they_are_up_to_date(name):
    assert up_to_date(DOCUMENTS[name], QUICK) == DOCUMENTS[name], "run: make docs"


def test_every_part_has_its_place_and_the_matrix_two():
    text = "".join(DOCUMENTS.values())
    assert {name: text.count(f"<!-- {name} -->") for name in PARTS} == dict.fromkeys(PARTS, 1) | {"matrix": 2}
    assert all(text.count(f"<!-- {name} -->") == text.count(f"<!-- /{name} -->") for name in PARTS)
    assert all(compatibility.text() in DOCUMENTS[name] for name in ("README.md", "docs/accelerators.md"))


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.title)
def test_an_accelerators_section_names_its_paper_and_every_parameter(kind):
    section = DOCUMENTS["docs/accelerators.md"].split(f"\n## {kind.title}\n")[1].split("\n## ")[0]
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
    [pytest.param(1, ["sd1"]), pytest.param(0, tuple(compatibility.MODELS), marks=pytest.mark.full)],
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
