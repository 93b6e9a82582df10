"""What is at a path: files in the layouts that real tools write, made by these tools from tiny random models."""

import json
import pickle
from shutil import copy, copytree

import pytest
import torch
from safetensors.torch import load_file, save_file

from comparer.checkpoints.files.layout import choose
from comparer.checkpoints.files.scan import look
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from helpers.tiny_pipelines import pipeline

ORIGINAL = {"unet": "model.diffusion_model.", "vae": "first_stage_model.", "text": "cond_stage_model.transformer."}
NOT_READ = ("optimizer.bin", "scheduler.bin", "random_states_0.pkl", "scaler.pt")


def unet():
    return pipeline("sd1").unet


def weights(scale=1.0):
    return {name: value * scale for name, value in unet().state_dict().items()}


def told(layout):
    """Return every set of weights as (component, half, source)."""
    return [(part.component, part.half, part.source) for part in layout.parts]


@pytest.fixture
def step(tmp_path):
    """A step folder as accelerate leaves it, with an EMA beside it; the state files would break whoever opens them."""
    folder = tmp_path / "step_024000"
    folder.mkdir()
    save_file(weights(), folder / "model.safetensors")
    torch.save({"ema": weights(0.5)}, folder / "ema.pt")
    for name in NOT_READ:
        (folder / name).write_bytes(b"never opened")
    return folder


def test_the_demo_has_both_halves():
    found = look(DEMO)
    assert found.kind == "diffusers folder"
    assert told(found) == [
        ("text_encoder", "ema", "text_encoder/model.safetensors"),
        ("text_encoder", "raw", "text_encoder/model.non_ema.safetensors"),
        ("unet", "ema", "unet/diffusion_pytorch_model.safetensors"),
        ("unet", "raw", "unet/diffusion_pytorch_model.non_ema.safetensors"),
        ("vae", "", "vae/diffusion_pytorch_model.safetensors"),
    ]
    assert found.of("unet")[0].class_name == "UNet2DConditionModel"
    assert found.of("unet")[0].parameters == 4_949_956 and found.of("unet")[0].dtypes == {"float16": 4_949_956}
    config = json.loads((DEMO / "vae" / "config.json").read_text())
    assert found.configs == {
        "pipeline": "StableDiffusionPipeline", "scheduler": "DDIMScheduler", "prediction_type": "v_prediction",
        "vae_scaling_factor": config["scaling_factor"],
    }  # fmt: skip
    assert {file.name for file in found.files if "scorer" in file.name} == set()
    sizes = {file.name: file.size for file in found.files}
    assert sizes["vae/config.json"] == (DEMO / "vae" / "config.json").stat().st_size


def test_a_components_folder_is_told_alike(tmp_path):
    found = look(DEMO / "unet")
    assert found.kind == "component folder"
    assert [(part.component, part.half) for part in found.parts] == [("unet", "ema"), ("unet", "raw")]


@pytest.mark.parametrize("family", ["sd1", "sdxl", "pixart-alpha"])
@pytest.mark.parametrize("how", [{}, {"variant": "fp16"}, {"max_shard_size": "200KB"}, {"safe_serialization": False}])
def test_what_diffusers_saves_is_read_as_it_was(family, how, tmp_path):
    pipe = pipeline(family)
    pipe.save_pretrained(tmp_path / "m", **how)
    found = look(tmp_path / "m")
    components = {name: part for name, part in pipe.components.items() if isinstance(part, torch.nn.Module)}
    assert found.kind == "diffusers folder" and not found.notes
    assert {part.component for part in found.parts} == set(components) and len(found.parts) == len(components)
    for part in found.parts:
        module = components[part.component]
        names = set(module.state_dict())
        assert {tensor.name for tensor in part.tensors} <= names
        tied = {n for n in names if "embed_tokens" in n}  # T5's is its shared one
        assert {tensor.name for tensor in part.tensors} >= names - tied
        assert part.variant == how.get("variant", "") and part.class_name == type(module).__name__
    if "max_shard_size" in how:
        assert any("more shards" in part.source for part in found.parts)


def test_a_missing_shard_is_refused(tmp_path):
    pipeline("sd1").save_pretrained(tmp_path / "m", max_shard_size="200KB")
    next((tmp_path / "m" / "unet").glob("*-00002-of-*")).unlink()
    with pytest.raises(ComparerError, match="Shards are missing"):
        look(tmp_path / "m")


def test_an_index_that_names_other_folders_is_refused(tmp_path):
    copytree(DEMO / "unet", tmp_path / "unet")
    index = tmp_path / "unet" / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../../secret.safetensors"}}))
    with pytest.raises(ComparerError, match="outside its folder"):
        look(tmp_path / "unet")
    index.write_text("[" * 100_000)
    with pytest.raises(ComparerError, match="damaged list of shards"):
        look(tmp_path / "unet")


def test_a_variant_ema_makes_the_plain_one_raw(tmp_path):
    (tmp_path / "unet").mkdir()
    copy(DEMO / "unet" / "config.json", tmp_path / "unet")
    for variant in ("", ".ema"):
        save_file(weights(), tmp_path / "unet" / f"diffusion_pytorch_model{variant}.safetensors")
    assert [(part.half, part.variant) for part in look(tmp_path / "unet").parts] == [("raw", ""), ("ema", "ema")]


def test_the_ema_folder_of_diffusers_training_scripts(tmp_path):
    from diffusers import UNet2DConditionModel
    from diffusers.training_utils import EMAModel

    folder = tmp_path / "checkpoint-500"
    ema = EMAModel(unet().parameters(), model_cls=UNet2DConditionModel, model_config=unet().config)
    ema.save_pretrained(folder / "unet_ema")
    unet().save_pretrained(folder / "unet")
    for name in NOT_READ:
        (folder / name).write_bytes(b"never opened")
    found = look(folder)
    assert found.kind == "step folder" and {(part.component, part.half) for part in found.parts} == {
        ("unet", "raw"), ("unet", "ema")
    }  # fmt: skip
    assert "decay" in choose(found, "unet")[0].how
    (alone,) = look(folder / "unet_ema").parts
    assert (alone.component, alone.half) == ("unet", "ema")


def test_one_file_beside_configs(tmp_path):
    for name in ("unet", "vae", "text_encoder", "scheduler"):
        (tmp_path / name).mkdir()
        for config in (DEMO / name).glob("*config.json"):
            copy(config, tmp_path / name)
    copy(DEMO / "model_index.json", tmp_path)
    save_file({f"module.{name}": value for name, value in weights().items()}, tmp_path / "model.safetensors")
    found = look(tmp_path)
    (part,) = found.parts
    assert found.kind == "one file beside configs"
    assert (part.component, part.class_name, part.stripped) == ("unet", "UNet2DConditionModel", ("module.",))
    whole = {f"{name}.{key}": value.contiguous() for name in ("unet", "vae", "text_encoder")
             for key, value in getattr(pipeline("sd1"), name).state_dict().items()}  # fmt: skip
    save_file(whole | {"w_of_t": torch.linspace(0, 1, 1000)}, tmp_path / "model.safetensors")
    found = look(tmp_path)
    assert [part.component for part in found.parts] == ["text_encoder", "unet", "vae"]
    assert {tensor.name for tensor in found.of("unet")[0].tensors} == set(weights())
    assert [tensor.name for tensor in found.extra] == ["w_of_t"]


def test_a_step_folder_has_both_halves_and_opens_no_state(step):
    found = look(step)
    assert found.kind == "step folder"
    assert {(part.half, part.source) for part in found.parts} == {("raw", "model.safetensors"), ("ema", "ema.pt: ema")}
    assert {file.name for file in found.files if file.format == "not read"} == set(NOT_READ)
    part, why = choose(found, "unet")
    assert part.half == "ema" and why.startswith("EMA, the default if there is one: ")
    part, why = choose(found, "unet", "raw")
    assert part.half == "raw" and "beside" in why


@pytest.mark.parametrize("name", NOT_READ)
def test_a_state_file_is_not_opened_even_when_named(step, name):
    with pytest.raises(ComparerError, match="not opened|not a weights file"):
        look(step / name)


def test_asking_for_a_half_that_is_not_there_is_an_error(step):
    (step / "ema.pt").unlink()
    found = look(step)
    with pytest.raises(ComparerError, match=r"has no EMA weights of its unet; it has model\.safetensors"):
        choose(found, "unet", "ema")
    assert "not known whether" in choose(found, "unet")[1]
    with pytest.raises(ComparerError, match="no weights of a vae"):
        choose(found, "vae")


def test_a_list_of_shadows_gets_the_names_of_the_torch_file_beside_it(step):
    from diffusers.training_utils import EMAModel

    torch.save(EMAModel(unet().parameters()).state_dict(), step / "ema.pt")
    found = look(step)
    (ema,) = (part for part in found.parts if part.half == "ema")
    assert (ema.component, ema.named) == ("unet", False) and "without tensor names" in found.notes[0]
    (step / "model.safetensors").unlink()
    torch.save(weights(), step / "pytorch_model.bin")
    found = look(step)
    (ema,) = (part for part in found.parts if part.half == "ema")
    assert (ema.component, ema.named, found.notes) == ("unet", True, ())
    assert {tensor.name: tensor.shape for tensor in ema.tensors} == {n: tuple(v.shape) for n, v in weights().items()}


@pytest.mark.parametrize("with_ema", [True, False])
@pytest.mark.parametrize("family", ["SD 1.x", "SD 2.x", "SDXL"])
@pytest.mark.parametrize("ending", [".safetensors", ".ckpt"])
def test_the_original_layout(family, ending, with_ema, tmp_path):
    texts = {"SD 1.x": {"text_encoder": "cond_stage_model.transformer."},
             "SD 2.x": {"text_encoder": "cond_stage_model.model."},
             "SDXL": {"text_encoder": "conditioner.embedders.0.transformer.",
                      "text_encoder_2": "conditioner.embedders.1.model."}}[family]  # fmt: skip
    net = {
        "input_blocks.0.0.weight": torch.rand(4, 4),
        "output_blocks.0.0.weight": torch.rand(4),
        "out.2.bias": torch.rand(2),
    }
    content = {f"model.diffusion_model.{name}": value for name, value in net.items()}
    content |= {f"{prefix}x.weight": torch.rand(3) for prefix in texts.values()}
    content |= {"first_stage_model.encoder.conv_in.weight": torch.rand(3), "alphas_cumprod": torch.rand(1000)}
    if with_ema:
        content |= {f"model_ema.diffusion_model{name.replace('.', '')}": value * 0.5 for name, value in net.items()}
    path = tmp_path / f"x{ending}"
    save_file(content, path) if ending == ".safetensors" else torch.save({"state_dict": content, "epoch": 1}, path)
    found = look(path)
    assert (found.kind, found.about) == ("original layout", family)
    halves = {part.half: part for part in found.of("unet")}
    assert set(halves) == ({"ema", "raw"} if with_ema else {""})
    assert all({tensor.name for tensor in part.tensors} == set(net) for part in halves.values())
    others = [part for part in found.parts if part.component != "unet"]
    assert {part.component for part in others} == {"vae", *texts} and {part.half for part in others} == {""}
    assert [tensor.name for tensor in found.extra] == ["alphas_cumprod"]


@pytest.mark.parametrize("naming", ["kohya", "diffusers"])
def test_a_lora_has_its_naming_and_ranks(naming, tmp_path):
    content = {}
    for layer in ("down_blocks_0_attn_to_q", "up_blocks_1_attn_to_k"):
        if naming == "kohya":
            content[f"lora_unet_{layer}.lora_down.weight"] = torch.rand(4, 32)
            content[f"lora_unet_{layer}.lora_up.weight"] = torch.rand(32, 4)
            content[f"lora_unet_{layer}.alpha"] = torch.tensor(4.0)
            content[f"lora_te_{layer}.lora_down.weight"] = torch.rand(8, 32)
            content[f"lora_te_{layer}.lora_up.weight"] = torch.rand(32, 8)
        else:
            content[f"unet.{layer}.lora_A.weight"] = torch.rand(4, 32)
            content[f"unet.{layer}.lora_B.weight"] = torch.rand(32, 4)
            content[f"text_encoder.{layer}.lora_A.weight"] = torch.rand(8, 32)
            content[f"text_encoder.{layer}.lora_B.weight"] = torch.rand(32, 8)
    save_file(content, tmp_path / "x.safetensors")
    found = look(tmp_path / "x.safetensors")
    assert found.kind == "LoRA" and found.lora.naming == naming
    assert found.lora.ranks == {"unet": {4: 2}, "text_encoder": {8: 2}}
    assert found.lora.alphas == (2 if naming == "kohya" else 0) and found.lora.unpaired == ()
    del content[next(name for name in content if "lora_up" in name or "lora_B" in name)]
    save_file(content, tmp_path / "x.safetensors")
    assert "have no matching matrix" in look(tmp_path / "x.safetensors").notes[0]


def test_families_that_comparer_cannot_run_are_inspected(tmp_path):
    video = {f"blocks.{n}.self_attn.q.weight": torch.rand(4, 4) for n in range(2)} | {
        "patch_embedding.weight": torch.rand(4)
    }
    named = {f"model._fsdp_wrapped_module.{name}": value for name, value in video.items()}
    torch.save({"generator": named, "generator_ema": video, "critic": video}, tmp_path / "model.pt")
    found = look(tmp_path / "model.pt")
    assert found.kind == "training dictionary"
    assert [(part.component, part.half) for part in found.parts] == [
        ("transformer", "raw"), ("transformer", "ema"), ("critic", "")
    ]  # fmt: skip
    assert found.parts[0].stripped == ("_fsdp_wrapped_module.", "model.")
    save_file({"anything.weight": torch.rand(2)}, tmp_path / "x.safetensors")
    assert look(tmp_path / "x.safetensors").parts[0].component == "network"


def test_numbers_beside_the_weights_are_extra(tmp_path):
    torch.save({"generator": weights(), "beta": torch.ones(3), "step": 7}, tmp_path / "x.pt")
    found = look(tmp_path / "x.pt")
    assert told(found) == [("unet", "", "x.pt: generator")] and [tensor.name for tensor in found.extra] == ["beta"]


def test_a_lora_beside_a_model_and_a_model_with_some(step):
    pair = {"unet.x.lora_A.weight": torch.rand(4, 8), "unet.x.lora_B.weight": torch.rand(8, 4)}
    save_file(pair, step / "a_lora.safetensors")
    found = look(step)
    assert found.kind == "step folder" and found.lora.ranks == {"unet": {4: 1}}
    assert sorted(part.component for part in found.parts) == ["lora", "unet", "unet"]
    save_file(
        weights() | {name.removeprefix("unet."): value for name, value in pair.items()}, step / "a_lora.safetensors"
    )
    assert look(step).lora is None and "lora" not in {part.component for part in look(step).parts}


def test_a_file_is_told_by_itself_alone(tmp_path):
    copytree(DEMO, tmp_path / "m")
    save_file({"x.weight": torch.rand(2)}, tmp_path / "m" / "x.safetensors")
    (part,) = look(tmp_path / "m" / "x.safetensors").parts
    assert (part.component, part.class_name) == ("network", "")
    assert not any(part.component == "network" for part in look(tmp_path / "m").parts)
    assert {file.name: file.why for file in look(tmp_path / "m").files}["x.safetensors"].startswith("the components'")


def test_a_tensor_in_two_shards_is_refused(tmp_path):
    for number in (1, 2):
        save_file({"a": torch.rand(2)}, tmp_path / f"model-0000{number}-of-00002.safetensors")
    with pytest.raises(ComparerError, match="Two shards of .* the same name"):
        look(tmp_path)


def test_a_torch_file_beside_safetensors_is_listed_and_not_read(tmp_path):
    copytree(DEMO / "unet", tmp_path / "unet")
    (tmp_path / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"never opened")
    for path, below in ((tmp_path, "unet/"), (tmp_path / "unet", "")):
        found, name = look(path), f"{below}diffusion_pytorch_model.bin"
        assert {file.name: file.format for file in found.files}[name] == "not read" and len(found.parts) == 2


def test_a_folder_of_a_class_that_is_not_known_is_told_by_its_tensors(tmp_path):
    (tmp_path / "config.json").write_text('{"_class_name": "MyNet"}')
    save_file(weights(), tmp_path / "diffusion_pytorch_model.safetensors")
    (part,) = look(tmp_path).parts
    assert (part.component, part.class_name) == ("unet", "MyNet")


def test_outputs_of_training_are_no_components(tmp_path, step):
    (step / "config.json").write_text('{"_class_name": "UNet2DConditionModel"}')
    with pytest.raises(ComparerError, match="inspect one of its folders: step_024000"):
        look(step.parent)


def test_extra_tensors_are_kept_apart(tmp_path):
    save_file(weights() | {"loss_weights.w": torch.rand(1000)}, tmp_path / "model.safetensors")
    found = look(tmp_path)
    assert [tensor.name for tensor in found.extra] == ["loss_weights.w"]
    assert {tensor.name for tensor in found.parts[0].tensors} == set(weights())


def test_refusals(tmp_path, step):
    with pytest.raises(ComparerError, match="nothing at"):
        look(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ComparerError, match="contains no weights"):
        look(tmp_path / "empty")
    with pytest.raises(ComparerError, match="inspect one of its folders: empty, step_024000"):
        look(tmp_path)
    torch.save({"step": 7}, tmp_path / "x.pt")
    with pytest.raises(ComparerError, match="'x.pt' contains no weights"):
        look(tmp_path / "x.pt")
    (tmp_path / "x.txt").write_text("x")
    with pytest.raises(ComparerError, match="not a weights file"):
        look(tmp_path / "x.txt")
    with pytest.raises(ComparerError):
        look(tmp_path / ("a" * 5000))
    with pytest.raises(ComparerError):
        look(tmp_path / "\0")
    (step / "pytorch_model.bin").write_bytes(pickle.dumps({"a": print}))
    with pytest.raises(ComparerError, match=r"'pytorch_model\.bin' is a pickle"):
        look(step)


def test_links_out_of_the_folders_that_may_be_read_are_refused(tmp_path, step):
    root = tmp_path / "models"
    (root / "m").mkdir(parents=True)
    (root / "m" / "model.safetensors").symlink_to(step / "model.safetensors")
    (root / "whole").symlink_to(step)
    assert look(root / "m").parts and look(root / "m", (tmp_path,)).parts
    for path in (root / "m", root / "whole", step, root / ".." / "step_024000", root / "m" / "model.safetensors"):
        with pytest.raises(ComparerError, match="outside the checkpoint folders"):
            look(path, (root,))
    for name in ("vae/config.json", "tokenizer/vocab.json", "model_index.json"):
        copytree(DEMO, root / name / "demo")
        (root / name / "demo" / name).unlink()
        (root / name / "demo" / name).symlink_to(DEMO / name)
        with pytest.raises(ComparerError, match="outside the checkpoint folders"):
            look(root / name / "demo", (root,))


def test_a_damaged_configuration_is_noted(tmp_path):
    copytree(DEMO, tmp_path / "m")
    (tmp_path / "m" / "vae" / "config.json").write_text("{")
    found = look(tmp_path / "m")
    assert any("vae/config.json is damaged" in note for note in found.notes) and found.of("vae")


def test_the_demo_loads_what_is_listed():
    (ema, _) = look(DEMO).of("unet")
    assert {tensor.name for tensor in ema.tensors} == set(
        load_file(DEMO / "unet" / "diffusion_pytorch_model.safetensors")
    )
