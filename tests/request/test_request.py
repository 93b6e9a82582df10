"""The door: what is refused, in which words; what round-trips."""

import json
from dataclasses import replace
from pathlib import Path
from time import monotonic

import pytest

from comparer.accelerators.registry import parse_stack
from comparer.config import Config, Limits
from comparer.errors import ComparerError
from comparer.request import request as requests
from comparer.request.build import build_request as ask_at_door
from comparer.request.parse import parse_prompts, parse_seeds, parse_size, read_prompts
from comparer.request.request import Request
from helpers.runs import PROMPT, ask


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": "  \n "}, ["prompt is empty", "one prompt per line"]),
        ({"prompt": "x" * 3000}, ["3000 characters", "at most 2000"]),
        ({"prompt": "a\na"}, ["given twice"]),
        ({"steps": 0}, ["Steps 0", "1 to 150"]),
        ({"steps": 151}, ["Steps 151", "1 to 150"]),
        ({"steps": 2.5}, ["Steps '2.5'", "whole number"]),
        ({"steps": "many"}, ["Steps 'many'", "whole number"]),
        ({"guidance": -1}, ["Guidance -1", "0 to 30"]),
        ({"guidance": float("nan")}, ["Guidance nan"]),
        ({"size": "130"}, ["Width 130", "multiple of 8", "128"]),
        ({"size": "4096x128"}, ["Width 4096", "8 to 2048"]),
        ({"size": "8"}, ["Size 8", "64 to 2048"]),
        ({"size": "big"}, ["'big' is not a size"]),
        ({"sampler": "Eular"}, ["'Eular'", "DDIM", "DPM++ 2M Karras"]),
        ({"seeds": "abc"}, ["'abc' is not a seed", "1-8"]),
        ({"seeds": ""}, ["is not a seed"]),
        ({"seeds": "5-1"}, ["The seed range 5-1 is reversed: write 1-5."]),
        ({"seeds": "1-1000"}, ["1-1000 has 1000 seeds: at most 400 are allowed."]),
        ({"seeds": "1-300,301-600"}, ["more than 400 seeds: at most 400"]),
        ({"seeds": ",".join(map(str, range(1000)))}, ["more than 400 seeds: at most 400"]),
        ({"seeds": "-1," * 1000}, ["more than 400 seeds: at most 400"]),
        ({"seeds": "100000000000"}, ["Seed 100000000000 is out of range: 0 to 4294967295 is allowed."]),
        ({"seeds": "x" * 5000}, ["is not a seed"]),
        ({"seeds": "1,1"}, ["seed is given twice"]),
        ({"seeds": "1-401"}, ["at most 400"]),
        ({"seeds": "1-201"}, ["402 pictures", "at most 400"]),
        ({"seeds": "4294967296"}, ["Seed 4294967296"]),
        ({"batch_size": 17}, ["Batch size 17", "1 to 16"]),
        ({"warmups": 11}, ["Warm-ups 11", "0 to 10"]),
        ({"repeat_seconds": 601}, ["Seconds for repeats 601", "0 to 600"]),
        ({"repeat_seconds": -1}, ["Seconds for repeats -1", "0 to 600"]),
        ({"repeat_seconds": float("nan")}, ["Seconds for repeats nan", "0 to 600"]),
        ({"repeat_seconds": ""}, ["Seconds for repeats is empty: write a number."]),
        ({"noise": "gpu"}, ["'gpu'", "cpu, device"]),
        ({"accelerators": ["DeepCache(interval=0)"]}, ["interval 0", "1 to 20"]),
        ({"accelerators": ["DeepCache(interval='x')"]}, ["interval 'x'", "whole number"]),
        ({"accelerators": ["DeepCache(speed=3)"]}, ["no parameter 'speed'", "interval, branch"]),
        ({"accelerators": ["DeepCache(branch=2)"]}, ["branch 2", "0, 1, 3"]),
        ({"accelerators": ["TurboCache"]}, ["'TurboCache'", "DeepCache"]),
        ({"accelerators": ["DeepCache", "DeepCache"]}, ["same name: DeepCache(interval=3)."]),
        ({"accelerators": ["DeepCache"] * 1000}, ["1000 arms were requested", "at most 400"]),
        ({"accelerators": ["DeepCache(interval=3,interval=4)"]}, ["gives a parameter twice"]),
        ({"accelerators": ["DeepCache(interval=" + "-" * 5000 + "1)"]}, ["5021 characters: at most 300"]),
        ({"accelerators": ["DeepCache(interval=" + "-" * 270 + "1)"]}, ["is not an accelerator"]),
        ({"accelerators": ["DeepCache(interval={[]: 1})"]}, ["is not an accelerator"]),
        ({"accelerators": ["a" + " " * 50_000 + "("]}, ["at most 300"]),
        ({"accelerators": ["+" * 50_000]}, ["at most 300"]),
        ({"accelerators": [f"DeepCache(interval={10**200})"]}, ["is out of range: 1 to 20"]),
        ({"accelerators": [f"ToMe(ratio={10**280})"]}, ["ToMe: ratio 1000", "is out of range: 0.01 to 0.75"]),
        ({"accelerators": [f"DeepCache({'x' * 200}=1)"]}, ["no parameter 'xxx"]),
        ({"steps": 10**400}, ["Steps 1000", "1 to 150"]),
        ({"guidance": 10**400}, ["Guidance 1000", "0 to 30"]),
        ({"guidance": 1e300}, ["Guidance 1e+300", "0 to 30"]),
        ({"steps": "9" * 5000}, ["Steps '999", "not a whole number"]),
        ({"guidance": ["x"] * 5000}, ["Guidance '['x'", "not a number"]),
        ({"size": (None, 128)}, ["Width is empty: write a whole number."]),
        ({"size": (128, "")}, ["Height is empty: write a whole number."]),
        ({"batch_size": None}, ["Batch size is empty: write a whole number."]),
        ({"guidance_rescale": None}, ["Guidance rescale is empty: write a number."]),
        ({"noise": "x" * 5000}, ["no noise source 'xxx"]),
        ({"sampler": "x" * 5000}, ["no sampler 'xxx"]),
        ({"size": "9" * 5000}, ["is not a size"]),
        ({"prompt": "a star \udcff"}, ["'a star ?'", "not valid UTF-8"]),
        ({"negative_prompt": "\ud800"}, ["not valid UTF-8"]),
        ({"checkpoint": "nope"}, ["no checkpoint 'nope'", "demo"]),
    ],
)
def test_bad_input_gets_one_sentence(change, words):
    with pytest.raises(ComparerError) as refused:
        ask_at_door(Config(), **{"prompt": PROMPT, **change})
    message = str(refused.value)
    assert all(word in message for word in words), message
    assert "\n" not in message and len(message) < 400 and message.isprintable()


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("size", 128), ("steps", 4), ("guidance", 4.0), ("pictures", 12), ("prompts", 2), ("batch_size", 3),
        ("prompt", len(PROMPT)), ("warmups", 2), ("repeats", 2), ("repeat_seconds", 5),
    ],
)  # fmt: skip
def test_what_is_exactly_at_a_limit_is_allowed_and_one_more_is_not(name, least):
    asked = ask("DeepCache", prompts=(PROMPT, "a"), seeds=(1, 2, 3), batch_size=3, warmups=2)
    asked = replace(asked, repeats=2, repeat_seconds=5)
    assert replace(asked, limits=replace(Limits(), **{name: least})) == asked
    with pytest.raises(ComparerError, match=f"{least - 1:g}"):
        replace(asked, limits=replace(Limits(), **{name: least - 1}))


def test_a_request_round_trips_through_json():
    request = ask("DeepCache(interval=5, branch=1)", "DeepCache(interval=2)", seeds=(3, 1), warmups=2, noise="device")
    request = replace(request, repeat_seconds=2.5)
    assert Request.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_request_asks_for_extra_turns_as_long_as_the_installation_allows(monkeypatch):
    monkeypatch.setattr(requests, "REPEAT_SECONDS", 20.0)  # as it is outside the tests
    assert ask_at_door(Config(), PROMPT).repeat_seconds == 20
    assert ask_at_door(Config(limits=Limits(repeat_seconds=7)), PROMPT).repeat_seconds == 7
    assert ask_at_door(Config(), PROMPT, repeat_seconds=0).repeat_seconds == 0


def test_a_request_from_before_there_were_extra_turns_asks_for_none():
    data = replace(ask(), repeat_seconds=9.0).to_json()
    del data["repeat_seconds"]
    assert Request.from_json(data).repeat_seconds == 0


def test_a_damaged_request_is_refused():
    data = ask().to_json()
    del data["settings"]["prompts"]
    with pytest.raises(ComparerError, match="not a request"):
        Request.from_json(data)


@pytest.mark.parametrize("prompts", [[5], [None], 5])
def test_a_request_whose_prompts_are_no_texts_is_refused(prompts):
    data = ask().to_json()
    data["settings"]["prompts"] = prompts
    with pytest.raises(ComparerError, match="not a request"):
        Request.from_json(data)


def test_an_accelerator_is_read_in_linear_time():
    began = monotonic()
    for text in ("a" + " " * 298 + "(", "a " * 149, "(" * 300, "+" * 300, "a+" * 150):
        with pytest.raises(ComparerError):
            parse_stack(text)
    assert monotonic() - began < 2


def test_a_file_without_an_end_is_refused():
    with pytest.raises(ComparerError, match="'zero' is too large for a prompt file"):
        read_prompts(Path("/dev/zero"))


def test_defaults_are_the_checkpoints_own():
    settings = ask_at_door(Config(), PROMPT).settings
    assert (settings.width, settings.height, settings.steps, settings.sampler) == (128, 128, 25, "DDIM")


def test_seeds_are_read_as_people_write_them():
    assert parse_seeds("7") == (7,)
    assert parse_seeds(" 1, 2,5-8") == (1, 2, 5, 6, 7, 8)
    first, second = parse_seeds("-1,-1")
    assert first != second


def test_sizes_and_prompts_are_read_as_people_write_them():
    assert parse_size("512") == (512, 512)
    assert parse_size("512 x 768") == (512, 768)
    assert parse_prompts("one\n\n two \n") == ("one", "two")


def test_batches_keep_every_picture():
    request = ask(prompts=tuple("abcde"), batch_size=2)
    assert [len(batch) for batch in request.batches()] == [2, 2, 1]
    assert sum(request.batches(), []) == request.items()
