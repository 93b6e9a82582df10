"""The intervals and verdicts hold what they promise in 1,000 simulated comparisons each; no clock, fixed seeds.

Of real comparisons, which take minutes and a quiet machine, the parts: what is planted, and how it is counted.
"""

import math
import re
from types import SimpleNamespace

import pytest

from comparer.accelerators.base import denoiser_of
from comparer.accelerators.registry import REGISTRY
from comparer.request.request import Arm
from comparer.results.comparison import Call, Comparison, Shot
from helpers.benchmark_output import benchmark, rows
from helpers.runs import ROOT, ask

RUNS = 1000
# 936 to 964 are two standard errors around 950.
NOMINAL, OR_MORE, TOO_FEW = (936, 964), (936, 1000), (0, 935)
COUNTED = {
    "speed-up, 4 calls": NOMINAL,
    "speed-up, 8 calls × 3 repeats, a machine that wanders": NOMINAL,
    "speed-up, 8 calls, every tenth time half as long again": OR_MORE,
    "difference in CLIP score, 8 prompts × 4 seeds": NOMINAL,
    "the same, stopped in the last prompt but one: 26 pairs": NOMINAL,
    "the same with seeds taken for independent (not done)": TOO_FEW,
    "CLIP loss, 24 prompts × 2 seeds": NOMINAL,
    "CLIP loss, 8 prompts × 2 seeds": NOMINAL,
    "speed-up, 4 calls, 4 more if the first interval holds 1": OR_MORE,
    "the same, up to five looks": OR_MORE,
    "the same, five looks without correction (not done)": TOO_FEW,
    "difference in CLIP score, 8 prompts × 4 seeds, as many more prompts": OR_MORE,
    "“the machine changed”, 12 calls, it did not": (1, 20),
    "“the machine changed”, 12 calls, the later half 10 % slower": (900, 1000),
}


@pytest.fixture(scope="module")
def printed():
    return benchmark("truth_calibration", "--part", "simulated", "--runs", str(RUNS))


@pytest.fixture(scope="module")
def shares(printed):
    _, _, *found = rows(printed)
    return {title: (promised, float(told.split(" %")[0])) for title, promised, told in found}


@pytest.mark.full
@pytest.mark.parametrize("title", COUNTED)
def test_what_is_promised_is_kept(shares, title):
    low, high = COUNTED[title]
    assert low <= round(shares[title][1] * RUNS / 100) <= high


@pytest.mark.full
def test_a_planted_slow_down_is_shown_as_often_as_predicted(shares):
    (title,) = shares.keys() - COUNTED.keys()
    promised, share = float(shares[title][0].removesuffix(" %")), shares[title][1]
    assert "5 %" in title and 80 <= promised < 90
    assert abs(share - promised) < 3 * math.sqrt(promised * (100 - promised) / RUNS)


@pytest.mark.full
def test_the_document_has_what_the_command_prints(printed):
    assert in_document("simulated") == printed.strip(), "run benchmarks/truth_calibration.py --part simulated"


def in_document(part):
    text = (ROOT / "docs" / "statistics.md").read_text(encoding="utf-8")
    (table,) = re.findall(rf"<!-- {part} -->\n(.*?)\n<!-- /{part} -->", text, re.DOTALL)
    return table


@pytest.fixture
def real(monkeypatch):
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    import truth_calibration_real as calibration_real

    return calibration_real


class FakeClock:
    """Every reading takes 1/1024 s, so that who waits for it comes to an end."""

    seconds, tick = 0.0, 2**-10

    def __call__(self):
        self.seconds += self.tick
        return self.seconds


def hooks(module):
    return [*module._forward_pre_hooks, *module._forward_hooks]


@pytest.fixture
def denoiser(real, monkeypatch):
    """Return a pipeline whose denoiser takes as many seconds as it is told, by the fake clock that is the plant's."""
    import torch

    class Denoiser(torch.nn.Module):
        def forward(self, seconds):
            clock.seconds += seconds
            if seconds < 0:
                raise ValueError
            return seconds

    clock = FakeClock()
    monkeypatch.setattr(real, "now", clock)
    return SimpleNamespace(unet=Denoiser(), clock=clock)


@pytest.mark.parametrize("by", [0.0, 0.05, 0.0625, 1.0])
def test_every_evaluation_lasts_longer_by_the_planted_share_of_its_own_time(real, denoiser, by):
    with real.Slower(by).apply(denoiser, None) as report:
        for seconds in (1.0, 4.0):
            began = denoiser.clock.seconds
            assert denoiser.unet(seconds) == seconds
            took = denoiser.clock.seconds - began
            assert 0 <= took - (1 + by) * seconds < 6 * denoiser.clock.tick
        denoiser.clock.seconds += 2
    assert report.counts[real.EVALUATED] == pytest.approx(5e9, abs=3e6)
    assert report.counts[real.ADDED] == pytest.approx(by * 5e9, abs=4e6)
    assert report.counts[real.CALL] == pytest.approx((1 + by) * 5e9 + 2e9, abs=2e7)


def test_the_plant_is_undone_after_an_error_too(real, denoiser):
    with pytest.raises(ValueError), real.Slower().apply(denoiser, None):
        assert len(hooks(denoiser.unet)) == 2
        denoiser.unet(-1.0)
    assert not hooks(denoiser.unet)
    began = denoiser.clock.seconds
    denoiser.unet(1.0)
    assert denoiser.clock.seconds == began + 1


def test_the_plant_goes_through_a_real_comparison_and_leaves_nothing(real, config):
    from comparer.checkpoints.find import resolve
    from comparer.pipelines import loader

    found = real.compared(Arm("Slower", (real.Slower(0.05),)), config, range(2), 2)
    counts = [call.reports["Slower"]["counts"] for call in found.calls if call.arm == 1]
    assert len(counts) == 2 and all(c[real.ADDED] >= 0.05 * c[real.EVALUATED] - 2 > 0 for c in counts)
    assert all(not call.reports for call in found.calls if call.arm == 0)
    pipe = loader.load(resolve("demo", config), config).pipe
    assert not any(hooks(part) for part in denoiser_of(pipe).modules())
    assert "Slower" not in REGISTRY


def test_an_arm_with_other_pictures_is_refused(real, config):
    from comparer.accelerators.registry import parse_stack

    with pytest.raises(RuntimeError, match="Cutoff did not make the baseline's pictures"):
        real.compared(Arm("Cutoff", parse_stack("Guidance cutoff(after=0)")), config, [0], 2)


def timed(real, ratios, added=None):
    """Build a comparison of equal pictures in which the arm's calls take so many seconds, the baseline's 1.

    ``added`` is of the work of a call that is 1 without, of which the denoiser's is 0.8.
    """
    arm = Arm("Again") if added is None else Arm("Slower", (real.Slower(),))
    request = ask(seeds=tuple(range(len(ratios))))
    comparison = Comparison(type(request)(request.settings, (Arm("Baseline"), arm)))
    work = {real.CALL: 1 + (added or 0), real.EVALUATED: 0.8, real.ADDED: added or 0}
    counts = {what: round(1e9 * seconds) for what, seconds in work.items()}
    for seed, seconds in enumerate(ratios):
        for which, took, reports in ((0, 1.0, {}), (1, seconds, {"Slower": {"counts": counts}})):
            call = Call(which, seed, 1, took, {"denoising": took}, (), reports={} if added is None else reports)
            comparison.shots.append(Shot(which, 0, seed, "", len(comparison.calls), pixels="same"))
            comparison.calls.append(call)
    return comparison


def test_what_is_added_is_a_share_of_the_whole_call(real):
    assert real.evaluated(timed(real, [1.0, 1.0], added=0.0)) == pytest.approx(0.8)
    assert real.adding(0.8) * 0.8 == pytest.approx(0.05)
    slower = timed(real, [1.05, 1.05], added=0.05)
    assert real.planted(slower) == pytest.approx(0.05)
    assert real.evaluated(slower) == pytest.approx(0.8)


def test_real_comparisons_are_counted_by_their_truth(real):
    steady, faster, unsteady = (1.01, 0.99, 1.01, 0.99), (0.71, 0.69, 0.71, 0.69), (2.0, 0.5, 2.0, 0.5)
    same = [timed(real, ratios) for ratios in (steady, steady, faster)]
    # Of the slower ones, the first is what is planted, the second not steady enough, the third much slower.
    shown, much = [1.05 * x for x in steady], [1.5 * x for x in steady]
    slower = [timed(real, ratios, added=0.05) for ratios in (shown, unsteady, much)]
    told = {title: (promised, counted) for title, promised, counted in real.rows(same, slower)}
    assert told["the baseline again: the interval holds 1"] == ("95 %", "2 of 3 (21–94 %)")
    assert told["the baseline again: verdicts"][1] == "No difference 2, Worth it 1"
    assert told["5 % slower: the interval holds 1/1.05"] == ("95 %", "2 of 3 (21–94 %)")
    assert told["5 % slower: shown, the whole interval below 1"][1] == "2 of 3 (21–94 %)"
    assert told["5 % slower: verdicts"][1] == "Cannot tell 1, Not worth it 2"
    predicted = told["5 % slower: shown, the whole interval below 1"][0]
    # four calls with a spread of 0.0115: the noncentral t distribution's tail
    assert predicted == "100 % by the median spread"
    assert told["spread (standard deviation) of the log ratios of calls"][1] == "0.012 (0.012 to 0.800)"


def test_the_error_of_the_speed_ups_is_held_against_the_intervals(real):
    assert real.ratio([0.02, -0.02], [0.01, 0.01]) == "2.00 (2.00–2.00)"
    told = real.ratio([0.0, 0.02], [0.01, 0.01])
    assert told == "1.41 (0.00–2.00)"


def test_the_predicted_power_is_that_of_the_observed_spread(real):
    from comparer.stats.power import power

    spread = 0.1
    ratios = [math.exp(spread * x * math.sqrt(11 / 12)) for x in (1, -1) * 6]
    told = real.rows([timed(real, ratios)], [timed(real, ratios, added=0.05)])
    chance = power(math.log(1.05), spread / math.sqrt(12), 11)
    assert told[3][1] == f"{100 * chance:.0f} % by the median spread" and 0.3 < chance < 0.4


@pytest.fixture
def tiny():
    return benchmark("truth_calibration", "--part", "real", "--comparisons", "1", "--seeds", "3", "--steps", "2")


@pytest.mark.full
def test_real_comparisons_are_made_and_counted(tiny):
    assert tiny.startswith("3 calls a comparison and arm, 2 steps, ")
    assert all(word in tiny.splitlines()[0] for word in ("threads", "torch 2", "load average at the start", "at most"))
    head, _, *found = rows(tiny)
    assert head == ["real", "promised", "counted in 1 comparisons each"]
    told = {title: counted for title, _, counted in found}
    assert sum(bool(re.fullmatch(r"[01] of 1 \(\d+–\d+ %\)", counted)) for counted in told.values()) == 3
    for title in ("the baseline again: verdicts", "5 % slower: verdicts"):
        assert told[title] in ("No difference 1", "Cannot tell 1", "Not worth it 1", "Worth it 1")
    assert [cells[0] for cells in rows(tiny)] == [cells[0] for cells in rows(in_document("real"))]


def test_the_document_has_the_rows_of_real_comparisons(real):
    same, slower = [timed(real, (1.01, 0.99))], [timed(real, (1.06, 1.04), added=0.05)]
    titles = [title for title, *_ in real.rows(same, slower)]
    _, _, *found = rows(in_document("real"))
    assert [cells[0] for cells in found] == titles, "run benchmarks/truth_calibration.py --part real"
