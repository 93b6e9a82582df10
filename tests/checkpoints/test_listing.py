"""What is listed: training outputs from their own folder and from above, in order; page, API and terminal agree."""

import os
import re
import subprocess
import sys
from pathlib import PurePosixPath

import pytest

from comparer.checkpoints import walk
from comparer.checkpoints.files.scan import look
from comparer.checkpoints.find import loose_names, resolve, resolve_path
from comparer.checkpoints.listing import INSTALLED, YOURS, listing
from comparer.checkpoints.sources import sources
from comparer.checkpoints.spec import parse
from comparer.cli.main import main
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.pipelines import loader
from comparer.ui.api import Api
from comparer.ui.request.checkpoints import bases, lora_files, over, whatever
from helpers.tiny_weights import holds, save
from helpers.trainers import LAYOUTS, kohya_lora, tiny_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory):
    return tiny_weights(tmp_path_factory.mktemp("tiny") / "whole")


@pytest.fixture(scope="session")
def written(weights, tmp_path_factory):
    """Return a function that writes a layout once and returns the folder two above a step."""
    done = {}

    def write(layout):
        if layout not in done:
            done[layout] = tmp_path_factory.mktemp("trainers") / "top"
            LAYOUTS[layout][0](done[layout], weights)
        return done[layout]

    return write


def yours(*roots, hub=False):
    return listing(Config(checkpoints=roots, hub=hub)).of(
        ("pipeline", "single file", "weights", "LoRA", "ControlNet"), (YOURS,)
    )


@pytest.mark.parametrize("above", [0, 1, 2], ids=["own folder", "parent", "two above"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_training_output_is_listed_from_its_own_folder_and_from_above(layout, above, written):
    top = written(layout)
    _, own, expected = LAYOUTS[layout]
    step = PurePosixPath(own)
    under = [step, *step.parents][above]
    right = {}
    for path, kind, halves in expected:
        if PurePosixPath(path).is_relative_to(under):
            below = PurePosixPath(path).relative_to(under).as_posix()
            root = (top / under).name
            right[root if below == "." else f"{root}/{below}"] = (kind, halves)
    found = {entry.name: (entry.kind, entry.halves) for entry in yours(top / under)}
    assert found == right and right


def test_a_training_dictionary_with_both_halves_offers_them(tmp_path):
    import torch

    (root := tmp_path / "runs").mkdir()
    weights, both = {"conv_in.weight": torch.ones(2, 2)}, [("generator", "generator_ema"), ("state_dict", "ema")]
    for number, (raw, ema) in enumerate(both):
        torch.save({raw: weights, ema: weights, "step": 3}, root / f"both{number}.pt")
    torch.save({"model": weights, "ema_decay": 0.999}, root / "raw.pt")
    torch.save({"ema": weights, "step": 3}, root / "averaged.pt")
    halves = {entry.name: entry.halves for entry in yours(root)}
    assert halves == {
        "runs/both0.pt": ("ema", "raw"), "runs/both1.pt": ("ema", "raw"), "runs/raw.pt": (), "runs/averaged.pt": ()
    }  # fmt: skip
    assert {part.half for part in look(root / "both0.pt").parts} == {"ema", "raw"}  # as reading it says


@pytest.mark.parametrize("layout", LAYOUTS)
def test_steps_are_sorted_as_numbers_and_the_final_weights_are_last(layout, written):
    expected = [path for path, _, _ in LAYOUTS[layout][2]]
    found = [entry.name.removeprefix("top/") for entry in yours(written(layout))]
    for folder in {str(PurePosixPath(path).parent) for path in expected}:
        runs = {}
        for path in (path for path in expected if str(PurePosixPath(path).parent) == folder):
            runs.setdefault(re.sub(r"-?(step)?\d+", "", path), []).append(path)
        for steps in runs.values():
            assert [path for path in found if path in steps] == steps


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if name != "diffusers ControlNet"])
def test_everything_that_is_listed_can_be_chosen_by_its_name(layout, written, weights):
    config = Config(checkpoints=(written(layout), weights.folder), hub=False)
    for entry in yours(written(layout)):
        line = {
            "LoRA": f"whole; lora={entry.name}", "weights": f"{entry.name}; base=whole",
            "single file": f"{entry.name}; base=whole",
        }.get(entry.kind, entry.name)  # fmt: skip
        for half in entry.halves or ("",):
            found = sources(resolve(parse(f"{line}; weights={half}" if half else line), config))
            assert found["unet"].part.half == half


@pytest.mark.parametrize("layout", ["diffusers", "accelerate", "DeepSpeed"])
def test_the_weights_of_the_step_are_loaded(layout, written, weights):
    config = Config(checkpoints=(written(layout), weights.folder), hub=False)
    for name, kind, _ in LAYOUTS[layout][2]:
        if kind == "weights":
            loaded = loader.load(resolve(parse(f"top/{name}; base=whole"), config), config)
            assert holds(loaded.pipe.unet, weights.unet)
    loader.free()


def test_page_command_line_and_api_list_the_same(written, weights, capsys):
    roots = [written(layout) for layout in LAYOUTS]
    config = Config(checkpoints=(*roots, weights.folder), hub=True)
    listed = listing(config)
    assert main(["checkpoints", *(word for root in config.checkpoints for word in ("--checkpoints", str(root)))]) == 0
    told = capsys.readouterr().out
    rows = [line.split()[0] for line in told.splitlines() if line.startswith("  ")]
    assert rows == [entry.name for entry in listed.entries] == [each["name"] for each in Api(config).checkpoints()]
    assert re.findall(r"^(\S.*):$", told, re.M) == ["Yours", "Installed", "Can be downloaded"]
    controlnets = [entry.name for entry in listed.of(("ControlNet",))]
    offered = [name for _, name in whatever(listed)] + lora_files(listed)
    assert sorted(offered + controlnets) == sorted(rows) and len(controlnets) == 3
    assert {name for _, name in bases(listed)} == {entry.name for entry in listed.of(("pipeline",))}
    groups = [entry.group for entry in listed.entries]
    assert groups == sorted(groups, key=("yours", "installed", "can be downloaded").index)
    labels = {name: label for label, name in whatever(listed)}
    step = next(entry.name for entry in listed.of(("weights",)) if entry.halves)
    assert labels[step] == f"{step} · yours, EMA and raw" and labels["demo"].endswith(" · installed")
    assert labels["sdxl"].endswith(" · not here: about 6.9 GB to download")
    api = {each["name"]: each for each in Api(config).checkpoints()}
    assert (api[step]["weights"], api[step]["kind"], api[step]["here"]) == (["ema", "raw"], "weights", True)
    assert api["sdxl"]["group"] == "can be downloaded" and api["demo"]["group"] == INSTALLED
    assert "ControlNet alone" in api[controlnets[0]]["why_not"]


def test_the_final_pipeline_of_a_training_is_the_base_that_is_proposed(written, capsys):
    config = Config(checkpoints=(written("diffusers"),), hub=False)
    assert over("top/output/checkpoint-9000", "demo", "", config)[0] == "top/output"
    assert main(["checkpoints", "--checkpoints", str(written("diffusers")), "--hub", "no"]) == 0
    assert "unet over a base, as 'top/output/checkpoint-9000; base=top/output'" in capsys.readouterr().out
    kohya = Config(checkpoints=(written("kohya"),), hub=False)
    assert over("top/project/output/style.safetensors", "demo", "", kohya)[0] == ""
    assert over("top/run/x", "demo", "", kohya)[0] == "demo"


@pytest.mark.parametrize(
    ("layout", "name", "words"),
    [
        ("diffusers ControlNet", "output/checkpoint-9000", "is a ControlNet alone"),
        ("diffusers ControlNet", "output", "is a ControlNet alone"),
        ("diffusers ControlNet", "output/checkpoint-9000/controlnet", "is a ControlNet alone"),
        ("diffusers ControlNet", "output/diffusion_pytorch_model.safetensors", "is a ControlNet alone"),
        ("diffusers", "output/checkpoint-9000/optimizer.bin", "optimizer state, not weights"),
        ("diffusers", "output/samples/sample_000000.png", "is not a weights file"),
        ("diffusers LoRA", "output/checkpoint-9000", "is a LoRA: add it to a checkpoint"),
        ("kohya", "project/output/sample", "contains no weights"),
    ],
)
@pytest.mark.parametrize("base", ["", "; base=whole"])
def test_what_is_no_checkpoint_is_called_what_it_is(layout, name, words, base, written, weights):
    config = Config(checkpoints=(written(layout), weights.folder), hub=False)
    with pytest.raises(ComparerError, match=words):
        resolve(parse(f"top/{name}{base}"), config)


def test_a_textual_inversion_is_none_either(tmp_path, weights):
    import torch

    save({"emb_params": torch.ones(2, 32)}, tmp_path / "m" / "style.safetensors")
    save({"<cat>": torch.ones(32)}, tmp_path / "m" / "learned_embeds.bin")
    config = Config(checkpoints=(tmp_path / "m", weights.folder), hub=False)
    assert [entry.kind for entry in listing(config).entries[:2]] == ["textual inversion"] * 2
    with pytest.raises(ComparerError, match="textual inversion alone"):
        resolve(parse("m/style.safetensors; base=whole"), config)


def test_a_folder_that_is_absent_is_an_error_and_an_empty_one_is_said_to_be_empty(tmp_path, capsys):
    assert main(["checkpoints", "--checkpoints", str(tmp_path / "nowhere")]) == 2
    assert f"--checkpoints '{tmp_path / 'nowhere'}' is not a folder" in capsys.readouterr().err
    (tmp_path / "empty").mkdir()
    assert main(["checkpoints", "--checkpoints", str(tmp_path / "empty"), "--hub", "no"]) == 0
    assert "The checkpoint folder 'empty' contains no checkpoints." in capsys.readouterr().out
    gone = listing(Config(checkpoints=(tmp_path / "nowhere",), hub=False))
    assert gone.notes == ("The checkpoint folder 'nowhere' cannot be read: No such file or directory.",)
    assert main(["checkpoints", "--hub", "no"]) == 0
    assert "--checkpoints DIR adds a folder" in capsys.readouterr().out


def test_collections_of_files_are_listed_file_by_file(tmp_path, weights):
    """In the folders that other pages keep: named like components, with files of any name."""
    root = tmp_path / "models"
    for name in ("unet/a.safetensors", "unet/b.safetensors", "vae/c.safetensors", "step_024000/generator.pt"):
        save(weights.unet, root / name)
    save(kohya_lora(weights), root / "loras" / "sub" / "deep" / "d.safetensors")
    save(weights.unet, root / "odd" / "model.safetensors")
    save(weights.unet, root / "odd" / "other.safetensors")
    save(kohya_lora(weights), root / "loras" / "old.pt")
    found = {entry.name: entry.kind for entry in yours(root)}
    assert found == dict.fromkeys(
        ("models/unet/a.safetensors", "models/unet/b.safetensors", "models/vae/c.safetensors", "models/step_024000",
         "models/odd/model.safetensors", "models/odd/other.safetensors"), "weights",
    ) | {"models/loras/sub/deep/d.safetensors": "LoRA", "models/loras/old.pt": "LoRA"}  # fmt: skip


def test_a_folder_inside_another_and_two_of_one_name_are_told_apart(tmp_path, weights):
    for name in ("a", "b"):
        save(weights.unet, tmp_path / name / "output" / "checkpoint-500" / "model.safetensors")
    first, second = tmp_path / "a" / "output", tmp_path / "b" / "output"
    config = Config(checkpoints=(first, second, tmp_path / "a"), hub=False)
    names = loose_names(config)
    assert sorted(names) == ["a/output/checkpoint-500", "b/output/checkpoint-500"]
    assert [resolve_path(name, config) for name in sorted(names)] == [
        folder / "checkpoint-500" for folder in (first, second)
    ]


def test_no_link_is_followed_out_of_the_folders_or_in_a_circle(tmp_path, weights):
    root = tmp_path / "root"
    save(weights.unet, tmp_path / "secret" / "checkpoint-1" / "model.safetensors")
    save(weights.unet, root / "checkpoint-2" / "model.safetensors")
    (root / "latest").symlink_to(root / "checkpoint-2")
    (root / "circle").symlink_to(root)
    (root / "out").symlink_to(tmp_path / "secret")
    (root / "file.safetensors").symlink_to(tmp_path / "secret" / "checkpoint-1" / "model.safetensors")
    found = listing(Config(checkpoints=(root,), hub=False))
    assert [entry.name for entry in found.of(("weights",))] == ["root/checkpoint-2"]
    assert [note.split("'")[1] for note in found.notes] == ["root/file.safetensors", "root/out"]


def test_the_scan_ends_and_says_so(tmp_path, monkeypatch, weights):
    monkeypatch.setattr(walk, "MOST", 50)
    root = tmp_path / "root"
    save(weights.unet, root / "checkpoint-1" / "model.safetensors")
    for number in range(60):
        (root / "images" / f"{number}").mkdir(parents=True)
    deep = root.joinpath(*"abcdef")
    save(weights.unet, deep / "model.safetensors")
    found = listing(Config(checkpoints=(root,), hub=False))
    assert [entry.name for entry in found.of(("weights",))] == ["root/checkpoint-1"]
    assert "more than 50 files and folders" in found.notes[0]


def test_thousands_of_files_are_listed_by_their_headers_without_torch(tmp_path, weights):
    """A weights file of terabytes that has no data behind its header: whoever read weights would fail."""
    root = tmp_path / "root"
    source = save(kohya_lora(weights), root / "lora-000000.safetensors").read_bytes()
    length = 8 + int.from_bytes(source[:8], "little")
    for number in range(1, 2000):
        (root / f"lora-{number:06d}.safetensors").write_bytes(source[:length])
        (root / f"{number}.png").touch()
    os.truncate(root / "lora-001999.safetensors", 2**36)  # holes
    script = (
        "import sys; from pathlib import Path; from comparer.config import Config\n"
        "from comparer.checkpoints.listing import listing\n"
        "found = listing(Config(checkpoints=(Path(sys.argv[1]),), hub=False)).of(('LoRA',))\n"
        "assert 'torch' not in sys.modules\n"
        "print(len(found), found[0].name, found[-1].name)"
    )
    told = subprocess.run([sys.executable, "-c", script, str(root)], capture_output=True, text=True, check=True).stdout
    assert told.split() == ["2000", "root/lora-000000.safetensors", "root/lora-001999.safetensors"]


def test_several_networks_of_one_kind_in_a_step_are_listed_file_by_file(tmp_path, weights):
    """As accelerate saves a U-Net and its EMA, or a generator and a critic: nothing says which the folder means."""
    import torch

    for step in (9, 24):
        for name in ("model.safetensors", "model_1.safetensors"):
            save(weights.unet, tmp_path / "run" / f"checkpoint_{step}" / name)
    save(weights.unet, tmp_path / "run" / "other_1" / "model.safetensors")
    save({"head.weight": torch.ones(2)}, tmp_path / "run" / "other_1" / "model_1.safetensors")
    config = Config(checkpoints=(tmp_path / "run", weights.folder), hub=False)
    names = [entry.name for entry in listing(config).entries if entry.name.startswith("run/")]
    assert [name for name in names if "checkpoint" in name] == [
        f"run/checkpoint_{step}/model{number}.safetensors" for step in (9, 24) for number in ("", "_1")
    ]
    assert "run/other_1" in names
    for name in names:
        if not name.endswith("other_1/model_1.safetensors"):
            assert sources(resolve(parse(f"{name}; base=whole"), config))


def test_what_cannot_be_chosen_is_listed_with_the_reason(tmp_path, weights):
    import torch

    root = tmp_path / "m"
    adapter = {name.replace("lora_down.weight", "hada_w1_a"): value for name, value in kohya_lora(weights).items()}
    save(adapter, root / "loha.safetensors")
    save({"image_proj": {"a.b": torch.ones(2)}, "ip_adapter": {"1.to_k_ip.weight": torch.ones(2)}}, root / "ip.bin")
    save({"string_to_param": {"*": torch.ones(2, 32)}}, root / "easy.pt")
    (root / "failed.safetensors").write_text("<!DOCTYPE html><html>")
    (root / "x.mlpackage" / "weights").mkdir(parents=True)
    (root / "x.mlpackage" / "weights" / "weight.bin").write_bytes(b"x")
    save({"module": {}}, root / "run" / "pytorch_model" / "zero_pp_rank_0_mp_rank_00_model_states.pt")
    config = Config(checkpoints=(root, weights.folder), hub=False)
    found = {entry.name: entry for entry in listing(config).entries if entry.name.startswith("m/")}
    assert sorted(found) == ["m/easy.pt", "m/failed.safetensors", "m/ip.bin", "m/loha.safetensors"]
    assert "a textual inversion alone" in found["m/easy.pt"].about
    assert found["m/failed.safetensors"].about.startswith("a web page, not weights: download it again")
    for name, kind in (("m/ip.bin", "an IP-Adapter"), ("m/loha.safetensors", "a LoHa (LyCORIS)")):
        assert found[name].about == f"{kind}, which is not supported as a checkpoint"
    assert not {name for _, name in whatever(listing(config))} & set(found) and not lora_files(listing(config))
