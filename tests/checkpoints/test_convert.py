"""Components' tensors under their modules' names: from the original layout and others, and what is refused."""

import json

import pytest
import torch
from safetensors.torch import load_file

from comparer.checkpoints import convert
from comparer.checkpoints.files.layout import choose
from comparer.checkpoints.files.scan import look
from comparer.checkpoints.files.tensors import reading
from comparer.errors import ComparerError
from helpers import original_layout as original
from helpers.components import UNETS, config_of, filled, fitted, models, write
from helpers.tiny_pipelines import FAMILIES, pipeline


def converted(part, config):
    return filled(part, config).state_dict()


def equal(found, wanted):
    """Assert that two sets of weights are equal bit for bit, by name."""
    assert set(found) == set(wanted)
    assert [name for name, value in wanted.items() if not torch.equal(found[name], value)] == []


@pytest.mark.parametrize(
    ("with_ema", "ending"),
    [
        (False, ".safetensors"),
        (True, ".ckpt"),
        pytest.param(True, ".safetensors", marks=pytest.mark.full),
        pytest.param(False, ".ckpt", marks=pytest.mark.full),
    ],
)
@pytest.mark.parametrize("family", ["sd1", pytest.param("sd2", marks=pytest.mark.full), "sdxl"])
def test_every_tensor_of_the_original_layout_comes_back(family, ending, with_ema, tmp_path):
    pipe = pipeline(family)
    content = original.checkpoint(pipe)
    found = look(write(original.with_ema(content) if with_ema else content, tmp_path / f"x{ending}"))
    assert (found.kind, found.about) == ("original layout", UNETS[family])
    assert {part.component for part in found.parts} == set(models(pipe))
    for name, model in models(pipe).items():
        part = choose(found, name, "raw" if with_ema and name == "unet" else "")[0]
        equal(converted(part, config_of(model)), model.state_dict())
    if with_ema:
        halved = {name: value * 0.5 for name, value in pipe.unet.state_dict().items()}
        ema = choose(found, "unet")[0]
        assert ema.half == "ema"
        equal(converted(ema, config_of(pipe.unet)), halved)


@pytest.mark.parametrize("family", UNETS)
def test_it_gives_what_diffusers_single_file_loading_gives(family, tmp_path):
    pipe = pipeline(family)
    pipe.save_pretrained(tmp_path / "configs")
    path = write(original.checkpoint(pipe), tmp_path / "x.safetensors")
    if family == "sd2":  # diffusers leaves out layer 23, whatever the number of layers is
        content = load_file(path)
        for name in [name for name in content if "resblocks.3." in name]:
            del content[name]
        write(content, path)
    theirs = type(pipe).from_single_file(str(path), config=str(tmp_path / "configs"), local_files_only=True)
    found = look(path)
    for name, model in models(theirs).items():
        equal(converted(choose(found, name)[0], config_of(model)), model.state_dict())


def test_the_last_layer_of_sd2_is_left_out_and_no_other(tmp_path):
    pipe = pipeline("sd2")
    content = original.checkpoint(pipe)
    assert any("resblocks.3." in name for name in content) and "cond_stage_model.model.text_projection" in content
    config = config_of(pipe.text_encoder)
    (part,) = look(write(content, tmp_path / "x.safetensors")).of("text_encoder")
    names = set(converted(part, config))
    assert not any("layers.3." in name or "projection" in name.split(".")[0] for name in names)
    assert any("layers.2." in name for name in names)
    # A configuration with all four layers takes the fourth as well.
    four = converted(part, config | {"num_hidden_layers": 4})
    fourth = {name.replace("layers.3.", "layers.2."): value for name, value in four.items() if "layers.3." in name}
    assert fourth and all(torch.equal(value, pipe.text_encoder.state_dict()[n] + 1) for n, value in fourth.items())
    _, fit = fitted(part, config | {"num_hidden_layers": 2})
    assert not fit.missing and len(fit.unexpected) == 12 and all("resblocks.3." in name for name in fit.unexpected)


SHARDED, PICKLED = {"max_shard_size": "200KB"}, {"safe_serialization": False}
SAVED = [("sd1", {}), ("sdxl", SHARDED), ("pixart-alpha", {}), ("pixart-sigma", PICKLED)]


@pytest.mark.parametrize(
    ("family", "how"),
    [
        pytest.param(family, how, marks=() if (family, how) in SAVED else pytest.mark.full)
        for family in FAMILIES
        for how in ({}, SHARDED, PICKLED)
    ],
)
def test_what_diffusers_saves_passes_through(family, how, tmp_path):
    pipe = pipeline(family)
    pipe.save_pretrained(tmp_path, **how)
    found = look(tmp_path)
    for name, model in models(pipe).items():
        (part,) = found.of(name)
        config = json.loads((tmp_path / name / "config.json").read_text())
        equal(converted(part, config), model.state_dict())  # also T5's embedding: stored once, with two names
        loaded = filled(part, config)
        if name == "text_encoder" and family.startswith("pixart"):
            assert loaded.shared.weight is loaded.encoder.embed_tokens.weight


@pytest.mark.parametrize("prefix", ["", "text_model."])
@pytest.mark.parametrize("component", ["text_encoder", "text_encoder_2"])
def test_the_prefix_of_a_text_encoder_may_be_there_or_not(component, prefix, tmp_path):
    model = getattr(pipeline("sdxl"), component)
    content = {
        name if "projection" in name else prefix + name.removeprefix("text_model."): value
        for name, value in model.state_dict().items()
    }
    content[f"{prefix}embeddings.position_ids"] = torch.arange(77)[None]
    content["logit_scale"] = torch.tensor(4.6)
    write(content, tmp_path / "model.safetensors")
    (tmp_path / "config.json").write_text(json.dumps(config_of(model)))
    (part,) = look(tmp_path).parts
    assert len(part.tensors) == len(content)
    equal(converted(part, config_of(model)), model.state_dict())


def test_old_names_and_shapes_of_attention_are_known(tmp_path):
    pipe = pipeline("sd1")
    old = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}
    content = pipe.vae.state_dict()
    for now, then in old.items():
        content = {name.replace(f".{now}.", f".{then}."): value for name, value in content.items()}
    assert any(".proj_attn." in name for name in content)
    (part,) = look(write(content, tmp_path / "vae.safetensors")).parts
    equal(converted(part, config_of(pipe.vae)), pipe.vae.state_dict())
    content = original.checkpoint(pipe)  # 1x1 convolutions as matrices, and the other way
    content = {
        name: value[:, :, 0, 0] if value.dim() == 4 and value.shape[2:] == (1, 1) else value
        for name, value in content.items()
    }
    found = look(write(content, tmp_path / "x.safetensors"))
    for name in ("unet", "vae"):
        equal(converted(found.of(name)[0], config_of(getattr(pipe, name))), getattr(pipe, name).state_dict())


def test_values_keep_their_dtype_and_are_read_one_at_a_time(tmp_path):
    pipe = pipeline("sd2")
    half = {name: value.half() for name, value in original.checkpoint(pipe).items()}
    found = look(write(half, tmp_path / "x.safetensors"))
    for name, model in models(pipe).items():
        part, asked = found.of(name)[0], []
        with reading(part.tensors) as read:

            def note(tensor, asked=asked, read=read):
                asked.append(tensor)
                return read(tensor)

            target, fit = fitted(part, config_of(model))
            state = fit.values(note, target.state_dict())
            assert asked == []
            next(state)
            assert len(asked) == 1
            rest = dict(state)
        assert len(asked) == len(set(asked)) and {value.dtype for value in rest.values()} == {torch.float16}
        assert all(torch.equal(value, model.state_dict()[key].half()) for key, value in rest.items())


def spoilt(content, change, path):
    content = {name: value.clone() for name, value in content.items()}
    change(content)
    return look(write(content, path))


NAME = "model.diffusion_model.input_blocks.0.0.weight"
OPEN = "conditioner.embedders.1.model."
SPOILT = {  # component, what is done, missing, unexpected, of another shape
    "gone": ("unet", lambda c: c.pop(NAME), ["conv_in.weight"], [], {}),
    "more": (
        "unet", lambda c: c.update({"model.diffusion_model.motion.0.weight": torch.ones(2)}), [],
        ["model.diffusion_model.motion.0.weight"], {},
    ),
    "inpainting": (
        "unet", lambda c: c.update({NAME: torch.ones(32, 9, 3, 3)}), [], [],
        {"conv_in.weight": "32×9×3×3 instead of 32×4×3×3"},
    ),
    "adapter": (
        "vae", lambda c: c.update({"first_stage_model.decoder.adapter.weight": torch.ones(2)}), [],
        ["first_stage_model.decoder.adapter.weight"], {},
    ),
    "joined": (
        "text_encoder_2", lambda c: c.pop(f"{OPEN}transformer.resblocks.1.attn.in_proj_bias"),
        [f"encoder.layers.1.self_attn.{name}_proj.bias" for name in "kqv"], [], {},
    ),
    "projection": (
        "text_encoder_2", lambda c: c.update({f"{OPEN}visual.proj": torch.ones(2, 2)}), [], [f"{OPEN}visual.proj"], {},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SPOILT)
def test_what_does_not_fill_the_module_exactly_is_named(name, tmp_path):
    component, change, *wanted = SPOILT[name]
    pipe = pipeline("sdxl")
    (part,) = spoilt(original.checkpoint(pipe), change, tmp_path / "x.safetensors").of(component)
    _, fit = fitted(part, config_of(getattr(pipe, component)))
    missing = sorted(name.removeprefix("text_model.") for name in fit.missing)
    assert [missing, list(fit.unexpected), fit.misshaped] == wanted


def test_what_the_converter_cannot_do_without_is_named(tmp_path):
    pipe = pipeline("sdxl")
    gone = spoilt(
        original.checkpoint(pipe), lambda c: c.pop("model.diffusion_model.label_emb.0.0.weight"), tmp_path / "x.ckpt"
    )
    with pytest.raises(ComparerError, match="it lacks 'label_emb.0.0.weight'"):
        fitted(gone.of("unet")[0], config_of(pipe.unet))


def test_weights_without_names_and_classes_that_are_no_models_are_refused(tmp_path):
    from diffusers.training_utils import EMAModel

    unet = pipeline("sd1").unet
    torch.save(EMAModel(unet.parameters()).state_dict(), tmp_path / "ema.pt")
    (part,) = look(tmp_path / "ema.pt").parts
    with pytest.raises(ComparerError, match="list without tensor names"):
        fitted(part, config_of(unet))
    for config in ({"_class_name": "DDIMScheduler"}, {"_class_name": "__file__"}, {"architectures": ["pipeline"]}, {}):
        with pytest.raises(ComparerError, match="names the class"):
            convert.module(config)
