"""Files as other tools or strangers leave them: what is no plain LoRA, odd names and configurations, links."""

import json
import os
from pathlib import Path
from shutil import copytree

import pytest

from comparer.checkpoints.find import local_names, loose_names, resolve
from comparer.checkpoints.inspection.fingerprint import Hashes
from comparer.checkpoints.spec import parse
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from comparer.models.tiny import save_tiny
from comparer.pipelines import loader
from comparer.pipelines.weights_card import weights_card
from helpers.tiny_weights import load, save, unet

LAYER = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def matrices(home, scale=0.1):
    """Return a kohya LoRA of one layer of the U-Net, of rank 2."""
    import torch

    out, into = unet(home)["mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"].shape
    down, up = torch.full((2, into), scale), torch.full((out, 2), scale)
    return {f"{LAYER}.lora_down.weight": down, f"{LAYER}.lora_up.weight": up, f"{LAYER}.alpha": torch.tensor(2.0)}


@pytest.mark.parametrize("name", ["dora_scale", "diff", "lokr_w1"])
def test_what_diffusers_would_pass_over_or_not_know_is_refused(name, home, config):
    import torch

    save(matrices(home) | {f"{LAYER}.{name}": torch.ones(4, 1)}, home / f"{name}.safetensors")
    with pytest.raises(ComparerError, match=f"1 tensors that do not belong to a LoRA .*{name}.*was not added"):
        load(f"m/base; lora=m/{name}.safetensors", config)


def test_a_lora_that_does_not_fit_is_refused_in_one_sentence(home, config):
    import torch

    whole = matrices(home)
    save({name: value for name, value in whole.items() if "up" not in name}, home / "half.safetensors")
    with pytest.raises(ComparerError, match="half.safetensors' contains 1 tensors without the matching tensor"):
        load("m/base; lora=m/half.safetensors", config)
    save(whole | {f"{LAYER}.lora_down.weight": torch.ones(2, 7)}, home / "wide.safetensors")
    with pytest.raises(ComparerError, match="wide.safetensors' is a LoRA of another model: .*size mismatch"):
        load("m/base; lora=m/wide.safetensors", config)


def test_a_lora_for_a_family_without(home, config):
    save_tiny("pixart-sigma", home / "pixart")
    save(matrices(home), home / "style.safetensors")
    with pytest.raises(ComparerError, match="diffusers cannot add a LoRA to PixArt-Σ"):
        load("m/pixart; lora=m/style.safetensors", config)


def test_the_folder_of_a_training_script_is_the_lora_in_it(home, config):
    save(matrices(home), home / "checkpoint-500" / "pytorch_lora_weights.safetensors")
    (home / "checkpoint-500" / "optimizer.bin").write_bytes(b"state")
    by_folder = load("m/base; lora=m/checkpoint-500", config).components["unet"].filled
    by_file = load("m/base; lora=m/checkpoint-500/pytorch_lora_weights.safetensors", config).components["unet"].filled
    assert by_folder.named == by_file.named != load("m/base", config).components["unet"].filled.named
    save(matrices(home), home / "checkpoint-500" / "other.safetensors")
    with pytest.raises(ComparerError, match="'checkpoint-500' is not a single LoRA"):
        load("m/base; lora=m/checkpoint-500", config)


def test_files_of_one_name_are_all_in_the_record(home, config):
    for folder, scale in (("first", 0.1), ("second", 0.2)):
        save(matrices(home, scale), home / folder / "pytorch_lora_weights.safetensors")
    save(unet(home), home / "alone" / "diffusion_pytorch_model.safetensors")
    (home / "alone" / "config.json").write_bytes((home / "base" / "unet" / "config.json").read_bytes())
    names = "lora=m/first/pytorch_lora_weights.safetensors; lora=m/second/pytorch_lora_weights.safetensors"
    loaded = load(f"m/alone; base=m/base; vae=m/other; {names}", config)
    files = weights_card(loaded, Hashes())["files"]
    assert sorted(file["fills"] for file in files.values()) == [
        ["LoRA"], ["LoRA"], ["text_encoder"], ["unet"], ["vae"]
    ]  # fmt: skip
    assert {"pytorch_lora_weights.safetensors", "second/pytorch_lora_weights.safetensors"} < set(files)
    held = weights_card(loaded, Hashes())["components"]
    assert files[held["unet"]["files"][0]]["sha256"] != files[held["vae"]["files"][0]]["sha256"]


def test_links_do_not_lead_out_of_folders_called_snapshots(home, config, tmp_path):
    root = tmp_path / "snapshots" / "models"
    save_tiny("sd1", root / "whole")
    secret = save(unet(home), tmp_path / "secret.safetensors")
    inside = root / "whole" / "unet" / "diffusion_pytorch_model.safetensors"
    inside.unlink()
    inside.symlink_to(secret)
    installed = Config(checkpoints=(root,), runs=tmp_path / "runs")
    with pytest.raises(ComparerError, match="outside the checkpoint folders"):
        loader.load(resolve(parse("models/whole"), installed), installed)


def test_names_that_cannot_be_said_are_not_listed_and_a_folder_called_demo_is_not_the_demo(home, tmp_path):
    root = tmp_path / "demo"
    save_tiny("sd1", root)
    for name in (b"\xff", b"a\nb", b"a;b", b"plain"):
        folder = Path(os.fsdecode(bytes(tmp_path / "names" / "x").removesuffix(b"x") + name))
        save(matrices(home), tmp_path / "lora.safetensors")
        folder.mkdir(parents=True)
        (tmp_path / "lora.safetensors").rename(folder / "lora.safetensors")
        (folder / "model_index.json").write_text("{}")
    installed = Config(checkpoints=(root, tmp_path / "names"), runs=tmp_path / "runs")
    assert sorted(local_names(installed)) == ["demo/.", "names/plain"]
    assert all(name.isprintable() for name in loose_names(installed))
    assert resolve("demo/.", installed).folder == root and resolve("demo", installed).folder == DEMO


@pytest.mark.parametrize(
    ("file", "change", "said"),
    [
        ("model_index.json", {"unet": "x"}, "has x for the unet"),
        ("model_index.json", {"scheduler": ["os", "system"]}, "for the scheduler"),
        ("model_index.json", {"tokenizer": [None, None]}, "for the tokenizer"),
        ("vae/config.json", {"scaling_factor": "x"}, "scaling_factor x is not a number"),
        ("text_encoder/config.json", {"hidden_size": "x"}, "configuration of a CLIPTextModel is damaged"),
    ],
)
def test_odd_configurations_are_refused_in_a_sentence(file, change, said, home, config, tmp_path):
    folder = copytree(home / "other", home / tmp_path.name)
    told = json.loads((folder / file).read_text()) | change
    (folder / file).write_text(json.dumps(told))
    with pytest.raises(ComparerError, match=said):
        load(f"m/{folder.name}", config)


def test_vocabularies_are_not_read_through_links_that_lead_out(home, config, tmp_path):
    folder = copytree(home / "other", home / tmp_path.name)
    (folder / "tokenizer").rename(tmp_path / "words")
    (folder / "tokenizer").symlink_to(tmp_path / "words")
    with pytest.raises(ComparerError, match="'tokenizer' is outside the checkpoint folders"):
        load(f"m/{folder.name}", config)
