"""A record may be anybody's: nothing in it becomes code of the script that is written from it. No model."""

import ast
import json

import pytest

from comparer.errors import ComparerError
from comparer.reporting.script.script import script
from comparer.results import run_json
from helpers.runs import ROOT

RECORD = ROOT / "tests" / "data" / "earlier_runs" / "likeness.json"
CODE = ['__import__("os").system("x")', 'x"""\n__import__("os").system("x")\n"""',
        "x\r__import__('os').system('x')\r#", "x\n    __import__('os').system('x')", "x\x0c__import__('os')",
        "x();__import__('os').system('x');x", "", "Å", 5, None, ["x"], {"x": 1}]  # fmt: skip
REFUSED = [
    ("environment", "versions", "torch"), ("environment", "versions", "diffusers"),
    ("environment", "versions", "DeepCache"), ("environment", "versions", "tgate"), ("environment", "vae"),
    ("environment", "offload"), ("environment", "dtype"), ("checkpoint", "dtype"),
    ("checkpoint", "components", "unet", "class_name"), ("checkpoint", "components", "text_encoder", "class_name"),
]  # fmt: skip
TEXTS = [
    ("checkpoint", "configs", "prediction_reason"), ("checkpoint", "configs", "prediction_type"),
    ("checkpoint", "revision"), ("environment", "device"), ("environment", "device_name"),
    ("environment", "processor"), ("environment", "threads"), ("environment", "tf32"),
    ("request", "settings", "checkpoint"), ("request", "settings", "negative_prompt"),
    ("request", "settings", "steps"), ("request", "settings", "width"), ("request", "settings", "guidance"),
    ("request", "settings", "sampler"), ("request", "arms", 1, "name"), ("request", "warmups"), ("request", "noise"),
    ("request", "arms", 1, "accelerators", 0, "interval"), ("checkpoint", "variant"), ("shots", 0, "file"),
    ("shots", 0, "pixels"),
]  # fmt: skip


def record():
    """Read a run of an earlier version, and give it weights in the original layout, whose reason is a comment."""
    data = json.loads(RECORD.read_text(encoding="utf-8"))
    kinds = {"unet": "UNet2DConditionModel", "vae": "AutoencoderKL", "text_encoder": "CLIPTextModel"}
    part = {"missing": [], "misshaped": [], "instead_of": "demo", "stripped": "", "source": "m.safetensors",
            "files": ["m.safetensors"], "of": "m.safetensors", "half": "ema", "present": ["ema"]}  # fmt: skip
    data["checkpoint"] |= {
        "components": {name: part | {"class_name": kind} for name, kind in kinds.items()},
        "configs": {"prediction_type": "epsilon", "prediction_reason": "as its file says"},
        "extra": {},
    }
    return data


def put(data, place, value):
    *way, last = place
    for key in way:
        data = data[key]
    data[last] = value


def written(data, tmp_path, arm=1):
    return script(run_json.from_json(data), tmp_path, arm, 0, 1)


def calls(text):
    """Return what a script calls, imports and does besides, without its texts."""
    return [
        ast.dump(node)
        for node in ast.walk(ast.parse(text))
        if (isinstance(node, ast.Name | ast.Attribute) and "__import__" in ast.dump(node))
        or (isinstance(node, ast.Attribute) and node.attr == "system")
        or (isinstance(node, ast.Import | ast.ImportFrom) and "os" in {name.name for name in node.names})
    ]


def test_the_record_itself_is_written_and_the_search_finds_code(tmp_path):
    text = written(record(), tmp_path)
    assert "# as its file says" in text and "pip install torch==2.13.0 diffusers==0.42.1" in text
    assert calls(text) == [] and calls(text + "\n__import__('os').system('x')\n")
    own = record()
    own["environment"] |= {"vae": "tiling", "offload": "none", "dtype": "bfloat16"}
    assert "pipe.vae.enable_tiling()" in written(own, tmp_path)


@pytest.mark.parametrize("place", REFUSED, ids=".".join)
def test_what_would_stand_bare_in_the_script_is_refused(place, tmp_path):
    for value in CODE:
        data = record()
        put(data, place, value)
        if place == ("checkpoint", "dtype") and not value:
            continue  # then it is the installation's
        with pytest.raises(ComparerError, match=r"The script cannot be written: its record has .* as ") as refused:
            written(data, tmp_path, arm=0 if place[-1] == "offload" else 1)  # DeepCache takes no offloading at all
        assert "\n" not in str(refused.value)


def test_a_component_with_code_for_a_name_is_refused(tmp_path):
    for value in filter(lambda value: isinstance(value, str), CODE):
        data = record()
        data["checkpoint"]["components"][value] = data["checkpoint"]["components"]["vae"]
        if value.isidentifier() and value.isascii():
            continue
        with pytest.raises(ComparerError, match="as a component's name"):
            written(data, tmp_path)


@pytest.mark.parametrize("place", TEXTS, ids=lambda place: ".".join(map(str, place)))
def test_every_other_text_is_refused_or_stays_text(place, tmp_path):
    for value in CODE[:6]:
        data = record()
        put(data, place, value)
        try:
            text = written(data, tmp_path)
        except (ComparerError, ValueError, KeyError, TypeError):
            continue
        assert calls(text) == []
