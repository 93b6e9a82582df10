"""The prompt sets that come along: the general one's contents, a checkpoint's set, and names on the command line."""

import csv
import re
import shutil
from collections import Counter

import pytest

from comparer.checkpoints.spec import Weights
from comparer.cli.evaluate import SAMPLES
from comparer.cli.main import main
from comparer.config import Config, Limits
from comparer.errors import ComparerError
from comparer.models.catalog import DEMO as DEMO_FOLDER
from comparer.request.build import FIVE, build_request
from comparer.request.prompt_files import read_prompt_file
from comparer.request.prompt_sets import DEMO, FAIR_TEST, GENERAL, SETS, find, for_checkpoint

CATEGORIES = ("objects", "people", "colours", "relations", "counting", "styles", "text", "long")


def rows():
    with GENERAL.file.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_general_set_has_as_many_prompts_of_every_category_in_turn():
    categories = [row["category"] for row in rows()]
    assert len(categories) >= 160 and categories == [*CATEGORIES] * (len(categories) // len(CATEGORIES))
    category = {row["prompt"]: row["category"] for row in rows()}
    assert Counter(category[prompt] for prompt in GENERAL.fair_test()) == dict.fromkeys(CATEGORIES, FAIR_TEST // 8)


def test_the_general_set_is_of_different_prompts_and_its_long_ones_are_long():
    assert len({" ".join(re.findall(r"\w+", row["prompt"].lower())) for row in rows()}) == len(rows())
    for row in rows():
        assert (len(row["prompt"].split()) > 20) == (row["category"] == "long"), row["prompt"]
        assert len(row["prompt"].split()) <= 50, row["prompt"]  # below CLIP's 77 tokens


def test_the_reader_of_prompt_files_reads_the_sets():
    for found in SETS.values():
        read = read_prompt_file(found.file)
        assert read.prompts == found.prompts() and not (read.duplicates or read.empty)
        assert found.fair_test() == read.prompts[:80]


def test_a_checkpoint_that_reads_the_demos_words_gets_the_demos_set(tmp_path):
    shutil.copytree(DEMO_FOLDER, tmp_path / "ck" / "mine", ignore=shutil.ignore_patterns("scorer"))
    config = Config(checkpoints=(tmp_path / "ck",))
    for asked in ("demo", "demo; dtype=float16", "ck/mine", Weights("ck/mine"), "step_24000; base=demo"):
        assert for_checkpoint(asked, config) is DEMO, asked
    (tmp_path / "ck" / "mine" / "tokenizer" / "vocab.json").unlink()
    (tmp_path / "ck" / "mine" / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)
    for asked in ("sdxl", "ck/mine", "step_24000; base=sd-1.5"):  # none of them is on this machine with its words
        assert for_checkpoint(asked, config) is GENERAL, asked


def test_a_name_is_a_set_and_anything_else_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "demo").write_text("a ring")
    (tmp_path / "mine").write_text("a ring")
    assert find("demo") is DEMO and find("general") is GENERAL
    assert [read_prompt_file(find(text)).prompts for text in ("./demo", "mine")] == [("a ring",)] * 2
    for text in ("generel", "Demo", "a ring " * 100):
        with pytest.raises(ComparerError, match=r"no prompt set or file '.*': the sets are demo and general\.$"):
            find(text)
    with pytest.raises(ComparerError, match="'gone.csv' cannot be read"):
        read_prompt_file(find("gone.csv"))


@pytest.mark.parametrize(
    "arguments, told",
    [
        (["compare", "--prompts", "demo"], f"Set demo: the first {FAIR_TEST} of 160 prompts: '{DEMO.prompts()[0]}'"),
        (["evaluate", "--prompts", "general"], f"Set general: the first {FAIR_TEST} of {len(rows())} prompts: 'a "),
        (["evaluate", "--prompts", "general", "--num-samples", "160"], "Set general: the first 160 of "),
        (["evaluate"], f"Set demo: the first {SAMPLES} of 160 prompts: "),
        (["evaluate", "--checkpoint", "demo; dtype=float32"], f"Set demo: the first {SAMPLES} of 160 prompts: "),
        (["evaluate", "--checkpoint", "sdxl"], f"Set general: the first {SAMPLES} of "),
        (["evaluate", "--checkpoint", "demo", "sdxl"], f"Set general: the first {SAMPLES} of "),
    ],
)
def test_the_commands_take_a_set_by_name_and_say_how_much_of_it(arguments, told, capsys):
    assert main([*arguments, "--steps", "0"]) == 2  # refused behind that
    assert capsys.readouterr().out.startswith(told)


@pytest.mark.parametrize("command", ["compare", "evaluate"])
def test_the_commands_refuse_a_name_that_is_no_set(command, capsys):
    assert main([command, "--prompts", "generel"]) == 2
    assert "There is no prompt set or file 'generel': the sets are demo and general." in capsys.readouterr().err


def test_the_usual_limits_allow_a_fair_test_of_five_arms():
    request = build_request(Config(), "\n".join(DEMO.fair_test()), accelerators=FIVE)
    assert len(request.settings.prompts) * len(request.arms) == 5 * FAIR_TEST == Limits().pictures
