"""run.json: every field is in its schema and in docs/run-format.md, earlier runs open, later ones are refused."""

import json
import threading
from copy import deepcopy
from dataclasses import replace

import jsonschema
import pytest

from comparer.accelerators.registry import REGISTRY, to_json
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.errors import ComparerError
from comparer.metrics.registry import METRICS
from comparer.pipelines import loader
from comparer.request import build
from comparer.request.extend import extended
from comparer.results import run_json
from comparer.results.analysis import Analysis
from comparer.results.records import NotRun
from comparer.results.run_json import SCHEMA
from comparer.runs import store
from helpers.runs import PROMPT, ROOT, ask, finish

RULES = json.loads((ROOT / "comparer" / "results" / "run.schema.json").read_text(encoding="utf-8"))
EARLIER = sorted((ROOT / "tests" / "data" / "earlier_runs").glob("*.json"))


def faults(data):
    """Return what the schema says against a record."""
    found = jsonschema.Draft202012Validator(RULES).iter_errors(data)
    return [f"{'.'.join(map(str, fault.absolute_path))}: {fault.message[:200]}" for fault in found]


def saved(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    yield Config(runs=tmp_path_factory.mktemp("runs"))
    loader.free()


@pytest.fixture(scope="module")
def full(config):
    """Everything that can be measured of two arms at once, for stacks, with repeats."""
    also = ["noise-floor", "divergence"]
    stack = ["DeepCache(interval=2)+T-GATE(gate_step=1)"]
    request = build.build_request(
        config, PROMPT, accelerators=stack, seeds="1,2", steps=3, repeats=2, batch_size=2, also=also
    )
    return finish(request, config)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(RULES)
    assert RULES["properties"]["schema"]["const"] == SCHEMA


@pytest.mark.parametrize("kind", REGISTRY.values(), ids=lambda kind: kind.title)
def test_every_accelerator_is_in_it(kind):
    rules = RULES["$defs"]["accelerator"]
    assert jsonschema.Draft202012Validator(rules).is_valid(to_json(kind()))
    assert not jsonschema.Draft202012Validator(rules).is_valid(to_json(kind()) | {"surprise": 1})


def test_a_run_with_everything_keeps_to_it(full):
    data = saved(full.folder)
    assert data["divergence"] and data["seed_distance"] and data["shots"][0]["again"]
    assert faults(data) == []


@pytest.mark.parametrize("metric", METRICS)
def test_a_run_from_before_a_metric_was_added_keeps_to_it(full, metric):
    data = saved(full.folder)
    held = [shot["similarity"] for shot in data["shots"] if shot["similarity"]]
    assert held and all(metric in each for each in held)
    for each in held:
        del each[metric]
    assert faults(data) == []


@pytest.mark.full
def test_a_run_with_its_peak_memory_keeps_to_it(config):
    data = saved(finish(build.build_request(config, PROMPT, steps=2, also=["memory"]), config).folder)
    assert data["resident"] and faults(data) == []


def test_runs_of_other_kinds_keep_to_it(config):
    variant = finish(build.build_request(config, PROMPT, variants=["weights=raw"], steps=2, warmups=0), config)
    assert saved(variant.folder)["variants"] and faults(saved(variant.folder)) == []
    given = {"seeds": "1", "steps": 3, "warmups": 0, "also": ["equal-time"]}
    first = finish(build.build_request(config, PROMPT, accelerators=["DeepCache(interval=2)"], **given), config)
    assert saved(first.folder)["request"]["arms"][3]["steps"] and faults(saved(first.folder)) == []
    *_, last = compare(extended(first.comparison.request, 1), config, into=first.folder)
    assert saved(last.folder)["process"] == 1 and faults(saved(last.folder)) == []
    unscored = replace(last.comparison, scorer=replace(last.comparison.scorer, name="", why_not="none", about={}))
    unscored.not_run.append(NotRun(1, "out of memory"))
    unscored.state, unscored.message = "failed", "OSError: x"
    assert faults(json.loads(json.dumps(run_json.to_json(unscored)))) == []


def test_a_run_that_is_stopped_keeps_to_it_at_every_moment(config):
    stop, seen = threading.Event(), []
    for event in compare(ask("DeepCache(interval=2)", seeds=(1, 2, 3), steps=2), config, stop):
        if folder := getattr(event, "folder", None):
            seen.append(saved(folder))
            stop.set()
    assert {data["state"] for data in seen} >= {"running", "stopped"} and "verdicts" not in seen[0]
    assert [fault for data in seen for fault in faults(data)] == []


@pytest.mark.parametrize(
    "place",
    [(), ("request",), ("request", "settings"), ("request", "arms", 1), ("environment",), ("checkpoint",),
     ("request", "arms", 1, "accelerators", 0), ("checkpoint", "components", "unet", "health"), ("scorer",),
     ("calls", 0), ("calls", 0, "stages"), ("shots", 0), ("shots", 0, "again", 0), ("figures", 0),
     ("verdicts", "1", "quality", "tail"), ("conditions", "0"), ("divergence", "1", 0, "steps", 0)],
)  # fmt: skip
def test_a_field_that_is_not_documented_is_a_fault_everywhere(full, place):
    data = inside = saved(full.folder)
    for key in place:
        inside = inside[key]
    inside["surprise"] = 1
    assert faults(data)


def test_every_field_is_in_the_document():
    text = (ROOT / "docs" / "run-format.md").read_text(encoding="utf-8")
    assert (ROOT / "README.md").is_file()

    def names(schema):
        for key, each in schema.items():
            if key == "properties":
                yield from each
            if isinstance(each, dict):
                yield from names(each)
            elif isinstance(each, list):
                for one in each:
                    yield from names(one) if isinstance(one, dict) else ()

    found = set(names(RULES))
    assert len(found) > 150 and [name for name in sorted(found) if f"`{name}`" not in text] == []
    described = [name for part in RULES["$defs"].values() for name, each in part.get("properties", {}).items()
                 if "description" not in each and name not in ("low", "high", "seed", "interval")]  # fmt: skip
    assert described == []


@pytest.mark.parametrize("path", EARLIER, ids=lambda path: path.stem)
def test_an_earlier_run_opens_and_has_figures(path, tmp_path):
    (tmp_path / "run.json").write_bytes(path.read_bytes())
    data, one = json.loads(path.read_text(encoding="utf-8")), store.load(tmp_path)
    assert one.request.arms[1].accelerators and len(one.pairs(1)) == len(one.request.items()) == 2
    assert Analysis(one).arms[1].figures.speed_up == pytest.approx(data["figures"][1]["speed_up"])
    assert Analysis(one).arms[1].figures.clip_loss == pytest.approx(data["figures"][1]["clip_loss"])
    assert Analysis(one).arms[1].verdict.sentence
    assert run_json.from_json(json.loads(json.dumps(run_json.to_json(one)))) == one


def test_a_later_run_is_refused_by_both_numbers_and_more_fields_are_not(full, tmp_path):
    later = saved(full.folder) | {"schema": SCHEMA + 1}
    (tmp_path / "run.json").write_text(json.dumps(later), encoding="utf-8")
    with pytest.raises(
        ComparerError, match=f"has the format {SCHEMA + 1}, but this Comparer reads formats up to {SCHEMA}"
    ):
        store.load(tmp_path)
    more = deepcopy(saved(full.folder)) | {"votes": []}
    for inside in (more["calls"][0], more["shots"][0], more["shots"][1]["similarity"] or {}, more["scorer"]):
        inside["surprise"] = [1]
    assert run_json.from_json(more) == store.load(full.folder)
