"""The door: what is refused, in which words; what round-trips."""

import json

import pytest
from conftest import PROMPT, ask

from comparer.config import Config
from comparer.door import ask as ask_at_door
from comparer.errors import ComparerError
from comparer.request import Request, parse_prompts, parse_seeds, parse_size


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"prompt": "  \n "}, ["prompt is empty", "one prompt a line"]),
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
        ({"seeds": "8-1"}, ["'8-1'"]),
        ({"seeds": "1,1"}, ["seed is given twice"]),
        ({"seeds": "1-401"}, ["at most 400"]),
        ({"seeds": "1-201"}, ["402 pictures", "at most 400"]),
        ({"seeds": "4294967296"}, ["Seed 4.29497e+09"]),
        ({"batch_size": 17}, ["Batch size 17", "1 to 16"]),
        ({"warmups": 11}, ["Warm-ups 11", "0 to 10"]),
        ({"noise": "gpu"}, ["'gpu'", "cpu, device"]),
        ({"accelerators": ["DeepCache(interval=0)"]}, ["interval 0", "1 to 20"]),
        ({"accelerators": ["DeepCache(interval='x')"]}, ["interval 'x'", "whole number"]),
        ({"accelerators": ["DeepCache(speed=3)"]}, ["no parameter 'speed'", "interval, branch"]),
        ({"accelerators": ["DeepCache(branch=2)"]}, ["branch 2", "0, 1, 3"]),
        ({"accelerators": ["TurboCache"]}, ["'TurboCache'", "DeepCache"]),
        ({"accelerators": ["DeepCache", "DeepCache"]}, ["same name"]),
        ({"checkpoint": "nope"}, ["no checkpoint 'nope'", "demo"]),
    ],
)
def test_bad_input_gets_one_sentence(change, words):
    with pytest.raises(ComparerError) as refused:
        ask_at_door(Config(), **{"prompt": PROMPT, **change})
    message = str(refused.value)
    assert all(word in message for word in words), message
    assert "\n" not in message


def test_a_request_round_trips_through_json():
    request = ask("DeepCache(interval=5, branch=1)", "DeepCache(interval=2)", seeds=(3, 1), warmups=2, noise="device")
    assert Request.from_json(json.loads(json.dumps(request.to_json()))) == request


def test_a_damaged_request_is_refused():
    data = ask().to_json()
    del data["settings"]["prompts"]
    with pytest.raises(ComparerError, match="not a request"):
        Request.from_json(data)


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
