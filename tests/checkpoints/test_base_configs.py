"""The built-in configurations: as large as what is published, with CLIP's tokenizer, and enough for a pipeline."""

import json
import subprocess
import sys
from types import SimpleNamespace

import pytest
import torch
from safetensors.torch import save_file

from comparer.checkpoints import base_configs, convert
from comparer.checkpoints.files.components import split
from comparer.checkpoints.files.layout import Layout, Part
from comparer.checkpoints.files.scan import look
from comparer.checkpoints.files.tensors import Tensor
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.models.tiny import native_config
from helpers import original_layout as original
from helpers.components import UNETS, config_of, filled, models, write
from helpers.runs import ROOT
from helpers.tiny_pipelines import arguments, ask, pipeline

# Parameters of the published models.
PUBLISHED = {
    "sd1": {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480},
    "sd2": {"unet": 865_910_724, "vae": 83_653_863, "text_encoder": 340_387_840},
    "sdxl": {"unet": 2_567_463_684, "vae": 83_653_863, "text_encoder": 123_060_480, "text_encoder_2": 694_659_840},
}
TEXTS = ("a cat on a mat", "Größe 3.5, 東京 — it's", "x" * 300, "", "two dogs, 1999 'quoted'")


def full_size(family):
    """Build a family's models on the meta device."""
    frame = base_configs.frame(UNETS[family])
    return SimpleNamespace(**{name: convert.module(frame.config(name)) for name in frame.models})


@pytest.mark.parametrize("family", UNETS)
def test_the_models_are_as_large_as_the_published_ones(family):
    pipe = full_size(family)
    assert {n: sum(p.numel() for p in model.parameters()) for n, model in vars(pipe).items()} == PUBLISHED[family]
    model = next(model for model in CATALOG.values() if model.family == family and model.name != "demo")
    known = json.loads(json.dumps(native_config(model.name)[1]))
    config = json.loads(json.dumps(dict(pipe.unet.config)))
    assert {key: config[key] for key in known} == known
    assert base_configs.frame(UNETS[family]).config("unet")["sample_size"] * 8 == model.size
    index = json.loads((base_configs.frame(UNETS[family]).folder / "model_index.json").read_text())
    assert index["_class_name"] == type(pipeline(family)).__name__
    for name, module in vars(pipe).items():
        assert index[name][1] == type(module).__name__


@pytest.mark.parametrize("family", UNETS)
def test_files_of_full_size_fill_them(family):
    pipe = full_size(family)  # SD 2.x: 24 layers in the file, 23 in the model
    listed = tuple(Tensor(n, tuple(v.shape), "float16", "x", (n,)) for n, v in original.checkpoint(pipe).items())
    for component, tensors in split(listed).items():
        if component:
            part = Part(component, "", "", "x", "", (), "", True, tensors)
            config = base_configs.frame(UNETS[family]).config(component)
            wanted = getattr(pipe, component).state_dict()
            fit = convert.fit(part, config, getattr(pipe, component))
            assert not (fit.missing or fit.unexpected or fit.misshaped)
            found = fit.values(lambda tensor: torch.empty(tensor.shape, device="meta"), wanted)
            assert {name: value.shape for name, value in found} == {n: v.shape for n, v in wanted.items()}


def test_the_vocabulary_is_the_one_that_open_clip_ships():
    from open_clip.tokenizer import SimpleTokenizer

    known = SimpleTokenizer()
    vocabulary = json.loads((base_configs.TOKENIZER / "vocab.json").read_text(encoding="utf-8"))
    names = {"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}
    assert vocabulary == {names.get(token, token): number for token, number in known.encoder.items()}
    version, *merges = (base_configs.TOKENIZER / "merges.txt").read_text(encoding="utf-8").splitlines()
    assert version.startswith("#version") and merges == [" ".join(pair) for pair in known.bpe_ranks]


@pytest.mark.parametrize("family", UNETS)
def test_the_tokenizers_give_clips_numbers_and_pad_as_the_published_ones(family):
    from open_clip.tokenizer import SimpleTokenizer

    known = SimpleTokenizer()
    built = base_configs.frame(UNETS[family]).tokenizers()
    pads = {"sd1": {"tokenizer": 49407}, "sd2": {"tokenizer": 0}, "sdxl": {"tokenizer": 49407, "tokenizer_2": 0}}
    assert {name: tokenizer.pad_token_id for name, tokenizer in built.items()} == pads[family]
    for tokenizer in built.values():
        given = tokenizer(list(TEXTS), padding="max_length", truncation=True, return_tensors="pt").input_ids
        assert given.shape == (len(TEXTS), 77)
        for row, wanted in zip(given, known(list(TEXTS)), strict=True):
            end = int((wanted == 49407).nonzero()[0]) + 1
            assert row[:end].tolist() == wanted[:end].tolist() and set(row[end:].tolist()) <= {tokenizer.pad_token_id}


@pytest.mark.parametrize("family", UNETS)
def test_a_pipeline_of_one_file_makes_the_same_latents(family, tmp_path):
    pipe = pipeline(family)
    found = look(write(original.checkpoint(pipe), tmp_path / "x.safetensors"))
    frame = base_configs.frame(found.about)
    assert (frame.family, set(frame.models)) == (family, set(models(pipe)))
    built = {n: filled(found.of(n)[0], config_of(model)) for n, model in models(pipe).items()}
    given = built | frame.tokenizers()
    ours = type(pipe).from_pretrained(str(frame.folder), **given, local_files_only=True)
    ours.set_progress_bar_config(disable=True)
    theirs = type(pipe)(**pipe.components | frame.tokenizers() | {"scheduler": ours.scheduler})
    theirs.set_progress_bar_config(disable=True)
    made = [each(**arguments(each, ask())).images for each in (ours, theirs)]
    assert torch.equal(*made) and made[0].std() > 0


def layout(about, metadata=None, extra=()):
    tensors = tuple(Tensor(name, (0,), "float32", "x", (name,)) for name in extra)
    return Layout("/x.safetensors", "original layout", about, (), (), tensors, metadata=metadata)


def test_the_prediction_type_is_what_the_file_says_else_the_published_one():
    assert [base_configs.prediction(layout(about))[0] for about in UNETS.values()] == [
        "epsilon",
        "v_prediction",
        "epsilon",
    ]
    assert all("the file does not say it" in base_configs.prediction(layout(about))[1] for about in UNETS.values())
    assert base_configs.prediction(layout("SD 2.x", {"global_step": "875000"}))[0] == "epsilon"
    assert base_configs.prediction(layout("SD 1.x", {"global_step": "875000"}))[1].startswith(
        "the file does not say it"
    )
    for said, kind in (("v", "v_prediction"), ("Epsilon", "epsilon"), ("v_prediction", "v_prediction")):
        for about in UNETS.values():
            found = base_configs.prediction(layout(about, {"modelspec.prediction_type": said}))
            assert found == (kind, f"the file's metadata says '{said}'")
    with pytest.raises(ComparerError, match="'edm' in the file's metadata"):
        base_configs.prediction(layout("SDXL", {"modelspec.prediction_type": "edm"}))
    with pytest.raises(ComparerError, match="EDM's noise levels"):
        base_configs.prediction(layout("SDXL", extra=("edm_mean", "edm_std")))
    with pytest.raises(ComparerError, match="without its text encoder"):
        base_configs.prediction(layout("Stable Diffusion"))


@pytest.mark.parametrize("ending", [".safetensors", ".ckpt"])
def test_marks_and_metadata_come_from_the_file(ending, tmp_path):
    content = original.checkpoint(pipeline("sdxl")) | {"v_pred": torch.tensor([])}
    path = write(content, tmp_path / f"x{ending}")
    assert base_configs.prediction(look(path)) == ("v_prediction", "the file has the mark 'v_pred'")
    config, _ = base_configs.scheduler(look(path))
    assert config["prediction_type"] == "v_prediction" and "rescale_betas_zero_snr" not in config
    config, why = base_configs.scheduler(look(write(content | {"ztsnr": torch.tensor([])}, path)))
    assert (config["rescale_betas_zero_snr"], config["timestep_spacing"]) == (True, "trailing") and "ztsnr" in why


def test_metadata_of_safetensors_and_counters_of_ckpt_are_kept(tmp_path):
    content = original.checkpoint(pipeline("sd2"))
    save_file(content, tmp_path / "x.safetensors", metadata={"modelspec.prediction_type": "epsilon"})
    assert base_configs.prediction(look(tmp_path / "x.safetensors"))[0] == "epsilon"
    for step, kind in ((875000, "epsilon"), (140000, "v_prediction")):
        torch.save({"state_dict": content, "global_step": step}, tmp_path / "x.ckpt")
        assert base_configs.prediction(look(tmp_path / "x.ckpt"))[0] == kind


def test_a_unet_is_measured_where_nothing_says_what_it_predicts():
    from diffusers import DDIMScheduler, UNet2DConditionModel

    from comparer.models.catalog import DEMO

    unet = UNet2DConditionModel.from_pretrained(str(DEMO / "unet"))  # predicts v
    assert base_configs.measured(unet)[0] == "v_prediction"
    alpha = DDIMScheduler.from_pretrained(str(DEMO / "scheduler")).alphas_cumprod[999]

    class Epsilon(torch.nn.Module):
        """The same network, its v turned into the epsilon that it means."""

        config, inner = unet.config, unet

        def parameters(self):
            return unet.parameters()

        def forward(self, x, timestep, encoder_hidden_states):
            v = unet(x, timestep, encoder_hidden_states=encoder_hidden_states).sample
            return SimpleNamespace(sample=alpha.sqrt() * v + (1 - alpha).sqrt() * x)

    assert base_configs.measured(Epsilon())[0] == "epsilon"
    kind, why = base_configs.prediction(layout("SD 2.x"), Epsilon())
    assert kind == "epsilon" and why.startswith("measured")
    assert base_configs.prediction(layout("SD 2.x", {"modelspec.prediction_type": "v"}), Epsilon())[0] == "v_prediction"
    assert base_configs.prediction(layout("SD 1.x"), unet)[0] == "v_prediction"
    assert base_configs.prediction(layout("SD 1.x"), Epsilon())[1].startswith("measured")


def test_configurations_are_told_without_torch():
    script = (
        "import sys; from comparer.checkpoints import base_configs, convert; "
        "print(base_configs.frame('SDXL').config('unet')['sample_size'], 'torch' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.split() == ["128", "False"]
