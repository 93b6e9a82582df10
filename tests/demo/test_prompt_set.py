"""The demo's prompt set: what its captions and columns say, and what its first prompts hold of everything."""

import csv
import re
from collections import Counter
from itertools import product

import prompt_sets as script

from comparer.demo.scenes import COLOURS, KINDS, PLACES, RADII, held_out
from comparer.request.prompt_sets import DEMO, FAIR_TEST

COLUMNS = ("colour", "kind", "size", "place", "background")
CAPTION = re.compile(
    rf"a (?P<size>{'|'.join(RADII)}) (?P<colour>{'|'.join(COLOURS)}) (?P<kind>{'|'.join(KINDS)})"
    rf"(?: in the (?P<place>{'|'.join(PLACES)}))? on a (?P<background>{'|'.join(COLOURS)}) background"
)


def rows():
    with DEMO.file.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_file_is_what_the_script_writes():
    assert DEMO.file.read_text(encoding="utf-8") == script.text(), "run scripts/prompt_sets.py"


def test_the_columns_say_what_the_caption_says_and_whether_the_pair_was_in_training():
    for row in rows():
        said = CAPTION.fullmatch(row["prompt"]).groupdict(default="")
        assert {name: row[name] for name in COLUMNS} == said
        assert row["pair"] == ("held out" if held_out(row["colour"], row["kind"]) else "training")
        assert row["colour"] != row["background"]  # the shape would not be seen
    assert DEMO.prompts() == tuple(row["prompt"] for row in rows())  # no duplicates, in the file's order


def test_a_fair_test_has_every_pair_once_and_as_much_of_everything_else():
    first = rows()[:FAIR_TEST]
    assert DEMO.fair_test() == tuple(row["prompt"] for row in first)

    def counts(*names):
        return Counter(tuple(row[name] for name in names) for row in first)

    assert set(counts("colour", "kind")) == set(product(COLOURS, KINDS)) and len(COLOURS) * len(KINDS) == FAIR_TEST
    assert set(counts("size").values()) == {FAIR_TEST // 2}
    for names, every in (
        (("place",), len(PLACES) + 1),
        (("background",), len(COLOURS)),
        (("kind", "size"), len(KINDS) * len(RADII)),
        (("colour", "size"), len(COLOURS) * len(RADII)),
        (("place", "size"), (len(PLACES) + 1) * len(RADII)),
        (("kind", "place"), len(KINDS) * (len(PLACES) + 1)),
    ):
        found = counts(*names)
        assert len(found) == every and max(found.values()) - min(found.values()) <= 4, names
    assert counts("pair")[("held out",)] == sum(held_out(*pair) for pair in product(COLOURS, KINDS))


def test_all_prompts_have_every_pair_small_and_large_and_any_eight_are_unlike():
    every = rows()
    assert Counter((row["colour"], row["kind"], row["size"]) for row in every) == Counter(
        product(COLOURS, KINDS, RADII)
    )
    for start in range(0, len(every), 8):
        eight = every[start : start + 8]
        assert len({row["kind"] for row in eight}) == len({row["colour"] for row in eight}) == 8
        assert [row["size"] for row in eight].count("small") == 4
