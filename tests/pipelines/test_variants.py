"""Arms of other weights: EMA beside raw, checkpoint beside checkpoint; what is shared, what is equal, what fits."""

import json
from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest

from comparer.checkpoints.spec import Weights, parse
from comparer.cli.main import main
from comparer.config import UNLIMITED
from comparer.engine.compare import compare
from comparer.errors import ComparerError
from comparer.evaluation.sweep import read_file
from comparer.pipelines import loader, memory
from comparer.request.build import build_request
from comparer.request.extend import extended
from comparer.request.request import Arm, Request
from comparer.results.analysis import Analysis
from comparer.runs import store
from helpers import small
from helpers.runs import PROMPT, finish, pixels
from helpers.small import NAME, SIZE

QUICK = {"checkpoint": NAME, "size": SIZE, "steps": 2, "warmups": 0}


@pytest.fixture
def config(checkpoints, tmp_path):
    copytree(checkpoints / "small", tmp_path / NAME)
    yield small.installed(tmp_path / "m", tmp_path / "runs")
    loader.free()


def copied(config, name):
    """Copy the checkpoint under another name."""
    return copytree(config.checkpoints[0] / "small", config.checkpoints[0] / name)


def weigh(folder, by, variant=""):
    """Multiply a folder's U-Net."""
    from safetensors.torch import load_file, save_file

    path = folder / "unet" / f"diffusion_pytorch_model{variant}.safetensors"
    save_file({name: (value.float() * by).half() for name, value in load_file(path).items()}, path, {"format": "pt"})


def test_ema_beside_raw_from_the_same_noise(config):
    request = build_request(config, PROMPT, variants=["weights=raw"], seeds="1,2", **QUICK)
    assert [arm.name for arm in request.arms] == ["small", "small, raw"]
    done = finish(request, config)
    assert done.comparison.state == "finished" and done.comparison.blocks == []
    ema, raw = done.comparison.checkpoint["components"], done.comparison.variants[1]["components"]
    assert (ema["unet"]["half"], raw["unet"]["half"]) == ("ema", "raw")
    assert (ema["text_encoder"]["half"], raw["text_encoder"]["half"]) == ("ema", "raw")
    assert ema["unet"]["fingerprint"] != raw["unet"]["fingerprint"]
    assert ema["vae"]["fingerprint"] == raw["vae"]["fingerprint"]
    made = pixels(done)
    assert not np.array_equal(made[0, 0, 1], made[1, 0, 1])
    # Each arm alone makes the same picture.
    alone = finish(
        build_request(config, PROMPT, accelerators=[], seeds="1", **QUICK | {"checkpoint": f"{NAME}; weights=raw"}),
        config,
    )
    assert np.array_equal(pixels(alone)[0, 0, 1], made[1, 0, 1])
    assert store.load(done.folder) == done.comparison
    assert Request.from_json(json.loads(json.dumps(request.to_json()))) == replace(request, limits=UNLIMITED)


def test_equal_components_are_in_memory_once(config):
    weigh(copied(config, "late"), 1.01)
    request = build_request(config, PROMPT, variants=["m/late", "weights=raw"], **QUICK)
    finish(request, replace(config, cached_pipelines=3))
    first, late, raw = (next(p for p in loader._kept if p.checkpoint.weights.text() == text)
                        for text in (NAME, "m/late", f"{NAME}; weights=raw"))  # fmt: skip
    assert first.pipe.vae is late.pipe.vae is raw.pipe.vae  # of other files, with equal tensors
    assert first.pipe.text_encoder is late.pipe.text_encoder is not raw.pipe.text_encoder
    assert len({id(each.pipe.unet) for each in (first, late, raw)}) == 3
    finish(request, config)  # which keeps one
    assert loader._kept == [first]


def test_two_arms_that_hold_the_same_are_refused_before_anything_runs(config, tmp_path):
    from safetensors.torch import load_file, save_file

    folder = copied(config, "renamed")
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    values = {name: value.float() for name, value in load_file(path).items()}
    save_file(values, path, {"format": "pt"})  # twice as large, and the same
    request = build_request(config, PROMPT, variants=["m/renamed"], **QUICK)
    with pytest.raises(ComparerError, match="small and renamed have the same weights: .* unet, vae, text_encoder"):
        list(compare(request, config))
    assert not list(config.runs.glob("*/run.json"))


def test_the_same_weights_under_another_schedule_are_another_arm(config):
    path = copied(config, "epsilon") / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"prediction_type": "epsilon"}))
    done = finish(build_request(config, PROMPT, variants=["m/epsilon"], **QUICK), config)
    assert done.comparison.variants[1]["configs"]["prediction_type"] == "epsilon"
    assert not done.comparison.not_run and len(done.comparison.shots) == 2


def test_arms_that_do_not_fit_run_in_blocks_and_the_result_says_so(config, monkeypatch):
    weigh(copied(config, "late"), 1.01)
    monkeypatch.setattr(memory, "free", lambda device: 1000)
    request = build_request(config, PROMPT, variants=["m/late", "weights=raw", "dtype=bfloat16"], seeds="1,2", **QUICK)
    done = finish(request, config)
    seen = done.comparison
    assert seen.blocks == [[0], [1], [2], [3]] and seen.state == "finished"
    assert [call.arm for call in seen.calls] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert set(seen.variants) == {1, 2, 3} and store.load(done.folder).blocks == seen.blocks
    assert seen.variants[3]["dtype"] == "bfloat16"
    monkeypatch.undo()
    together = finish(request, config)
    assert together.comparison.blocks == []
    assert [call.arm for call in together.comparison.calls] == [0, 1, 2, 3, 3, 2, 1, 0]
    made, other = pixels(done), pixels(together)
    assert all(np.array_equal(made[key], other[key]) for key in made)


def test_each_block_is_gone_before_the_next_is_read(config, monkeypatch):
    import gc
    import weakref

    read, pipes, alive = loader._from_files, [], []

    def watched(*arguments):
        gc.collect()
        alive.append(sum(pipe() is not None for pipe in pipes))
        built = read(*arguments)
        pipes.append(weakref.ref(built.pipe))
        return built

    loader.free()
    monkeypatch.setattr(loader, "_from_files", watched)
    monkeypatch.setattr(memory, "free", lambda device: 1000)
    finish(
        build_request(config, PROMPT, variants=["weights=raw", "dtype=bfloat16"], also=["divergence"], **QUICK), config
    )
    assert alive == [0, 0, 0]


@pytest.mark.parametrize("room", [1000, 10**12])
def test_latents_of_checkpoints_are_laid_beside_the_baselines(room, config, monkeypatch):
    monkeypatch.setattr(memory, "free", lambda device: room)
    request = build_request(config, PROMPT, variants=["weights=raw", "dtype=bfloat16"], also=["divergence"], **QUICK)
    seen = finish(request, config).comparison
    assert set(seen.divergence) == {1, 2} and all(found[0].steps[-1].distance > 0 for found in seen.divergence.values())
    with pytest.raises(ComparerError, match="for accelerated arms, not for checkpoints"):
        build_request(config, PROMPT, variants=["weights=raw"], also=["equal-time"])


def test_an_arm_of_a_later_block_that_holds_the_same_is_not_run(config, monkeypatch):
    copied(config, "copy")
    monkeypatch.setattr(memory, "free", lambda device: 1000)
    seen = finish(build_request(config, PROMPT, variants=["m/copy", "weights=raw"], **QUICK), config).comparison
    (failure,) = seen.not_run
    assert failure.arm == 1 and "have the same weights" in failure.reason
    assert {shot.arm for shot in seen.shots} == {0, 2}


def test_an_accelerator_on_all_arms(config):
    request = build_request(
        config, PROMPT, accelerators=["DeepCache(interval=2)"], variants=["weights=raw"], **QUICK | {"steps": 4}
    )
    assert all(len(arm.accelerators) == 1 for arm in request.arms) and request.accelerated() == []
    seen = finish(request, config).comparison
    assert [Analysis(seen).arms[arm].work for arm in (0, 1)] == ["DeepCache: 2 full, 2 shallow"] * 2


def test_a_run_goes_on_with_its_own_weights_only(config):
    folder = copied(config, "growing")
    weigh(folder, 1.01)
    request = build_request(config, PROMPT, variants=["m/growing"], seeds="1", **QUICK)
    done = finish(request, config)
    (*_, more) = compare(extended(request, 1), config, into=done.folder)
    assert len(more.comparison.shots) == 4
    began = more.comparison.variants[1]["components"]["unet"]["named"]
    weigh(folder, 1.01)  # it is trained on
    with pytest.raises(ComparerError, match=f"the weights of growing's unet were {began} and are now [0-9a-f]{{16}}"):
        list(compare(extended(request, 2), config, into=done.folder))
    assert len(store.load(done.folder).shots) == 4


REFUSED = {
    ("weights=half",): "no 'half' weights: choose ema or raw",
    ("weights=raw", "weights=raw"): "given twice",
    ("demo",): "'demo' is given twice",
    ("colour=red",): "There is no checkpoint 'colour=red'",
    ("demo; colour=red",): "'colour=red' is not known",
    ("dtype=int8",): "'int8' is not a dtype",
    ("lora=x.safetensors:99",): "out of range: -10 to 10",
    ("weights=",): "'weights=' has no value",
    ("demo; weights=raw; weights=ema",): "'weights' is given twice",
    ("incomplete=perhaps",): "write incomplete=yes or incomplete=no",
    tuple(f"lora=x.safetensors:{n}" for n in range(500)): "500 arms were requested",
}


@pytest.mark.parametrize("variants", REFUSED, ids=str)
def test_refusals_at_the_door(variants, config):
    with pytest.raises(ComparerError) as refused:
        build_request(config, PROMPT, variants=list(variants))
    told = str(refused.value)
    assert REFUSED[variants] in told and "\n" not in told


def test_two_stacks_beside_variants_and_a_changed_baseline_are_refused(config):
    with pytest.raises(ComparerError, match="one accelerator or stack on all arms"):
        build_request(config, PROMPT, accelerators=["DeepCache", "ToMe"], variants=["weights=raw"])
    request = build_request(config, PROMPT, variants=["weights=raw"], **QUICK)
    with pytest.raises(ComparerError, match="changes nothing in the settings"):
        replace(request, arms=(Arm("a", weights=Weights()), request.arms[1]))


@pytest.mark.parametrize("text", ["demo", "a/b c; weights=raw; base=demo; lora=x.pt:0.5; vae=v; dtype=float16",
                                  "x; incomplete=yes"])  # fmt: skip
def test_a_line_is_read_as_it_is_written(text):
    assert parse(text).text() == text
    assert Weights.from_json(json.loads(json.dumps(parse(text).to_json()))) == parse(text)


@pytest.mark.parametrize("accelerators", [None, ["DeepCache(interval=3)"]])
def test_a_request_file_asks_for_the_same_variants(accelerators, config, tmp_path):
    request = build_request(
        config, PROMPT, "demo; dtype=float32", accelerators, variants=["weights=raw", "demo; weights=ema"]
    )
    path = tmp_path / "request.json"
    path.write_text(json.dumps({"request": request.to_json()}))
    assert build_request(config, **read_file(path)) == request


def test_a_picture_carries_the_weights_it_was_made_with(config):
    from PIL import Image

    done = finish(build_request(config, PROMPT, variants=["weights=raw"], **QUICK), config)
    shots = {shot.arm: Image.open(done.folder / shot.file).text["parameters"] for shot in done.comparison.shots}
    files = done.comparison.variants[1]["files"]
    digest = files["unet/diffusion_pytorch_model.non_ema.safetensors"]["sha256"]
    assert f"Model hash: {digest[:10]}" in shots[1] and f"Weights: {NAME}; weights=raw" in shots[1]
    assert digest[:10] not in shots[0] and "Weights:" not in shots[0]


def test_the_command_line_puts_ema_beside_raw(config, capsys):
    arguments = ["compare", PROMPT, "--variant", "weights=raw", "--steps", "2", "--warmups", "0", "--quiet"]
    assert main([*arguments, "--out", str(config.runs)]) == 0
    out = capsys.readouterr().out
    assert "demo, raw" in out
    assert main([*arguments, "--variant", "m/nothing", "--out", str(config.runs)]) == 2
    assert "no checkpoint 'm/nothing'" in capsys.readouterr().err


def test_equal_tensors_that_are_configured_in_another_way_are_not_the_same(config):
    copied(config, "one")
    file = copied(config, "other") / "vae" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"scaling_factor": 0.5}))
    done = finish(
        build_request(config, PROMPT, variants=["m/other"], seeds="1", **QUICK | {"checkpoint": "m/one"}), config
    )
    made = pixels(done)
    assert done.comparison.state == "finished" and not np.array_equal(made[0, 0, 1], made[1, 0, 1])
