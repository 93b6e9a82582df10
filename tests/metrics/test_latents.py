"""Divergence: exact zeros against oneself, the real latents of every family, and where work was skipped."""

import functools
import itertools
import json
from dataclasses import asdict

import pytest
import torch
from pydantic import TypeAdapter

from comparer.accelerators.registry import parse_stack
from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.engine.generate import generate
from comparer.engine.trace import trace
from comparer.errors import ComparerError, Stopped
from comparer.metrics.latents import Divergence, Trace, diverge
from comparer.models import samplers
from comparer.pipelines import loader
from comparer.results.conditions import Conditions, differ
from helpers.runs import ask as request
from helpers.runs import finish
from helpers.tiny_pipelines import FAMILIES, PROMPTS, ask, loaded, pipeline, scheduler

ITEMS = [(0, 7)]


def by_hand(family, settings):
    """Make the same call without Comparer and keep what the scheduler gave after each evaluation, in its order."""
    pipe = pipeline(family)
    pipe.scheduler, seen = scheduler(family, settings.sampler), []
    step = pipe.scheduler.step

    @functools.wraps(step)  # the pipeline looks whether it takes a generator
    def watched(*args, **options):
        result = step(*args, **options)
        seen.append(result[0].clone())
        return result

    pipe.scheduler.step = watched
    more = {"clean_caption": False} if hasattr(pipe, "transformer") else {}
    pipe(
        prompt=[settings.prompts[0]], num_inference_steps=settings.steps, guidance_scale=settings.guidance,
        width=settings.width, height=settings.height, output_type="latent",
        generator=[torch.Generator().manual_seed(7)], **more,
    )  # fmt: skip
    return seen


CALLED = ("DDIM", "Heun", "PNDM", "DPM++ 2M SDE Karras")
# Every sampler on SD 1, every other family with one; the rest of the product belongs to ``make test-all``.
OTHERS = {("sd2", "Heun"), ("sdxl", "PNDM"), ("pixart-alpha", "Heun"), ("pixart-sigma", "DPM++ 2M SDE Karras")}


@pytest.mark.parametrize(
    ("family", "sampler"),
    [
        pytest.param(*both, marks=() if both[0] == "sd1" or both in OTHERS else pytest.mark.full)
        for both in itertools.product(FAMILIES, CALLED)
    ],
)
def test_the_latents_are_those_of_the_pipelines_own_call(family, sampler):
    settings = ask(sampler=sampler)
    mine, theirs = trace(loaded(family), settings, ITEMS), by_hand(family, settings)
    checkpoint = loaded(family).checkpoint.family
    assert len(theirs) == samplers.evaluations(sampler, 4)
    assert len(mine.latents) == samplers.callback_steps(sampler, 4, checkpoint)
    assert mine.evaluations[-1] == len(theirs)
    assert all(
        torch.equal(latent, theirs[count - 1]) for latent, count in zip(mine.latents, mine.evaluations, strict=True)
    )
    (found,) = diverge(mine, trace(loaded(family), settings, ITEMS))
    assert {(step.distance, step.cosine, step.skipped) for step in found.steps} == {(0.0, 1.0, ())}
    assert [step.step for step in found.steps] == list(range(1, len(mine.latents) + 1))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_arm_moves_away_where_it_skips(family):
    """By formula, from latents taken apart."""
    stack = parse_stack("Guidance cutoff(after=0.5)")
    settings = ask(sampler="Heun")
    base, arm = trace(loaded(family), settings, ITEMS), trace(loaded(family), settings, ITEMS, stack)
    (found,) = diverge(base, arm)
    letters = arm.schedules["Guidance cutoff"]
    assert len(letters) == 7 and letters[0] == "F" and "." in letters
    before = 0
    for step, count, one, two in zip(found.steps, arm.evaluations, base.latents, arm.latents, strict=True):
        assert step.skipped == (("Guidance cutoff",) if "." in letters[before:count] else ())
        before = count
        expected = (torch.linalg.norm(two.double() - one.double()) / torch.linalg.norm(one.double())).item()
        assert step.distance == pytest.approx(expected, rel=1e-9)
        cosine = torch.nn.functional.cosine_similarity(one.double().flatten(), two.double().flatten(), dim=0).item()
        assert step.cosine == pytest.approx(cosine, abs=1e-9)
    first = next(i for i, step in enumerate(found.steps) if step.skipped)
    assert all(step.distance == 0 for step in found.steps[:first])
    assert all(step.distance > 0 and step.cosine < 1 for step in found.steps[first:]) and first > 0


def test_each_picture_of_a_batch_has_its_own():
    settings, items = ask(prompts=PROMPTS[:2]), [(0, 1), (1, 1), (1, 2)]
    base, arm = (trace(loaded("sd1"), settings, items, s) for s in ((), parse_stack("DeepCache(interval=2)")))
    found = diverge(base, arm)
    assert [(d.prompt, d.seed) for d in found] == items
    assert len({d.steps[-1].distance for d in found}) == 3
    for position, one in enumerate(found):
        data = json.loads(json.dumps(asdict(one), allow_nan=False))
        assert TypeAdapter(Divergence).validate_python(data) == one
        alone = base.latents[-1][position], arm.latents[-1][position]
        assert one.steps[-1].distance == pytest.approx((alone[1] - alone[0]).norm().item() / alone[0].norm().item())


def test_observing_changes_nothing_and_leaves_nothing_behind(config):
    """On the demo checkpoint: a trace between two calls; the latents end as the pictures do."""
    pipe = loader.load(resolve("demo", config), config)
    asked = request(steps=3)
    stack = parse_stack("DeepCache(interval=2)")
    first = generate(pipe, asked.settings, [(0, 0)], stack)
    hooks = len(pipe.pipe.unet._forward_pre_hooks)
    traced = trace(pipe, asked.settings, [(0, 0)], stack)
    again = generate(pipe, asked.settings, [(0, 0)], stack)
    assert first.pictures[0].tobytes() == again.pictures[0].tobytes()
    assert len(pipe.pipe.unet._forward_pre_hooks) == hooks
    assert traced.schedules == {"DeepCache": "F.F"} and traced.evaluations == (1, 2, 3)
    with torch.no_grad():
        decoded = pipe.pipe.vae.decode(traced.latents[-1] / pipe.pipe.vae.config.scaling_factor).sample
    picture = pipe.pipe.image_processor.postprocess(decoded)[0]
    assert picture.tobytes() == first.pictures[0].tobytes()


@pytest.mark.parametrize("family", ["sd1", "pixart-sigma"])
def test_a_timed_call_hands_out_no_latents(family, monkeypatch):
    """What its pipeline is called with keeps none, and its clock's marks are as many as without a trace before."""
    given, kind = [], type(pipeline(family))
    real = kind.__call__
    monkeypatch.setattr(kind, "__call__", lambda self, **options: (given.append(options), real(self, **options))[1])
    settings = ask(steps=3)
    seen = []
    observed = generate(loaded(family), settings, ITEMS, observe=seen.append)
    timed = generate(loaded(family), settings, ITEMS)
    assert len(seen) == len(timed.steps) == len(observed.steps) == 3
    assert timed.pictures[0].tobytes() == observed.pictures[0].tobytes()
    names = "callback_on_step_end_tensor_inputs"
    if family == "sd1":
        assert [options[names] for options in given] == [["latents"], []]
    first, second = (options.keys() for options in given)
    assert first == second and not any(torch.is_tensor(value) for value in given[1].values())


def test_a_trace_can_be_stopped_and_leaves_nothing_behind():
    hooks = len(pipeline("sd1").unet._forward_pre_hooks)
    with pytest.raises(Stopped):
        trace(loaded("sd1"), ask(), ITEMS, stop=lambda: True)
    assert len(pipeline("sd1").unet._forward_pre_hooks) == hooks


def test_what_cannot_be_laid_side_by_side_is_refused():
    base = trace(loaded("sd1"), ask(), ITEMS)
    with pytest.raises(ComparerError, match="Latents of 3 steps cannot be compared with the baseline's 4."):
        diverge(base, trace(loaded("sd1"), ask(steps=3), ITEMS))
    with pytest.raises(ComparerError, match="different prompts or seeds"):
        diverge(base, trace(loaded("sd1"), ask(), [(0, 8)]))


def test_latents_that_are_not_finite_are_no_number():
    base = trace(loaded("sd1"), ask(), ITEMS)
    broken = Trace(base.items, tuple(x * float("nan") for x in base.latents), base.evaluations, {})
    (found,) = diverge(base, broken)
    assert {(step.distance, step.cosine) for step in found.steps} == {(None, None)}


@pytest.mark.parametrize("sampler", samplers.SAMPLERS)
def test_a_calls_conditions_are_the_samplers(sampler):
    settings = ask(sampler=sampler, height=96, steps=3)
    found = generate(loaded("sd1"), settings, ITEMS).conditions
    assert (found.width, found.height) == (64, 96)
    fresh = scheduler("sd1", sampler)
    fresh.set_timesteps(3)
    assert found.timesteps == tuple(map(float, fresh.timesteps)) and len(found.timesteps) >= 3
    assert len(found.sigmas) == (len(found.timesteps) + 1 if hasattr(fresh, "sigmas") else 0)
    assert json.loads(json.dumps(asdict(found)))["sigmas"] == list(found.sigmas)
    assert differ(found, generate(loaded("sd1"), settings, ITEMS, parse_stack("ToMe")).conditions) == ""


def test_where_conditions_differ_is_said():
    base = Conditions(64, 64, (9.0, 5.0, 1.0), (3.0, 2.0, 1.0, 0.0))
    assert differ(base, Conditions(64, 64, base.timesteps, base.sigmas)) == ""
    told = differ(base, Conditions(64, 32, base.timesteps, base.sigmas), steps=False)
    assert told == "The pictures differ in size: 64×64 pixels in the baseline and 64×32 here."
    assert "the 3rd on: 1 in the baseline and 0 here" in differ(base, Conditions(64, 64, (9.0, 5.0, 0.0), base.sigmas))
    assert "noise levels differ from the 1st" in differ(base, Conditions(64, 64, base.timesteps, (4.0, 2.0, 1.0, 0.0)))
    fewer = Conditions(64, 64, (9.0, 1.0), (3.0, 1.0, 0.0))
    assert "differ in number: 3 in the baseline and 2 here" in differ(base, fewer) and differ(base, fewer, False) == ""


def test_the_arms_of_a_run_have_equal_pixels_where_their_latents_are_equal(config):
    """One step leaves DeepCache nothing to skip: no divergence, and the run's own pictures are equal."""
    done = finish(request("DeepCache", steps=1), config)
    pipe = loader.load(resolve("demo", Config()), config)
    asked = done.comparison.request
    base, arm = (trace(pipe, asked.settings, [(0, 0)], each.accelerators) for each in asked.arms)
    (found,) = diverge(base, arm)
    assert found.steps[0].distance == 0
    assert len({shot.pixels for shot in done.comparison.shots}) == 1
