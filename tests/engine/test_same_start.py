"""Where every call starts from: noise of one seed or of a batch, and global generators that are the seed's."""

import random

import numpy as np
import pytest

from comparer.accelerators.base import denoiser_of
from comparer.engine.generate import generate
from helpers.runs import ask, finish, pixels
from helpers.tiny_pipelines import PROMPTS, loaded
from helpers.tiny_pipelines import ask as settings

ITEMS = [(0, 7), (0, 3), (0, 11)]


def made(items=ITEMS, see=lambda latents: None, **more):
    """Make one call of a tiny pipeline; ``see`` is called with what its denoiser first sees."""
    pipe = loaded("sd1")
    asked = settings(prompts=PROMPTS[:1], steps=1, guidance=1.0)
    hook = denoiser_of(pipe.pipe).register_forward_pre_hook(lambda _, given: see(given[0].detach().clone()))
    try:
        return generate(pipe, asked, items, **more)
    finally:
        hook.remove()


def drawn(items, noise):
    import torch

    starts = []
    made(items, starts.append, noise=noise)
    return torch.cat(starts)


def test_device_noise_is_one_draw_for_the_batch_seeded_by_its_first_seed():
    import torch

    expected = torch.randn(3, 4, 8, 8, generator=torch.Generator("cpu").manual_seed(7))
    assert torch.equal(drawn(ITEMS, "device"), expected)
    first = drawn(ITEMS[:1], "device")
    assert torch.equal(first, drawn(ITEMS[:1], "cpu")), "a batch of one starts from its seed's noise"
    apart = drawn(ITEMS, "cpu")
    assert torch.equal(apart[0], expected[0]) and not torch.equal(apart[1], expected[1])
    assert torch.equal(apart[1:2], drawn(ITEMS[1:2], "cpu"))


def test_a_run_with_device_noise_depends_on_its_batches_and_says_so(config):
    seeds = (5, 9)
    runs = [finish(ask("DeepCache(interval=2)", noise="device", seeds=seeds, batch_size=n, steps=2), config)
            for n in (1, 2)]  # fmt: skip
    one, two = map(pixels, runs)
    assert (one[0, 0, 5] == pixels(finish(ask(seeds=seeds, steps=2), config))[0, 0, 5]).all()
    assert abs(one[0, 0, 9] - two[0, 0, 9]).mean() > 2, "the second of a batch has the batch's noise, not its seed's"
    assert [done.comparison.request.noise for done in runs] == ["device"] * 2
    again = pixels(finish(runs[1].comparison.request, config))
    assert two.keys() == again.keys() and all((two[key] == again[key]).all() for key in two)


@pytest.mark.parametrize("draw", [
    lambda torch: torch.rand(4).tolist(), lambda torch: np.random.rand(4).tolist(), lambda torch: random.random()
], ids=["torch", "numpy", "random"])  # fmt: skip
def test_whatever_draws_from_a_global_generator_in_a_call_draws_the_same_again(draw):
    import torch

    seen = []
    for disturbed, seed in ((1, 7), (2, 7), (2, 8)):
        torch.manual_seed(disturbed), np.random.seed(disturbed), random.seed(disturbed)
        made([(0, seed)], lambda _: seen.append(draw(torch)))
    assert seen[0] == seen[1] != seen[2]
    torch.manual_seed(7), np.random.seed(7), random.seed(7)
    assert seen[0] == draw(torch)
