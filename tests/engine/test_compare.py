"""A run: the same pixels again, every picture once, nothing lost when it ends early."""

import json
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from comparer.accelerators.deepcache import DeepCache
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Progress, Updated, Waiting
from comparer.errors import ComparerError
from comparer.request.png_write import read_request
from comparer.results.analysis import Analysis
from comparer.runs import store
from helpers import forked
from helpers.runs import PROMPT, THREADS, finish, pixels
from helpers.small import NAME, SIZE, ask


def same(one, other):
    assert one.keys() == other.keys()
    return all(np.array_equal(one[key], other[key]) for key in one)


@pytest.fixture
def first(shared):
    """Return a finished run of two seeds, to be read."""
    return shared(1, 2)


def test_a_run_folder_holds_everything(first):
    record = json.loads((first.folder / "run.json").read_text())
    assert record["state"] == "finished"
    assert sorted(p.name for p in first.folder.glob("*.png")) == sorted(
        [s["file"] for s in record["shots"]] + ["grid.png"]
    )
    assert store.load(first.folder) == first.comparison
    assert record["environment"]["device"] == "cpu" and record["environment"]["threads"] == THREADS
    assert set(record["checkpoint"]["files"]) == {
        "text_encoder/model.safetensors",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.safetensors",
    }
    for shot in record["shots"]:
        assert read_request(first.folder / shot["file"]) == first.comparison.request


def test_times_add_up_and_figures_are_drawn_from_them(first):
    for call in first.comparison.calls:
        assert len(call.steps) == 4
        assert min(call.stages.values()) > 0 and sum(call.stages.values()) <= call.seconds
        assert call.stages["denoising"] == pytest.approx(sum(call.steps))
        assert call.peak_bytes is None
    base, arm = (each.figures for each in Analysis(first.comparison).arms)
    ratios = [b.seconds / a.seconds for b, a in first.comparison.call_pairs(1)]
    assert len(ratios) == 2
    assert arm.speed_up == pytest.approx(np.exp(np.mean(np.log(ratios))))
    assert base.seconds == pytest.approx(np.mean([c.seconds for c in first.comparison.calls if c.arm == 0]))
    assert Analysis(first.comparison).arms[1].work == "DeepCache: 4 full, 4 shallow"


def test_arms_alternate(config):
    done = finish(ask("DeepCache(interval=2)", seeds=(1, 2, 3), steps=1), config)
    assert [(c.arm, c.batch) for c in done.comparison.calls] == [(0, 0), (1, 0), (1, 1), (0, 1), (0, 2), (1, 2)]


def test_the_same_request_gives_the_same_pixels_also_in_another_process(first, config, tmp_path):
    assert same(pixels(first), pixels(finish(first.comparison.request, config)))
    asked = [
        "compare",
        PROMPT,
        "--checkpoint",
        NAME,
        "--size",
        SIZE,
        "--steps",
        4,
        "--guidance",
        4,
        "--sampler",
        "DDIM",
    ]
    asked += ["--accelerator", "DeepCache(interval=2)", "--seeds", "1,2", "--warmups", 0, "--quiet"]
    asked += ["--checkpoints", *config.checkpoints, "--out", tmp_path / "other"]
    process = forked.start(forked.command_line, *map(str, asked), output=tmp_path / "said")
    process.join(120)
    assert process.exitcode == 0, (tmp_path / "said").read_text()
    (record,) = (tmp_path / "other").rglob("run.json")
    other = store.load(record.parent).shots
    assert {(s.arm, s.seed, s.pixels) for s in other} == {(s.arm, s.seed, s.pixels) for s in first.comparison.shots}
    for shot in other:
        made, kept = (Image.open(folder / shot.file) for folder in (record.parent, first.folder))
        assert np.array_equal(np.asarray(made), np.asarray(kept))


def test_warm_ups_change_no_pixel(config):
    runs = [pixels(finish(ask("DeepCache(interval=2)", warmups=count), config)) for count in (0, 1, 3)]
    assert same(runs[0], runs[1]) and same(runs[0], runs[2])


def test_arms_and_seeds_differ(first):
    seen = pixels(first)
    assert not np.array_equal(seen[0, 0, 1], seen[0, 0, 2])
    assert not np.array_equal(seen[0, 0, 1], seen[1, 0, 1])


@pytest.mark.parametrize("sampler", ["DDIM", "Euler a"])
def test_the_batch_size_moves_a_picture_by_rounding_only(config, sampler):
    prompts = tuple(
        f"a large {colour} circle on a white background" for colour in ("red", "green", "blue", "black", "pink")
    )
    runs = {
        size: finish(ask(prompts=prompts, seeds=(5,), batch_size=size, sampler=sampler), config) for size in (1, 2, 4)
    }
    assert [len(done.comparison.shots) for done in runs.values()] == [5] * 3
    assert [call.pictures for call in runs[2].comparison.calls] == [2, 2, 1]
    one = pixels(runs[1])
    for done in runs.values():
        for key, picture in pixels(done).items():
            assert np.abs(picture - one[key]).max() <= 2


@pytest.mark.parametrize("size", [1, 3, 4])
def test_the_starting_noise_is_the_seeds_alone(config, size, monkeypatch):
    """Caught where the denoiser first sees it, in every batch."""
    import torch
    from diffusers import UNet2DConditionModel

    forward, starts = UNet2DConditionModel.forward, []

    def watched(self, sample, timestep, *args, **kwargs):
        starts.append(sample.detach().clone())
        return forward(self, sample, timestep, *args, **kwargs)

    monkeypatch.setattr(UNet2DConditionModel, "forward", watched)
    finish(ask(seeds=(1, 2, 3, 4), batch_size=size, steps=1, guidance=1.0), config)
    expected = torch.cat([torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(s)) for s in (1, 2, 3, 4)])
    assert torch.equal(torch.cat(starts), expected)


def test_stop_keeps_finished_pictures_and_leaves_the_baseline_alone(first, config):
    stop, steps = threading.Event(), []
    request = replace(first.comparison.request, settings=replace(first.comparison.request.settings, seeds=(1, 2, 3)))
    for event in compare(request, config, stop):
        if isinstance(event, Updated) and len(event.comparison.calls) == 3:
            stop.set()
        if stop.is_set() and isinstance(event, Progress):
            steps.append(event.done)
    assert isinstance(event, Finished) and event.comparison.state == "stopped"
    assert len(set(steps)) <= 2  # it ended within a step
    assert len(event.comparison.shots) == 3 and all(s.clip_score is not None for s in event.comparison.shots)
    assert store.load(event.folder).state == "stopped"
    assert event.grid.is_file()
    assert same(pixels(first), pixels(finish(first.comparison.request, config)))


def test_closing_the_generator_ends_the_run(config):
    run = compare(ask(seeds=tuple(range(50)), steps=20), config)
    for event in run:
        if isinstance(event, Updated):
            break
    run.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "comparer-run"]
    (folder,) = (path for path in config.runs.iterdir() if (path / "run.json").is_file())
    kept = store.load(folder)
    assert kept.state == "stopped" and len(kept.calls) == 1, "the second call was begun and not ended"


def test_a_crash_inside_an_accelerator_leaves_the_baseline_alone(first, config, monkeypatch):
    from comparer.accelerators import deepcache

    real = deepcache._counting_helper

    def crashing():
        class Crashing(real()):
            def is_skip_step(self, *where):
                if self.evaluation == 2:
                    raise ZeroDivisionError("an accelerator's own bug")
                return super().is_skip_step(*where)

            def disable(self):  # and it does not even clean up
                pass

        return Crashing

    monkeypatch.setattr(deepcache, "_counting_helper", crashing)
    with pytest.raises(ZeroDivisionError):
        finish(first.comparison.request, config)
    monkeypatch.undo()
    crashed = max(
        (p for p in config.runs.iterdir() if (p / "run.json").is_file()), key=lambda path: path.stat().st_mtime_ns
    )
    assert store.load(crashed).state == "failed" and len(store.load(crashed).shots) == 1
    assert same(pixels(first), pixels(finish(first.comparison.request, config)))


def test_two_runs_never_compute_at_once_and_the_second_is_told(config):
    events, lock = [], threading.Lock()

    def consume(name):
        for event in compare(ask(seeds=(1, 2), steps=3), config):
            with lock:
                events.append((name, event))

    threads = [threading.Thread(target=consume, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    working = [name for name, event in events if isinstance(event, Progress | Updated)]
    assert working in (sorted(working), sorted(working, reverse=True))
    waited = {name for name, event in events if isinstance(event, Waiting)}
    assert waited == {working[-1]}


def test_what_an_accelerator_cannot_serve_is_refused_before_anything_runs(config):
    with pytest.raises(ComparerError, match="branch 2 does not exist"):
        finish(ask(str(DeepCache(branch=2))), config)
    assert not config.runs.exists()


def test_global_random_state_is_the_callers(config):
    import random

    import torch

    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    expected = random.getstate(), np.random.get_state()[1].copy(), torch.get_rng_state()
    finish(ask(prompts=(PROMPT,), steps=1), config)
    assert random.getstate() == expected[0]
    assert np.array_equal(np.random.get_state()[1], expected[1])
    assert not torch.backends.cudnn.deterministic
