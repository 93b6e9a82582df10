"""The guard: the denoiser is put back bit for bit, whatever an accelerator does and however a call ends."""

import copy
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
import torch
from accelerate import cpu_offload

from comparer.accelerators.base import denoiser_of, parameter
from comparer.accelerators.guard import guarded
from comparer.accelerators.registry import Accelerator, Report, parse_stack
from comparer.accelerators.stack import accelerated
from comparer.errors import Stopped
from helpers import tiny_pipelines as tiny
from helpers.tiny_pipelines import FAMILIES, UNETS, ask, breaking, same

ALL = "ToMe+DeepCache(interval=2)+T-GATE(gate_step=2)"
REUSING = "T-GATE(gate_step=2, sp_interval=2, fi_interval=2, warm_up=0)"
STACKS = [(family, ALL if family in UNETS else REUSING) for family in FAMILIES]


def state(denoiser):
    """Every module's class, and every attribute and entry of a container by identity."""

    def inside(value):
        if isinstance(value, dict):
            return [(key, id(item)) for key, item in value.items()]
        return [id(item) for item in value] if isinstance(value, list | tuple) else None

    return {
        name: (part.__class__, {key: (id(value), inside(value)) for key, value in part.__dict__.items()})
        for name, part in denoiser.named_modules()
    }


def weights(denoiser):
    return {name: tensor.clone() for name, tensor in denoiser.state_dict().items()}


@dataclass(frozen=True)
class Crashing(Accelerator):
    """Changes everything that a module has, and fails before or after the call; undoes nothing."""

    title = "Crashing"
    order = 99

    entering: bool = parameter(True, "Whether it fails before the call.")

    def why_not(self, request, family, denoiser, factor=8):
        return None

    @contextmanager
    def apply(self, pipe, settings):
        for part in denoiser_of(pipe).modules():
            part.forward = lambda *args, **kwargs: None
            part.leftover = [part]
            part.__class__ = type("Patched", (part.__class__,), {})
            part.register_forward_hook(lambda *args: None)
            part.register_forward_pre_hook(lambda *args: None)
            part.training = not part.training
            part._modules["another"] = None
        if self.entering:
            raise ZeroDivisionError
        yield Report()
        raise ZeroDivisionError


@pytest.mark.parametrize("entering", [True, False])
@pytest.mark.parametrize(("family", "others"), STACKS)
def test_a_crash_inside_an_accelerator_leaves_no_trace(family, others, entering):
    pipe = tiny.pipeline(family)
    denoiser, baseline = denoiser_of(pipe), tiny.run(family)
    before, values = state(denoiser), weights(denoiser)
    stack = (Crashing(entering), *parse_stack(others))
    # DeepCache fails, too, when it undoes itself in what is left: KeyError.
    with pytest.raises((ZeroDivisionError, KeyError)), accelerated(pipe, stack, ask()):
        assert not entering and state(denoiser) != before
    assert state(denoiser) == before
    assert all(same(value, values[name]) for name, value in denoiser.state_dict().items())
    assert same(tiny.run(family), baseline)


OFFLOADS = {
    "none": lambda pipe: None,
    "model": lambda pipe: pipe.enable_model_cpu_offload(device="cpu"),
    # What enable_sequential_cpu_offload does to each component; T5's shared weights cannot go from a CPU to itself.
    "sequential": lambda pipe: cpu_offload(denoiser_of(pipe), torch.device("cpu"), offload_buffers=True),
}


# U-Nets and PixArts each with accelerate's hooks of both kinds; the rest of the product: ``make test-all``.
MEETINGS = [("sd1", "none"), ("sd2", "model"), ("sdxl", "sequential")]
MEETINGS += [("pixart-alpha", "model"), ("pixart-sigma", "sequential")]


@pytest.mark.parametrize(
    ("family", "stack", "offload"),
    [
        pytest.param(*one, offload, marks=() if (one[0], offload) in MEETINGS else pytest.mark.full)
        for one in STACKS
        for offload in OFFLOADS
    ],
)
def test_a_call_leaves_no_trace_however_it_ends(family, stack, offload):
    """With accelerate's hooks on the modules, too; the pictures are those without them."""
    pipe, settings = copy.deepcopy(tiny.pipeline(family)), ask()
    OFFLOADS[offload](pipe)
    denoiser = denoiser_of(pipe)
    assert offload == "none" or hasattr(denoiser, "_hf_hook")

    def call(stack, **more):
        pipe.scheduler = tiny.scheduler(family, settings.sampler)
        with accelerated(pipe, parse_stack(stack) if stack else (), settings):
            return pipe(**tiny.arguments(pipe, settings, **more)).images

    baseline, made = tiny.run(family), tiny.run(family, stack)
    assert same(call(""), baseline) and not same(made, baseline)
    before = state(denoiser)
    assert same(call(stack), made)
    assert state(denoiser) == before
    for step, error in ((0, KeyError), (1, Stopped), (3, KeyError)):  # before the gate and after it
        with pytest.raises(error):
            call(stack, **breaking(family, step, error))
        assert state(denoiser) == before
        pipe.maybe_free_model_hooks()  # what ``generate`` does after an error
        before = state(denoiser)
    assert same(call(""), baseline)
    assert same(call(stack), made)


def test_a_hook_of_diffusers_own_is_taken_away_again():
    from diffusers.hooks import HookRegistry, ModelHook

    pipe = tiny.pipeline("pixart-sigma")
    block = pipe.transformer.transformer_blocks[0]
    before, baseline = state(pipe.transformer), tiny.run("pixart-sigma")

    class Silent(ModelHook):
        def new_forward(self, module, *args, **kwargs):
            return args[0]

    with guarded(pipe.transformer):
        HookRegistry.check_if_exists_or_initialize(block).register_hook(Silent(), "silent")
        assert not same(tiny.run("pixart-sigma"), baseline)
    assert state(pipe.transformer) == before
    registry = HookRegistry.check_if_exists_or_initialize(block)
    with guarded(pipe.transformer):  # where a registry was there before
        registry.register_hook(Silent(), "silent")
    assert not registry.hooks and same(tiny.run("pixart-sigma"), baseline)
    del block._diffusers_hook
