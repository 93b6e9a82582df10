"""Checkpoints: which are found, which are refused and how, and that the loader's choices are recorded."""

import inspect
import json
import os
from dataclasses import replace
from shutil import copytree

import numpy as np
import pytest
from conftest import PROMPT, ask, finish, pixels

from comparer.checkpoints.read import local_names, names, resolve
from comparer.config import Config
from comparer.door import ask as ask_at_door
from comparer.errors import ComparerError
from comparer.models import pipelines, samplers
from comparer.models.catalog import DEMO


@pytest.fixture
def installed(tmp_path):
    """A folder with two copies of the demo (plain and fp16 files), a sound config of a class not served, and dirt."""
    root = tmp_path / "models"
    copytree(DEMO, root / "old")
    copytree(DEMO, root / "training" / "step_100")
    for part in ("unet", "vae"):
        for path in (root / "training" / "step_100" / part).glob("*.safetensors"):
            path.unlink() if "non_ema" in path.name else path.rename(path.with_name(f"{path.stem}.fp16.safetensors"))
    (root / "flux").mkdir()
    (root / "flux" / "model_index.json").write_text('{"_class_name": "FluxPipeline"}')
    copytree(DEMO, root / "damaged")
    (root / "damaged" / "unet" / "config.json").write_text("{")
    copytree(DEMO, root / "empty")
    for path in (root / "empty" / "unet").glob("*.safetensors"):
        path.unlink()
    (root / "nothing").mkdir()
    (tmp_path / "secret").mkdir()
    copytree(DEMO, tmp_path / "secret" / "model")
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
        ("models/empty", ["no safetensors"]),
        ("models/nothing", ["no diffusers checkpoint", "model_index.json"]),
        ("models/none", ["no checkpoint 'models/none'", "demo"]),
        ("models/../secret/model", ["outside the checkpoint folders"]),
        ("models/link", ["outside the checkpoint folders"]),
        ("/etc", ["outside the checkpoint folders"]),
        ("../secret/model", ["outside the checkpoint folders"]),
        ("sd-1.5", ["not on this machine", "about 2.1 GB", "python -m comparer fetch sd-1.5"]),
    ],
)
def test_refusals(installed, name, words, monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(ComparerError) as refused:
        resolve(name, installed)
    assert all(word in str(refused.value) for word in words), refused.value
    assert "\n" not in str(refused.value)


def test_a_path_inside_the_folders_is_as_good_as_the_listed_name(installed):
    (root,) = installed.checkpoints
    assert resolve(str(root / "old"), installed).folder == resolve("models/old", installed).folder


def test_a_local_copy_makes_the_same_pictures_and_the_variant_is_recorded(installed):
    asked = {"guidance": 4.0, "prompts": (PROMPT,)}
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
    first = pipelines.load(resolve("demo", installed), installed)
    assert pipelines.load(resolve("demo", installed), installed) is first
    other = pipelines.load(resolve("models/old", installed), installed)
    assert other is not first and pipelines._kept == [other]
    two = replace(installed, keep=2)
    again = pipelines.load(resolve("demo", installed), two)
    assert pipelines._kept == [other, again] and pipelines.load(resolve("models/old", installed), two) is other
    pipelines.load(resolve("models/training/step_100", installed), two)
    assert again not in pipelines._kept and len(pipelines._kept) == 2  # the longest unused made way
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

    one = pipelines.load(resolve("models/old", installed), installed)
    assert pipelines.load(resolve("models/old", installed), installed) is one
    name, weight = next((name, value.clone()) for name, value in one.pipe.unet.state_dict().items())
    path = installed.checkpoints[0] / "old" / "unet" / "diffusion_pytorch_model.safetensors"
    save_file({name: 1.5 * value for name, value in load_file(path).items()}, path, {"format": "pt"})
    other = pipelines.load(resolve("models/old", installed), installed)
    assert other is not one
    now = other.pipe.unet.state_dict()[name]
    assert np.allclose(now, 1.5 * weight, rtol=1e-2) and not np.allclose(now, weight, rtol=1e-2)


def test_the_first_model_is_gone_before_the_next_is_read(installed, monkeypatch):
    import weakref

    read, alive = pipelines._from_files, []
    first = weakref.ref(pipelines.load(resolve("models/old", installed), installed).pipe)

    def watched(*arguments):
        alive.append(first() is not None)
        return read(*arguments)

    monkeypatch.setattr(pipelines, "_from_files", watched)
    pipelines.load(resolve("models/training/step_100", installed), installed)
    assert alive == [False]
