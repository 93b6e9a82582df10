"""The Inspect button's handler: what it may read, and when."""

import re

import pytest
import torch
from safetensors.torch import save_file

from comparer.checkpoints.inspection.card import make
from comparer.cli.main import main
from comparer.config import Config
from comparer.engine import queue
from comparer.errors import Stopped
from comparer.models.catalog import DEMO
from comparer.ui.results.inspect import BUSY, Inspect
from helpers.runs import PROMPT


def told(config, name):
    """Press Inspect and return what is shown in the end."""
    (*_, last) = Inspect(config).inspect(name)
    return last


def test_nothing_is_read_beside_a_measurement(config):
    with queue.turn(lambda *_: None, lambda: False, 1, lambda: "a run") as mine:
        assert mine and BUSY in told(config, "demo")
    assert "Weights card of <b>demo</b>" in told(config, "demo")
    with pytest.raises(Stopped):
        make(DEMO, stop=lambda: True)


def test_only_what_is_in_the_checkpoint_folders_is_read(tmp_path, config):
    save_file({"conv_in.weight": torch.zeros(1)}, tmp_path / "outside.safetensors")
    inside = tmp_path / "inside"
    (inside / "step").mkdir(parents=True)
    (inside / "step" / "model.safetensors").symlink_to(tmp_path / "outside.safetensors")
    config = Config(runs=config.runs, checkpoints=(inside,))
    for name in (str(tmp_path / "outside.safetensors"), "/etc", "inside/../outside.safetensors", "inside/step"):
        shown = told(config, name)
        assert 'role="alert"' in shown and "conv_in" not in shown, name


def test_names_from_files_are_escaped(tmp_path, config):
    save_file({"<img src=x>.weight": torch.ones(2, 3), "<b>_w": torch.ones(200)}, tmp_path / "x<i>.safetensors")
    shown = told(Config(runs=config.runs, checkpoints=(tmp_path,)), f"{tmp_path.name}/x<i>.safetensors")
    assert "Weights card of" in shown and "<img" not in shown and "x<i>" not in shown and "<b>_w" not in shown


def test_the_command_line_lists_what_is_not_whole_and_compares_it(tmp_path, capsys):
    from safetensors.torch import load_file

    raw = load_file(DEMO / "unet" / "diffusion_pytorch_model.non_ema.safetensors")
    folder = tmp_path / "out"
    folder.mkdir()
    save_file(dict(list(raw.items())[2:]), folder / "step.safetensors")
    where = ["--checkpoints", str(folder)]
    assert main(["checkpoints", *where]) == 0
    assert "out/step.safetensors" in capsys.readouterr().out
    arguments = ["compare", PROMPT, "--steps", "2", "--warmups", "0", "--quiet", "--out", str(tmp_path / "runs")]
    line = "out/step.safetensors; base=demo; incomplete=yes"
    assert main([*arguments, *where, "--variant", line]) == 0
    told = capsys.readouterr().out
    assert told.count("incomplete: 2 tensors random") == 2, "in the table and in a line"
    assert re.search("step.safetensors: (No l|L)oss seen in this image: CLIP loss ", told)
