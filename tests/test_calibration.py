"""The intervals and verdicts hold what they promise in 1,000 simulated comparisons each; no clock, fixed seeds."""

import math
import re

import pytest
from conftest import ROOT
from test_benchmarks import benchmark, rows

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
    "CLIP loss by bootstrap, 24 prompts × 2 seeds": NOMINAL,
    "CLIP loss by bootstrap, 8 prompts × 2 seeds": NOMINAL,
    "speed-up, 4 calls, 4 more if the first interval holds 1": OR_MORE,
    "the same, up to five looks": OR_MORE,
    "the same, five looks without correction (not done)": TOO_FEW,
    "difference in CLIP score, 8 prompts × 4 seeds, as many more prompts": OR_MORE,
    "“Worth it” in three looks, true speed-up 1.05×": (0, 25),
    "“Worth it” in three looks, true CLIP loss 2 %": (0, 25),
    "“the machine changed”, 12 calls, it did not": (1, 20),
    "“the machine changed”, 12 calls, the later half 10 % slower": (900, 1000),
}


@pytest.fixture(scope="module")
def printed():
    return benchmark("calibration", "--part", "simulated", "--runs", str(RUNS))


@pytest.fixture(scope="module")
def shares(printed):
    _, _, *found = rows(printed)
    return {title: (promised, float(told.split(" %")[0])) for title, promised, told in found}


@pytest.mark.parametrize("title", COUNTED)
def test_what_is_promised_is_kept(shares, title):
    low, high = COUNTED[title]
    assert low <= round(shares[title][1] * RUNS / 100) <= high


def test_a_planted_slow_down_is_shown_as_often_as_predicted(shares):
    (title,) = shares.keys() - COUNTED.keys()
    promised, share = float(shares[title][0].removesuffix(" %")), shares[title][1]
    assert "5 %" in title and 80 <= promised < 90
    assert abs(share - promised) < 3 * math.sqrt(promised * (100 - promised) / RUNS)


def test_the_document_has_what_the_command_prints(printed):
    text = (ROOT / "docs" / "measuring.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"<!-- simulated -->\n(.*?)\n<!-- /simulated -->", text, re.DOTALL)
    assert table == printed.strip(), "run benchmarks/calibration.py --part simulated"
