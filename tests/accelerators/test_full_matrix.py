"""The whole matrix: every stack × family × sampler × guidance × shape of the batch. ``make test-all`` runs it."""

import functools
from dataclasses import replace
from itertools import product

import pytest

from comparer.accelerators import stack
from comparer.accelerators.base import denoiser_of
from comparer.engine.macs import ratio
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.models.families.registry import FAMILIES as REGISTERED
from comparer.models.tiny import native_config
from comparer.request import compatibility
from comparer.request.request import Arm, Request
from helpers.tiny_pipelines import FAMILIES, PROMPTS, UNETS, ask, pipeline, run, same

pytestmark = pytest.mark.full
SHAPES = {
    "one": (ask(), {}),
    "three, not square, a negative prompt": (ask(prompts=PROMPTS[:3], negative_prompt="x", width=96, steps=5), {}),
    "two prompts, two images of each": (ask(prompts=PROMPTS[:2], height=104), {"num_images_per_prompt": 2}),
}
CELLS = {True: [], False: []}
for family, sampler, guidance in product(FAMILIES, samplers.SAMPLERS, (1.0, 7.5)):
    asked, (_, config) = (
        Request(ask(sampler=sampler, guidance=guidance)),
        native_config(REGISTERED[family].largest.name),
    )
    for built in compatibility.stacks(family, 4):
        works = stack.why_not(built, asked, family, config) is None
        name = f"{family}, {stack.label(built, first=False)}, {sampler}, {guidance:g}"
        CELLS[works].append(pytest.param(family, built, sampler, guidance, id=name))


def call(family, shape, sampler, guidance):
    """Return the settings and what else the pipeline is called with."""
    settings, more = SHAPES[shape]
    if family not in UNETS:  # a PixArt patch is two latents a side, 16 pixels
        settings = replace(settings, height=round(settings.height / 16) * 16)
    return replace(settings, sampler=sampler, guidance=guidance), more


@functools.cache
def baseline(family, shape, sampler, guidance):
    settings, more = call(family, shape, sampler, guidance)
    return run(family, "", settings, **more)


@pytest.mark.parametrize(("family", "built", "sampler", "guidance"), CELLS[True])
def test_every_cell_that_works(family, built, sampler, guidance):
    """It repeats bit for bit, changes the picture, saves work and leaves the baseline as it was."""
    denoiser = denoiser_of(pipeline(family))
    for shape in SHAPES:
        (settings, more), reports = call(family, shape, sampler, guidance), {}
        plain, made = baseline(family, shape, sampler, guidance), run(family, built, settings, reports, **more)
        assert not same(made, plain)
        assert same(run(family, "", settings, **more), plain)
        assert same(run(family, built, settings, **more), made)
        assert not [why for a in built if (why := a.no_effect(reports[a.title]))]
    assert ratio(type(denoiser).__name__, dict(denoiser.config), settings, built, family) > 1


@pytest.mark.parametrize(("family", "built", "sampler", "guidance"), CELLS[False])
def test_every_cell_that_does_not_is_refused(family, built, sampler, guidance):
    """In one sentence, before anything runs, whatever the shape."""
    config = dict(denoiser_of(pipeline(family)).config)
    for shape in SHAPES:
        settings, _ = call(family, shape, sampler, guidance)
        request = Request(settings, (Arm("Baseline"), Arm(stack.label(built), built)))
        with pytest.raises(ComparerError, match=r"[^.]\.$"):
            stack.check(request, family, config)
