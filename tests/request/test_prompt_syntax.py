"""Prompt syntax of other programs is named, and LoRA tags are matched with files."""

from dataclasses import replace

import numpy as np
import pytest
from safetensors.numpy import save_file

from comparer.checkpoints.spec import Weights
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.request.prompt_syntax import SYNTAX, find_lora, lora_hints, lora_offer, lora_tags, syntax_note
from comparer.request.restore import restore
from comparer.results.analysis import Analysis
from comparer.results.notes import notes
from comparer.ui.app import Page
from comparer.ui.request.prompt_hints import remarks
from helpers.noise_runs import compared


@pytest.fixture
def config(tmp_path):
    folder = tmp_path / "m"
    folder.mkdir()
    save_file(
        {f"unet.x.lora_{side}.weight": np.ones((4, 4), np.float32) for side in "AB"}, folder / "Style.safetensors"
    )
    save_file({"conv_in.weight": np.ones((4, 4, 3, 3), np.float32)}, folder / "model.safetensors")
    return Config((folder,), tmp_path / "runs")


@pytest.mark.parametrize(
    ("prompt", "named"),
    [
        ("a (red:1.3) star", "(red:1.3)"),
        ("a (red, large : .5) star", "(red, large : .5)"),
        ("a ((red)) star", "((red))"),
        ("a [red] star", "[red]"),
        ("a [red:blue:0.5] star", "[red:blue:0.5]"),
        ("a red star BREAK a blue sky", "BREAK"),
        ("a red star AND a blue sky", "AND"),
        ("a {red|blue} star", "{red|blue}"),
        ("a {{red}} star", "{red}"),
        ("<lora:style:0.8> a star", "<lora:style:0.8>"),
        ("a star <hypernet:old:1>", "<hypernet:old:1>"),
        ("embedding:EasyNegative, a star", "embedding:EasyNegative"),
        ("a (red star)++ and 1.2::blue:: sky", "(red star)++, 1.2::"),
        ("a __colour__ star --ar 16:9", "__colour__, --ar 16:9"),
        (r"\(red\) star", r"\(, \)"),
    ],
)
def test_what_is_read_as_plain_words_is_named(prompt, named):
    assert SYNTAX.search(prompt)
    assert syntax_note([prompt]).startswith(f"Taken as plain words: {named}. ")


@pytest.mark.parametrize(
    "prompt",
    [
        "a star (red) at 16:9 (10:30)",
        "a C++ book -- and a band",
        "brackets and breaks",
        "a <b>bold</b> star :)",
        "5 < 6",
    ],
)
def test_plain_words_are_not_syntax(prompt):
    assert syntax_note([prompt]) == ""


def test_a_long_text_with_a_weight_is_named():
    assert syntax_note([f"({'a large red star, ' * 40}:1.2)"]).startswith("Taken as plain words: (a large red star, ")


def test_syntax_does_not_reach_over_the_end_of_a_prompt_and_is_listed_once():
    assert syntax_note(["a (red", "star:1.3)"]) == ""
    told = syntax_note(["(a:1.1) (a:1.1)", " ".join(f"[{letter}]" for letter in "abcdefgh")])
    assert told.startswith("Taken as plain words: (a:1.1), [a], [b], [c], [d], [e] and 3 more. ")


def test_a_finished_run_names_it_too(tmp_path):
    comparison = compared(tmp_path, ("a star AND <b>", "a ring"), negative_prompt="embedding:bad")
    assert any(each.startswith("Taken as plain words: AND, embedding:bad.") for each in notes(Analysis(comparison)))


def test_loras_are_found_by_name_and_other_weights_are_none(config):
    for name in ("style", "STYLE.safetensors", "folder\\Style"):
        assert find_lora(name, config) == "m/Style.safetensors"
    for name in ("model", "demo", "", "../Style/x"):
        with pytest.raises(ComparerError, match="There is no LoRA '.*' here."):
            find_lora(name, config)


def test_weights_of_tags():
    tags = lora_tags("<lora:a> <LORA:b:.5> <lora:c:-1:0.2> <lora:d:te=0.5:unet=1>")
    assert [(tag.name, tag.weight, tag.rest) for tag in tags] == [
        ("a", 1, ""), ("b", 0.5, ""), ("c", -1, "0.2"), ("d", 1, "te=0.5:unet=1"),
    ]  # fmt: skip


def test_a_tag_is_offered_alike_where_it_is_typed_and_where_it_is_dropped(tmp_path, config):
    prompt = "a red star <lora:style:0.8> <lora:gone:1>"
    offer = lora_offer(prompt, config)
    assert offer.without_tags(prompt) == "a red star <lora:gone:1>"
    said = ["<lora:style:0.8> is the LoRA m/Style.safetensors × 0.8.", "There is no LoRA 'gone' here."]
    assert offer.sentences == said
    assert lora_hints([prompt], Weights("demo", "raw"), config) == [
        *said,
        "To use it, remove the tag and write --checkpoint 'demo; weights=raw; lora=m/Style.safetensors:0.8'.",
    ]
    (tmp_path / "p.txt").write_text(f"{prompt}\nSteps: 20, Sampler: DDIM, Model: demo")
    found = restore(tmp_path / "p.txt", config)
    assert found.request.settings.loras == (("m/Style.safetensors", 0.8),)
    assert said[0] in found.notes and said[1] in found.missing


def test_the_page_moves_a_tag_into_the_control(config):
    page = Page(config)
    page.build()
    controls = page.controls
    told, button = controls._hints("a star <lora:style:0.8>\na ring", "", "demo")
    assert "&lt;lora:style:0.8&gt; is the LoRA m/Style.safetensors × 0.8." in told and button["visible"]
    updates = controls._use_loras("a star <lora:style:0.8>\na ring", ["m/other.safetensors:0.5"], 1)
    assert updates[controls.parts["prompt"]] == "a star\na ring"
    loras = updates[controls.which.loras]["value"]
    assert loras == ["m/other.safetensors:0.5", "m/Style.safetensors:0.8"]
    assert not controls._hints("a star <lora:gone:1>", "", "demo")[1]["visible"]


def test_what_is_typed_is_escaped():
    assert "<lora" not in remarks("<lora:<b>x:1> [<i>] <lora:x:1>", "", "demo").replace("&lt;", "")
    assert remarks("a red star", "", "demo") == ""


def test_public_pages_offer_no_folder(tmp_path, config):
    told = lora_offer("<lora:style:1>", replace(config, public=True)).sentences
    assert told == ["<lora:style:1> is the LoRA m/Style.safetensors × 1."]
