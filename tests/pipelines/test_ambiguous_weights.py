"""Which of several sets of weights is meant: diffusers' own names, the half that is asked for, or a refusal."""

import json
from shutil import copy, copytree

import pytest

from comparer.checkpoints.files.scan import look
from comparer.errors import ComparerError
from helpers import original_layout as original
from helpers.tiny_weights import holds, load, moved, prefixed, save, unet


def test_a_copy_beside_the_weights_of_a_component_is_not_loaded(home, config):
    copytree(home / "other", home / "copied")
    save(moved(unet(home), 1), home / "copied" / "unet" / "a_copy.safetensors")  # its name comes first
    loaded = load("m/copied", config)
    assert holds(loaded.pipe.unet, unet(home))
    assert {f.name: f.format for f in look(home / "copied").files}["unet/a_copy.safetensors"] == "not read"


@pytest.mark.parametrize(
    ("names", "half"),
    [
        (("model.safetensors", "model_1.safetensors"), ""), (("model.safetensors", "pytorch_model.bin"), ""),
        (("ema_0.99.pt", "ema_0.9999.pt"), ""), (("ema_0.99.pt", "ema_0.9999.pt"), "; weights=ema"),
    ],
)  # fmt: skip
def test_nothing_is_guessed_between_sets_that_nothing_tells_apart(names, half, home, config, tmp_path):
    step = home / tmp_path.name
    for number, name in enumerate(names):
        save(moved(unet(home), number), step / name)
    with pytest.raises(ComparerError, match="2 sets of weights for its unet.*name one file") as told:
        load(f"m/{step.name}; base=m/base{half}", config)
    assert all(name in str(told.value) for name in names)
    assert holds(load(f"m/{step.name}/{names[1]}; base=m/base", config).pipe.unet, moved(unet(home), 1))


def test_networks_that_helped_to_train_are_not_taken_for_the_denoiser(home, config):
    raw = unet(home)
    others = {key: moved(raw, 1) for key in ("fake_unet", "teacher_unet", "critic")}
    save(others | {"unet": raw, "opt": {"state": {0: {"exp_avg": raw["conv_in.bias"]}}}}, home / "distilled.pt")
    assert holds(load("m/distilled.pt; base=m/base", config).pipe.unet, raw)
    layout = look(home / "distilled.pt")
    assert layout.not_read == ("distilled.pt: opt",)
    assert {part.component for part in layout.parts} == {"unet", "fake_unet", "teacher_unet", "critic"}


@pytest.mark.parametrize("prefix", ["ema_unet.", pytest.param("unet_ema.", marks=pytest.mark.full), "ema.module."])
def test_an_ema_beside_raw_in_one_dictionary(prefix, home, config):
    import torch

    raw, ema = unet(home), moved(unet(home), 0.5)
    counted = {"ema.n_averaged": torch.tensor(3)} if prefix == "ema.module." else {}
    save({"state_dict": prefixed(raw, "unet.") | prefixed(ema, prefix) | counted}, home / "both.ckpt")
    assert holds(load("m/both.ckpt; base=m/base", config).pipe.unet, ema)
    assert holds(load("m/both.ckpt; base=m/base; weights=raw", config).pipe.unet, raw)


def test_an_ema_in_a_component_folder_is_found_and_what_it_had_put_aside_is_not_it(home, config):
    import torch

    raw, ema = unet(home), moved(unet(home), 0.5)
    save(raw, home / "alone" / "diffusion_pytorch_model.safetensors")
    copy(home / "base" / "unet" / "config.json", home / "alone")
    save(ema, home / "alone" / "ema.pt")
    assert holds(load("m/alone; base=m/base; weights=ema", config).pipe.unet, ema)
    assert holds(load("m/alone; base=m/base; weights=raw", config).pipe.unet, raw)
    save(raw, home / "shadows" / "pytorch_model.bin")
    shadows = {"decay": 0.99, "shadow_params": list(ema.values()), "collected_params": list(raw.values())}
    torch.save(shadows, home / "shadows" / "ema.pt")
    assert holds(load("m/shadows; base=m/base; weights=ema", config).pipe.unet, ema)


def test_one_set_in_shards_beside_the_same_name_whole_is_refused(home, config):
    copytree(home / "other", home / "twice")
    weights, folder = unet(home), home / "twice" / "unet"
    names = list(weights)
    for number, half in enumerate((names[:50], names[50:]), 1):
        held = {name: weights[name] + 1 for name in half}
        save(held, folder / f"diffusion_pytorch_model-0000{number}-of-00002.safetensors")
    shard = "diffusion_pytorch_model-0000{}-of-00002.safetensors"
    index = {name: shard.format(1 if place < 50 else 2) for place, name in enumerate(names)}
    (folder / "diffusion_pytorch_model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    with pytest.raises(ComparerError, match="2 sets of weights for its unet"):
        load("m/twice", config)


def test_a_tensor_under_both_of_its_names_is_refused(home, config):
    from safetensors.torch import load_file

    copytree(home / "other", home / "named")
    text = load_file(home / "other" / "text_encoder" / "model.safetensors")
    save(prefixed(text, "text_model.") | moved(text, 1), home / "named" / "text_encoder" / "model.safetensors")
    with pytest.raises(ComparerError, match="tensors twice"):
        load("m/named", config)


def test_an_autoencoder_cut_out_of_an_original_file(home, config):
    from safetensors.torch import load_file

    theirs = load_file(home / "other" / "vae" / "diffusion_pytorch_model.safetensors")
    save(original.vae(theirs), home / "vae.safetensors")
    assert holds(load("m/base; vae=m/vae.safetensors", config).pipe.vae, theirs)
