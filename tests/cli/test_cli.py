"""The command line, and what its modules must not load."""

import json
import subprocess
import sys

import pytest

from comparer.cli import evaluate
from comparer.cli.main import main
from comparer.request import request as requests
from helpers.runs import PROMPT, ROOT


def test_every_plain_module_is_importable_without_torch_or_gradio():
    names = "request.request results.comparison config errors request.build engine.compare runs.store engine.queue "
    names += "cli.main models.catalog models.samplers accelerators.registry accelerators.stack accelerators.deepcache "
    names += "reporting.grid.draw reporting.report.report checkpoints.read demo.scenes"
    script = f"import sys; [__import__('comparer.' + n) for n in '{names}'.split()]; "
    script += "print([n for n in ('torch', 'gradio', 'diffusers', 'open_clip') if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_command_line_makes_a_comparison(tmp_path, capsys):
    arguments = ["compare", PROMPT, "--accelerator", "DeepCache(interval=2)", "--steps", "4", "--seeds", "1,2"]
    assert main([*arguments, "--out", str(tmp_path), "--quiet"]) == 0
    told = capsys.readouterr().out
    (folder,) = (path for path in tmp_path.iterdir() if (path / "run.json").is_file())
    assert f"Run folder: {folder}" in told and str(folder / "grid.png") in told
    assert "DeepCache: 4 full, 4 shallow" in told and "n = 2 calls" in told
    record = json.loads((folder / "run.json").read_text())
    assert record["request"]["settings"]["seeds"] == [1, 2]


def test_what_is_worthwhile_is_the_callers_to_say(tmp_path, capsys):
    arguments = ["compare", PROMPT, "--accelerator", "DeepCache(interval=1)", "--steps", "2", "--seeds", "1-4"]
    arguments += ["--warmups", "0", "--quiet", "--out", str(tmp_path)]
    assert main([*arguments, "--worthwhile", "90"]) == 0
    told = capsys.readouterr().out
    assert ": Not faster, identical images: " in told
    (record,) = tmp_path.glob("*/run.json")
    data = json.loads(record.read_text())
    verdict = data["verdicts"]["1"]
    assert data["request"]["thresholds"] == {"speed_up": 90, "clip_loss": 0.02}
    assert verdict["headline"] == "Not faster, identical images"
    found = verdict["speed"]["estimate"]
    assert found["interval"]["level"] == 0.975 and found["n"] == 4
    assert main([*arguments, "--worthwhile", "0.9"]) == 2
    assert "above 1, up to 100 is allowed" in capsys.readouterr().err


def test_the_seconds_for_repeats_are_the_callers_to_say(tmp_path, capsys):
    arguments = ["compare", PROMPT, "--quiet", "--out", str(tmp_path)]
    assert main([*arguments, "--max-repeat-seconds", "60", "--repeat-seconds", "60.5"]) == 2
    assert "Seconds for repeats 60.5 is out of range: 0 to 60 is allowed." in capsys.readouterr().err
    assert main([*arguments, "--repeat-seconds", "long"]) == 2
    assert "Seconds for repeats 'long' is not a number." in capsys.readouterr().err
    assert main(["compare", "--repeat-seconds", "3", "--from", "run.json"]) == 2
    assert "leave --repeat-seconds out" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "seconds"), [([], 0.0), (["--repeat-seconds", "7"], 7.0)])
def test_an_evaluation_repeats_only_where_it_is_asked_to(tmp_path, monkeypatch, given, seconds):
    monkeypatch.setattr(requests, "REPEAT_SECONDS", 20.0)  # as it is outside the tests
    monkeypatch.setattr(evaluate, "_watch", lambda *_: sys.exit())
    arguments = ["evaluate", "--num-samples", "2", "--max-repeat-seconds", "60", "--out", str(tmp_path / "e")]
    with pytest.raises(SystemExit):
        main([*arguments, *given])
    (cell,) = json.loads((tmp_path / "e" / "evaluation.json").read_text())["cells"]
    assert cell["request"]["repeat_seconds"] == seconds


def test_prompts_from_a_file(tmp_path, capsys):
    file = tmp_path / "prompts.txt"
    file.write_text("\ufeffa large red star on a blue background\n\n  a small green ring on a white background \n")
    arguments = ["compare", "--prompts", str(file), "--steps", "2", "--warmups", "0", "--quiet"]
    assert main([*arguments, "--out", str(tmp_path / "runs")]) == 0
    (record,) = (tmp_path / "runs").glob("*/run.json")
    prompts = json.loads(record.read_text())["request"]["settings"]["prompts"]
    assert prompts == ["a large red star on a blue background", "a small green ring on a white background"]
    for content, words in [
        (b"\xff\xfe\x00", "not a text file"),
        (b" \n", "has no prompts"),
        (b"x" * 2**21, "too large"),
    ]:
        file.write_bytes(content)
        assert main(arguments) == 2 and words in capsys.readouterr().err
    assert main(["compare", "--prompts", str(tmp_path / "none.txt")]) == 2
    assert "'none.txt' cannot be read" in capsys.readouterr().err


def test_weights_in_a_prompt_are_said_to_be_literal(tmp_path, capsys):
    arguments = ["compare", "a (large:1.3) star", "--steps", "1", "--warmups", "0", "--quiet", "--out", str(tmp_path)]
    assert main(arguments) == 0
    assert "(word:1.3) and other prompt syntax have no special meaning" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([" "], "prompt is empty"),
        ([PROMPT, "--steps", "0"], "Steps 0 is out of range"),
        ([PROMPT, "--steps", "ten"], "Steps 'ten' is not a whole number"),
        ([PROMPT, "--seeds", "abc"], "'abc' is not a seed"),
        ([PROMPT, "--accelerator", "DeepCache(interval=0)"], "interval 0"),
        ([PROMPT, "--checkpoint", "/etc"], "outside the checkpoint folders"),
    ],
)
def test_the_command_line_refuses_in_one_line(arguments, words, capsys):
    assert main(["compare", *arguments]) == 2
    told = capsys.readouterr().err
    assert told.startswith("comparer: ") and words in told and told.count("\n") == 1


def test_checkpoints_are_listed(capsys):
    assert main(["checkpoints"]) == 0
    assert "demo" in capsys.readouterr().out
