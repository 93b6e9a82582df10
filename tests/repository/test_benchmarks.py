"""The benchmarks run and print their tables; no time is asserted. ``cost_startup.py`` takes minutes: not here."""

import pytest

from comparer.models.families.registry import FAMILIES
from helpers import tiny_pipelines as tiny
from helpers.benchmark_output import benchmark, benchmark_here, rows
from helpers.runs import ROOT


def test_overhead_lays_the_measured_call_beside_the_bare_one(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import cost_overhead as overhead

    title, seconds, *ratios = overhead.row("tiny", tiny.loaded("sd1"), pairs=2, steps=2)
    assert title == "tiny" and float(seconds.removesuffix(" s")) > 0 and len(ratios) == 2
    measured, whole = (float(ratio.split()[0]) for ratio in ratios)
    assert 0 < measured <= whole  # the clock inside begins later and ends earlier than the call


@pytest.mark.full
def test_overhead_measures_the_demo_and_every_family():
    head, _, *found = rows(benchmark("cost_overhead", "--pairs", "1", "--steps", "2", "--device", "cpu"))
    assert head[0] == "pipeline"
    assert [cells[0] for cells in found] == ["demo", *(f"tiny {family}" for family in FAMILIES)]
    assert all(len(cells) == len(head) and all(cells) for cells in found)


def test_quality_measures_every_score_and_says_what_is_not_available():
    given = ("--sizes", "64", "176", "--scorers", "demo", "--rounds", "1")
    head, _, *found = rows(benchmark_here("cost_metrics", *given))
    assert head == ["milliseconds", "64 px", "176 px"]
    told = {name: cells for name, *cells in found}
    assert told.pop("MS-SSIM")[0] == "not available"
    assert {"PSNR", "SSIM", "LPIPS", "CLIP score by demo"} <= told.keys()
    assert all(float(cell.split()[0]) >= 0 for cells in told.values() for cell in cells)


@pytest.mark.parametrize("cold", [[], pytest.param(["--cold"], marks=pytest.mark.full)], ids=["warm", "cold"])
def test_hashing_measures_every_kind_of_file(cold):
    head, _, *found = rows(benchmark_here("cost_hashing", "--megabytes", "1", "--rounds", "1", *cold))
    kinds = ("float16", "bfloat16", "float32", "float16 as float32")
    assert [cells[0] for cells in found] == [
        f"{kind} {ending}" for kind in kinds for ending in (".safetensors", ".bin")
    ]
    assert len(head) == 8 and all(float(cell.split()[0]) > 0 for cells in found for cell in cells[1:])


def test_hashing_measures_a_file_of_ones_own_and_leaves_it():
    path = ROOT / "assets" / "demo" / "vae" / "diffusion_pytorch_model.safetensors"
    _, _, cells = rows(benchmark_here("cost_hashing", "--file", str(path), "--rounds", "1"))
    assert cells[:2] == [path.name, "2"] and path.is_file()


@pytest.fixture(scope="module")
def printed():
    stacks = ("DeepCache", "ToMe+T-GATE(gate_step=2)", "Guidance cutoff")
    given = [word for stack in stacks for word in ("--accelerator", stack)]
    given += ["--families", "sdxl", "--steps", "3", "--size", "64", "--repeats", "2", "--device", "cpu"]
    return benchmark("speed_accelerators", *given)


@pytest.mark.full
def test_accelerators_says_on_what_it_ran(printed):
    first = printed.splitlines()[0]
    assert all(word in first for word in ("2 rounds", "threads", "torch 2", "tgate 1", "load"))


@pytest.mark.full
def test_accelerators_compares_with_the_packages_bit_for_bit(printed):
    head, _, *found = rows(printed)
    assert [cells[0] for cells in found] == [
        "DeepCache", "ToMe + T-GATE(gate_step=2, sp_interval=1, warm_up=0)", "Guidance cutoff",
    ]  # fmt: skip
    equal = [cells[head.index("latents and the package's")] for cells in found]
    assert equal == ["equal", "equal", "–"]
    assert {cells[head.index("rounds, baseline; stack")] for cells in found} == {"equal; equal"}
    assert all(float(cells[head.index("MAC ratio")]) > 1 for cells in found)


@pytest.mark.parametrize(
    ("name", "denoiser", "text"), [("sd-2.1", 866, 340), ("sdxl", 2567, 818), ("pixart-sigma-1024", 611, 4762)]
)
def test_the_architectures_are_as_large_as_the_published_ones(monkeypatch, name, denoiser, text):
    """Millions of parameters, as the models' authors and their files have them."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import speed_full_size

    monkeypatch.setattr(speed_full_size, "choose_device", lambda wanted: ("meta", ""))
    loaded = speed_full_size.native(name, "auto", "auto")
    family, parts = loaded.checkpoint.family, loaded.pipe.components

    def millions(*names):
        return sum(p.numel() for name in names for p in parts[name].parameters()) / 1e6

    assert abs(millions(family.denoiser) - denoiser) < 1 and abs(millions(*family.text) - text) < 1
    assert abs(millions("vae") - 83.7) < 0.1


def test_published_figures_stand_beside_ours(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    from speed_published import PUBLISHED, beside

    from comparer.models.catalog import CATALOG

    assert {item.model for item in PUBLISHED} <= CATALOG.keys()
    first = PUBLISHED[0]
    measured = {(first.model, first.steps, first.accelerators()): first.factor * 1.5}
    head, _, *found = rows(beside(measured))
    ours, ratio = head.index("ours"), head.index("ours / theirs")
    assert found[0][ratio] == "1.50" and found[1][ours] == "not measured"
    assert len(rows(beside(measured, {"sdxl"}))) == 2 + sum(item.model == "sdxl" for item in PUBLISHED)


@pytest.mark.full  # five processes, one after another
def test_memory_measures_each_arm_and_all_in_one_process():
    given = ("--rounds", "1", "--steps", "2", "--size", "64", "--accelerator", "DeepCache", "--device", "cpu")
    printed = benchmark("cost_memory", *given)
    assert "1 rounds" in printed and "2 steps, 64×64" in printed
    found = {cells[0]: cells[1:] for cells in rows(printed)}
    assert found["Baseline"][1] == "100.0"
    megabytes = {name: int(cells[0]) for name, cells in found.items() if cells[0].isdigit()}
    arms, shared = list(megabytes)[:2], list(megabytes)[2:]
    assert arms == ["Baseline", "DeepCache(interval=3)"] and len(shared) == 3
    hungriest = max(megabytes[name] for name in arms)
    assert all(float(found[name][1]) == pytest.approx(megabytes[name] / hungriest, abs=0.005) for name in shared)
    assert megabytes["the calls of all 2 arms"] < 1.1 * hungriest
    reckoned = [cells for name, cells in found.items() if name.startswith("reckoned")]
    assert float(reckoned[0][1]) > 1


def test_exports_measures_reports_and_a_grid():
    given = ("--pictures", "4", "--size", "64", "--rows", "2", "--cell", "64")
    head, _, *found = rows(benchmark_here("cost_exports", *given))
    assert head[:2] == ["export", "files"] and [cells[0] for cells in found] == [
        "report, full",
        "report, reduced",
        "grid",
    ]
    assert all(int(cells[1]) == 1 and float(cells[2]) > 0 for cells in found)
