"""A LoRA is added wholly or refused: names that training leaves, keys without a place, weights that change nothing."""

import json

import pytest
import torch
from safetensors.torch import save_file

from comparer.checkpoints.find import resolve
from comparer.checkpoints.spec import parse
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.pipelines.loader import load
from comparer.pipelines.lora_names import plain_names

LAYER = "mid_block.attentions.0.transformer_blocks.0.attn2.to_out.0"
TEXT = "encoder.layers.0.self_attn.v_proj"


def filled(text, config):
    """Return by component what a line loads."""
    return {name: each.filled for name, each in load(resolve(parse(text), config), config).components.items()}


@pytest.fixture(scope="module")
def base(home):
    """Return by component what the base loads, and its module."""
    config = Config(checkpoints=(home,))
    return dict(load(resolve(parse("m/base"), config), config).components)


def matrices(base, component="unet", layer=LAYER, up=0.5):
    """Return the two matrices of a LoRA of one layer, of rank 2."""
    out, inn = base[component].module.get_submodule(layer).weight.shape
    ramp = torch.linspace(-1, 1, 2 * inn).reshape(2, inn)
    return ramp, up * torch.linspace(0.1, 1, 2 * out).reshape(out, 2)


SPELLINGS = {
    "PEFT": "base_model.model.{}.lora_{}.weight",
    "PEFT with a component": "unet.base_model.model.{}.lora_{}.default.weight",
    "of an adapter": "unet.{}.lora_{}.my_style.weight",
    "compiled": "_orig_mod.{}.lora_{}.weight",
    "compiled and distributed": "unet.module._orig_mod.{}.lora_{}.weight",
    "inside PEFT": "base_model.model._orig_mod.{}.lora_{}.default.weight",
    "sharded": "_fsdp_wrapped_module.{}.lora_{}.weight",
    "ComfyUI": "diffusion_model.{}.lora_{}.weight",
    "the layer alone": "{}.lora_{}.weight",
}


def named(form, down, up):
    return {form.format(LAYER, "A"): down, form.format(LAYER, "B"): up}


@pytest.fixture(scope="module")
def plain(base, home):
    """Return the fingerprint of the U-Net with the LoRA whose names are diffusers' own."""
    save_file(named("unet.{}.lora_{}.weight", *matrices(base)), home / "plain.safetensors")
    return filled("m/base; lora=m/plain.safetensors:0.5", Config(checkpoints=(home,)))["unet"].named


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_what_training_leaves_in_a_name_is_understood(spelling, base, plain, home, config):
    save_file(named(SPELLINGS[spelling], *matrices(base)), home / "spelt.safetensors")
    spelt = filled("m/base; lora=m/spelt.safetensors:0.5", config)["unet"].named
    assert spelt == plain != base["unet"].filled.named


def test_both_components_of_a_compiled_training(base, home, config):
    keys = {}
    for component, layer in (("unet", LAYER), ("text_encoder", TEXT)):
        down, up = matrices(base, component, layer)
        within = "text_model." if component == "text_encoder" else ""
        name = f"{component}._orig_mod.base_model.model.{within}{layer}"
        keys |= {f"{name}.lora_A.default.weight": down, f"{name}.lora_B.default.weight": up}
    save_file(keys, home / "both.safetensors")
    added = filled("m/base; lora=m/both.safetensors", config)
    assert {name for name in base if base[name].filled.named != added[name].named} == {"unet", "text_encoder"}


def test_a_renamed_file_keeps_its_scale(base, home, config):
    down, up = matrices(base)
    about = {"lora_adapter_metadata": json.dumps({"unet.r": 2, "unet.lora_alpha": 6, "unet.target_modules": [LAYER]})}
    names = {"scaled": "unet.{}.lora_{}.weight", "renamed": "unet._orig_mod.{}.lora_{}.weight"}
    for name, form in names.items():
        save_file(named(form, down, up), home / f"{name}.safetensors", {"format": "pt", **about})
    save_file(named(names["scaled"], down, up), home / "unscaled.safetensors")
    scaled, renamed, unscaled = (
        filled(f"m/base; lora=m/{name}.safetensors", config)["unet"].named for name in (*names, "unscaled")
    )
    assert scaled == renamed != unscaled


OTHER = "mid_block.attentions.0.transformer_blocks.0.attn1.to_v"
FC = "encoder.layers.0.mlp.fc1"


def change(text, config, base, component="unet"):
    """Return what a line adds to each weight of a component; weights that stay are left out."""
    before = base[component].module.state_dict()
    after = getattr(load(resolve(parse(text), config), config).pipe, component).state_dict()
    return {name.removesuffix(".weight"): value - before[name] for name, value in after.items()
            if not torch.equal(value, before[name])}  # fmt: skip


def kohya(base, layers, component="unet"):
    """Return a LoRA under kohya's names: each layer with its alpha, None for none."""
    prefix, content = {"unet": "lora_unet_", "text_encoder": "lora_te_text_model_"}[component], {}
    for layer, alpha in layers.items():
        down, up = matrices(base, component, layer)
        name = prefix + layer.replace(".", "_")
        content |= {f"{name}.lora_down.weight": down, f"{name}.lora_up.weight": up}
        content |= {} if alpha is None else {f"{name}.alpha": torch.tensor(float(alpha))}
    return content


def scaled(base, layers, component="unet"):
    """Return what a LoRA of rank 2 must add to each layer."""
    pairs = {layer: matrices(base, component, layer) for layer in layers}
    return {
        layer: alpha / 2 * up @ down for (layer, alpha), (down, up) in zip(layers.items(), pairs.values(), strict=True)
    }


def adds(text, config, base, layers, component="unet"):
    added, wanted = change(text, config, base, component), scaled(base, layers, component)
    return added.keys() == wanted.keys() and all(torch.allclose(added[k], wanted[k], atol=1e-5) for k in wanted)


@pytest.mark.parametrize(
    ("component", "layers"),
    [
        ("unet", {LAYER: 1, OTHER: None}),
        ("unet", {LAYER: 1, OTHER: 8}),
        ("text_encoder", {TEXT: 1, FC: 4}),
        ("text_encoder", {TEXT: 1, FC: None}),
    ],
)
def test_every_layer_has_its_own_alpha_and_without_one_that_of_its_rank(component, layers, base, home, config):
    save_file(kohya(base, layers, component), home / "alphas.safetensors")
    usual = {layer: 2 if alpha is None else alpha for layer, alpha in layers.items()}
    assert adds("m/base; lora=m/alphas.safetensors", config, base, usual, component)


@pytest.mark.parametrize("form", ["unet.{}", "{}", "diffusion_model.{}", "base_model.model.{}"])
def test_an_alpha_beside_any_name_is_applied(form, base, home, config):
    down, up = matrices(base)
    name = form.format(LAYER)
    content = {f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up, f"{name}.alpha": torch.tensor(6.0)}
    save_file(content, home / "alpha.safetensors")
    assert adds("m/base; lora=m/alpha.safetensors", config, base, {LAYER: 6})
    save_file(content | {f"{name}x.alpha": torch.tensor(6.0)}, home / "lost.safetensors")
    with pytest.raises(ComparerError, match="1 of its keys match no layer"):
        filled("m/base; lora=m/lost.safetensors", config)


@pytest.mark.parametrize(
    ("said", "alpha"),
    [
        ({"lora_alpha": 8}, 8),
        ({"lora_alpha": 8, "use_rslora": True}, 8 * 2**0.5),
        ({"lora_alpha": 8, "alpha_pattern": {"attn2.to_out.0": 3}}, 3),
    ],
)
def test_the_configuration_that_peft_writes_is_applied(said, alpha, base, home, config, tmp_path):
    down, up = matrices(base)
    folder = home / tmp_path.name
    folder.mkdir()
    name = f"base_model.model.{LAYER}"
    save_file({f"{name}.lora_A.weight": down, f"{name}.lora_B.weight": up}, folder / "adapter_model.safetensors")
    path = folder / "adapter_config.json"
    path.write_text(json.dumps({"peft_type": "LORA", "r": 2, **said}))
    for line in (folder.name, f"{folder.name}/adapter_model.safetensors"):
        assert adds(f"m/base; lora=m/{line}", config, base, {LAYER: alpha})
    for text, why in (
        ('{"peft_type": "LOHA"}', "is a LOHA of PEFT, not a LoRA"),
        ("[", "adapter_config.json' beside .* is"),
    ):
        path.write_text(text)
        with pytest.raises(ComparerError, match=why):
            filled(f"m/base; lora=m/{folder.name}", config)


STRANGE = {
    "another layer": "unet.mid_block.attentions.7.transformer_blocks.0.attn2.to_q",
    "another component": "controlnet.mid_block.attentions.0.transformer_blocks.0.attn2.to_q",
    "a wrapper that is not known": f"unet.ddp.{LAYER}",
}


@pytest.mark.parametrize("where", STRANGE)
@pytest.mark.parametrize("alone", [False, True])
def test_keys_without_a_place_are_refused_by_number_and_name(where, alone, base, home, config):
    down, up = matrices(base)
    content = {} if alone else named("unet.{}.lora_{}.weight", down, up)
    name = STRANGE[where]
    content |= {f"{name}.lora_A.weight": down + 1, f"{name}.lora_B.weight": up + 1}
    save_file(content, home / "strange.safetensors")
    with pytest.raises(ComparerError) as refused:
        filled("m/base; lora=m/strange.safetensors", config)
    told = str(refused.value)
    assert f"2 of its {len(content)} keys match no layer ({name[:20]}" in told and "\n" not in told


def test_two_adapters_in_one_file_are_refused(base, home, config):
    down, up = matrices(base)
    keys = {f"unet.{LAYER}.lora_{side}.{name}.weight": value + len(name)
            for name in ("one", "three") for side, value in (("A", down), ("B", up))}  # fmt: skip
    save_file(keys, home / "two.safetensors")
    with pytest.raises(ComparerError, match="two.safetensors"):
        filled("m/base; lora=m/two.safetensors", config)
    assert filled("m/base", config)["unet"].named == base["unet"].filled.named  # the next one is not harmed


def test_a_layer_that_two_components_have_is_not_guessed():
    modules = {"unet": {"proj"}, "text_encoder": {"proj", "fc"}}
    names = ["proj.lora_A.weight", "fc.lora_A.weight", "diffusion_model.proj.lora_B.weight"]
    assert list(plain_names(names, modules, "unet").values()) == [
        "proj.lora_A.weight", "text_encoder.fc.lora_A.weight", "unet.proj.lora_B.weight"
    ]  # fmt: skip


def adapted(name, content, home, config):
    save_file(content, home / name)
    return load(resolve(parse(f"m/base; lora=m/{name}"), config), config).built.adapted


def test_files_that_diffusers_by_itself_would_load_otherwise_are_named(base, home, config, capfd):
    """A script that loads them with diffusers alone would make other images."""
    usual = {"own": named("unet.{}.lora_{}.weight", *matrices(base)), "one alpha": kohya(base, {LAYER: 4, OTHER: 4})}
    for name, content in usual.items():
        assert adapted(f"{name}.safetensors", content, home, config) == (), name
    wrapped = named("unet._orig_mod.{}.lora_{}.weight", *matrices(base))
    other = {"wrapped": wrapped, "two alphas": kohya(base, {TEXT: 1, FC: 8}, "text_encoder")}
    for name, content in other.items():
        assert adapted(f"{name}.safetensors", content, home, config) == (f"{name}.safetensors",)
    assert "No LoRA keys" not in capfd.readouterr().err  # diffusers says it of every component without a LoRA


def identical(text, config):
    """Return what a line adds that changes nothing."""
    return load(resolve(parse(text), config), config).built.identical


NOTHING = {"weight 0": (0.5, "0"), "B is 0": (0.0, "1"), "too small for its dtype": (1e-9, "1; dtype=bfloat16")}


@pytest.mark.parametrize("why", NOTHING)
def test_a_lora_that_changes_no_value_runs_and_the_head_says_so(why, base, home, config):
    up, weight = NOTHING[why]
    save_file(named("unet.{}.lora_{}.weight", *matrices(base, up=up)), home / "nil.safetensors")
    assert identical(f"m/base; lora=m/nil.safetensors:{weight}", config) == (f"without LoRA nil × {weight[0]}",)


def test_a_lora_that_changes_a_value_is_not_called_identical(base, home, config):
    save_file(named("unet.{}.lora_{}.weight", *matrices(base)), home / "real.safetensors")
    assert identical("m/base; lora=m/real.safetensors", config) == ()


@pytest.mark.parametrize(("dtype", "said"), [("float32", ("its own dtype, float32",)), ("bfloat16", ())])
def test_a_dtype_that_the_weights_have_anyway_is_told(dtype, said, home, config):
    assert identical(f"m/base; dtype={dtype}", config) == said


def test_a_vae_that_the_checkpoint_has_already_is_told(home, config):
    told = {vae: identical(f"m/base; vae=m/{vae}", config) for vae in ("base", "other")}
    assert told == {"base": ("its own VAE",), "other": ()}
