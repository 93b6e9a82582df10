"""``python -m comparer check`` and its events, on the demo and on copies with planted faults."""

import json
import math
import sys
import threading
from dataclasses import replace
from random import Random
from shutil import copytree, ignore_patterns

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from comparer.checkpoints.files.components import block_of
from comparer.checkpoints.find import resolve
from comparer.cli.main import main
from comparer.config import Config
from comparer.engine.events import Progress
from comparer.engine.queue import turn
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO
from comparer.models.tiny import save_tiny
from comparer.request.request import Settings
from comparer.sanity.check import check
from comparer.sanity.expectations import EXAMPLES
from comparer.sanity.image_measures import RULES
from comparer.sanity.report import REPORT, SanityReport
from helpers.runs import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))

import sanity_planted_faults as planted  # noqa: E402

UNET = "diffusion_pytorch_model.safetensors"
QUICK = Settings(EXAMPLES[:2], steps=3, guidance=2.0, seeds=(0,))


@pytest.fixture
def copy(tmp_path):
    """Copy the demo's EMA half alone."""
    return copytree(DEMO, tmp_path / "copy", ignore=ignore_patterns("scorer", "*.non_ema.*"))


@pytest.fixture
def command(tmp_path, capsys):
    def run(*arguments):
        code = main(["check", *map(str, arguments), "--quiet", "--runs", str(tmp_path / "runs")])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def checked(path, config, settings=QUICK):
    """Return the report of a quick check."""
    (*_, report) = check(str(path), replace(config, trusted=True), settings=settings)
    assert isinstance(report, SanityReport)
    return report


@pytest.mark.full
def test_the_demo_is_healthy_ema_and_raw(command, tmp_path):
    code, out, err = command("demo", "--json")
    told = json.loads(out)
    assert (code, err, told["judgement"]["kind"]) == (0, "", "healthy"), told["judgement"]["line"]
    assert [half["half"] for half in told["halves"]] == ["ema", "raw"]
    assert all(half["own_prompt_wins"] >= 6 and half["clip"] > 60 and half["effect"] > 20 for half in told["halves"])
    (folder,) = (tmp_path / "runs").glob("*check-demo*")
    assert json.loads((folder / "check.json").read_text()) == told
    assert len(told["pictures"]) == 16 == len(list(folder.glob("*.png")))
    for made in told["pictures"]:
        picture = Image.open(folder / made["file"])
        assert picture.size == (128, 128) and picture.text["prompt"] == EXAMPLES[made["prompt"]]
        assert all(rule.right(made["measures"][name]) for name, rule in RULES.items())
    ema, raw = (next(m for m in told["pictures"] if m["half"] == half) for half in ("ema", "raw"))
    assert ema["measures"] != raw["measures"]


@pytest.mark.full
def test_a_random_text_encoder_is_suspicious_and_named(command, copy):
    from random import Random

    from sanity_planted_faults import text_encoder_random

    text_encoder_random(copy, Random(7))
    code, out, _ = command(copy)
    assert code == 4 and out.splitlines()[-1].startswith("suspicious: ")
    assert "3 blocks of text_encoder (encoder.layers.0, " in out.splitlines()[-1]
    assert "mean CLIP score" in out.splitlines()[-1]
    assert "UNet2DConditionModel" not in out and "unet" in out and "coarse (noise-like)" in out


def test_missing_tensors_are_broken_and_nothing_is_made(command, copy, tmp_path):
    content = load_file(copy / "unet" / UNET)
    save_file(dict(list(content.items())[::2]), copy / "unet" / UNET)
    code, out, _ = command(copy)
    assert code == 5 and out.splitlines()[-1].startswith("broken: unet lacks 163 of 326 tensors (")
    assert not list((tmp_path / "runs").glob("*check*"))


def test_nan_is_named_by_tensor_and_seen_in_every_picture(copy, config):
    content = load_file(copy / "vae" / UNET)
    content["decoder.conv_in.bias"][0] = float("nan")
    save_file(content, copy / "vae" / UNET)
    report = checked(copy, config)
    assert report.judgement.kind == "broken"
    assert "vae has 1 value of NaN or infinity (decoder.conv_in.bias)" in report.judgement.line
    assert all(made.measures["not finite"] > 0.5 and made.measures["latents"] < 3 for made in report.pictures)


def test_the_json_has_no_nan(copy, config):
    content = load_file(copy / "unet" / UNET)
    content["conv_in.bias"][0] = float("nan")
    save_file(content, copy / "unet" / UNET)
    report = checked(copy, config)
    text = (report.folder / REPORT).read_text()
    assert math.isnan(report.pictures[0].measures["latents"]) and ": NaN" not in text
    assert json.loads(text)["pictures"][0]["measures"]["latents"] is None


def test_wrong_configurations_are_named(copy, config):
    vae, scheduler = copy / "vae" / "config.json", copy / "scheduler" / "scheduler_config.json"
    vae.write_text(json.dumps(json.loads(vae.read_text()) | {"scaling_factor": 0.18215}))
    scheduler.write_text(json.dumps(json.loads(scheduler.read_text()) | {"prediction_type": "epsilon"}))
    line = checked(copy, config).judgement.line
    assert "scaling factor 0.18215, but the demo has 0.97533" in line
    assert "says epsilon, but the demo has v_prediction" in line


def test_a_file_that_is_damaged_is_broken_and_what_is_not_there_is_an_error(command, copy, tmp_path):
    (copy / "unet" / UNET).write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    code, out, _ = command(copy)
    assert code == 5 and "Git LFS pointer" in out.splitlines()[-1]
    for path in (tmp_path / "none", "no-such-name", tmp_path):
        code, out, err = command(path)
        assert (code, out) == (2, "") and err.count("\n") == 1, path
    code, _, err = command(DEMO / "unet")
    assert code == 2 and "base=" in err
    torch.save({"unet": print}, tmp_path / "evil.pt")
    code, _, err = command(tmp_path / "evil.pt")
    assert code == 2 and "could run code" in err
    (tmp_path / "cut.safetensors").write_bytes(load_bytes()[:5000])
    code, out, _ = command(tmp_path / "cut.safetensors")
    assert code == 5 and "cut.safetensors" in out.splitlines()[-1]


def load_bytes():
    return (DEMO / "unet" / UNET).read_bytes()


def test_a_training_output_is_checked_over_its_base_ema_beside_raw(copy, config, tmp_path):
    step = tmp_path / "step_024000"
    step.mkdir()
    content = load_file(copy / "unet" / UNET)
    save_file(content, step / "model.safetensors")
    torch.save({"ema": {name: value * 1.01 for name, value in content.items()}}, step / "ema.pt")
    report = checked(f"{step}; base=demo", config)
    assert [half.half for half in report.halves] == ["ema", "raw"] and len(report.pictures) == 4
    assert {seen.part.half for seen in report.card.seen} == {"ema", "raw"}
    raw = checked(f"{step}; base={copy}; weights=raw", config)
    assert [half.half for half in raw.halves] == ["raw"]
    alike = [made.measures for made in report.pictures if made.half == "raw"]
    assert [made.measures for made in raw.pictures] == alike
    with pytest.raises(ComparerError, match="name a checkpoint that has the rest"):
        checked(step, config)


def test_a_training_output_with_holes_is_broken(copy, config, tmp_path):
    content = load_file(copy / "unet" / UNET)
    save_file(dict(list(content.items())[::2]), tmp_path / "holes.safetensors")
    report = checked(f"{tmp_path / 'holes.safetensors'}; base=demo", config)
    assert report.judgement.kind == "broken" and "163 missing" in report.judgement.line and not report.pictures
    assert "so nothing was run" in report.judgement.reasons[0]


def test_random_weights_of_another_family_are_judged_without_a_known_range(command, tmp_path, monkeypatch):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))  # which has no scorer
    folder = save_tiny("sd1", tmp_path / "tiny")
    report = checked(folder, Config(runs=tmp_path / "runs"), replace(QUICK, guidance=5.0, sampler="PNDM"))
    assert report.base.name == "sd1" and report.judgement.kind != "healthy"
    line = report.judgement.line
    assert "of unet (" in line and "can hardly be distinguished from random numbers" in line
    assert "not scored: " in report.scorer and not report.halves[0].clip
    assert all("clip" not in finding.text for finding in report.judgement.why)


def test_a_check_may_read_only_what_a_comparison_may(copy, config):
    with pytest.raises(ComparerError, match="outside the checkpoint folders"):
        list(check(str(copy), config, settings=QUICK))
    config = replace(config, checkpoints=(copy.parent,))
    (*_, report) = check(f"{copy.parent.name}/{copy.name}", config, settings=QUICK)
    assert len(report.pictures) == 2


def test_the_same_check_gives_the_same_figures(copy, config):
    one, other = (checked(copy, config) for _ in range(2))
    assert [made.measures for made in one.pictures] == [made.measures for made in other.pictures]
    assert [made.clip for made in one.pictures] == [made.clip for made in other.pictures] and one.pictures[0].clip


def test_it_waits_for_its_turn_tells_how_far_it_is_and_stops(copy, config):
    stop = threading.Event()
    events = check(str(copy), replace(config, trusted=True), stop, QUICK)
    with turn(lambda *_: None, lambda: False, 1, lambda: "a measurement") as mine:
        assert mine
        assert next(events).now == "a measurement"
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, Progress) and event.done == 2:
            stop.set()
    assert not any(isinstance(event, SanityReport) for event in seen)
    assert any(event.text == "Picture 1" and event.total == 6 for event in seen if isinstance(event, Progress))


def test_the_pipeline_is_left_as_it_was(copy, config):
    from comparer.pipelines import loader

    checked(copy, config)
    loaded = loader.load(resolve("demo", config), config)
    assert not loaded.pipe.vae.decoder._forward_hooks and torch.isfinite(loaded.pipe.unet.conv_in.weight).all()


def test_a_planted_fault_is_the_same_every_time(tmp_path):
    content = load_file(DEMO / "unet" / UNET)
    for spoil, blocks in ((planted.block_shuffled, 1), (planted.keys_missing, 0)):
        made = []
        for name in ("one", "two"):
            folder = copytree(
                DEMO, tmp_path / f"{spoil.__name__}-{name}", ignore=ignore_patterns("scorer", "*.non_ema.*")
            )
            spoil(folder, Random("x 1"))
            made.append(load_file(folder / "unet" / UNET))
        assert made[0].keys() == made[1].keys() and all(made[0][name].equal(made[1][name]) for name in made[0])
        changed = {name for name in made[0] if not made[0][name].equal(content[name])}
        assert len({block_of(name) for name in changed}) == blocks
        assert (len(made[0]) < len(content)) != bool(blocks)


def test_the_matrix_is_made_when_all_are_judged(copy, tmp_path):
    planted.keys_missing(copy, Random("x"))
    work = tmp_path / "work"
    (work / "cases").mkdir(parents=True)
    copy.rename(work / "cases" / "0a1b")
    planted.judge(work / "cases", work / "judged", work / "runs")
    assert "0a1b" in json.loads((work / "judged" / "0a1b.json").read_text())["name"]
    (work / "key.json").write_text(json.dumps({"0a1b": {"fault": "half of the keys missing", "which": "seed 0"}}))
    text = planted.opened(work)
    assert "| planted | healthy | suspicious | broken | cause named |" in text
    assert "| half of the keys missing |  |  | 1 | 1 |" in text and "unet lacks 163 of 326 tensors" in text
