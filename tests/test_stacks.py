"""Stacks: written, put in order, refused with a reason; DeepCache with T-GATE as the package's own loaders do it."""

import pytest
from test_tgate import by_the_package
from tiny import PROMPTS, UNETS, ask, run, same

from comparer.accelerators import REGISTRY, build_stack, from_json, parse, parse_stack, to_json
from comparer.accelerators.cutoff import GuidanceCutoff
from comparer.accelerators.deepcache import DeepCache
from comparer.accelerators.stack import PAIRS, check, why_not
from comparer.accelerators.tgate import TGATE
from comparer.errors import ComparerError
from comparer.request import Arm, Request

UNET = {"block_out_channels": [32, 64, 64], "layers_per_block": 2}


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
        ((DeepCache(), DeepCache(interval=2)), "sd1", {}, ["DeepCache stands twice", "arm of its own"]),
        ((TGATE(gate_step=2), GuidanceCutoff()), "sd1", {}, ["gate_step 2", "after 0.5", "two arms"]),
        ((DeepCache(), TGATE(gate_step=2)), "sd1", {}, ["sp_interval 5", "DeepCache had skipped", "set it to 1"]),
        (
            (DeepCache(), TGATE(gate_step=2, sp_interval=1, fi_interval=2)), "sd1", {},
            ["fi_interval 2", "DeepCache had skipped", "set it to 1"],
        ),
        ((DeepCache(),), "pixart-sigma", {}, ["U-Net", "'pixart-sigma' has none", "choose T-GATE"]),
        ((DeepCache(branch=2),), "sd1", {}, []),
        ((DeepCache(branch=9),), "sd1", {}, ["branch 9", "0, 1, 2, 3, 4, 5, 6, 7"]),
        ((DeepCache(), GuidanceCutoff()), "sd1", {"guidance": 0.0}, ["guidance 0 is off"]),
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


@pytest.mark.parametrize("reuse", [{"sp_interval": 2}, {"sp_interval": 1, "fi_interval": 2}])
def test_self_attention_reuse_beside_tome(reuse):
    """The rules go by names, so this one is asked for before ToMe has to be there."""
    rule = PAIRS["TGATE", "ToMe"]
    assert "tokens would get other tokens' outputs: set it to 1" in rule(TGATE(**reuse), None)
    assert rule(TGATE(sp_interval=1), None) is None
