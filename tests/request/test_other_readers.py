"""Another program's reader, from PyPI, finds in our pictures what we wrote: the settings of every shot."""

import pytest
from PIL import Image
from sd_parsers import ParserManager

from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models.samplers import SAMPLERS
from comparer.request.a1111 import sampler
from helpers.hostile_texts import HOSTILE
from helpers.runs import ask, finish

NEGATIVE = 'blurry, bad: "x", Steps: 3'


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    config = Config(runs=tmp_path_factory.mktemp("read"))
    settings = {"negative_prompt": NEGATIVE, "sampler": "DPM++ 2M Karras", "guidance": 2.5, "seeds": (4294967295,)}
    return finish(
        ask("DeepCache(interval=2)", prompts=tuple(HOSTILE), steps=2, width=64, height=96, **settings), config
    )


@pytest.mark.parametrize("number", range(len(HOSTILE)))
@pytest.mark.parametrize("arm", [0, 1])
def test_it_reads_every_setting_of_a_shot(done, arm, number):
    path = done.folder / done.comparison.shot(arm, number, 4294967295).file
    found = ParserManager().parse(path)
    (made,) = found.samplers
    # What another program would take for the negative prompt gets a space; nothing else of a prompt is changed.
    assert [each.value for each in made.prompts] == [HOSTILE[number].replace("Negative prompt:", "Negative prompt :")]
    assert [each.value for each in made.negative_prompts] == [NEGATIVE]
    assert made.name == "DPM++ 2M Karras"
    assert made.parameters == {"cfg_scale": "2.5", "seed": "4294967295", "steps": "2"}
    assert (made.model.name, made.model.hash) == ("demo", done.comparison.model_hash(arm)[:10])
    assert len(made.model.hash) == 10
    assert found.metadata["Size"] == "64x96" and Image.open(path).size == (64, 96)
    assert ("Accelerator" in found.metadata) == (arm == 1)


def test_it_reads_the_grid_as_its_first_picture(done):
    (made,) = ParserManager().parse(done.grid).samplers
    assert [each.value for each in made.prompts] == HOSTILE[:1] and made.parameters["seed"] == "4294967295"


def test_every_sampler_is_written_by_a_name_that_is_read_back():
    for name in SAMPLERS:
        assert sampler(name) == name
    with pytest.raises(ComparerError):
        sampler("DPM adaptive")
