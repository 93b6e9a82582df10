"""``python -m comparer inspect``: the card as text and as JSON, two checkpoints, and which half a converted one is."""

import json
import os
import subprocess
import sys
from shutil import copytree

import pytest
import torch
from safetensors.torch import load_file, save_file

from comparer.checkpoints.inspection.card import make
from comparer.cli.main import main
from comparer.models.catalog import DEMO
from helpers.original_layout import original
from helpers.runs import ROOT
from helpers.tiny_pipelines import pipeline

EMA, RAW = (DEMO / "unet" / f"diffusion_pytorch_model{v}.safetensors" for v in ("", ".non_ema"))


@pytest.fixture
def inspect(tmp_path, capsys):
    """Run the command; return its exit code, output and error."""

    def run(*arguments):
        code = main(["inspect", *map(str, arguments), "--runs", str(tmp_path / "runs")])
        told = capsys.readouterr()
        return code, told.out, told.err

    return run


def step_folder(folder, ema=0.5):
    """Write a step folder: raw as safetensors, EMA (raw × this) as a pickle of tensors, state nobody opens."""
    folder.mkdir()
    raw = {name: value.clone() for name, value in pipeline("sd1").unet.state_dict().items()}
    save_file(raw, folder / "model.safetensors")
    halved = {f"module.{name}": value * ema for name, value in raw.items()}
    torch.save({"ema": halved, "optimizer": {"state": {}}}, folder / "ema.pt")
    (folder / "optimizer.bin").write_bytes(b"never opened")
    return folder, raw


def test_the_card_of_the_demo(inspect, tmp_path):
    code, out, err = inspect(DEMO)
    assert (code, err) == (0, "")
    assert "StableDiffusionPipeline, scheduler DDIMScheduler, prediction_type v_prediction" in out
    assert "UNet2DConditionModel, 4,949,956 parameters in 326 tensors, float16" in out
    assert "EMA from raw, unet: relative distance 0.0" in out and "down_blocks.2" in out
    assert (tmp_path / "runs" / "cache" / "hashes.json").is_file()
    assert inspect("demo")[1] == out


def test_the_card_as_json_is_whole(inspect):
    import hashlib

    (card,) = json.loads(inspect(DEMO, "--json")[1])["checkpoints"]
    files = {file["name"]: file for file in card["files"]}
    for name, file in files.items():
        assert file["sha256"] == hashlib.sha256((DEMO / name).read_bytes()).hexdigest()
    assert files["unet/diffusion_pytorch_model.safetensors"]["fills"] == ["unet"]
    unet = [each for each in card["components"] if each["component"] == "unet"]
    assert [each["half"] for each in unet] == ["ema", "raw"] and all(each["health"]["sound"] for each in unet)
    assert unet[0]["fingerprint"] != unet[1]["fingerprint"]
    assert card["chosen"]["unet"]["source"] == "unet/diffusion_pytorch_model.safetensors"
    assert 0 < card["ema_from_raw"]["unet"]["whole"] < 0.1


def test_inspecting_needs_neither_diffusers_nor_gradio(tmp_path):
    code = (
        "import sys; from comparer.cli.main import main; "
        f"main(['inspect', {str(DEMO)!r}, '--runs', {str(tmp_path)!r}]); "
        "print([name for name in ('gradio', 'diffusers', 'transformers') if name in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, env=os.environ)
    assert told.stdout.splitlines()[-1] == "[]", told.stderr


def test_a_step_folder_with_sick_weights(inspect, tmp_path):
    folder, raw = step_folder(tmp_path / "step_024000")
    raw["conv_in.weight"][0] = float("nan")
    raw["conv_out.bias"][:] = 70_000.0
    curve = {"w_of_t": torch.linspace(1, 0, 1000), "logvar.weight": torch.ones(3)}
    save_file(raw | curve, folder / "model.safetensors")
    code, out, _ = inspect(folder)
    assert code == 0 and "optimizer.bin" in out and "not hashed" in out and "ema.pt: optimizer" in out
    assert "1 NaN or infinite (conv_in.weight)" in out and "1 beyond the range of float16 (conv_out.bias)" in out
    assert "EMA: the dictionary's key 'ema'" in out and "removed from the names: module." in out
    assert "w_of_t may be a curve over 1000 timesteps: from 1 to 0, 0 to 1" in out and "logvar" in out
    assert not make(folder).sound and [curve.name for curve in make(folder).curves] == ["w_of_t"]
    moved = make(folder).moved["unet"]
    assert {block.name: block.distance for block in moved.blocks}["conv_in"] is None
    assert {block.name: block.distance for block in moved.blocks}["mid_block"] == pytest.approx(0.5)


def test_an_ema_that_never_moved_is_seen(inspect, tmp_path):
    folder, _ = step_folder(tmp_path / "step", ema=1.0)
    assert "the EMA equals the raw weights: it never moved" in inspect(folder)[1]


def test_two_checkpoints_beside_each_other(inspect, tmp_path):
    copytree(DEMO, tmp_path / "other")
    assert inspect(DEMO, tmp_path / "other")[1].count(": the same (") == 3
    save_file(load_file(RAW), tmp_path / "other" / "unet" / EMA.name)
    (tmp_path / "other" / "vae" / EMA.name).unlink()
    (tmp_path / "other" / "vae" / "config.json").unlink()
    (tmp_path / "other" / "vae").rmdir()
    code, out, _ = inspect(DEMO, tmp_path / "other")
    told = out.partition("Compared\n")[2]
    assert code == 0 and "text_encoder: the same (" in told and "vae: only in the first" in told
    assert "unet: different (unet (EMA); unet (EMA)); 0 of 326 tensors have equal values" in told
    assert "relative distance 0.015" in told
    pairs = json.loads(inspect(DEMO, tmp_path / "other", "--json")[1])["compared"]
    assert {pair["component"]: pair["same"] for pair in pairs} == {"text_encoder": True, "unet": False, "vae": False}


def test_keys_only_in_one_are_named(inspect, tmp_path):
    weights = load_file(EMA)
    save_file({name: value for name, value in weights.items() if name != "conv_in.bias"}, tmp_path / "x.safetensors")
    told = inspect(EMA, tmp_path / "x.safetensors")[1]
    assert "1 only in the first: conv_in.bias" in told and "325 of 326 tensors have equal values" in told


CONVERTED = {
    "as it was": lambda weights: weights,
    "original layout": original,
    "with a prefix": lambda weights: {f"model.{name}": value for name, value in weights.items()},
    "half precision": lambda weights: {name: value.half() for name, value in weights.items()},
    "original layout in bfloat16": lambda weights: {n: v.to(torch.bfloat16) for n, v in original(weights).items()},
}


NARROW = ("half precision", "original layout in bfloat16")
HALVES = {
    "ema": (0.51, "the EMA (ema.pt: ema)", {"ema"}),
    "raw": (1.0, "the raw weights", {"raw"}),
    "neither": (0.7, "do not equal any", set()),
}


def cases():
    """List every half as it was, every conversion of the EMA, and the narrow ones of neither; the rest is full."""
    for how in CONVERTED:
        for which in HALVES:
            quick = how == "as it was" or which == "ema" or (which == "neither" and how in NARROW)
            yield pytest.param(how, which, marks=() if quick else pytest.mark.full)


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return step_folder(tmp_path_factory.mktemp("trained") / "step_024000", ema=0.51)


@pytest.mark.parametrize(("how", "which"), cases())
def test_which_half_a_converted_checkpoint_is(how, which, trained, inspect, tmp_path):
    (folder, raw), (scale, answer, half) = trained, HALVES[which]
    weights = CONVERTED[how]({name: value * scale for name, value in raw.items()})
    path = tmp_path / "converted.safetensors"
    save_file(weights, path)
    code, out, _ = inspect(path, "--against", folder)
    assert code == 0 and answer in out.splitlines()[-1]
    assert ("rounded to their dtype" in out) == (bool(half) and how in NARROW)
    if how == "as it was":
        told = json.loads(inspect(path, "--against", folder, "--json")[1])
        assert {each["half"] for each in told["against"] if each["same"]} == half
    if how == "as it was" and which == "neither":
        assert "the nearest set is the raw weights (model.safetensors), at a distance of 0.3" in out


def test_a_converted_folder_against_its_step_folder(inspect, tmp_path):
    folder, raw = step_folder(tmp_path / "step_024000")
    pipe = pipeline("sd1")
    pipe.save_pretrained(tmp_path / "converted")
    out = inspect(tmp_path / "converted", "--against", folder)[1]
    assert out.splitlines()[-1] == "The converted weights equal the raw weights (model.safetensors)."
    torch.save({"ema": raw}, folder / "ema.pt")
    assert "equal both: the EMA equals the raw weights here" in inspect(tmp_path / "converted", "--against", folder)[1]
    damaged = raw | {"conv_in.weight": raw["conv_out.weight"].clone().reshape(raw["conv_in.weight"].shape)}
    save_file(damaged, tmp_path / "mixed.safetensors")
    out = inspect(tmp_path / "mixed.safetensors", "--against", folder)[1]
    assert "do not equal any weights" in out.splitlines()[-1] and f"{len(raw)} of {len(raw)} tensors equal" in out


def test_what_a_converter_left_out_is_counted(inspect, tmp_path):
    folder, raw = step_folder(tmp_path / "step_024000")
    half = {name: (value * 0.5).half() for name, value in list(raw.items())[:-2]}
    save_file(half, tmp_path / "converted.safetensors")
    told = inspect(tmp_path / "converted.safetensors", "--against", folder)[1].splitlines()[-1]
    assert told == "The converted weights equal the EMA (ema.pt: ema), without 2 of its tensors."


def test_nothing_in_common(inspect):
    assert inspect(DEMO / "vae", "--against", EMA)[1].endswith("\nThe two have no component in common.\n")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["/none"], "There is nothing at '/none'"),
        (["\0"], "There is nothing at"),
        ([DEMO, DEMO, "--against", DEMO], "B and --against exclude each other"),
        ([DEMO / "tokenizer"], "contains no weights"),
        ([DEMO / "model_index.json"], "not a weights file"),
        ([DEMO, "--against", "/none"], "There is nothing at '/none'"),
    ],
)
def test_refusals_are_one_line_and_exit_code_2(arguments, words, inspect):
    code, out, err = inspect(*arguments)
    assert (code, out) == (2, "") and words in err and err.count("\n") == 1


def test_a_pickle_that_would_run_is_refused(inspect, tmp_path):
    class Evil:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'ran'}",)

    torch.save({"model": Evil()}, tmp_path / "x.pt")
    code, _, err = inspect(tmp_path / "x.pt")
    assert code == 2 and "safetensors" in err and not (tmp_path / "ran").exists()


def test_names_from_files_are_said_on_one_line(inspect, tmp_path):
    save_file({"a\nb" * 200: torch.zeros(2)}, tmp_path / "x.safetensors")
    code, out, _ = inspect(tmp_path / "x.safetensors")
    assert code == 0 and "a ba b" in out and max(map(len, out.splitlines())) < 400


def test_no_name_from_a_file_commands_the_terminal(inspect, tmp_path):
    save_file({"\x1b[2Jx.\r\x07y": torch.zeros(2), "\u202ez": torch.ones(2)}, tmp_path / "x.safetensors")
    _, out, _ = inspect(tmp_path / "x.safetensors")
    assert "[2Jx" in out and all(letter.isprintable() for letter in out.replace("\n", ""))


def test_a_snapshot_of_the_hub_has_its_commit_and_blobs(inspect, tmp_path):
    snapshot = tmp_path / "models--a--b" / "snapshots" / ("c" * 40)
    blobs = tmp_path / "models--a--b" / "blobs"
    copytree(DEMO / "vae", snapshot / "vae")
    blobs.mkdir()
    path = snapshot / "vae" / EMA.name
    path.rename(blobs / "abc")
    path.symlink_to(blobs / "abc")
    (card,) = json.loads(inspect(snapshot, "--json")[1])["checkpoints"]
    assert card["commit"] == "c" * 40
    assert {file["name"]: file["blob"] for file in card["files"]}[f"vae/{EMA.name}"] == "abc"


def test_a_lora_is_told(inspect, tmp_path):
    content = {"lora_unet_x.lora_down.weight": torch.rand(4, 32), "lora_unet_x.lora_up.weight": torch.rand(32, 4)}
    save_file(content, tmp_path / "x.safetensors")
    assert "LoRA, kohya naming: unet: rank 4 ×1; 0 alphas" in inspect(tmp_path / "x.safetensors")[1]
