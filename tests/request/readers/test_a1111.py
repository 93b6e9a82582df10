"""A1111's text with all that others put before, between and after its pairs."""

import pytest

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.readers.a1111 import parse, read
from comparer.request.restore import restore
from helpers.foreign_pictures import png

LINE = "Steps: 20, Sampler: Euler a, CFG scale: 7, Seed: 9, Size: 64x96"
PAIRS = {"Steps": "20", "Sampler": "Euler a", "CFG scale": "7", "Seed": "9", "Size": "64x96"}
HEAD = "a cat\nNegative prompt: blurry\n"


@pytest.mark.parametrize(
    ("text", "more", "notes"),
    [
        (HEAD + LINE, {}, 0),
        (f"{HEAD}{LINE}\nTemplate: a {{cat|dog}}", {"Template": "a {cat|dog}"}, 0),
        (f"{HEAD}{LINE}\n\nmade on a Monday", {}, 1),
        (f'{HEAD}{LINE}\n{{"graph": {{"1": [2, 3]}}}}', {}, 1),
        (f'{HEAD}{{\n "a": 1,\n "b": [2, 3]\n}}\n{LINE}', {}, 1),
        (f'a cat\n[{{"a": "x, y"}}]\nNegative prompt: blurry\n{LINE}', {}, 1),
        (f"{HEAD}Template: a {{cat|dog}}\n{LINE}", {}, 1),
        (HEAD.replace("prompt", "Prompt").replace("\n", "\r\n") + LINE, {}, 0),
        (f"{HEAD}Model: m\n{LINE}", {"Model": "m"}, 0),
        (HEAD + LINE.replace(", ", "\n"), {}, 0),
        (f'{HEAD}{LINE}, Hashes: {{"model": "1a, 2b"}}, Version: v1.10', {"Hashes": '{"model": "1a, 2b"}',
                                                                         "Version": "v1.10"}, 0),
        (f'{HEAD}{LINE}, Civitai resources: [{{"type": "lora", "weight": 1, "name": "x: y"}}], Model: m',
         {"Civitai resources": '[{"type": "lora", "weight": 1, "name": "x: y"}]', "Model": "m"}, 0),
        (f'{HEAD}{LINE}, ControlNet 0: "module: canny, weight: 1, \\"q\\"", Model: "m, 2: x"',
         {"ControlNet 0": 'module: canny, weight: 1, "q"', "Model": "m, 2: x"}, 0),
    ],
)  # fmt: skip
def test_lines_and_json_do_not_reach_the_prompts_or_other_pairs(text, more, notes):
    found = parse(text)
    assert (found.prompt, found.negative_prompt) == ("a cat", "blurry")
    assert found.pairs == PAIRS | more and len(found.notes) == notes


def test_steps_in_a_prompt_are_words():
    found = parse(f"Steps: 3, Seed: 1\nNegative prompt: bad, Steps: 4\n{LINE}")
    assert (found.prompt, found.negative_prompt, found.pairs) == ("Steps: 3, Seed: 1", "bad, Steps: 4", PAIRS)


def test_prompts_alone():
    found = read({"parameters": "a cat,\non a mat\nNegative prompt: blurry,\nlow"})
    assert (found.prompt, found.negative_prompt, found.pairs) == ("a cat, on a mat", "blurry, low", {})
    found = read({"parameters": "a cat,\non a mat"})
    assert (found.prompt, found.negative_prompt, found.pairs) == ("a cat, on a mat", "", {})
    assert read({"parameters": '{"a": 1}'}) is read({"parameters": '[{"a": 1}]'}) is None
    for prompt in ("{red|blue} car", "[cat|dog] in a garden", "[[cat]]"):
        assert read({"parameters": prompt}).prompt == prompt
    assert read({"Comment": HEAD + LINE}).pairs == PAIRS and read({"Comment": "Made with GIMP"}) is None
    with pytest.raises(ComparerError, match="its prompt is empty"):
        read({"parameters": LINE})
    assert read({"UserComment": "Holiday in Rome"}) is None, "a comment of a camera is no prompt"


def test_a_program_that_writes_the_same_format_is_named():
    assert parse(f"{HEAD}{LINE}, Version: Fooocus v2.5.5").program == "Fooocus"
    assert parse(f"{HEAD}{LINE}, App: SD.Next, Version: 0eb4a98").program == "SD.Next"
    assert parse(f"{HEAD}{LINE}, Version: v1.9.3").program == "A1111's web UI"


def test_a_schedule_that_is_not_here_and_the_checkpoints_own_vae(tmp_path):
    text = f"{HEAD}{LINE}, Model: demo, Schedule type: Beta, VAE: Automatic"
    found = restore(png(tmp_path / "x.png", parameters=text), Config(runs=tmp_path))
    assert (found.request.settings.sampler, found.request.settings.vae, found.notes) == ("Euler a", "", ())
    assert found.missing == ("Comparer has no control for Schedule type Beta.",)


@pytest.mark.parametrize("tail", ['a:"' * 100_000, '{"a":' * 60_000, "[" * 60_000, '"\\' * 40_000, "\n{" * 60_000])
def test_hostile_texts_come_to_an_end(tail):
    found = parse(f"a cat\n{LINE}, {tail}")
    assert found.prompt == "a cat" and found.pairs.items() >= PAIRS.items() and len(found.notes) <= 5
