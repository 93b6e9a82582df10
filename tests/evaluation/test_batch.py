"""Batch evaluations by the command line: products, summaries, assertions, exit codes, going on."""

import csv
import json
import re
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from comparer.cli.main import main
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.evaluation import assertions
from comparer.evaluation import batch as batches
from comparer.results.analysis import Analysis
from comparer.results.notes import ratio
from comparer.runs import store
from comparer.stats.intervals import mean
from helpers.killed import run_killed

QUICK = ["--num-samples", "2", "--steps", "2", "--size", "64", "--warmups", "0", "--repeats", "1", "--quiet"]


def run(*arguments):
    return main(["evaluate", *map(str, arguments)])


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = tmp_path_factory.mktemp("evaluated") / "e"
    code = run(*QUICK, "--seeds", "1-3", "--batch-size", "3", "--guidance", "1", "3", "--arm", "DeepCache(interval=2)",
               "--arm", "ToMe", "--title", "A | B", "--tag", "x", "--out", folder)  # fmt: skip
    assert code == 0
    return folder


def test_a_product_is_run_and_every_prompt_counts(done):
    record = json.loads((done / "evaluation.json").read_text())
    assert [cell["values"] for cell in record["cells"]] == [{"guidance": 1.0}, {"guidance": 3.0}]
    runs = [store.load(path.parent) for path in sorted(done.glob("*/run.json"))]
    assert [run.request.settings.guidance for run in runs] == [1, 3]
    for one in runs:
        assert [len(batch) for batch in one.batches] == [3, 3] and len(one.shots) == 6 * 3


def test_pairs_has_a_row_for_every_pair(done):
    rows = list(csv.DictReader((done / "pairs.csv").open()))
    assert len(rows) == 2 * 2 * 6
    one = store.load(sorted(done.glob("*/run.json"))[0].parent)
    row, (base, other) = rows[0], one.pairs(1)[0]
    assert (row["cell"], row["arm"], row["seed"]) == ("guidance 1.0", "DeepCache(interval=2)", "1")
    assert row["prompt"] == one.request.settings.prompts[0] and row["identical"] == "no"
    seconds = one.calls[base.call].seconds / 3, one.calls[other.call].seconds / 3
    assert float(row["speed_up"]) == pytest.approx(seconds[0] / seconds[1], rel=1e-3)
    assert float(row["clip_difference"]) == pytest.approx(other.clip_score - base.clip_score, abs=1e-3)


def test_the_summary_begins_with_a_card_and_has_every_verdict(done):
    text = (done / "summary.md").read_text()
    card = text.split("## ")[0]
    for said in ("# A | B", "| Baseline against DeepCache(interval=2); ToMe(ratio=0.5) |", "| tags | x |",
                 "| swept | guidance: 1.0, 3.0 |", "2 prompts × 3 seeds × 1 repeats, batches of 3", "keep / reject / repeat"):  # fmt: skip  # noqa: E501
        assert said in card, said
    assert text.count("Ranges in brackets are the intervals that decide") == 1 + 2  # of the overview, and of every cell
    for number, part in enumerate(text.split("\n## ")[1:]):
        one = store.load(sorted(done.glob("*/run.json"))[number].parent)
        assert part.startswith(f"Guidance {[1.0, 3.0][number]}") and "grid.png" in part
        assert all(Analysis(one).arms[arm].verdict.sentence.replace("|", "\\|") in part for arm in (1, 2))


def test_a_finished_evaluation_is_gone_on_with_at_once(done):
    before = {path: path.stat().st_mtime_ns for path in done.glob("*/*")}
    assert run("--resume", done, "--quiet") == 0
    assert {path: path.stat().st_mtime_ns for path in done.glob("*/*")} == before


def test_assertions_test_the_interval(done, capsys):
    assert run("--resume", done, "--quiet", "--assert", "speedup>=0.000000001", "--assert", "speedup<=1000000000") == 0
    capsys.readouterr()
    assert run("--resume", done, "--quiet", "--assert", "speedup>=1000000000") == 1
    told = capsys.readouterr().err
    assert "guidance 1.0, DeepCache(interval=2): speedup>=1e+09 missed:" in told and told.count("missed") == 4
    one = store.load(sorted(done.glob("*/run.json"))[0].parent)
    estimate = Analysis(one).arms[1].evidence.speed_up()
    between = (estimate.interval.low + estimate.value) / 2  # the point meets it, the interval does not
    assert assertions.parse(f"speedup>={between:.6f}").miss(one, 1)
    assert not assertions.parse(f"speedup>={estimate.interval.low - 0.001:.6f}").miss(one, 1)


def test_the_words_of_the_verdict_are_asserted(done, capsys):
    one = store.load(sorted(done.glob("*/run.json"))[0].parent)
    verdict = Analysis(one).arms[1].verdict
    for text, holds in (
        ("speed=faster", verdict.speed.word == "faster"),
        ("quality=kept", verdict.quality.word in ("kept", "better", "identical")),
        ("quality=identical", verdict.quality.word == "identical"),
    ):
        told = assertions.parse(text).miss(one, 1)
        assert (told == "") == holds and (holds or told == f"{text} missed: {verdict.sentence}")
    same = replace(one, shots=[replace(shot, pixels="same") for shot in one.shots])
    assert not assertions.parse(" quality = kept ").miss(same, 1) and assertions.parse("quality=better").miss(same, 1)
    for wrong in ("quality=good", "speed=kept", "speed>faster"):
        assert run("--resume", done, "--quiet", "--assert", wrong) == 2
        assert "quality=kept" in capsys.readouterr().err


def test_a_loss_is_asserted_with_the_interval_of_the_verdict(done):
    one = store.load(sorted(done.glob("*/run.json"))[1].parent)
    found = Analysis(one).arms[1]
    base, mine, prompts = found.evidence.scored()
    assert len(set(prompts)) == 2
    for share in (-5.0, -0.5, 0.5, 0.99):
        values = [a - (1 - share) * b for b, a in zip(base, mine, strict=True)]
        kept = mean(values, prompts, found.evidence.quality_level).interval
        assert bool(assertions.parse(f"clip_loss<={share}").miss(one, 1)) == (kept.low < 0)
        assert bool(assertions.parse(f"clip_loss>={share}").miss(one, 1)) == (kept.high > 0)
    told = assertions.parse("clip_loss<=-5").miss(one, 1)
    assert f"{Analysis(one).arms[1].figures.clip_loss:.3f}, and its interval contains -5 or lies beyond it" in told


def test_the_same_pictures_have_lost_nothing_however_much_prompts_differ(done):
    one = store.load(done / "01-guidance-1.0")
    bases = {(s.prompt, s.seed): s for s in one.shots if s.arm == 0}
    scored = {item: replace(shot, clip_score=20.0 + 60 * shot.prompt) for item, shot in bases.items()}
    shots = [replace(s, pixels=bases[s.prompt, s.seed].pixels) for s in one.shots]
    shots = [replace(s, clip_score=scored[s.prompt, s.seed].clip_score) for s in shots]
    same = replace(one, shots=shots)
    assert Analysis(same).arms[1].evidence.identical and not assertions.parse("clip_loss<=0.02").miss(same, 1)
    assert "missed: 0.000, and" in assertions.parse("clip_loss>=0.02").miss(same, 1)


def test_an_assertion_is_about_accelerated_arms(tmp_path, capsys):
    arguments = [
        "--arm",
        "DeepCache(interval=3)",
        "--num-samples",
        1,
        "--steps",
        3,
        "--also",
        "equal-time",
        "--repeats",
        1,
    ]
    assert run(*arguments, "--out", tmp_path / "e", "--quiet", "--assert", "speedup>=1000") == 1
    told = capsys.readouterr().err
    assert told.count("missed") == 1 and "Fewer steps" not in told


def test_the_summary_shows_every_cell_in_a_row_and_in_plots(done):
    summary = (done / "summary.md").read_text()
    rows = [line for line in summary.splitlines() if line.startswith("| guidance")]
    assert len(rows) == 2 * 2
    for number, path in enumerate(sorted(done.glob("*/run.json"))):
        one = store.load(path.parent)
        for arm in (1, 2):
            assert Analysis(one).arms[arm].verdict.headline in rows[2 * number + arm - 1]
            assert ratio(Analysis(one).arms[arm].speed_up.value) in rows[2 * number + arm - 1]
    shown = re.findall(r"!\[.*?\]\((.*?)\)", summary)
    assert len(shown) == 2 + 2 * 2 and all((done / name).is_file() for name in shown)
    for name in ("speed-up.svg", "clip.svg", *(name for name in shown if name.endswith("times.svg"))):
        assert ElementTree.parse(done / name).getroot().tag == "{http://www.w3.org/2000/svg}svg"
    assert "guidance 3.0 · ToMe" in (done / "speed-up.svg").read_text()


def test_more_can_be_measured_and_another_scorer_is_refused(tmp_path, capsys):
    assert run(*QUICK, "--also", "divergence", "--also", "equal-time", "--out", tmp_path / "e") == 0
    (path,) = (tmp_path / "e").glob("*/run.json")
    one = store.load(path.parent)
    assert one.request.wanted() == ("equal-time", "divergence") and one.divergence[1] and len(one.request.arms) == 4
    summary = (tmp_path / "e" / "summary.md").read_text()
    assert "01-run-latents.svg" in summary and "No equal time: " in summary
    assert run("--also", "divergence", "--resume", tmp_path / "e") == 2
    assert "leave also out" in capsys.readouterr().err
    again = run(path, "--out", tmp_path / "again", "--quiet")  # a run.json asks for the same once more
    (other,) = (tmp_path / "again").glob("*/run.json")
    assert again == 0 and store.load(other.parent).request.wanted() == one.request.wanted()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--scorer", "ViT-L-14"], "never seen the demo's coloured shapes"),
        (["--scorer", "ViT-B-32=none.safetensors"], "no file of CLIP weights 'none.safetensors'"),
        (["--also", "speed"], "'speed' cannot be measured: choose among equal-time"),
        (["--assert", "speed>1"], "is not an assertion"),
        (["--steps", "0", "--num-samples", "2"], "Steps 0"),
        (["--num-samples", "161"], "There are only 160 prompts, not 161"),
        (["--resume", "/nowhere"], "does not contain an evaluation"),
        (["--resume", "/nowhere", "--steps", "3"], "leave steps out"),
        (["--resume", "/nowhere", "--warmups", "0"], "leave warmups out"),
        (["--resume", "/nowhere", "--worthwhile", "3"], "leave worthwhile out"),
        (["--resume", "/nowhere", "--title", "Another"], "leave title out"),
        (["none.toml"], "cannot be read"),
        (["--arm", "DeepCache(interval=0)"], "interval 0"),
    ],
)
def test_refusals_have_exit_code_2(tmp_path, capsys, arguments, words):
    where = [] if "--resume" in arguments else ["--out", str(tmp_path / "e")]
    assert run(*arguments, *where, "--quiet") == 2
    assert words in capsys.readouterr().err and not (tmp_path / "e").exists()


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine").write_text("x")
    assert run(*QUICK, "--out", tmp_path) == 2
    assert "is not empty" in capsys.readouterr().err and [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_one_that_was_killed_ends_as_if_it_had_not_been(tmp_path):
    """SIGKILL in the middle of the second cell's second call."""
    arguments = [
        "--num-samples",
        "2",
        "--size",
        "64",
        "--steps",
        "2",
        "3",
        "--warmups",
        "0",
        "--repeats",
        "1",
        "--seeds",
        "1,2",
    ]
    run_killed(8 + 2, "evaluate", *arguments, "--quiet", "--out", tmp_path / "e", output=tmp_path / "said")
    left = store.load(tmp_path / "e" / "02-steps-3")
    assert (left.state, len(left.calls)) == ("running", 1)
    assert run("--resume", tmp_path / "e", "--quiet") == 0
    made = batches.load(tmp_path / "e", Config()).comparisons()
    assert [one.state for one in made] == ["finished"] * 2 and [len(one.shots) for one in made] == [8, 8]
    assert made[0].process == 0 and made[1].process == 1
    assert len((tmp_path / "e" / "pairs.csv").read_text().splitlines()) == 1 + 2 * 4


def test_an_evaluation_of_other_limits_is_refused(done):
    from dataclasses import replace

    from comparer.config import Limits

    with pytest.raises(ComparerError, match="at most"):
        batches.load(done, replace(Config(), limits=Limits(pictures=3)))
