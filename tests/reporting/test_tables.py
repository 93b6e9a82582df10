"""pairs.csv and summary.md of a run, with texts that mean harm."""

import csv
import re
from dataclasses import replace

import pytest

from comparer.config import Config
from comparer.reporting.tables import INTERVALS, body, save_tables
from comparer.request.request import Arm
from comparer.results.analysis import Analysis
from comparer.results.columns import pair_columns
from helpers.noise_runs import compared
from helpers.runs import PROMPT, ask, finish

PROMPTS = (
    "=HYPERLINK(\"http://x\";A1)", "+1", "-2+3", "@SUM(A1)", "\tx", "a | b\n| c | `d` <script>alert(1)</script> [e](f)",
    "'\"\u202e, \U0001f600\r\n=2", "-", PROMPT,
)  # fmt: skip


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    request = ask("DeepCache(interval=2)", prompts=PROMPTS, batch_size=9, steps=2)
    arms = (*request.arms, Arm("=a|b`<img src=x>\n# c", request.arms[1].accelerators))
    return finish(replace(request, arms=arms), Config(runs=tmp_path_factory.mktemp("runs")))


@pytest.fixture(scope="module")
def tables(done):
    return save_tables(done.comparison, done.folder)


def test_a_row_for_every_pair_and_no_formula_among_them(done, tables):
    with tables[0].open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * len(PROMPTS) and tuple(rows[0]) == ("cell", *pair_columns())
    texts = [value for row in rows for name, value in row.items() if name in ("cell", "arm", "prompt")]
    assert not [text for text in texts if text.startswith(("=", "+", "-", "@", "\t", "\r"))]
    assert [row["prompt"].removeprefix("'") for row in rows[:5]] == list(PROMPTS[:5])
    assert [row["prompt"] for row in rows[5:7]] == list(PROMPTS[5:7])  # a quote of their own stays
    assert rows[-1]["arm"] == "'=a|b`<img src=x>\n# c"
    numbers = [row[name] for row in rows for name in pair_columns() if name.endswith(("seconds", "clip", "difference"))]
    assert numbers and all(re.fullmatch(r"-?\d+\.\d+", number) for number in numbers)
    assert any(number.startswith("-") for number in numbers)
    one, other = done.comparison.pairs(1)[0]
    assert float(rows[0]["arm_clip"]) == pytest.approx(other.clip_score, abs=1e-4)
    assert float(rows[0]["psnr"]) == pytest.approx(other.similarity.psnr, abs=1e-4)


def test_the_summary_is_not_broken_by_them(done, tables):
    text = tables[1].read_text(encoding="utf-8")
    assert "<img" not in text and "<script" not in text and "\n# c" not in text and "\u202e" not in text
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert heads == [f"# {done.folder.name}", "## Figures"]
    table = [line for line in text.split("## Figures")[1].splitlines() if line.startswith("|")]
    (cells,) = {len(re.split(r"(?<!\\)\|", line)) for line in table}
    assert cells > 10 and len(table) == 2 + 3
    assert "=a\\|b\\`&lt;img src=x&gt; # c" in text and "![grid](grid.png)" in text
    assert Analysis(done.comparison).arms[1].verdict.sentence in text
    assert INTERVALS in text
    assert "| state | finished |" in text and "9 prompts × 1 seeds × 1 repeats" in text


def test_a_summary_leads_with_the_headlines_and_the_grid(tmp_path):
    analysis = Analysis(compared(tmp_path, ("a cat", "a dog"), seeds=(3, 4)))
    lines = body(analysis, "grid.png")
    words = analysis.arms[1].verdict.headline
    leads = lines.index(f"- **DeepCache(interval=3, branch=0)**: 1.80×. {words}")
    assert (
        leads < lines.index("![grid](grid.png)") < next(n for n, line in enumerate(lines) if line.startswith("| Arm"))
    )
    row = next(line for line in lines if line.startswith("| DeepCache"))
    assert "| 0.500 (56 %) |" in row and analysis.arms[1].verdict.sentence in row


def test_figures_have_three_significant_digits(tmp_path):
    comparison = compared(tmp_path, ("a cat", "a dog"), seeds=(3, 4))
    comparison.calls = [replace(c, seconds=c.seconds * (20 if c.arm else 300)) for c in comparison.calls]
    text = "\n".join(body(Analysis(comparison), ""))
    assert "**: 27.0×. Faster" in text and "| 270 |" in text and "| 10.0 (4 %) |" in text
