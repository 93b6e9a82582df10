"""Pairs as stand-alone scripts: run by Python without Comparer, on the demo checkpoint, against the recorded pixels."""

import ast
import inspect
import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from comparer.accelerators.recipe import RecipeContext
from comparer.accelerators.registry import REGISTRY, parse_stack
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from comparer.models.families.registry import FAMILIES
from comparer.models.samplers import SAMPLERS
from comparer.pipelines import loader
from comparer.reporting.script.accelerators import recipe_of
from comparer.reporting.script.script import CLIPPING, KARRAS, LEAST_PSNR, save_script, script
from comparer.request import build
from comparer.request.request import Arm, Settings
from comparer.results.analysis import Analysis
from helpers.runs import PROMPT, THREADS, ask, finish

HOSTILE = 'a \'blue\' """ring""" \\ {} {0} %s @load@ \U0001f600 \u202e\n"""\nimport os; os._exit(7)  # \\N{DASH}\r\\'
ARMS = ("DeepCache(interval=2)", "T-GATE(gate_step=2)")
STACKS = ("ToMe+DeepCache(interval=2)+T-GATE(gate_step=1)", "DeepCache(interval=3)+GuidanceCutoff")
RUNNER = """
import contextlib, io, json, runpy, sys, traceback
class Nothing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("comparer", "gradio", "open_clip"):
            raise ImportError(name)
sys.meta_path.insert(0, Nothing())
found = []
for sys.argv in json.loads(sys.argv[1]):
    said, code = io.StringIO(), 0
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(io.StringIO() if len(sys.argv) == 1 else said):
        try:
            runpy.run_path(sys.argv[0], run_name="__main__")
        except SystemExit as end:
            code = end.code
        except Exception:
            traceback.print_exc(file=said)
            code = 70
    found.append((code, said.getvalue()))
print(json.dumps(found))
"""


def scripts(folder, *commands):
    """Run commands (script, arguments) in one Python, elsewhere, where Comparer cannot be imported."""
    told = json.dumps([[str(word) for word in command] for command in commands])
    process = subprocess.run(
        [sys.executable, "-I", "-c", RUNNER, told], cwd=folder, capture_output=True, text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(THREADS)},
    )  # fmt: skip
    assert process.returncode == 0, process.stderr[-2000:]
    return [(code, said) for code, said in json.loads(process.stdout.splitlines()[-1])]


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    """Two prompts in a batch, every accelerator of the demo, alone or in one of two stacks, and fewer steps."""
    request = ask(*ARMS, prompts=(PROMPT, HOSTILE), batch_size=2, seeds=(3,), steps=3, warmups=1, negative_prompt="'",
                  width=64, height=64)  # fmt: skip
    stacks = tuple(Arm(text, parse_stack(text)) for text in STACKS)
    fewer = Arm('Fewer """ \x1b[31m\n', steps=2, matches_time_of=1)
    return finish(replace(request, arms=(*request.arms, *stacks, fewer)), Config(runs=tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Make checkpoints in the ways of training: a step over a base, an EMA that diffusers does not read."""
    import torch
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("w") / "m"
    (folder / "step").mkdir(parents=True)
    raw = {n: (v * 1.02) for n, v in load_file(DEMO / "unet" / "diffusion_pytorch_model.safetensors").items()}
    save_file(raw, folder / "step" / "model.safetensors")
    torch.save({"ema": {name: value * 0.99 for name, value in raw.items()}}, folder / "step" / "ema.pt")
    shutil.copytree(DEMO / "vae", folder / "vae")
    shutil.copy(DEMO / "unet" / "diffusion_pytorch_model.non_ema.safetensors", folder / "raw.safetensors")
    yield Config(runs=folder.parent / "runs", checkpoints=(folder,))
    loader.free()


def compared(config, variant, *accelerators, steps=2):
    """Compare the demo with other weights."""
    asked = {"variants": [variant], "accelerators": accelerators, "steps": steps, "warmups": 0, "size": 64}
    return finish(build.build_request(config, PROMPT, **asked), config)


@pytest.fixture(scope="module")
def others(weights):
    """Return runs of other weights that diffusers loads."""
    both = compared(weights, "weights=raw; dtype=bfloat16", "DeepCache(interval=2)")
    return both, compared(weights, "m/step; base=demo; weights=raw")


@pytest.fixture(scope="module")
def unlike(tmp_path_factory):
    """DeepCache's package on PNDM visits the second time step twice."""
    return finish(ask("DeepCache(interval=2)", sampler="PNDM", steps=20), Config(runs=tmp_path_factory.mktemp("runs")))


def written(file, text):
    file.parent.mkdir(exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def ran(done, others, weights, tmp_path_factory):
    """Run all scripts in one process; return each one's file, exit code and what it said, by what it shows."""
    folder, demo = tmp_path_factory.mktemp("ran"), ("--model", DEMO)
    (folder / "assets").symlink_to(DEMO.parent)
    (folder / "m").symlink_to(weights.checkpoints[0])
    made = done.comparison
    files = [save_script(made, done.folder, arm, 1, 3) for arm in range(len(made.request.arms))]
    tampered = files[1].read_text(encoding="utf-8").replace(made.shot(1, 1, 3).pixels, "0" * 32)
    other = replace(made, environment=made.environment | {"processor": "another"}, shots=list(made.shots))
    other.shots[0] = replace(other.shots[0], pixels="0" * 32)
    assert (other.shots[0].arm, other.shots[0].prompt, other.shots[0].seed) == (0, 0, 3)
    commands = {
        **{f"arm {number}": (file, *demo) for number, file in enumerate(files)},
        "arm 0": (files[0], *demo, "--save", folder / "kept"),
        "tampered": (written(done.folder / "tampered.py", tampered), *demo),
        "alone": (written(folder / "elsewhere" / "tampered.py", tampered), *demo),
        "lost": (files[0], "--model", "nowhere"),
        "half": (save_script(others[0].comparison, others[0].folder, 1, 0, 0),),  # at the recorded places
        "step": (save_script(others[1].comparison, others[1].folder, 1, 0, 0),),
        "elsewhere": (written(done.folder / "elsewhere.py", script(other, done.folder, 0, 0, 3)), *demo),
    }
    found = scripts(folder, *commands.values())
    told = {name: (command[0], *told) for (name, command), told in zip(commands.items(), found, strict=True)}
    return told | {"kept": folder / "kept"}


def test_every_arm_is_made_again_bit_for_bit(done, ran):
    made = done.comparison
    served = {name for name, kind in REGISTRY.items() if "sd1" in kind.families()}
    assert served == {a.title for arm in made.request.arms for a in arm.accelerators}, "an accelerator without a test"
    found = [ran[f"arm {number}"] for number in range(len(made.request.arms))]
    for number, (file, code, said) in enumerate(found):
        assert code == 0 and said.endswith("It reproduces.\n"), f"{file.name}: {said}"
        assert said.count("the recorded pixels, bit for bit") == (2 if number else 1)
    assert "Speed-up" in found[1][2] and f"recorded {Analysis(made).arms[1].figures.speed_up:.2f}x" not in found[0][2]
    assert f"{Analysis(made).arms[1].figures.speed_up:.2f}x of all calls" in found[1][2]
    kept = next(file for file in made.shots if (file.arm, file.prompt) == (0, 1)).file
    assert np.array_equal(*(Image.open(home / kept).convert("RGB") for home in (done.folder, ran["kept"])))


def test_what_does_not_reproduce_is_told(ran):
    _, code, said = ran["tampered"]
    assert code == 1 and "Nothing that is known explains" in said and "PSNR inf" in said
    _, code, said = ran["alone"]
    assert code == 1 and "is not beside this script" in said
    _, code, said = ran["lost"]
    assert code == 2 and "say where it is by --model PATH" in said


def test_texts_of_others_are_text_and_nothing_else(done):
    text = script(done.comparison, done.folder, 5, 1, 3)
    tree = ast.parse(text)
    constants = {node.targets[0].id: node.value for node in tree.body
                 if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}  # fmt: skip
    assert ast.literal_eval(constants["PROMPTS"]) == [PROMPT, HOSTILE]
    assert ast.literal_eval(constants["ARMS"])[1]["name"] == 'Fewer """ ?[31m '
    assert "\x1b" not in text and "\u202e" not in text and "\r" not in text
    assert [word for word in ("import os;", "_exit(7)") if any(word in line for line in _code(text))] == []
    imported = {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    imported |= {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.partition(".")[0] for name in imported} - set(sys.stdlib_module_names) == {
        "numpy", "torch", "torchvision", "PIL", "diffusers",
    }  # fmt: skip


def _code(text):
    """Return the lines that are no constants."""
    strings = {line for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Constant)
               for line in range(node.lineno, node.end_lineno + 1)}  # fmt: skip
    return [line for number, line in enumerate(text.splitlines(), 1) if number not in strings]


@pytest.mark.full
def test_a_script_runs_by_itself(done, tmp_path):
    file = shutil.copy(save_script(done.comparison, done.folder, 0, 0, 3), tmp_path)
    command = [sys.executable, "-I", file, "--model", str(DEMO), "--save", "kept"]
    process = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert process.returncode == 0 and "It reproduces." in process.stdout, process.stderr[-2000:]
    name = done.comparison.shot(0, 0, 3).file
    assert np.array_equal(*(Image.open(home / name).convert("RGB") for home in (tmp_path / "kept", done.folder)))


def test_other_weights_as_diffusers_loads_them(ran):
    for name, loading in (("half", "variant='non_ema'"), ("step", "from_single_file(")):
        file, code, said = ran[name]
        assert code == 0 and said.count("bit for bit") == 2, said
        assert loading in file.read_text(encoding="utf-8")


def test_elsewhere_other_bits_are_told_and_pictures_compared(ran):
    _, code, said = ran["elsewhere"]
    assert code == 0 and "and was another" in said and "PSNR inf" in said


def test_where_bits_cannot_be_expected_the_script_says_so(tmp_path):
    one = finish(ask("DeepCache(interval=2)", sampler="PNDM", steps=3), Config(runs=tmp_path))
    text = save_script(one.comparison, one.folder, 1, 0, 0).read_text(encoding="utf-8")
    assert "looks an evaluation up by its time step" in text and f"LEAST_PSNR = {LEAST_PSNR}" in text


@pytest.mark.full
def test_where_bits_cannot_be_expected_it_compares(unlike, tmp_path):
    one = unlike.comparison
    near = save_script(one, unlike.folder, 1, 0, 0)
    far = near.read_text(encoding="utf-8").replace(one.shots[1].file, one.shots[0].file)
    far = written(unlike.folder / "far.py", far.replace(f"LEAST_PSNR = {LEAST_PSNR}", "LEAST_PSNR = 60"))
    told = scripts(tmp_path, (near, "--model", DEMO), (far, "--model", DEMO))
    assert told[0][0] == 0 and "cannot be expected: DeepCache's package" in told[0][1], told[0][1]
    assert told[1][0] == 1 and "not alike" in told[1][1]


def test_what_has_no_documented_way_is_refused(weights, done):
    ema = compared(weights, "m/step; base=demo")
    with pytest.raises(ComparerError, match=r"the unet was read from 'ema.pt: ema', which diffusers has no documented"):
        script(ema.comparison, ema.folder, 1, 0, 0)
    with pytest.raises(ComparerError, match="There is no picture of Baseline for prompt 1 and seed 99"):
        script(done.comparison, done.folder, 0, 0, 99)
    one = replace(done.comparison, checkpoint=done.comparison.checkpoint | {"adapted": ["style.safetensors"]})
    with pytest.raises(ComparerError, match="would load style.safetensors with other names or other scales"):
        script(one, done.folder, 1, 0, 3)
    settings = Settings(("x",), sampler="DPM++ 2M")
    with pytest.raises(ComparerError, match="PixArt-Σ's pipeline has no callback"):
        recipe_of(parse_stack("GuidanceCutoff"), RecipeContext(settings, FAMILIES["pixart-sigma"]))
    with pytest.raises(ComparerError, match="does not work with an offloaded model"):
        recipe_of(parse_stack("DeepCache"), RecipeContext(settings, FAMILIES["sdxl"], offload="model"))
    with pytest.raises(ComparerError, match="no loader for PixArt-Σ beside DeepCache"):
        recipe_of(parse_stack("DeepCache+T-GATE"), RecipeContext(settings, FAMILIES["pixart-sigma"]))


def test_a_model_of_the_hub_is_taken_at_its_recorded_revision(done):
    one = done.comparison
    card = one.checkpoint | {"name": "sd-1.5", "revision": "abc123"}
    settings = replace(one.request.settings, checkpoint="sd-1.5")
    text = script(replace(one, request=replace(one.request, settings=settings), checkpoint=card), done.folder, 1, 0, 3)
    assert "'model': 'stable-diffusion-v1-5/stable-diffusion-v1-5'" in text and "ON_THE_HUB = ['model']" in text
    assert "options.model,\n        revision='abc123',\n" in text
    compile(text, "script", "exec")


def test_the_samplers_arguments_are_diffusers_own():
    import diffusers

    for name in {sampler.class_name for sampler in SAMPLERS.values()}:
        known = inspect.signature(getattr(diffusers, name).__init__).parameters
        assert (name in KARRAS) == ("use_karras_sigmas" in known), name
        assert (name in CLIPPING) == ("clip_sample" in known), name
