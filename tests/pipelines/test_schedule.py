"""The schedule: what a file says of its prediction type wins over a base's, and foreign schedules are refused."""

import json
from shutil import copytree

import pytest
import torch
from safetensors.torch import save_file

from comparer.checkpoints.find import resolve
from comparer.checkpoints.spec import Weights, parse
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from helpers import original_layout as original
from helpers.tiny_pipelines import pipeline
from helpers.tiny_weights import load, save, unet

MARK = torch.tensor([])


def scheduler(folder, **changes):
    path = folder / "scheduler" / "scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"_class_name": "EDMEulerScheduler"}, "EDM's noise levels .*EDMEulerScheduler"),
        ({"_class_name": "FlowMatchHeunDiscreteScheduler"}, "flow matching .*FlowMatchHeunDiscreteScheduler"),
        ({"_class_name": "CMStochasticIterativeScheduler"}, "unknown schedule .its scheduler is CMStochasticIterative"),
        ({"use_flow_sigmas": True}, "flow matching .*use_flow_sigmas"),
        ({"timestep_type": "continuous", "prediction_type": "v_prediction"}, "EDM's noise levels"),
    ],
)
def test_schedules_that_no_sampler_follows_are_refused(change, said, home, config, tmp_path):
    folder = copytree(home / "other", home / tmp_path.name)
    scheduler(folder, **change)
    for line in (f"m/{folder.name}", f"m/other; base=m/{folder.name}"):
        with pytest.raises(ComparerError, match=said):
            resolve(parse(line), config)


def test_betas_that_not_every_sampler_has_are_refused(home, config, tmp_path):
    folder = copytree(home / "other", home / tmp_path.name)
    scheduler(folder, _class_name="DDPMScheduler", beta_schedule="sigmoid")
    with pytest.raises(ComparerError, match="its beta_schedule sigmoid is not one of linear, scaled_linear"):
        resolve(parse(f"m/{folder.name}"), config)


def test_the_class_of_the_index_counts_as_well(home, config):
    folder = copytree(home / "other", home / "indexed")
    index = json.loads((folder / "model_index.json").read_text())
    index["scheduler"] = ["diffusers", "EDMDPMSolverMultistepScheduler"]
    (folder / "model_index.json").write_text(json.dumps(index))
    with pytest.raises(ComparerError, match="EDM's noise levels"):
        resolve(parse("m/indexed"), config)


@pytest.mark.parametrize(
    ("metadata", "marks", "zero"),
    [
        ({}, ["v_pred"], False),
        ({}, ["v_pred", "ztsnr"], True),
        ({"modelspec.prediction_type": "v"}, [], False),
        ({"modelspec.predict_key": "v"}, ["ztsnr"], True),
        ({"ss_v_parameterization": "True", "ss_zero_terminal_snr": "True"}, [], True),
    ],
)
def test_what_a_file_says_wins_over_its_base_and_a_note_says_so(metadata, marks, zero, home, config):
    weights = unet(home) | dict.fromkeys(marks, MARK)
    save_file(weights, home / "said.safetensors", metadata)
    loaded = load("m/said.safetensors; base=m/base", config)
    assert loaded.scheduler_config["prediction_type"] == "v_prediction"
    assert bool(loaded.scheduler_config.get("rescale_betas_zero_snr")) == zero
    assert any("was sampled as v_prediction" in note and "says epsilon" in note for note in loaded.built.notes)
    assert not loaded.components["unet"].filled.unexpected
    asked = load("m/said.safetensors; base=m/base; prediction=epsilon", config)
    assert asked.scheduler_config["prediction_type"] == "epsilon"
    assert not asked.scheduler_config.get("rescale_betas_zero_snr")
    assert any("prediction=epsilon was requested, although" in note for note in asked.built.notes)


def test_a_file_that_contradicts_itself_is_refused_until_it_is_settled(home, config):
    save_file(unet(home) | {"v_pred": MARK}, home / "both.safetensors", {"modelspec.prediction_type": "epsilon"})
    with pytest.raises(ComparerError, match="'both.safetensors' contradicts itself: .*add prediction=epsilon or"):
        resolve(parse("m/both.safetensors; base=m/base"), config)
    loaded = load("m/both.safetensors; base=m/base; prediction=v", config)
    assert loaded.scheduler_config["prediction_type"] == "v_prediction"


def test_the_scheduler_beside_a_training_output_is_its_own(home, config):
    save(unet(home), home / "run" / "unet" / "diffusion_pytorch_model.safetensors")
    copytree(home / "base" / "scheduler", home / "run" / "scheduler")
    scheduler(home / "run", prediction_type="v_prediction", rescale_betas_zero_snr=True)
    for line in ("m/run; base=m/base", "m/run/unet; base=m/base"):
        found = load(line, config).scheduler_config
        assert (found["prediction_type"], found["rescale_betas_zero_snr"]) == ("v_prediction", True)
    scheduler(home / "run", _class_name="FlowMatchEulerDiscreteScheduler")
    with pytest.raises(ComparerError, match="flow matching"):
        resolve(parse("m/run; base=m/base"), config)


def test_a_mark_of_edm_is_refused_with_a_base_too(home, config):
    save_file(unet(home) | {"edm_mean": torch.zeros(4)}, home / "edm.safetensors")
    with pytest.raises(ComparerError, match="'edm_mean', the mark of EDM's noise levels"):
        resolve(parse("m/edm.safetensors; base=m/base"), config)


def test_the_yaml_of_the_original_code_is_read(home, config):
    save_file(original.checkpoint(pipeline("sd1")), home / "old.safetensors")
    (home / "old.yaml").write_text('model:\n  params:\n    parameterization: "v"\n')
    loaded = load("m/old.safetensors; base=m/base", config)
    assert loaded.scheduler_config["prediction_type"] == "v_prediction" and "old.yaml" in loaded.built.prediction_reason


def test_a_measurement_that_contradicts_a_base_is_a_note(home, config):
    folder = copytree(DEMO, home / "epsilon", ignore=lambda *_: ["scorer"])
    scheduler(folder, prediction_type="epsilon")
    weights = DEMO / "unet" / "diffusion_pytorch_model.safetensors"
    (home / "silent.safetensors").write_bytes(weights.read_bytes())
    loaded = load("m/silent.safetensors; base=m/epsilon", config)
    assert any("prediction=epsilon or prediction=v" in note and "measured" in note for note in loaded.built.notes)


def test_a_lora_of_the_other_prediction_type_is_named(home, config):
    name = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"
    out, into = unet(home)["mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"].shape
    held = {f"{name}.lora_down.weight": torch.ones(2, into), f"{name}.lora_up.weight": torch.ones(out, 2)}
    for said, kind in (
        ({"ss_v_parameterization": "True"}, "v_prediction"),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"}, "v_prediction"),
        ({"modelspec.prediction_type": "flow"}, "flow"),
    ):
        save_file(held, home / "v.safetensors", said)
        (note,) = load("m/base; lora=m/v.safetensors", config).built.notes
        assert f"The LoRA 'v.safetensors' was trained for {kind} (" in note


def test_a_type_that_is_not_served_is_settled_as_a_contradiction_is(home, config):
    save_file(unet(home), home / "flow.safetensors", {"modelspec.prediction_type": "rectified_flow"})
    with pytest.raises(ComparerError, match="'rectified_flow' in the file's metadata is not supported"):
        resolve(parse("m/flow.safetensors; base=m/base"), config)
    built = load("m/flow.safetensors; base=m/base; prediction=v", config).built
    assert built.scheduler["prediction_type"] == "v_prediction"
    assert "prediction=v was requested, although the file's metadata says 'rectified_flow'." in built.notes


def test_the_line_of_weights_holds_the_prediction():
    line = "a/b; base=demo; prediction=v"
    assert parse(line).text() == line and Weights.from_json(parse(line).to_json()) == parse(line)
    assert Weights.from_json({"checkpoint": "a"}).prediction == ""
    with pytest.raises(ComparerError, match="choose epsilon or v"):
        parse("a; prediction=flow")
