"""Out of memory: the arm is marked, its memory freed, finished pictures stay, the next run works."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel

from comparer.cli.main import main
from comparer.cli.tables import table
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.tiny import save_tiny
from comparer.pipelines import loader
from comparer.pipelines.device import empty
from comparer.pipelines.memory import out_of_memory, peak, remedies, reserved, reset_peak
from comparer.request.build import build_request as ask_at_door
from comparer.results.analysis import Analysis
from comparer.results.notes import notes
from comparer.runs import store
from helpers import small
from helpers.runs import ask, finish, pixels

CUDA = torch.OutOfMemoryError(
    "CUDA out of memory. Tried to allocate 6.00 GiB. GPU 0 has a total capacity of 8.00 GiB of which 1 GiB is free."
)
CPU = RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried to "
                   "allocate 6442450944 bytes. Error code 12 (Cannot allocate memory)")  # fmt: skip


def failing(real, error, when):
    """Wrap a method of the real library: the call of this number (from 0) raises."""
    calls = iter(range(10**6))

    def method(*args, **kwargs):
        if next(calls) == when:
            raise error
        return real(*args, **kwargs)

    return method


@pytest.fixture
def config(checkpoints, tmp_path):
    yield small.installed(checkpoints, tmp_path / "runs")
    loader.free()


@pytest.fixture(scope="module")
def sound(checkpoints, tmp_path_factory):
    """Return a request, and the pixels that it makes where there is memory enough."""
    request = small.ask("DeepCache(interval=2)", "DeepCache(interval=3)", seeds=(1, 2))
    return request, pixels(finish(request, small.installed(checkpoints, tmp_path_factory.mktemp("runs"))))


DENOISING = (UNet2DConditionModel, "forward", 4 + 4 + 2)  # the third step of the second pair's accelerated arm
DECODING = (AutoencoderKL, "decode", 2)


@pytest.mark.parametrize(
    ("kind", "method", "when", "error"),
    [
        pytest.param(*DENOISING, CUDA, id="denoising, cuda"),
        pytest.param(*DENOISING, CPU, id="denoising, cpu", marks=pytest.mark.full),
        pytest.param(*DECODING, MemoryError(), id="decoding, python"),
        pytest.param(*DECODING, CUDA, id="decoding, cuda", marks=pytest.mark.full),
        pytest.param(*DECODING, CPU, id="decoding, cpu", marks=pytest.mark.full),
        pytest.param(*DENOISING, MemoryError(), id="denoising, python", marks=pytest.mark.full),
    ],
)
def test_the_arm_is_marked_and_the_rest_goes_on(sound, config, monkeypatch, kind, method, when, error):
    request, sound = sound
    monkeypatch.setattr(kind, method, failing(getattr(kind, method), error, when))
    done = finish(request, config)
    monkeypatch.undo()
    assert done.comparison.state == "finished"
    ((arm, reason),) = [(failure.arm, failure.reason) for failure in done.comparison.not_run]
    assert "out of memory (needed about" in reason and "a smaller picture" in reason
    made = pixels(done)
    assert {key for key in sound if key[0] != arm} <= made.keys() and len(made) < len(sound)
    assert all(np.array_equal(picture, sound[key]) for key, picture in made.items())
    assert store.load(done.folder) == done.comparison
    name = request.arms[arm].name
    assert any(f"{name} was not run: out of memory" in line for line in notes(Analysis(done.comparison)))
    assert name in table(Analysis(done.comparison))
    again = pixels(finish(request, config))
    assert again.keys() == sound.keys() and all(np.array_equal(again[key], sound[key]) for key in sound)


def test_at_load_the_run_is_refused_and_the_next_works(config, monkeypatch):
    loader.free()
    monkeypatch.setattr(StableDiffusionPipeline, "from_pretrained", failing(None, CUDA, 0))
    with pytest.raises(ComparerError, match=r"could not be loaded: out of memory \(needed about .* GB of .*; try"):
        finish(ask(), config)
    monkeypatch.undo()
    assert not loader._kept and not config.runs.exists()
    assert len(finish(ask(), config).comparison.shots) == 1


def test_when_no_arm_can_run_the_run_has_failed_and_says_so(config, monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(UNet2DConditionModel, "forward", failing(None, CUDA, 0))
    done = finish(ask(), config)
    assert done.comparison.state == "failed" and done.grid is None and done.comparison.skip_reason(0)
    monkeypatch.undo()
    monkeypatch.setattr(AutoencoderKL, "decode", failing(AutoencoderKL.decode, CUDA, 1))
    arguments = ["compare", "a red star", "--steps", "2", "--warmups", "0", "--out", str(tmp_path), "--quiet"]
    assert main(arguments) == 3  # an arm was not run
    assert "was not run: out of memory" in capsys.readouterr().out


def test_sdxl_gets_its_half_precision_vae_back_when_decoding_fails(tmp_path, monkeypatch):
    """SDXL's pipeline lifts its VAE to float32 to decode; an error would leave it there for every later call."""
    save_tiny("sdxl", tmp_path / "m" / "sdxl")
    config = Config(checkpoints=(tmp_path / "m",), runs=tmp_path / "runs", dtype="float16")
    request = ask_at_door(config, "a cat", "m/sdxl", ["DeepCache"], steps=2, warmups=0)
    sound = pixels(finish(request, config))
    monkeypatch.setattr(AutoencoderKL, "decode", failing(AutoencoderKL.decode, CUDA, 0))
    assert [failure.arm for failure in finish(request, config).comparison.not_run] == [0]
    monkeypatch.undo()
    assert all(np.array_equal(p, sound[key]) for key, p in pixels(finish(request, config)).items())


def test_needed_is_what_was_held_and_what_was_asked_for():
    import psutil

    total = psutil.virtual_memory().total / 2**30
    for error in (CUDA, CPU):
        said = out_of_memory(error, "cpu")
        needed = float(said.split("about ")[1].split(" GB")[0])
        assert needed == pytest.approx(6 + psutil.Process().memory_info().rss / 2**30, abs=0.2)
        assert said.endswith(f"of {total:.1f})")
    assert out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"), "cpu") is None


def test_remedies_are_those_that_this_installation_leaves_open():
    settings = ask(batch_size=4).settings
    assert remedies(Config(), "cuda", settings) == "a smaller batch, a smaller picture, --vae tiling or --offload model"
    tight = Config(offload="sequential", vae="tiling", dtype="float16")
    assert remedies(tight, "cuda", replace(settings, batch_size=1)) == "a smaller picture"
    assert remedies(tight, "cuda") == "a smaller model"


def test_reserved_is_the_allocators_own_figure(monkeypatch):
    """Which of torch's figures it is; the figures themselves need a GPU, as below."""
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: {"cuda:1": 3 * 2**30}[device])
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 2**30)
    assert reserved("cuda:1") == 3 * 2**30 and reserved("cpu") is None and reserved("mps") is None


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU here")
def test_a_gpus_allocator_takes_at_least_what_is_allocated():
    empty()
    reset_peak("cuda")
    before = reserved("cuda")
    held = torch.ones(2**26, device="cuda")
    assert peak("cuda") >= held.nbytes and reserved("cuda") >= max(peak("cuda"), before)
    del held
    empty()
    assert reserved("cuda") >= 2**28  # the peak stays until it is reset
    reset_peak("cuda")
    assert reserved("cuda") < before + 2**28
