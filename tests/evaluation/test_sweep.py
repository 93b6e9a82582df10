"""What an evaluation asks: files, lists of settings, and the product of them."""

import json
from dataclasses import replace

import pytest

from comparer.cli.main import main
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.evaluation.sweep import cells, prompts_of, read_file
from helpers.runs import ask, finish

PROMPT = "a large red star on a blue background"


def test_lists_are_a_product_and_equal_cells_are_one():
    made = cells(Config(), {"prompt": PROMPT, "steps": [4, 6], "guidance": [1, 2.0, 2], "sampler": ["Euler"]})
    assert [cell.name for cell in made] == [
        "steps 4, guidance 1", "steps 4, guidance 2.0", "steps 6, guidance 1", "steps 6, guidance 2.0",
    ]  # fmt: skip
    assert [(c.request.settings.steps, c.request.settings.guidance) for c in made] == [(4, 1), (4, 2), (6, 1), (6, 2)]
    assert {c.request.settings.sampler for c in made} == {"Euler"}
    (single,) = cells(Config(), {"prompt": PROMPT})
    assert single.name == "" and single.request.settings.steps == 25


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"prompt": PROMPT, "stepz": 4}, "no setting 'stepz'"),
        ({"prompt": PROMPT, "steps": []}, "list of 'steps' is empty"),
        ({"prompt": PROMPT, "steps": [4, 0]}, "Steps 0"),
        ({"prompt": PROMPT, "config": 1}, "no setting 'config'"),
        ({"prompt": ""}, "prompt is empty"),
    ],
)
def test_refusals(given, words):
    with pytest.raises(ComparerError, match=words):
        cells(Config(), given)


def test_a_toml_a_json_and_a_record_ask_the_same(tmp_path, config):
    (tmp_path / "a.toml").write_text(
        f'prompt = ["{PROMPT}"]\naccelerators = ["DeepCache(interval=2)"]\nsteps = 4\nseeds = "1-3"\nrepeats = 2\n'
    )
    given = {"prompt": PROMPT, "accelerators": ["DeepCache(interval=2)"], "steps": 4, "seeds": "1-3", "repeats": 2}
    (tmp_path / "a.json").write_text(json.dumps(given))
    one, two = (cells(config, read_file(tmp_path / name))[0].request for name in ("a.toml", "a.json"))
    assert one == two and one.settings.seeds == (1, 2, 3) and one.repeats == 2
    done = finish(replace(ask("DeepCache(interval=2)", batch_size=2, guidance=3.0), repeats=2), config)
    (again,) = cells(config, read_file(done.folder / "run.json"))
    assert again.request.settings == done.comparison.request.settings and again.request.repeats == 2
    assert [arm.accelerators for arm in again.request.arms] == [
        arm.accelerators for arm in done.comparison.request.arms
    ]


def test_a_prompt_of_a_list_is_one_prompt(tmp_path):
    (tmp_path / "a.toml").write_text('prompt = ["""a red\nstar""", "a ring"]')
    assert read_file(tmp_path / "a.toml")["prompt"] == "a red star\na ring"
    (tmp_path / "a.json").write_text('{"prompt": [{"text": "a ring"}]}')
    with pytest.raises(ComparerError, match="a prompt that is not text"):
        read_file(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("a.toml", "prompt = ", "is not a request file"),
        ("a.json", "[1]", "has no settings"),
        ("a.json", "{", "is not a request file"),
        ("none.json", None, "cannot be read"),
    ],
)
def test_a_file_that_is_none(tmp_path, name, text, words):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(ComparerError, match=words):
        read_file(tmp_path / name)


def test_prompts_from_lines_csv_and_json(tmp_path):
    files = {
        "a.txt": "one\n\n two \none\nthree\n",
        "a.csv": 'id,prompt\n1,one\n2,"two"\n3,one\n4,three\n',
        "a.json": '["one", {"prompt": "two"}, "one", "three"]',
    }
    for name, text in files.items():
        (tmp_path / name).write_text(text)
        assert prompts_of(tmp_path / name) == "one\ntwo\nthree"
        assert prompts_of(tmp_path / name, 2) == "one\ntwo"
    with pytest.raises(ComparerError, match="There are only 3 prompts, not 4"):
        prompts_of(tmp_path / "a.txt", 4)
    told = []
    prompts_of(tmp_path / "a.csv", 2, told.append)
    assert told == ["a.csv: 3 prompts read; left out: 1 duplicate. First: 'one', 'two', …"]


def test_the_command_says_which_prompts_it_read(tmp_path, capsys):
    (tmp_path / "a.csv").write_text('id;Prompt\n1;"a red\nstar"\n2;a ring\n3;a disc\n4;a ring\n')
    assert main(["evaluate", "--prompts", str(tmp_path / "a.csv"), "--steps", "0"]) == 2  # refused behind that
    assert capsys.readouterr().out == (
        "a.csv: 3 prompts read; left out: 1 duplicate. First: 'a red star', 'a ring', …\n"
    )
    (tmp_path / "a.toml").write_text('prompt = ["a star", "a ring"]\nsteps = 0')
    assert main(["evaluate", str(tmp_path / "a.toml")]) == 2
    assert capsys.readouterr().out == "a.toml: 2 prompts read. First: 'a star', 'a ring'\n"
