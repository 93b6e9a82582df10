"""A family is one file and a line of the registry: a toy family goes through the whole program."""

from dataclasses import replace

import numpy as np
import pytest

from comparer.accelerators.registry import REGISTRY
from comparer.accelerators.tgate import TGATE
from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.models.catalog import CATALOG
from comparer.models.families.base import Argument, Family, Model
from comparer.models.families.parts import NO_CHECKER, SCHEDULE, UNET, clip, clip_tokenizer, unet, unet_evaluation, vae
from comparer.models.families.registry import FAMILIES
from comparer.models.tiny import native_config, save_tiny
from comparer.pipelines import loader
from comparer.reporting.script.script import script
from comparer.request import compatibility
from comparer.request.build import build_request
from comparer.request.request import Request, Settings
from comparer.sanity.expectations import base_of
from helpers.runs import PROMPT, finish, pixels

WIDTH = 40  # of the text, as no other family has it


def tiny(denoiser):
    from diffusers import DDIMScheduler, StableDiffusionPipeline

    return StableDiffusionPipeline(
        unet=unet(**{"cross_attention_dim": WIDTH, "attention_head_dim": 4} | denoiser),
        vae=vae(TOY.vae_scaling),
        text_encoder=clip(WIDTH, "gelu"),
        tokenizer=clip_tokenizer(),
        scheduler=DDIMScheduler(**SCHEDULE, prediction_type="v_prediction", clip_sample=False),
        **{argument.name: argument.value for argument in NO_CHECKER},
    )


TOY = Family(
    name="toy",
    title="Toy",
    pipeline="StableDiffusionPipeline",
    matches=lambda denoiser: denoiser["cross_attention_dim"] == WIDTH,
    models=(
        Model(
            "toy-1", "Toy 1", "toys/one", "toy", 128, 3.0, steps=3, prediction="v_prediction",
            denoiser=UNET | {"sample_size": 16, "cross_attention_dim": WIDTH},
        ),
    ),
    tiny=tiny,
    evaluation=unet_evaluation,
    load=NO_CHECKER,
    call=(Argument("eta", 0.0, "no sampler may add noise"),),
    vae_scaling=0.5,
)  # fmt: skip


@pytest.fixture
def config(monkeypatch, tmp_path):
    """Register the family, as its line of the registry does, and lay its model where a download would."""
    monkeypatch.setitem(FAMILIES, TOY.name, TOY)
    folder, (model,) = save_tiny("toy", tmp_path / "models" / "toy"), TOY.models
    monkeypatch.setitem(CATALOG, model.name, replace(model, source=str(folder)))
    yield Config(checkpoints=(tmp_path / "models",), runs=tmp_path / "runs")
    loader.free()


def test_its_model_is_compared_and_exported(config):
    asked = build_request(config, PROMPT, "toy-1", ["DeepCache(interval=2)"], seeds="1", warmups=0)
    assert (asked.settings.width, asked.settings.guidance, asked.settings.steps) == (128, 3.0, 3)
    done = finish(asked, config)
    seen, record = pixels(done), done.comparison
    assert seen[0, 0, 1].std() > 1 and not np.array_equal(seen[0, 0, 1], seen[1, 0, 1])
    assert record.checkpoint["family"] == "toy" and record.remarks == []
    baseline, fewer = record.macs
    assert fewer < baseline
    text = script(record, done.folder, 1, 0, 1)
    compile(text, "script", "exec")
    assert "pipe = StableDiffusionPipeline.from_pretrained(" in text and "        safety_checker=None,\n" in text
    assert "eta=0.0,  # no sampler may add noise\n" in text


def test_a_checkpoint_of_it_is_recognised(config):
    found = resolve("models/toy", config)
    assert (found.family, found.model.guidance, found.parts) == (TOY, 7.5, ("unet", "vae", "text_encoder"))
    base = base_of(found)
    assert (base.name, base.factor, base.prediction) == ("toy", 0.5, "v_prediction")
    save_tiny("sd1", config.checkpoints[0] / "first")
    save_tiny("sd2", config.checkpoints[0] / "second")
    assert [resolve(f"models/{name}", config).family.name for name in ("first", "second")] == ["sd1", "sd2"]


def test_it_has_its_column_in_the_compatibility_matrix(config):
    assert compatibility.text().split("\n")[0].split()[-1] == "toy"
    works = {cell.accelerators[0].title for cell in compatibility.published("toy") if cell.reason is None}
    assert works >= {"DeepCache", "ToMe", "T-GATE", "Guidance cutoff"} and "toy" in TGATE.families()
    assert native_config("toy-1") == ("UNet2DConditionModel", dict(TOY.models[0].denoiser))


def test_what_accelerators_do_not_know_is_refused_with_a_reason(monkeypatch):
    other = replace(TOY, name="other", title="Other", pipeline="OtherPipeline", denoiser="transformer")
    monkeypatch.setitem(FAMILIES, "other", other)
    request = Request(Settings(("x",), steps=25))
    reasons = {name: kind(**kind.usual("other", 25)).why_not(request, "other", {}) for name, kind in REGISTRY.items()}
    assert (
        reasons.items()
        >= {
            "DeepCache": "DeepCache needs a U-Net, but Other has none: choose T-GATE or Guidance cutoff.",
            "ToMe": "ToMe needs a U-Net, but Other has none: choose T-GATE or Guidance cutoff.",
            "T-GATE": f"T-GATE does not know the family 'other': choose one of {', '.join(TGATE.families())}.",
            "Guidance cutoff": None,
        }.items()
    )
