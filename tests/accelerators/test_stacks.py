"""Stacks: written, put in order, refused with a reason; DeepCache with T-GATE as the package's own loaders do it."""

import pytest

from comparer.accelerators.cutoff import GuidanceCutoff
from comparer.accelerators.deepcache import DeepCache
from comparer.accelerators.registry import REGISTRY, build_stack, from_json, parse, parse_stack, to_json
from comparer.accelerators.stack import check, label, why_not
from comparer.accelerators.tgate import TGATE
from comparer.accelerators.tome import ToMe
from comparer.errors import ComparerError
from comparer.request.compatibility import stacks
from comparer.request.request import Arm, Request
from helpers.tgate_package import by_the_package
from helpers.tiny_pipelines import PROMPTS, UNETS, ask, run, same

UNET = {
    "block_out_channels": [32, 64, 64],
    "layers_per_block": 2,
    "down_block_types": ["CrossAttnDownBlock2D", "CrossAttnDownBlock2D", "DownBlock2D"],
}


@pytest.mark.parametrize("family", UNETS)
@pytest.mark.parametrize("stack", ["DeepCache(interval=3)+T-GATE(gate_step=4)", "tgate(gate_step=4)+deepcache"])
def test_deepcache_with_t_gate_is_the_packages_loader(family, stack):
    """The gate is no multiple of the interval, and the steps are none of the package's constants."""
    settings = ask(steps=6, prompts=PROMPTS[:2], negative_prompt="x", width=96)
    reports = {}
    ours = run(family, stack, settings, reports)
    loader = "TgateSDXLDeepCacheLoader" if family == "sdxl" else "TgateSDDeepCacheLoader"
    loading = {"cache_interval": 3, "cache_branch_id": 0}
    assert same(ours, by_the_package(family, settings, loader, loading, gate_step=4))
    assert reports["DeepCache"].schedule == "F..FF."  # full at the gate − 1 and at the gate
    assert reports["T-GATE"].schedule == "FFFF.."


@pytest.mark.parametrize(("interval", "branch", "gate"), [(2, 1, 1), (5, 3, 4), (3, 0, 5)])
def test_whatever_the_interval_and_the_gate(interval, branch, gate):
    settings = ask(steps=6, sampler="Euler")
    ours = run("sd1", f"DeepCache(interval={interval}, branch={branch})+T-GATE(gate_step={gate})", settings)
    loading = {"cache_interval": interval, "cache_branch_id": branch}
    assert same(ours, by_the_package("sd1", settings, "TgateSDDeepCacheLoader", loading, gate_step=gate))


@pytest.mark.parametrize("family", UNETS)
def test_cutoff_with_deepcache_refreshes_at_the_cut(family):
    reports = {}
    settings = ask(steps=6, prompts=PROMPTS[:2])
    one = run(family, "GuidanceCutoff(after=0.34)+DeepCache(interval=3)", settings, reports)
    assert reports["DeepCache"].schedule == "F.F..F"
    assert reports["Guidance cutoff"].schedule == "FF...."
    assert same(one, run(family, "DeepCache(interval=3)+GuidanceCutoff(after=0.34)", settings))
    assert same(
        run(family, "GuidanceCutoff(after=0)+DeepCache(interval=3)", settings),
        run(family, "DeepCache(interval=3)", ask(steps=6, prompts=PROMPTS[:2], guidance=1.0)),
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("DeepCache", (DeepCache(),)),
        ("  deepcache ( interval = 2 ) ", (DeepCache(interval=2),)),
        ("T-GATE(gate_step=4)", (TGATE(gate_step=4),)),
        ("tgate()", (TGATE(),)),
        ("Guidance cutoff(after=+.25)", (GuidanceCutoff(after=0.25),)),
        ("guidance_cutoff", (GuidanceCutoff(),)),
        ("T-GATE+DeepCache", (DeepCache(), TGATE(sp_interval=1, warm_up=0))),
        ("DeepCache + TGATE(sp_interval=2)", (DeepCache(), TGATE(sp_interval=2, warm_up=0))),
    ],
)
def test_a_stack_as_it_is_written(text, expected):
    assert parse_stack(text) == expected


def test_what_is_written_is_read_back():
    for kind in REGISTRY.values():
        assert parse(str(kind())) == kind() == from_json(to_json(kind()))
    stack = build_stack([("T-GATE", {}), ("DeepCache", {"interval": 4})])
    assert parse_stack("+".join(map(str, stack))) == stack


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "'' is not an accelerator: write it as DeepCache"),
        ("DeepCache+", "'' is not an accelerator"),
        ("DeepCache(3)", "'DeepCache(3)' is not an accelerator"),
        ("DeepCache(**{})", "no parameter '**'"),
        ("DeepCache(interval=3", "is not an accelerator"),
        ("DeepCache(interval=open('x'))", "is not an accelerator"),
        ("DeepCache(interval=3)(branch=0)", "is not an accelerator"),
        ("T-GATE(gate=3)", "T-GATE has no parameter 'gate': it has gate_step, sp_interval, fi_interval, warm_up"),
        ("T-GATE(gate_step=0.5)", "T-GATE: gate_step '0.5' is not a whole number"),
        ("DeepCache+TurboCache", "no accelerator 'TurboCache': choose one of DeepCache, "),
    ],
)
def test_readable_errors(text, words):
    with pytest.raises(ComparerError) as told:
        parse_stack(text)
    assert words in str(told.value)


@pytest.mark.parametrize(
    ("stack", "family", "changes", "words"),
    [
        ((DeepCache(), DeepCache(interval=2)), "sd1", {}, ["DeepCache is twice", "in another arm"]),
        ((TGATE(gate_step=2), GuidanceCutoff()), "sd1", {}, ["gate_step 2", "after 0.5", "two arms"]),
        ((DeepCache(), TGATE(gate_step=2)), "sd1", {}, ["sp_interval 5", "DeepCache had skipped", "set it to 1"]),
        (
            (DeepCache(), TGATE(gate_step=2, sp_interval=1, fi_interval=2)), "sd1", {},
            ["fi_interval 2", "DeepCache had skipped", "set it to 1"],
        ),
        ((ToMe(), TGATE(gate_step=2, sp_interval=1, fi_interval=2)), "sd1", {}, ["fi_interval 2", "set it to 1"]),
        ((ToMe(), TGATE(gate_step=2)), "sd2", {}, ["sp_interval 5", "tokens would get other tokens' outputs"]),
        (
            (ToMe(merge_crossattn=True), TGATE(gate_step=2, sp_interval=1)), "sd1", {},
            ["cross-attention", "tokens would get other tokens' outputs", "turn ToMe's merge_crossattn off"],
        ),
        ((ToMe(merge_mlp=True), TGATE(gate_step=2, sp_interval=1)), "sdxl", {}, []),
        ((ToMe(merge_crossattn=True), DeepCache(), GuidanceCutoff()), "sd1", {}, []),
        ((ToMe(),), "pixart-alpha", {}, ["U-Net", "PixArt has none", "choose T-GATE"]),
        ((DeepCache(),), "pixart-sigma", {}, ["U-Net", "PixArt has none", "choose T-GATE"]),
        ((DeepCache(branch=2),), "sd1", {}, []),
        ((DeepCache(branch=9),), "sd1", {}, ["branch 9", "0, 1, 2, 3, 4, 5, 6, 7"]),
        ((DeepCache(), GuidanceCutoff()), "sd1", {"guidance": 0.0}, ["guidance 0 turns it off"]),
        ((DeepCache(), TGATE(gate_step=4, sp_interval=1)), "sdxl", {}, ["gate_step 4", "4 steps", "1 to 3"]),
    ],
)  # fmt: skip
def test_why_not(stack, family, changes, words):
    request = Request(ask(**changes), (Arm("Baseline"), Arm("other", stack)))
    reason = why_not(stack, request, family, UNET)
    assert all(word in reason for word in words) if words else reason is None, reason
    if reason:
        assert reason.endswith(".") and reason.count(". ") == 0
        with pytest.raises(ComparerError) as told:
            check(request, family, UNET)
        assert str(told.value) == reason
    assert why_not(stack[::-1], request, family, UNET) == reason


BESIDE = (
    ("ToMe", "DeepCache(interval=3)"),
    ("ToMe", "GuidanceCutoff(after=0.34)"),
    ("ToMe", "DeepCache(interval=3)", "T-GATE(gate_step=4)"),
)


@pytest.mark.parametrize(
    ("family", "names"),
    [
        pytest.param(family, names, marks=() if UNETS.index(family) == number else pytest.mark.full)
        for family in UNETS
        for number, names in enumerate(BESIDE)
    ],
)
def test_tome_beside_others_whatever_is_named_first(family, names):
    """Each does what it does alone, and all of them show in the picture."""
    settings, reports = ask(steps=6, prompts=PROMPTS[:2], negative_prompt="x", width=96), {}
    made = run(family, "+".join(names), settings, reports)
    assert same(made, run(family, "+".join(names[::-1]), settings))
    assert reports["ToMe"].counts["merges"] > 0
    if "DeepCache" in reports:
        assert reports["DeepCache"].schedule == ("F..FF." if "T-GATE" in reports else "F..F..")
    if "T-GATE" in reports:
        assert reports["T-GATE"].schedule == "FFFF.."
    assert not same(made, run(family, "+".join(names[1:]), settings))
    assert not same(made, run(family, "ToMe", settings))


def test_why_tome_and_kept_outputs_are_refused_together():
    """The tokens that a kept output was made of are not those of a later evaluation."""
    import torch
    from tomesd.merge import bipartite_soft_matching_random2d as matching

    numbers = torch.Generator().manual_seed(0)
    first, later = torch.rand(2, 1, 64, 16, generator=numbers)
    merge, unmerge = matching(first, 8, 8, 2, 2, 16, no_rand=True)
    _, unmerge_later = matching(later, 8, 8, 2, 2, 16, no_rand=True)
    kept = merge(torch.arange(64.0).reshape(1, 64, 1))
    assert (unmerge(kept) != unmerge_later(kept)).float().mean() > 0.25


@pytest.mark.parametrize(
    ("stack", "expected"),
    [
        ((DeepCache(),), "DeepCache(interval=3)"),
        ((DeepCache(5, 1),), "DeepCache(interval=5, branch=1)"),
        ((ToMe(),), "ToMe(ratio=0.5)"),
        ((ToMe(0.3, 2, use_rand=False),), "ToMe(ratio=0.3, max_downsample=2, use_rand=False)"),
        ((TGATE(),), "T-GATE(gate_step=10)"),
        ((TGATE(sp_interval=1, warm_up=0),), "T-GATE(gate_step=10, sp_interval=1, warm_up=0)"),
        ((GuidanceCutoff(0.25),), "Guidance cutoff(after=0.25)"),
        ((TGATE(sp_interval=1, warm_up=0), DeepCache()), "DeepCache(interval=3) + T-GATE(gate_step=10)"),
        ((DeepCache(), TGATE(4, warm_up=0)), "DeepCache(interval=3) + T-GATE(gate_step=4, sp_interval=5)"),
        ((DeepCache(), ToMe(seed=9)), "ToMe(ratio=0.5, seed=9) + DeepCache(interval=3)"),
        ((), ""),
    ],
)
def test_a_label_says_what_is_changed_and_is_read_back(stack, expected):
    assert label(stack) == expected
    if len(stack) == 1:
        assert stack[0].label == expected
    if stack:
        assert parse_stack(label(stack)) == tuple(sorted(stack, key=lambda a: a.order))


@pytest.mark.parametrize("family", UNETS)
def test_every_stack_of_the_matrix_is_read_back_from_its_label(family):
    for stack in stacks(family, 25):
        assert parse_stack(label(stack)) == stack
