"""Files of prompts as people and programs write them."""

import json

import pytest

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.evaluation.sweep import prompts_of
from comparer.request.parse import parse_prompts
from comparer.request.prompt_files import TYPES, read_prompt_file
from comparer.ui.app import Page

STAR, RING = "a red star on a blue background", "a green ring"
READ = {
    "a cell of two lines.csv": f'prompt,category\n"a red star\non a blue background",shapes\n{RING},shapes\n',
    "semicolons.csv": f"id;prompt\r\n1;{STAR}\r\n2;{RING}\r\n",
    "a mark and upper case.CSV": f"\ufeffPrompt,Category\r\n{STAR},x\r\n{RING},y\r\n",
    "for Excel.csv": f"sep=;\r\nprompt;x\r\n{STAR};1\r\n{RING};2\r\n",
    "carriage returns.csv": f"prompt,x\r{STAR},1\r{RING},2\r",
    "spaces around quotes.csv": f'x, prompt\n1, "{STAR}" \n2, "{RING}"\n',
    "the plural, as in DrawBench.csv": f"Prompts,Category\n{STAR},x\n{RING},y\n",
    "text.csv": f"text,x\n{STAR},1\n{RING},2\n",
    "the caption before the text.csv": f"text,Caption\nno,{STAR}\nno,{RING}\n",
    "cells without a name.csv": f"prompt,x\n{STAR},1,\n{RING},2,,\n",
    "tabs.tsv": f"Prompt\tCategory\n{STAR}\tx\n{RING}\ty\n",
    "tabs of Excel.txt": f"Prompt\tCategory\r\n{STAR}\tx\r\n{RING}\ty\r\n",
    "commas.txt": f"id,Prompt\n1,{STAR}\n2,{RING}\n",
    "a header alone.txt": f"prompt\n{STAR}\n{RING}\n",
    "texts.json": json.dumps([STAR, RING]),
    "objects.json": json.dumps([{"id": 1, "Prompt": STAR}, {"caption": RING}]),
    "under prompts.json": json.dumps({"name": "two", "prompts": [STAR, {"text": RING}]}),
    "coco.json": json.dumps({"images": [{"id": 1}], "annotations": [{"caption": f"{STAR}\n"}, {"caption": RING}]}),
    "lines.jsonl": f'{{"prompt": "{STAR}"}}\n\n"{RING}"\n',
    "lines of another ending.json": f'{{"prompt": "{STAR}"}}\n{{"prompt": "{RING}"}}\n',
    "json.txt": json.dumps([STAR, RING], indent=1),
    "utf-16.txt": f"{STAR}\n{RING}".encode("utf-16"),
}  # fmt: skip


@pytest.mark.parametrize("name", READ)
def test_every_shape_gives_the_same_prompts(tmp_path, name):
    (tmp_path / name).write_bytes(READ[name] if isinstance(READ[name], bytes) else READ[name].encode())
    found = read_prompt_file(tmp_path / name)
    assert found.prompts == (STAR, RING) and found.sentence == "2 prompts read"


@pytest.mark.parametrize(
    ("name", "text", "prompts"),
    [
        ("one column.csv", 'prompt\na star, a ring\n"a ring, a star"\n', ("a star, a ring", "a ring, a star")),
        ("quotes.csv", 'prompt,x\n"a sign ""OPEN""",1\na 5" disc,2\n', ('a sign "OPEN"', 'a 5" disc')),
        ("no quoting.tsv", 'prompt\tx\n"OPEN" on a sign\t1\n', ('"OPEN" on a sign',)),
        ("brackets.txt", "[a] star\n{red|blue} ring\n", ("[a] star", "{red|blue} ring")),
        ("one.jsonl", '{"prompt": "a star"}', ("a star",)),
        ("tags.txt", "text, caption\na star, red\n", ("text, caption", "a star, red")),
        ("one prompt.txt", "prompt", ("prompt",)),
        ("separators.txt", "a\u2028star\na\x0cring\n", ("a star", "a ring")),
        ("separators.jsonl", '{"prompt": "a\u2028star"}\n', ("a star",)),
    ],
)
def test_prompts_stay_as_they_were_written(tmp_path, name, text, prompts):
    (tmp_path / name).write_text(text, encoding="utf-8", newline="")
    assert read_prompt_file(tmp_path / name).prompts == prompts


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.txt"])
def test_what_is_left_out_is_counted(tmp_path, name):
    rows = ["a star", "a ring", "", "a  star", "a star"]
    text = {"a.csv": "\n".join(["prompt,x", *(f"{row},1" for row in rows)]), "a.json": json.dumps(rows)}
    (tmp_path / name).write_text(text.get(name, "\n".join(rows)))
    found = read_prompt_file(tmp_path / name)
    assert found.prompts == ("a star", "a ring")
    assert found.sentence == "2 prompts read; left out: 2 duplicates and 1 empty row"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("a.csv", "id,question\n1,a star\n", "has no column prompt, caption or text: its first row is id, question."),
        ("a.csv", 'prompt,x\n"a star,1\na ring,2\n', "at line 3, a double quote is not closed."),
        ("a.csv", 'prompt,x\n"OPEN" on a sign,1\n', "at line 2, a double quote within quotes is written twice."),
        ("a.csv", "prompt,x\na star, red,1\n", "Row 2 of 'a.csv' has 3 cells, and the header 2: put a prompt"),
        ("a.csv", "prompt,x\n,1\n", "'a.csv' has no prompts."),
        ("a.json", '{"a star": 1, "a ring": 2}', "contains an object with a star, a ring: a list of texts"),
        ("a.json", '{"1": {"prompt": "a star"}}', "contains an object with 1: a list of texts"),
        ("a.json", '{"annotations": [{"bbox": [1, 2, 3, 4]}]}', "Entry 1 of 'a.json' has no prompt, caption or text: "),
        ("a.json", '["a star", 2]', "Entry 2 of 'a.json' is not text: "),
        ("a.json", '"a star"', "contains no list: "),
        ("a.json", "[" * 100_000, "is not JSON that can be read"),
        ("a.jsonl", '{"prompt": "a star"}\n{"prompt"\n', "Line 2 of 'a.jsonl' is not JSON that can be read"),
        ("run.txt", '{"request": {"settings": {}}}', "contains an object with request: "),
    ],
)  # fmt: skip
def test_other_shapes_are_refused_with_those_that_are_read(tmp_path, name, text, told):
    (tmp_path / name).write_text(text)
    with pytest.raises(ComparerError) as refused:
        read_prompt_file(tmp_path / name)
    assert told in str(refused.value) and str(refused.value).endswith(".")


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["a.txt", "a.csv"])
def test_text_of_another_coding_is_refused(tmp_path, coding, name):
    (tmp_path / name).write_bytes(f"prompt\n{STAR}\n".encode(coding))
    with pytest.raises(ComparerError, match="is not a text file in UTF-8"):
        read_prompt_file(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "kind"), [("a.toml", "a TOML file"), ("a.YML", "a YAML file"), ("a.xlsx", "an Excel workbook")]
)
def test_files_of_other_kinds_are_named(tmp_path, name, kind):
    (tmp_path / name).write_text('prompt = ["a star"]\n')
    with pytest.raises(
        ComparerError, match=f"'{name}' is {kind}, which cannot be read as a prompt file: one prompt per"
    ):
        read_prompt_file(tmp_path / name)
    with pytest.raises(ComparerError, match="'gone.toml' cannot be read: No such file"):
        read_prompt_file(tmp_path / "gone.toml")


def test_only_line_feeds_and_carriage_returns_end_a_typed_prompt():
    assert parse_prompts("a\u2028b\r\nc\x85d\re\x1cf\n\n") == ("a\u2028b", "c\x85d", "e\x1cf")


def test_the_page_reads_the_same_files(tmp_path):
    page = Page(Config(runs=tmp_path))
    page.build()
    (tmp_path / "a.csv").write_text(READ["semicolons.csv"] + f"3;{RING}\r\n")
    text, _, told = page.controls._from_file(str(tmp_path / "a.csv"))
    assert text == f"{STAR}\n{RING}" and "2 prompts read; left out: 1 duplicate" in told
    (tmp_path / "b.json").write_text('{"<b>": 1}')
    assert "contains an object with &lt;b&gt;: a list" in page.controls._from_file(str(tmp_path / "b.json"))[1]
    assert set(page.controls.file.file_types) == set(TYPES)


def test_a_large_file_is_for_the_command_line(tmp_path):
    rows = [{"caption": f"a star {number} {'x' * 100}"} for number in range(12_000)]
    (tmp_path / "coco.json").write_text(json.dumps({"annotations": rows}))
    with pytest.raises(ComparerError, match="too large for a prompt file: at most 1048576 bytes are allowed."):
        read_prompt_file(tmp_path / "coco.json")
    assert prompts_of(tmp_path / "coco.json", 2).count("\n") == 1
