"""Every accelerator and allowed stack on every family: it saves work, depends on nothing before it, leaves no trace.

The circumstances rotate over families and stacks; with ``make test-all`` every stack meets every one of them.
"""

import functools

import numpy as np
import pytest

from comparer.accelerators.base import denoiser_of
from comparer.accelerators.registry import parse_stack
from comparer.accelerators.stack import label, why_not
from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.engine.generate import generate
from comparer.engine.macs import ratio
from comparer.errors import Stopped
from comparer.pipelines import loader
from comparer.request.request import Request, Settings
from helpers.runs import PROMPT
from helpers.tiny_pipelines import FAMILIES, PROMPTS, UNETS, ask, breaking, pipeline, run, same

ANYWHERE = ("T-GATE(gate_step=2, sp_interval=2, fi_interval=2, warm_up=0)", "Guidance cutoff(after=0.5)")
ON_UNETS = (
    "DeepCache(interval=2)",
    "ToMe",
    "ToMe+DeepCache(interval=2)",
    "ToMe+T-GATE(gate_step=2)",
    "ToMe(merge_crossattn=True, merge_mlp=True)+Guidance cutoff(after=0.5)",
    "DeepCache(interval=2)+T-GATE(gate_step=2)",
    "DeepCache(interval=2)+Guidance cutoff(after=0.5)",
    "ToMe(max_downsample=2)+DeepCache(interval=3, branch=1)+T-GATE(gate_step=2)",
    "ToMe+DeepCache(interval=2)+Guidance cutoff(after=0.5)",
)
EVERY = [(family, stack) for family in FAMILIES for stack in (*ANYWHERE, *(ON_UNETS if family in UNETS else ()))]
CALLS = (  # settings, and what else the pipeline is called with
    (ask(), {}),
    (ask(prompts=PROMPTS[:3], negative_prompt="blurred", width=96, sampler="Euler", steps=5), {}),
    (ask(prompts=PROMPTS[1:3], height=96, sampler="DPM++ 2M Karras", steps=3), {"num_images_per_prompt": 2}),
    (ask(prompts=PROMPTS, negative_prompt="x", sampler="PNDM", steps=6), {}),
)


# (number of the circumstances, family, stack): each stack on some family and each family with some stacks; the rest
# belong to the full product.
STACKS = (*ANYWHERE, *ON_UNETS)
FIRST = {(UNETS[number % 3], stack) for number, stack in enumerate(STACKS)}
FIRST |= {
    (family, stack) for family, stack in EVERY if family not in UNETS and stack == ANYWHERE[family == "pixart-alpha"]
}
# A stack of two is part of one of three, but for ToMe's other places.
LEAST = {every for every in FIRST if every[1].count("+") != 1 or "merge" in every[1]}
MEETINGS = [
    pytest.param((row + turn) % 4, *every, marks=() if turn == 0 and every in LEAST else pytest.mark.full)
    for row, every in enumerate(EVERY)
    for turn in range(4)
]


@functools.cache
def baseline(family, number):
    return run(family, "", CALLS[number][0], **CALLS[number][1])


def test_the_stacks_here_are_all_that_the_rules_allow():
    from comparer.request import compatibility

    known = {type(each) for stack in STACKS for each in parse_stack(stack)}  # a further accelerator has its own tests
    for family in FAMILIES:
        cells = [cell for cell in compatibility.published(family) if cell.reason is None]
        allowed = {kinds for cell in cells if known.issuperset(kinds := tuple(map(type, cell.accelerators)))}
        assert {tuple(map(type, parse_stack(stack))) for where, stack in EVERY if where == family} == allowed
    for family, stack in EVERY:
        denoiser = dict(denoiser_of(pipeline(family)).config)
        assert why_not(parse_stack(stack), Request(ask()), family, denoiser) is None


@pytest.mark.parametrize(
    ("family", "stack"), [pytest.param(*every, marks=() if every in FIRST else pytest.mark.full) for every in EVERY]
)
def test_its_multiply_accumulates_fall(family, stack):
    denoiser = denoiser_of(pipeline(family))
    given = type(denoiser).__name__, dict(denoiser.config), ask(steps=6), parse_stack(stack), family
    assert ratio(*given) > (1.01 if stack == "ToMe" else 1.2)


@pytest.mark.parametrize(  # SD 2's U-Net is SD 1's class: its stacks in turn belong to ``make test-all``
    "family", [pytest.param(f, marks=pytest.mark.full if f in ("sd2", "pixart-alpha") else ()) for f in FAMILIES]
)
def test_in_any_order_of_arms(family):
    arms = ("", *(stack for where, stack in EVERY if where == family))
    first = {arm: run(family, arm) for arm in arms}
    for arm in reversed(arms):
        assert same(run(family, arm), first[arm]), arm
    made = list(first.values())
    assert not any(same(one, other) for i, one in enumerate(made) for other in made[:i])


@pytest.mark.parametrize(("mine", "family", "stack"), MEETINGS)
def test_a_call_depends_on_nothing_before_it(mine, family, stack):
    """Not on prompts, sizes, batch sizes, samplers and steps before, not on an error or a Stop at some step."""
    (settings, more), between, did, again = CALLS[mine], CALLS[mine - 1], {}, {}
    plain, made = baseline(family, mine), run(family, stack, settings, did, **more)
    assert not same(made, plain) and len(made) == len(settings.prompts) * more.get("num_images_per_prompt", 1)
    run(family, stack, between[0], **between[1])
    for step, error in ((1, ZeroDivisionError), (2, Stopped)):
        with pytest.raises(error):
            run(family, stack, settings, **more, **breaking(family, step, error))
    assert same(run(family, "", settings, **more), plain)
    assert same(run(family, stack, settings, again, **more), made) and again == did


@pytest.mark.parametrize(
    ("family", "stack"),
    [pytest.param(*every, marks=() if every in FIRST and "+" not in every[1] else pytest.mark.full) for every in EVERY],
)
def test_a_batch_of_four_against_four_singles(family, stack):
    """ToMe's pattern is random where the model's batch is even; behind a gate or a cut a single's is odd."""
    import torch

    if "ToMe" in stack and ("T-GATE" in stack or "cutoff" in stack):
        stack = "ToMe(use_rand=False)+" + stack.split("+", 1)[1]

    def pictures(prompts, seeds):
        generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        settings = ask(prompts=prompts, negative_prompt="x")
        made = run(family, stack, settings, generator=generators, output_type="pil")
        return [np.asarray(picture).astype(int) for picture in made]

    together = pictures(PROMPTS, range(4))
    for number, prompt in enumerate(PROMPTS):
        (alone,) = pictures((prompt,), [number])
        assert abs(together[number] - alone).max() <= 2


@pytest.mark.parametrize(
    "stack",
    [
        *(pytest.param(alone, marks=pytest.mark.full) for alone in ("DeepCache(interval=3)", "T-GATE(gate_step=2)")),
        "Guidance cutoff",
        "ToMe+DeepCache(interval=2)+T-GATE(gate_step=3)",
    ],
)
def test_on_the_demo_checkpoint(stack):
    """Through the program's own loader and call, to the decoded pictures."""
    loaded = loader.load(resolve("demo", Config()), Config(device="cpu"))
    settings = Settings((PROMPT, "a small green ring"), steps=5, guidance=4.0, width=96, negative_prompt="red")

    def pixels(stack, items=((0, 1), (1, 2)), **more):
        made = generate(loaded, settings, list(items), parse_stack(stack) if stack else (), **more)
        return np.stack([np.asarray(picture) for picture in made.pictures]).astype(int)

    plain, made = pixels(""), pixels(stack)
    assert not np.array_equal(plain, made), label(parse_stack(stack))
    for last in (1, 3):
        steps = iter(range(1, last + 1))
        with pytest.raises(Stopped):
            pixels(stack, stop=lambda steps=steps, last=last: next(steps) == last)
    pixels("ToMe(ratio=0.3)", [(1, 5)])
    assert np.array_equal(pixels(""), plain)
    assert np.array_equal(pixels(stack), made)
