"""Weights of another kind: scales are applied, and what cannot be loaded is named as what it is."""

import json
import re
from shutil import copytree

import pytest
import torch

from comparer.checkpoints.find import resolve
from comparer.checkpoints.inspection.card import make
from comparer.checkpoints.spec import parse
from comparer.config import Config
from comparer.errors import ComparerError, Foreign, Incomplete
from comparer.models.tiny import save_tiny
from comparer.sanity.check import check
from comparer.sanity.report import SanityReport
from helpers import original_layout as original
from helpers.tiny_pipelines import pipeline
from helpers.tiny_weights import load, save, unet

LAYER = "lora_unet_mid_block_attentions_0_transformer_blocks_0_attn1_to_q"


def scaled(weights, ending, rows=False, dtype=torch.float8_e4m3fn, largest=448):
    """Quantise all matrices; return the content and what the weights are after scaling."""
    content, wanted = {}, dict(weights)
    for name, value in weights.items():
        if name.endswith(".weight") and value.dim() == 2:
            scale = (value.abs().amax(1, keepdim=True) if rows else value.abs().max()) / largest
            content[name] = (value / scale).to(dtype)
            wanted[name] = content[name].float() * scale
            content[name.removesuffix("weight") + ending] = scale
        else:
            content[name] = value
    return content, wanted


@pytest.mark.parametrize(
    ("ending", "rows", "dtype", "largest"),
    [
        ("scale_weight", False, torch.float8_e4m3fn, 448),
        ("weight_scale", True, torch.float8_e5m2, 448),
        ("weight_scale", True, torch.int8, 127),
    ],
)
def test_scales_beside_weights_are_applied(ending, rows, dtype, largest, home, config):
    content, wanted = scaled(unet(home), ending, rows, dtype, largest)
    save(content | {"scaled_fp8": torch.zeros(2)}, home / "scaled.safetensors")
    loaded = load("m/scaled.safetensors; base=m/base", config)
    for name, value in loaded.pipe.unet.state_dict().items():
        assert torch.equal(value, wanted[name]), name
    assert not loaded.components["unet"].filled.unexpected


def test_scales_in_the_original_layout_are_applied(home, config):
    content, wanted = scaled(original.checkpoint(pipeline("sd1")), "scale_weight")
    save(content, home / "original.safetensors")
    state = load("m/original.safetensors; base=m/base", config).pipe.unet.state_dict()
    given = wanted["model.diffusion_model.time_embed.0.weight"]
    assert torch.equal(state["time_embedding.linear_1.weight"], given)


@pytest.mark.parametrize(
    ("beside", "said"),
    [
        ("SCB", "bitsandbytes, 8 bits"),
        ("weight.absmax", "bitsandbytes, 4 bits"),
        ("weight.quant_state.bitsandbytes__nf4", "bitsandbytes"),
        ("weight_scale_inv", "is quantised"),
        ("comfy_quant", "ComfyUI"),
    ],
)
def test_other_quantised_weights_are_refused_by_name(beside, said, home, config):
    save(unet(home) | {f"time_embedding.linear_1.{beside}": torch.ones(4)}, home / "q.safetensors")
    with pytest.raises(ComparerError, match=f"q.safetensors is quantised .*{beside}.*") as refused:
        load("m/q.safetensors; base=m/base; incomplete=yes", config)
    assert said in str(refused.value)


def test_integers_and_a_quantization_config_are_refused(home, config, tmp_path):
    weights = unet(home)
    weights["time_embedding.linear_1.weight"] = weights["time_embedding.linear_1.weight"].to(torch.uint8)
    save(weights, home / "integers.safetensors")
    with pytest.raises(ComparerError, match="time_embedding.linear_1.weight contain integers"):
        load("m/integers.safetensors; base=m/base", config)
    folder = copytree(home / "other", home / tmp_path.name)
    path = folder / "text_encoder" / "config.json"
    said = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": said}))
    with pytest.raises(ComparerError, match="text_encoder .*quantization_config: bitsandbytes, load_in_4bit"):
        resolve(parse(f"m/{folder.name}"), config)


def test_the_card_says_that_weights_are_quantised(home, tmp_path):
    content, _ = scaled(unet(home), "scale_weight")
    save(content, tmp_path / "scaled.safetensors")
    save(unet(home) | {"time_embedding.linear_1.SCB": torch.ones(4)}, tmp_path / "eight.safetensors")
    folder = copytree(home / "other", tmp_path / "pipe")
    path = folder / "unet" / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"quantization_config": {"quant_method": "torchao"}}))
    for name, said in (
        ("scaled.safetensors", "has scales of .* weights: loading multiplies"),
        ("eight.safetensors", "is quantised .*bitsandbytes, 8 bits"),
        ("pipe", "The config of the unet says that its weights are quantised: torchao."),
    ):
        (note,) = make(tmp_path / name).layout.notes
        assert re.search(said, note)
    assert not make(home / "other").layout.notes


def test_surplus_tensors_are_noted_by_name(home, config):
    save(unet(home) | {"conv_in.extra": torch.ones(3), "curve": torch.ones(3)}, home / "more.safetensors")
    built = load("m/more.safetensors; base=m/base", config).built
    assert built.components["unet"].filled.unexpected == ("conv_in.extra",)  # results.loaded_weights.unused names them
    assert "no component has them: 1 tensor of more.safetensors (curve)" in " ".join(built.notes)


@pytest.mark.parametrize(("channels", "use"), [(9, "inpainting"), (8, "instruct-pix2pix"), (6, "takes 6 channels,")])
def test_a_unet_of_other_channels_is_refused_and_broken(channels, use, tmp_path):
    folder = save_tiny("sd1", tmp_path / "m" / "x", in_channels=channels)
    config = Config(checkpoints=(folder.parent,), runs=tmp_path / "runs", hub=False)
    with pytest.raises(Foreign, match=f"is not a text-to-image checkpoint: .*{use}.*have 4"):
        resolve(parse("m/x"), config)
    (report,) = (event for event in check("m/x", config) if isinstance(event, SanityReport))
    assert report.judgement.exit_code == 5 and use in report.judgement.line


def test_a_file_of_other_channels_is_refused_without_advice(home, config):
    weights = unet(home)
    weights["conv_in.weight"] = torch.zeros(32, 9, 3, 3)
    save(weights, home / "nine.safetensors")
    for more in ("", "; incomplete=yes"):
        with pytest.raises(Foreign, match="is not a text-to-image U-Net: .*32×9×3×3") as refused:
            load(f"m/nine.safetensors; base=m/base{more}", config)
        assert "incomplete" not in str(refused.value)


@pytest.mark.parametrize("named", [dict, original.vae])
def test_a_vae_file_of_other_channels_is_refused_without_advice(named, home, config):
    from diffusers import AutoencoderKL

    made = AutoencoderKL.from_config(dict(pipeline("sd1").vae.config) | {"latent_channels": 16})
    save(named(made.state_dict()), home / "sixteen.safetensors")
    for more in ("", "; incomplete=yes"):
        with pytest.raises(Foreign, match="a VAE of another model: its latents have 16 channels, .* 4") as refused:
            load(f"m/base; vae=m/sixteen.safetensors{more}", config)
        assert "incomplete" not in str(refused.value)


def test_a_tiny_autoencoder_is_used_and_another_class_is_named(home, config):
    from diffusers import AutoencoderTiny

    widths = {"encoder_block_out_channels": (8,) * 4, "decoder_block_out_channels": (8,) * 4}
    made = AutoencoderTiny(**widths)
    made.save_pretrained(home / "taesd")
    pipe = load("m/base; vae=m/taesd", config).pipe
    assert type(pipe.vae) is AutoencoderTiny and pipe.vae_scale_factor == 8
    assert all(torch.equal(value, made.state_dict()[name]) for name, value in pipe.vae.state_dict().items())
    pipe("a", num_inference_steps=1, height=64, width=64)
    save(made.state_dict(), home / "taesd.safetensors")
    with pytest.raises(ComparerError, match=r"an AutoencoderTiny \(TAESD\).*config.json"):
        load("m/base; vae=m/taesd.safetensors", config)
    path = home / "taesd" / "config.json"
    for change, said in (
        ({"_class_name": "AsymmetricAutoencoderKL"}, "an AsymmetricAutoencoderKL, which is not supported"),
        ({"latent_channels": 16}, "latents of 16 channels, but the unet takes 4"),
    ):
        kept = path.read_text()
        path.write_text(json.dumps(json.loads(kept) | change))
        with pytest.raises(ComparerError, match=said):
            resolve(parse("m/base; vae=m/taesd"), config)
        path.write_text(kept)


@pytest.mark.parametrize(
    ("left_out", "said"),
    [
        ("first_stage", "has no VAE; add vae=… or base=…"),
        ("cond_stage", "has no text encoder, .*add base=…"),
    ],
)
def test_merges_without_a_component_say_what_adds_it(left_out, said, home, config):
    content = {k: v for k, v in original.checkpoint(pipeline("sd1")).items() if not k.startswith(left_out)}
    save(content, home / "merge.safetensors")
    with pytest.raises(ComparerError, match=f"merge.safetensors' {said}") as refused:
        resolve(parse("m/merge.safetensors"), config)
    assert "sd1" not in str(refused.value) and "scheduler" not in str(refused.value)


def test_a_merge_without_text_encoder_is_sent_to_its_own_family(home, config):
    """By the width of the text that its U-Net reads, or by SDXL's embedding of sizes."""
    wide = "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight"
    whole = original.checkpoint(pipeline("sdxl"))
    merges = {"sdxl": {k: v for k, v in whole.items() if not k.startswith("conditioner.")}}
    for width, base in ((768, "sd-1.5"), (1024, "sd-2.1")):
        merges[base] = {
            wide: torch.zeros(4, width),
            "first_stage_model.decoder.conv_in.weight": torch.zeros(4, 4, 3, 3),
        }
    for base, content in merges.items():
        save(content, home / "merge.safetensors")
        with pytest.raises(ComparerError, match=f"has no text encoder; add base=…, .*base={base}'"):
            resolve(parse("m/merge.safetensors"), config)
        save({name: value for name, value in content.items() if "diffusion_model" in name}, home / "alone.safetensors")
        with pytest.raises(ComparerError, match=f"name a checkpoint that has the rest, .*base={base}'"):
            resolve(parse("m/alone.safetensors"), config)
    save({k: v for k, v in whole.items() if not k.startswith("model.")}, home / "rest.safetensors")
    with pytest.raises(ComparerError, match="It contains text_encoder, text_encoder_2, vae; name a"):
        resolve(parse("m/rest.safetensors"), config)


def test_components_of_another_model_are_named_without_advice_to_fill_them(home, config):
    save(original.original(pipeline("sd2").unet.state_dict()), home / "sd2.safetensors")
    vae = dict(load("m/base", config).pipe.vae.state_dict())
    vae["decoder.conv_in.weight"] = torch.zeros(vae["decoder.conv_in.weight"].shape[0], 16, 3, 3)
    save(vae, home / "wide.safetensors")
    for line, said in (
        ("m/sd2.safetensors; base=m/base", "a U-Net of another model: .*32×48 instead of 32×32.*another base"),
        ("m/base; vae=m/wide.safetensors", "a VAE of another model: its latents have 16 channels"),
    ):
        with pytest.raises(Foreign, match=said) as refused:
            load(line, config)
        assert "incomplete" not in str(refused.value)


def test_weights_that_were_not_downloaded_whole_are_named_in_their_folder(home, config, tmp_path):
    folder = copytree(home / "other", home / tmp_path.name)
    file = folder / "unet" / "diffusion_pytorch_model.safetensors"
    for name, said in ((f"{file.name}.incomplete", "an unfinished download"), ("model.SAFETENSORS", "in capitals")):
        file = file.rename(file.with_name(name))
        with pytest.raises(ComparerError, match=f"no weights of a unet that can be read: 'unet/{name}' is .*{said}"):
            resolve(parse(f"m/{folder.name}"), config)


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["a1.weight", "a2.weight", "b1.weight", "b2.weight", "alpha"], "a GLoRA"),
        (["diff", "diff_b"], "a full difference"),
        (["weight", "on_input"], "an IA³"),
        (["hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b", "alpha"], "a LoHa"),
        (["lokr_w1", "lokr_w2", "alpha"], "a LoKr"),
        (["oft_blocks", "alpha"], "an OFT"),
        (["lora_down.weight", "lora_up.weight", "dora_scale"], "a DoRA"),
    ],
)
def test_adapters_that_are_not_served_are_named(names, kind, home, config):
    save({f"{LAYER}.{name}": torch.ones(2, 2) for name in names}, home / "adapter.safetensors")
    for line in (
        "m/base; lora=m/adapter.safetensors",
        "m/adapter.safetensors",
        "m/adapter.safetensors; base=m/base; incomplete=yes",
    ):
        with pytest.raises(ComparerError, match=f"adapter.safetensors' is {kind}") as refused:
            resolve(parse(line), config)
        assert "incomplete" not in str(refused.value)


def test_random_tensors_are_offered_only_where_most_of_a_module_is_there(home, config):
    weights = unet(home)
    save({name: value for name, value in weights.items() if "up_blocks.2" not in name}, home / "part.safetensors")
    with pytest.raises(Incomplete, match="'incomplete=yes' fills them"):
        load("m/part.safetensors; base=m/base", config)
    save({f"other.{name}": value for name, value in list(weights.items())[:20]}, home / "strange.safetensors")
    with pytest.raises(Foreign, match="not a unet of this kind: 0 of the") as refused:
        load("m/strange.safetensors; base=m/base", config)
    assert "incomplete" not in str(refused.value)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("x.gguf", "a GGUF file"),
        ("x.SAFETENSORS", "rename it to 'x.safetensors'"),
        ("x.sft", "rename it to 'x.safetensors'"),
        ("x.safetensors.crdownload", "an unfinished download"),
        ("x.zip", "an archive: unpack it"),
        ("x.plan", "a TensorRT engine: use the safetensors version"),
        ("x.mlpackage/weight.bin", "a Core ML model"),
        ("run/openvino_model.bin", "weights of OpenVINO"),
        ("run/pytorch_model/zero_pp_rank_0_mp_rank_00_model_states.pt", r"DeepSpeed split \(ZeRO stage 3\)"),
        ("run/__0_0.distcp", "torch.distributed"),
        ("run/pytorch_model_fsdp_0/__0_0.distcp", "torch.distributed"),
    ],
)
def test_files_of_other_tools_are_named(file, said, tmp_path):
    path = tmp_path / "m" / file
    path.parent.mkdir(parents=True)
    path.write_bytes(b"GGUF" if "gguf" in file else bytes(100))
    config = Config(checkpoints=(tmp_path / "m",), runs=tmp_path / "runs", hub=False)
    lines = {f"m/{file}; base=demo", f"m/{file.partition('/')[0]}; base=demo"}
    for line in lines if "mlpackage" not in file else ("m/x.mlpackage",):
        with pytest.raises(ComparerError, match=said):
            resolve(parse(line), config)


def test_a_tokenizer_without_a_length_is_named(home, config, tmp_path):
    folder = copytree(home / "other", home / tmp_path.name)
    path = folder / "tokenizer" / "tokenizer_config.json"
    said = json.loads(path.read_text())
    del said["model_max_length"]
    for content in (said, said | {"model_max_length": int(1e30)}):  # what transformers writes for none
        path.write_text(json.dumps(content))
        with pytest.raises(ComparerError, match="tokenizer_config.json has no model_max_length, .* is 77") as refused:
            resolve(parse(f"m/{folder.name}"), config)
        assert "KeyError" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        ({"image_proj": {"proj.weight": torch.ones(2)}, "ip_adapter": {"1.to_k_ip.weight": torch.ones(2)}},
         "an IP-Adapter"),
        ({"string_to_token": {"*": 265}, "string_to_param": {"*": torch.ones(2, 32)}}, "a textual inversion"),
        ({320: [{"linear.0.weight": torch.ones(2)}, {"linear.0.weight": torch.ones(2)}], "step": 5}, "a hypernetwork"),
        ({"body.0.block1.weight": torch.ones(2), "conv_in.weight": torch.ones(2)}, "a T2I-Adapter"),
        ({"model.diffusion_model.input_blocks.1.1.time_stack.0.attn1.to_q.weight": torch.ones(2)}, "a video model"),
        ({"diffusion_model.double_blocks.0.img_attn.proj.lora_A.weight": torch.ones(2, 2),
          "diffusion_model.double_blocks.0.img_attn.proj.lora_B.weight": torch.ones(2, 2)}, "a LoRA for a transformer"),
    ],
)  # fmt: skip
def test_networks_of_other_uses_are_named(content, kind, home, config):
    torch.save(content, home / "x.pt")
    for line in ("m/x.pt", "m/x.pt; base=m/base", "m/base; lora=m/x.pt"):
        with pytest.raises(ComparerError, match=f"x.pt' is {kind}") as refused:
            resolve(parse(line), config)
        assert "incomplete" not in str(refused.value)


def test_a_file_under_another_ending_is_to_be_renamed(home, config):
    save(unet(home), home / "x.safetensors").rename(home / "x.ckpt")
    torch.save(unet(home), home / "y.pt")
    (home / "y.pt").rename(home / "y.safetensors")
    for name, other in (("x.ckpt", "x.safetensors"), ("y.safetensors", "y.ckpt")):
        with pytest.raises(ComparerError, match=f"{name}' is .* rename it to '{other}'"):
            resolve(parse(f"m/{name}; base=m/base"), config)


def test_autoencoders_that_are_not_served_are_named_without_their_config(home, config):
    save({"decoder.condition_encoder.layers.0.weight": torch.ones(2), "encoder.conv_in.weight": torch.ones(2),
          "decoder.conv_in.weight": torch.ones(2)}, home / "asym.safetensors")  # fmt: skip
    with pytest.raises(ComparerError, match="an AsymmetricAutoencoderKL, which is not supported as a VAE"):
        resolve(parse("m/base; vae=m/asym.safetensors"), config)
    save({"decoder.layers.0.weight": torch.ones(2)}, home / "tiny" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ComparerError, match=r"an AutoencoderTiny \(TAESD\).*copy its config.json into the folder"):
        resolve(parse("m/base; vae=m/tiny"), config)


def test_a_librarys_error_does_not_end_at_a_colon():
    from comparer.assets import ASSETS
    from comparer.pipelines.loader import _sentence

    assert _sentence(RuntimeError("Error in X:\n\tsize mismatch\n\tmore")) == "Error in X: size mismatch"
    assert _sentence(RuntimeError("")) == "RuntimeError" and _sentence(ValueError("Failed:")) == "Failed"
    assert _sentence(OSError(f"no file in {ASSETS}/configs/sd1")) == "no file in configs/sd1"
