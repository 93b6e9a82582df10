"""Estimates: none before anything was measured here, then from what was measured."""

from dataclasses import replace

import pytest

from comparer.engine import eta
from comparer.engine.compare import compare
from comparer.engine.events import Progress
from comparer.engine.schedule import plan
from helpers.runs import finish
from helpers.small import ask


def test_the_plan_warms_every_shape_and_alternates():
    request = ask("DeepCache(interval=2)", seeds=(1, 2, 3), batch_size=2, warmups=1)
    assert [(call.arm, call.batch, len(call.items)) for call in plan(request)] == [
        (0, -1, 1), (1, -1, 1), (0, -1, 2), (1, -1, 2), (0, 0, 2), (1, 0, 2), (1, 1, 1), (0, 1, 1),
    ]  # fmt: skip


def test_repeats_alternate_too():
    request = replace(ask("DeepCache(interval=2)", seeds=(1, 2)), repeats=3)
    calls = [(call.arm, call.batch, call.repeat) for call in plan(request)]
    assert [arm for arm, _, _ in calls] == [0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0]
    assert [(batch, repeat) for arm, batch, repeat in calls if arm == 1] == [
        (0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2),
    ]  # fmt: skip


def test_nothing_is_estimated_before_anything_was_measured(config):
    assert eta.estimate(ask(), config) is None
    config.runs.mkdir()
    (config.runs / eta.FILE).write_text("{damaged")
    assert eta.estimate(ask(), config) is None


def test_an_estimate_follows_calls_steps_and_arms(config):
    done = finish(ask("DeepCache(interval=2)", seeds=(1, 2)), config)
    per_call = [call for call in done.comparison.calls if call.batch == 1 and call.arm == 0][0]  # the last baseline
    once = eta.estimate(ask(), config)
    assert once == pytest.approx(per_call.seconds)
    assert eta.estimate(ask(seeds=tuple(range(10))), config) == pytest.approx(10 * once)
    step = per_call.stages["denoising"] / 4
    assert eta.estimate(ask(steps=40), config) == pytest.approx(once + 36 * step)
    # An accelerator that was never timed counts as the baseline; one that was, as itself.
    assert eta.estimate(ask("DeepCache(interval=4)"), config) == pytest.approx(2 * once)
    assert eta.estimate(ask("DeepCache(interval=2)"), config) != pytest.approx(2 * once)
    for other in (ask(batch_size=2, seeds=(1, 2)), ask(width=256), ask(sampler="Heun")):
        assert eta.estimate(other, config) is None
    assert eta.estimate(ask(), replace(config, device="cuda")) is None


def test_a_known_run_tells_its_length_before_its_first_step(config):
    request = ask("DeepCache(interval=2)", steps=6)
    first = [event for event in compare(request, config) if isinstance(event, Progress)]
    assert first[0].seconds_left is None
    expected = eta.estimate(request, config)  # the next run changes it at its end
    again = [event for event in compare(request, config) if isinstance(event, Progress)]
    lefts = [event.seconds_left for event in again if event.phase not in ("scoring", "counting")]
    assert lefts[0] == pytest.approx(expected) and all(left >= 0 for left in lefts)
    assert again[-1].phase == "scoring" and again[-1].seconds_left == 0
