"""Checkpoints: which are found, which are refused and how, and that the loader's choices are recorded."""

import inspect
import json
import os
from dataclasses import replace
from shutil import copy2, copytree, ignore_patterns, rmtree

import numpy as np
import pytest

from comparer.checkpoints.find import local_names, names, resolve
from comparer.cli.main import main
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models import hub, samplers
from comparer.models.catalog import DEMO
from comparer.pipelines import loader
from comparer.request.build import build_request as ask_at_door
from helpers.runs import PROMPT, ask, finish, pixels


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """Copy the demo to where links to its files can be made."""
    return copytree(DEMO, tmp_path_factory.mktemp("demo") / "demo")


@pytest.fixture
def demo_to(original):
    """Return a function that copies the demo: its weights, which nobody may write into, are hard links."""

    def link(source, target):
        return os.link(source, target) if source.endswith(".safetensors") else copy2(source, target)

    return lambda target: copytree(original, target, copy_function=link, ignore=ignore_patterns("scorer"))


def rewrite(path, content):
    """Write a file anew, not into the one that other links name."""
    path.unlink()
    path.write_bytes(content)


@pytest.fixture
def installed(tmp_path, demo_to):
    """A folder with two copies of the demo (plain and fp16 files), a sound config of a class not served, and dirt."""
    root = tmp_path / "models"
    demo_to(root / "old")
    demo_to(root / "training" / "step_100")
    for part in ("unet", "vae"):
        for path in (root / "training" / "step_100" / part).glob("*.safetensors"):
            path.unlink() if "non_ema" in path.name else path.rename(path.with_name(f"{path.stem}.fp16.safetensors"))
    (root / "flux").mkdir()
    (root / "flux" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    demo_to(root / "damaged")
    (root / "damaged" / "unet" / "config.json").write_text("{")
    demo_to(root / "empty")
    for path in (root / "empty" / "unet").glob("*.safetensors"):
        path.unlink()
    (root / "nothing").mkdir()
    (tmp_path / "secret").mkdir()
    demo_to(tmp_path / "secret" / "model")
    (root / "link").symlink_to(tmp_path / "secret" / "model")
    times = {"old": 1_000, "training/step_100": 5_000, "flux": 4_000, "damaged": 3_000, "empty": 2_000}
    for name, when in times.items():
        os.utime(root / name / "model_index.json", (when, when))
    return Config(checkpoints=(root,), runs=tmp_path / "runs")


def test_local_folders_are_listed_newest_first(installed):
    found = [name for name in local_names(installed) if name != "models/link"]
    assert found == [f"models/{n}" for n in ("training/step_100", "flux", "damaged", "empty", "old")]
    assert names(installed)[:3] == ["demo", "sd-1.5", "sd-2.1"]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("models/flux", ["FluxPipeline", "StableDiffusionPipeline"]),
        ("models/damaged", ["damaged"]),
        ("models/empty", ["could not be loaded", "no weights of a unet"]),
        ("models/nothing", ["'nothing' contains no weights"]),
        ("models/none", ["no checkpoint 'models/none'", "demo"]),
        ("models/../secret/model", ["outside the checkpoint folders"]),
        ("models/link", ["outside the checkpoint folders"]),
        ("/etc", ["outside the checkpoint folders"]),
        ("../secret/model", ["outside the checkpoint folders"]),
        ("~nosuchuser", ["no checkpoint '~nosuchuser'", "demo"]),
        ("~nosuchuser/model", ["no checkpoint '~nosuchuser/model'", "demo"]),
        pytest.param("/" + "a" * 5000, ["no checkpoint '/aaa", "aaa…'", "demo"], id="long path"),
        pytest.param("models/" + "a" * 5000, ["no checkpoint 'models/aaa", "aaa…'", "demo"], id="long name"),
        ("./\0", ["no checkpoint", "demo"]),
        ("models/\0", ["no checkpoint", "demo"]),
        ("sd-1.5", ["not on this machine", "about 2.1 GB", "python -m comparer fetch sd-1.5"]),
    ],
)
def test_refusals(installed, name, words, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ComparerError) as refused:
        resolve(name, installed)
    assert all(word in str(refused.value) for word in words), refused.value
    assert "\n" not in str(refused.value)


def changed(part, **fields):
    """Return what changes a component's configuration; "gone" takes a field away."""

    def damage(folder):
        path = folder / part
        data = json.loads(path.read_text()) | fields
        path.write_text(json.dumps({name: value for name, value in data.items() if value != "gone"}))

    return damage


def written(part, text):
    return lambda folder: (folder / part).write_bytes(text)


def sharded(text):
    """Return what replaces the U-Net's weights by a list of shards."""

    def damage(folder):
        (folder / "unet" / "diffusion_pytorch_model.safetensors").unlink()
        (folder / "unet" / "diffusion_pytorch_model.safetensors.index.json").write_text(text)

    return damage


def without_tokenizer(folder):
    rmtree(folder / "tokenizer")


def with_empty_tokenizer(folder):
    without_tokenizer(folder)
    (folder / "tokenizer").mkdir()


UNET, SCHEDULER, TOKENIZER = "unet/config.json", "scheduler/scheduler_config.json", "tokenizer/tokenizer_config.json"
DAMAGES = {
    "truncated list of shards": (sharded('{"weight_map": {"a"'), "JSONDecodeError"),
    "list of shards without a map": (sharded("{}"), "weight_map"),
    "list of shards that is a list": (sharded("[]"), "TypeError"),
    "map of shards that is a list": (sharded('{"weight_map": []}'), "AttributeError"),
    "scheduler that is a list": (written(SCHEDULER, b"[]"), "AttributeError"),
    "deep scheduler": (written(SCHEDULER, b"[" * 100_000), "RecursionError"),
    "index that is a list": (written("model_index.json", b"[]"), "AttributeError"),
    "no channels": (changed(UNET, block_out_channels="gone"), "block_out_channels"),
    "null channels": (changed(UNET, block_out_channels=None), "its block_out_channels None is not a list"),
    "no kinds of blocks": (changed(UNET, down_block_types="gone"), "down_block_types"),
    "null kinds of blocks": (changed(UNET, down_block_types=None), "its down_block_types None are not 3 names"),
    "two kinds of blocks": (changed(UNET, down_block_types=["a", "b"]), "are not 3 names"),
    "layers x": (changed(UNET, layers_per_block="x"), "its layers_per_block x is not a whole number"),
    "null layers": (changed(UNET, layers_per_block=None), "its layers_per_block None is not a whole number"),
    "two layers": (changed(UNET, layers_per_block=[1, 1]), "is not a list of 3 whole numbers"),
    "middle that is a list": (changed(UNET, mid_block_type=[]), "mid_block_type [] is not a name"),
    "no class": (changed(UNET, _class_name="gone"), "_class_name"),
    **{
        f"sample_size {size}": (changed(UNET, sample_size=size), f"its sample_size {size} is not a whole number")
        for size in (-1, 0, 8.5, [16, 16], "8", True, None)
    },
    "vae without channels": (changed("vae/config.json", block_out_channels=[]), "vae's block_out_channels"),
    "prediction foo": (changed(SCHEDULER, prediction_type="foo"), "its prediction_type foo is not one of epsilon"),
    "spacing foo": (changed(SCHEDULER, timestep_spacing="foo"), "its timestep_spacing foo is not one of leading"),
    "two time steps": (changed(SCHEDULER, num_train_timesteps=2), "its num_train_timesteps 2 is not a whole number"),
    "no tokenizer": (without_tokenizer, "its tokenizer has no vocabulary"),
    "empty tokenizer": (with_empty_tokenizer, "its tokenizer has no vocabulary"),
    "tokenizer without a length": (changed(TOKENIZER, model_max_length="gone"), "model_max_length"),
    "tokenizer of any length": (changed(TOKENIZER, model_max_length=10**30), "has no model_max_length"),
    "tokenizer of too great a length": (changed(TOKENIZER, model_max_length=10**7), "model_max_length 10000000"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_a_damaged_checkpoint_is_said_to_be_damaged_and_harms_no_other(name, tmp_path, demo_to, capsys):
    damage, words = DAMAGES[name]
    demo_to(tmp_path / "models" / "m")
    damage(tmp_path / "models" / "m")
    with pytest.raises(ComparerError) as refused:
        resolve("models/m", Config(checkpoints=(tmp_path / "models",)))
    told = str(refused.value)
    assert told.startswith("'models/m' is a damaged checkpoint: ") and words in told and "\n" not in told
    assert main(["checkpoints", "--checkpoints", str(tmp_path / "models"), "--hub", "no"]) == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("  ")]
    assert [line.split()[0] for line in lines] == ["models/m", "demo"] and told in lines[0]


@pytest.mark.parametrize("part", ["unet/diffusion_pytorch_model", "vae/diffusion_pytorch_model", "text_encoder/model"])
@pytest.mark.parametrize("weights", ["half", "empty", "garbage"])
def test_damaged_weights_are_refused_when_they_are_loaded(part, weights, tmp_path, demo_to):
    path = demo_to(tmp_path / "models" / "m") / f"{part}.safetensors"
    content = path.read_bytes()
    rewrite(path, {"half": content[: len(content) // 2], "empty": b"", "garbage": b"garbage" * 100}[weights])
    config = Config(checkpoints=(tmp_path / "models",))
    with pytest.raises(ComparerError, match="'models/m' could not be loaded: ") as refused:
        loader.load(resolve("models/m", config), config)
    assert "\n" not in str(refused.value)


def test_a_damaged_list_of_shards_in_the_hubs_cache_does_not_break_the_catalogue(tmp_path, demo_to):
    demo_to(tmp_path / "m")
    sharded("[]")(tmp_path / "m")
    assert not hub._has_weights(tmp_path / "m" / "unet") and hub._has_weights(tmp_path / "m" / "vae")


def test_the_folder_one_stands_in_has_a_name(tmp_path, demo_to, monkeypatch, capsys):
    demo_to(tmp_path / "lcm")
    monkeypatch.chdir(tmp_path)
    assert main(["checkpoints", "--checkpoints", ".", "--hub", "no"]) == 0
    name = f"{tmp_path.name}/lcm"
    assert name in capsys.readouterr().out
    assert main(["compare", PROMPT, "--checkpoints", ".", "--checkpoint", name, "--steps", "0"]) == 2
    assert "Steps 0" in capsys.readouterr().err


def test_a_path_inside_the_folders_is_as_good_as_the_listed_name(installed):
    (root,) = installed.checkpoints
    assert resolve(str(root / "old"), installed).folder == resolve("models/old", installed).folder


def test_a_local_copy_makes_the_same_pictures_and_the_variant_is_recorded(installed):
    asked = {"guidance": 4.0, "prompts": (PROMPT,), "steps": 2}
    there = finish(ask(**asked), installed)
    plain = finish(ask(checkpoint="models/old", **asked), installed)
    half = finish(ask(checkpoint="models/training/step_100", **asked), installed)
    for copy in (plain, half):
        assert np.array_equal(pixels(copy)[0, 0, 0], pixels(there)[0, 0, 0])
    assert plain.comparison.checkpoint["variant"] == "default"
    assert half.comparison.checkpoint["variant"] == "fp16"
    assert "unet/diffusion_pytorch_model.fp16.safetensors" in half.comparison.checkpoint["files"]
    assert len(half.comparison.checkpoint["files"]) == 3


def test_the_raw_weights_are_others_than_the_averaged():
    from safetensors.torch import load_file

    ema, raw = (load_file(DEMO / "unet" / f"diffusion_pytorch_model{v}.safetensors") for v in ("", ".non_ema"))
    assert ema.keys() == raw.keys()
    assert any(not np.array_equal(ema[key].numpy(), raw[key].numpy()) for key in ema)


def test_one_pipeline_is_kept_and_shared(installed):
    first = loader.load(resolve("demo", installed), installed)
    assert loader.load(resolve("demo", installed), installed) is first
    other = loader.load(resolve("models/old", installed), installed)
    assert other is not first and loader._kept == [other]
    two = replace(installed, cached_pipelines=2)
    again = loader.load(resolve("demo", installed), two)
    assert loader._kept == [other, again] and loader.load(resolve("models/old", installed), two) is other
    loader.load(resolve("models/training/step_100", installed), two)
    assert again not in loader._kept and len(loader._kept) == 2  # the longest unused made way
    assert (first.dtype, first.dtype_reason) == ("float32", "full precision on a CPU")


def test_a_device_that_is_not_there_is_refused(installed):
    with pytest.raises(ComparerError, match="no device 'cuda:9'"):
        finish(ask(), replace(installed, device="cuda:9"))


@pytest.mark.parametrize("name", samplers.SAMPLERS)
def test_samplers_keep_the_checkpoints_schedule(name):
    config = json.loads((DEMO / "scheduler" / "scheduler_config.json").read_text()) | {"use_karras_sigmas": True}
    scheduler = samplers.scheduler(name, config)
    assert type(scheduler).__name__ == samplers.SAMPLERS[name].class_name
    assert (scheduler.config.prediction_type, scheduler.config.beta_schedule) == ("v_prediction", "scaled_linear")
    if "use_karras_sigmas" in inspect.signature(type(scheduler).__init__).parameters:
        assert scheduler.config.use_karras_sigmas == name.endswith("Karras")


def test_a_model_of_the_hubs_cache_is_found_and_run(installed, monkeypatch, tmp_path):
    """In the layout that the hub's client writes: blobs, snapshots with links, refs."""
    repository = tmp_path / "hub" / "models--stable-diffusion-v1-5--stable-diffusion-v1-5"
    commit = "0123456789abcdef0123456789abcdef01234567"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text(commit)
    for path in DEMO.rglob("*"):
        if path.is_file() and "scorer" not in path.parts:
            link = repository / "snapshots" / commit / path.relative_to(DEMO)
            blob = repository / "blobs" / path.relative_to(DEMO).as_posix().replace("/", "_")
            link.parent.mkdir(parents=True, exist_ok=True)
            blob.parent.mkdir(exist_ok=True)
            blob.write_bytes(path.read_bytes())
            link.symlink_to(blob)
    import huggingface_hub.constants
    import huggingface_hub.file_download

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    request = ask_at_door(installed, PROMPT, "sd-1.5", steps=2, size="256")
    assert (request.settings.sampler, request.settings.guidance) == ("PNDM", 7.5)
    done = finish(request, installed)
    assert done.comparison.checkpoint["revision"] == commit and len(done.comparison.shots) == 2


def test_replaced_weights_are_loaded_anew(installed):
    from safetensors.torch import load_file, save_file

    one = loader.load(resolve("models/old", installed), installed)
    assert loader.load(resolve("models/old", installed), installed) is one
    name, weight = next((name, value.clone()) for name, value in one.pipe.unet.state_dict().items())
    path = installed.checkpoints[0] / "old" / "unet" / "diffusion_pytorch_model.safetensors"
    weights = {name: 1.5 * value for name, value in load_file(path).items()}
    path.unlink()  # a link to the weights of others
    save_file(weights, path, {"format": "pt"})
    other = loader.load(resolve("models/old", installed), installed)
    assert other is not one
    now = other.pipe.unet.state_dict()[name]
    assert np.allclose(now, 1.5 * weight, rtol=1e-2) and not np.allclose(now, weight, rtol=1e-2)


def test_the_first_model_is_gone_before_the_next_is_read(installed, monkeypatch):
    import weakref

    read, alive = loader._from_files, []
    first = weakref.ref(loader.load(resolve("models/old", installed), installed).pipe)

    def watched(*arguments):
        alive.append(first() is not None)
        return read(*arguments)

    monkeypatch.setattr(loader, "_from_files", watched)
    loader.load(resolve("models/training/step_100", installed), installed)
    assert alive == [False]
