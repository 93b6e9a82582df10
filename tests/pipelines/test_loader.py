"""Loading: every layout gives exactly its tensors, EMA or raw as asked; what does not fit is counted and refused."""

import json
import pickle
from dataclasses import replace
from pathlib import Path
from shutil import copytree
from types import SimpleNamespace

import pytest

from comparer.checkpoints import base_configs, convert
from comparer.checkpoints.find import resolve
from comparer.checkpoints.sources import sources
from comparer.errors import ComparerError
from helpers import original_layout as original
from helpers.tiny_pipelines import pipeline
from helpers.tiny_weights import holds, load, moved, prefixed, save, unet


class Mischief:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.write_text, (self.path, "ran")


def test_a_step_folder_is_laid_over_its_base_and_its_state_is_never_opened(home, config):
    raw, step = unet(home), home / "step_024000"
    ema, ran = moved(raw, 0.5), home / "ran"
    save(prefixed(raw, "module."), step / "model.safetensors")
    save({"ema": prefixed(ema, "_orig_mod."), "step": 24_000}, step / "ema.pt")
    for name in ("optimizer.bin", "random_states_0.pkl", "scheduler.bin"):
        (step / name).write_bytes(pickle.dumps(Mischief(ran)))
    loaded = load("m/step_024000; base=m/base", config)
    assert holds(loaded.pipe.unet, ema)
    filled = loaded.components["unet"].filled
    assert (filled.half, filled.source) == ("ema", "ema.pt: ema") and "EMA, the default" in filled.why
    other = load("m/step_024000; base=m/base; weights=raw", config)
    assert holds(other.pipe.unet, raw) and other.components["unet"].filled.half == "raw"
    assert not ran.exists()
    base = load("m/base", config)
    assert holds(base.pipe.unet, unet(home, "base"))
    assert holds(other.pipe.text_encoder, base.pipe.text_encoder.state_dict())


@pytest.mark.parametrize(
    ("keys", "prefix", "ending"),
    [
        (("generator",), "", ".pt"), (("ema",), "unet.", ".pt"), (("state_dict",), "model.diffusion_model.", ".ckpt"),
        (("model",), "module.", ".bin"), (("module",), "_orig_mod.", ".pth"), (("unet",), "", ".ckpt"),
        (("state", "unet"), "", ".pt"), ((), "model.", ".bin"),
    ],
)  # fmt: skip
def test_training_dictionaries(keys, prefix, ending, home, config):
    weights = unet(home)
    held = prefixed(weights, prefix)
    for key in reversed(keys):
        held = {key: held, "optimizer": {"state": {}}, "epoch": 3}
    path = save(held, home / f"d{'-'.join(keys)}{ending}")
    assert holds(load(f"m/{path.name}; base=m/base", config).pipe.unet, weights)


def test_the_generators_ema_is_used_unless_raw_is_asked_for(home, config):
    raw = unet(home)
    ema = moved(raw, 0.25)
    save({"generator": raw, "generator_ema": ema, "critic": moved(raw, 9.0)}, home / "gan.pt")
    assert holds(load("m/gan.pt; base=m/base", config).pipe.unet, ema)
    assert holds(load("m/gan.pt; base=m/base; weights=raw", config).pipe.unet, raw)


@pytest.mark.parametrize(("variant", "first", "other"), [("ema", "ema", "raw"), ("non_ema", "raw", "ema")])
def test_variants_of_a_diffusers_folder(variant, first, other, home, config):
    """The variant ``ema`` stands beside raw weights, and ``non_ema`` beside an average."""
    folder, plain = home / f"with_{variant}", unet(home)
    if not folder.exists():
        copytree(home / "other", folder)
    its = moved(plain, 0.125)
    save(its, folder / "unet" / f"diffusion_pytorch_model.{variant}.safetensors")
    held = {first: its, other: plain}
    for half in ("ema", "raw"):
        assert holds(load(f"m/{folder.name}; weights={half}", config).pipe.unet, held[half])
    assert holds(load(f"m/{folder.name}", config).pipe.unet, held["ema"])  # where it is


def test_one_big_file_beside_configurations(home, config):
    from safetensors.torch import load_file

    folder, held = home / "framework", {}
    copytree(home / "other", folder)
    for name in ("unet", "vae", "text_encoder"):
        (path,) = (folder / name).glob("*.safetensors")
        held |= prefixed(load_file(path), f"{name}.")
        path.unlink()
    save(held, folder / "model.safetensors")
    loaded, whole = load("m/framework", config), load("m/other", replace(config, cached_pipelines=2))
    for name in ("unet", "vae", "text_encoder"):
        assert holds(getattr(loaded.pipe, name), getattr(whole.pipe, name).state_dict()), name


def test_a_folder_of_torch_files_is_loaded_with_nothing_run(home, config):
    folder = home / "old"
    copytree(home / "other", folder)
    path = folder / "unet" / "diffusion_pytorch_model.safetensors"
    save(unet(home), path.with_suffix(".bin"))
    path.unlink()
    assert holds(load("m/old", config).pipe.unet, unet(home))


def lora_of(weights, kohya, rank=2, alpha=None):
    """Make a LoRA of the attention's layers and its effect at weight 1, by name."""
    import torch

    torch.manual_seed(0)
    names = [name for name in weights if name.endswith(("attn1.to_q.weight", "attn2.to_v.weight"))]
    held, effect = {}, {}
    for name in names:
        down, up = torch.randn(rank, weights[name].shape[1]), torch.randn(weights[name].shape[0], rank)
        layer = name.removesuffix(".weight")
        if kohya:
            key = "lora_unet_" + layer.replace(".", "_")
            held |= {f"{key}.lora_down.weight": down, f"{key}.lora_up.weight": up}
            held |= {f"{key}.alpha": torch.tensor(float(alpha or rank))}
        else:
            held |= {f"unet.{layer}.lora_A.weight": down, f"unet.{layer}.lora_B.weight": up}
        effect[name] = up @ down * ((alpha or rank) / rank)
    return held, effect


@pytest.mark.parametrize(("kohya", "alpha"), [(False, None), (True, None), (True, 1)])
def test_a_lora_changes_its_layers_by_its_weight(kohya, alpha, home, config):
    import torch

    weights = unet(home, "base")
    held, effect = lora_of(weights, kohya, alpha=alpha)
    name = f"lora_{kohya}_{alpha}.safetensors"
    save(held, home / name)
    assert len(effect) > 4
    loaded = load(f"m/base; lora=m/{name}:0.5", config)
    state = loaded.pipe.unet.state_dict()
    assert state.keys() == weights.keys()
    for key, value in weights.items():
        assert torch.allclose(state[key], value + 0.5 * effect.get(key, 0), atol=1e-5), key
    plain = load("m/base", config)
    assert holds(plain.pipe.unet, weights)  # nothing of it stays, and nothing was shared
    assert plain.components["unet"].filled.fingerprint != loaded.components["unet"].filled.fingerprint


def test_the_autoencoder_of_another(home, config):
    from safetensors.torch import load_file

    save(load_file(home / "other" / "vae" / "diffusion_pytorch_model.safetensors"), home / "vae.safetensors")
    for name in ("m/other", "m/vae.safetensors"):
        loaded = load(f"m/base; vae={name}", config)
        assert holds(loaded.pipe.vae, load_file(home / "vae.safetensors"))
        assert holds(loaded.pipe.unet, unet(home, "base"))


def without(weights, ends):
    return {name: value for name, value in weights.items() if not name.endswith(ends)}


def test_missing_unexpected_and_misshaped_tensors_are_counted_and_refused_unless_allowed(home, config):
    import torch

    weights = unet(home)
    kept = without(weights, "norm1.weight")
    gone = sorted(weights.keys() - kept.keys())
    shaped = next(name for name in kept if name.endswith("conv_in.weight"))
    save(kept | {shaped: torch.zeros(3), "conv_in.mystery": torch.zeros(2)}, home / "holes.safetensors")
    with pytest.raises(ComparerError) as refused:
        load("m/holes.safetensors; base=m/base", config)
    told = str(refused.value)
    assert f"{len(gone)} missing" in told and "1 of another shape (conv_in.weight: 3 instead of 32×4×3×3)" in told, told
    assert "1 unexpected (conv_in.mystery)" in told and "incomplete=yes" in told and "\n" not in told
    loaded = load("m/holes.safetensors; base=m/base; incomplete=yes", config)
    filled = loaded.components["unet"].filled
    assert sorted(filled.missing) == gone and filled.misshaped == (shaped,)
    state = loaded.pipe.unet.state_dict()
    assert all(torch.equal(state[name], value) for name, value in kept.items() if name != shaped)
    assert not any(value.is_meta for value in state.values())
    again = load("m/holes.safetensors; base=m/base; incomplete=yes", replace(config, dtype="float32"))
    assert again.components["unet"].filled.fingerprint == filled.fingerprint


def test_a_diffusers_folder_with_holes_is_refused_as_well(home, config):
    """diffusers' own loader fills them with random numbers and goes on."""
    folder = home / "half"
    copytree(home / "other", folder)
    weights = unet(home)
    save(dict(list(weights.items())[::2]), folder / "unet" / "diffusion_pytorch_model.safetensors")
    with pytest.raises(ComparerError, match=rf"'m/half' could not be loaded: .* {len(weights) // 2} missing"):
        load("m/half", config)


REFUSED = {
    "m/nothing; base=m/base": "no checkpoint 'm/nothing'",
    "m/raw.safetensors": "name a checkpoint that has the rest, as in 'm/raw.safetensors; base=",
    "m/raw.safetensors; base=m/base; weights=ema": "has no EMA weights of its unet",
    "m/base; weights=ema": "has no EMA weights of its unet",
    "demo; base=m/base": "is complete and takes no base: leave base= out",
    "m/raw.safetensors; base=m/raw.safetensors": "The base 'm/raw.safetensors' is not a diffusers checkpoint",
    "m/lora.safetensors; base=m/base": "is a LoRA: add it to a checkpoint",
    "m/base; lora=m/raw.safetensors": "'raw.safetensors' is not a LoRA",
    "m/base; lora=../x.safetensors": "outside the checkpoint folders",
    "m/base; lora=m/none.safetensors": "no LoRA 'm/none.safetensors'",
    "m/base; vae=m/raw.safetensors": "'raw.safetensors' has no autoencoder",
    "m/evil.pt; base=m/base": "could run code",
    "m/optimizer.bin; base=m/base": "its name says that it is optimizer state",
    "m/link.safetensors; base=m/base": "outside the checkpoint folders",
    "m/wide_lora.safetensors; base=m/base": "is a LoRA",
    "m/base; lora=m/foreign.safetensors": "is a LoRA of another model",
}


@pytest.fixture(scope="module")
def wrong(home, tmp_path_factory):
    import torch

    weights = unet(home)
    save(weights, home / "raw.safetensors")
    held, _ = lora_of(weights, False)
    save(held, home / "lora.safetensors")
    save(held, home / "wide_lora.safetensors")
    foreign = {name.replace("attn1", "attn7"): value for name, value in held.items()}
    save(foreign, home / "foreign.safetensors")
    outside = save(weights, tmp_path_factory.mktemp("outside") / "x.safetensors")
    (home / "link.safetensors").symlink_to(outside)
    torch.save({"unet": weights, "args": Mischief(home / "harm")}, home / "evil.pt")
    torch.save({"state": {}}, home / "optimizer.bin")


@pytest.mark.parametrize("text", REFUSED)
def test_refusals_are_one_sentence_and_nothing_runs(text, home, wrong, config):
    with pytest.raises(ComparerError) as refused:
        load(text, config)
    told = str(refused.value)
    assert REFUSED[text] in told and "\n" not in told, told
    assert not (home / "harm").exists()


def test_the_card_in_the_record_names_files_hashes_and_what_overrode_what(home, config):
    from hashlib import sha256

    import torch

    from helpers.runs import ask, finish

    step = home / "step_7"
    save(prefixed(unet(home), "module."), step / "model.safetensors")
    (step / "optimizer.bin").write_bytes(b"never opened")
    save({"ema": unet(home), "optimizer": {"state": {}}, "w_t": torch.linspace(0, 1, 200)}, step / "ema.pt")
    request = ask(checkpoint="m/step_7", base="m/base", half="raw", steps=2, width=64, height=64)
    done = finish(request, config)
    card = json.loads((done.folder / "run.json").read_text())["checkpoint"]
    assert "optimizer.bin" not in card["files"] and card["not_read"] == {"optimizer.bin": "optimizer state"}
    assert card["passed_over"] == ["ema.pt: optimizer"] and card["extra"] == {"w_t": 1}
    assert card["files"]["model.safetensors"]["sha256"] == sha256((step / "model.safetensors").read_bytes()).hexdigest()
    assert card["files"]["model.safetensors"]["fills"] == ["unet"]
    part = card["components"]["unet"]
    assert (part["of"], part["instead_of"], part["class_name"]) == ("step_7", "base", "UNet2DConditionModel")
    assert (part["half"], sorted(part["present"]), part["stripped"]) == ("raw", ["ema", "raw"], ["module."])
    assert card["components"]["vae"]["instead_of"] == "" and part["health"]["sound"]
    assert card["says"] == "m/step_7; weights=raw; base=m/base" and card["configs"]["prediction_type"] == "epsilon"
    assert len(part["fingerprint"]) == 16 and part["stored"] == {"float32": part["parameters"]}


@pytest.mark.parametrize(
    ("family", "ending"),
    [
        pytest.param(
            family,
            ending,
            marks=() if (family, ending) in (("sd1", ".ckpt"), ("sdxl", ".safetensors")) else pytest.mark.full,
        )
        for family in ("sd1", "sd2", "sdxl")
        for ending in (".safetensors", ".ckpt")
    ],
)
def test_a_file_in_the_original_layout_takes_its_configurations_from_a_base(family, ending, tmp_path, config):
    """The file has all weights; a tiny one fits no published configuration, so a folder has it."""
    root = tmp_path / "tiny"
    pipe = pipeline(family)
    pipe.save_pretrained(root / "configs")
    for path in (root / "configs").glob("*/*.safetensors"):
        path.unlink()  # configurations alone
    content = original.with_ema(original.checkpoint(pipe))
    save(content if ending == ".safetensors" else {"state_dict": content}, root / f"x{ending}")
    config = replace(config, checkpoints=(root,))
    text = f"tiny/x{ending}; base=tiny/configs"
    halves = {"": 0.5, "; weights=ema": 0.5, "; weights=raw": 1.0}
    for half, scale in halves.items():
        loaded = load(text + half, config)
        assert holds(loaded.pipe.unet, {n: scale * value for n, value in pipe.unet.state_dict().items()})
        for name in ("vae", *loaded.checkpoint.family.text):
            assert holds(getattr(loaded.pipe, name), getattr(pipe, name).state_dict()), name


def test_a_file_of_full_size_finds_its_configurations_without_a_connection(tmp_path, config):
    """Names and shapes of a whole SD 2.x in a header; its data are a hole in the file, which takes no room."""
    names = {"sd2": "SD 2.x"}
    pipe = SimpleNamespace(
        **{
            name: convert.module(base_configs.frame(names["sd2"]).config(name))
            for name in base_configs.frame(names["sd2"]).models
        }
    )
    path = sparse(original.checkpoint(pipe), tmp_path / "ck" / "v2.safetensors")
    found = resolve("ck/v2.safetensors", replace(config, checkpoints=(path.parent,)))
    assert (found.model.family, found.model.size, found.folder.name) == ("sd2", 768, "sd2")
    assert found.denoiser["cross_attention_dim"] == 1024
    assert {name: source.path for name, source in sources(found).items()} == dict.fromkeys(found.parts, path)


def sparse(content, path):
    """Write a safetensors file of these shapes in float16, whose values are zeros that take no room on the disk."""
    header, end = {}, 0
    for name, value in content.items():
        begin, end = end, end + 2 * value.numel()
        header[name] = {"dtype": "F16", "shape": list(value.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + end)
    return path


def test_a_kept_pipeline_is_used_again_only_with_the_same_options(config):
    tiled = load("m/base", replace(config, vae="tiling"))
    whole = load("m/base", config)
    assert (tiled.vae, tiled.pipe.vae.use_tiling) == ("tiling", True)
    assert (whole.vae, whole.pipe.vae.use_tiling) == ("whole", False)
    assert load("m/base", config) is whole
