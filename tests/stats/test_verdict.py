"""The decision table, a row a test, and what the sentences say."""

import math
from dataclasses import replace

import pytest

from comparer.accelerators.deepcache import DeepCache
from comparer.errors import ComparerError
from comparer.request.request import Arm, Request, Settings
from comparer.results import run_json
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Shot
from comparer.stats.evidence import Evidence
from comparer.stats.power import level_at, more_clusters, more_values
from comparer.stats.verdict import Thresholds, judge
from helpers.runs import PROMPT, ask

WAVE = [-1.2, -0.8, -0.3, 0.0, 0.0, 0.3, 0.8, 1.2]  # mean 0


def seen(speed=2.0, noise=0.01, change=0.0, spread=0.02, calls=8, prompts=8, **more):
    """Make evidence of given speed-up, change in CLIP score (of 25) and their spreads; a pair a call."""
    wave = WAVE[:calls] if calls < 8 else WAVE * (calls // 8)
    shift = sum(wave) / len(wave)
    wave = [w - shift for w in wave]
    return Evidence(
        calls=[([math.exp(noise * w)], [1 / speed]) for w in wave],
        pairs=[(i % prompts, 25.0, 25.0 + change + spread * w) for i, w in enumerate(reversed(wave))],
        prompt_count=prompts,
        seed_count=max(1, calls // prompts),
        **more,
    )


def unscored(evidence):
    return replace(evidence, pairs=[(p, None, None) for p, _, _ in evidence.pairs], not_scored="no scorer is there")


TABLE = {
    "fast and kept": (seen(), "Worth it: 2.00× (1.98–2.02), CLIP 0.00 (−0.02 to +0.02), 8 calls"),
    "fast and better": (seen(change=3), "Worth it: 2.00× (1.98–2.02), CLIP +3.00 (+2.98 to +3.02), 8 calls"),
    "fast and lost": (
        seen(change=-1),
        "Not worth it: 2.00× (1.98–2.02), but CLIP −1.00 (−1.02 to −0.98) is a loss above 2 %, 8 calls",
    ),
    "slow and kept": (
        seen(speed=0.9),
        "Not worth it: 0.90× (0.89–0.91) is below 1.05×, CLIP 0.00 (−0.02 to +0.02), 8 calls",
    ),
    "slow and lost": (
        seen(speed=0.9, change=-1),
        "Not worth it: 0.90× (0.89–0.91) is below 1.05× and CLIP −1.00 (−1.02 to −0.98) is a loss above 2 %, 8 calls",
    ),
    "speed unclear and lost": (
        seen(speed=1.05, noise=0.1, change=-1),
        "Not worth it: 1.05× (0.97–1.14), but CLIP −1.00 (−1.02 to −0.98) is a loss above 2 %, 8 calls",
    ),
    "as fast and as good": (seen(speed=1), "No difference: 1.00× (0.99–1.01), CLIP 0.00 (−0.02 to +0.02), 8 calls"),
    "as fast, quality unclear": (
        seen(speed=1, change=-0.5, spread=0.2),
        "Not worth it: 1.00× (0.99–1.01) is below 1.05×, CLIP −0.50 (−0.66 to −0.34), 8 calls",
    ),
    "as fast and better": (
        seen(speed=1, change=3),
        "Not worth it: 1.00× (0.99–1.01) is below 1.05×, CLIP +3.00 (+2.98 to +3.02), 8 calls",
    ),
    "slow, not scored": (
        unscored(seen(speed=0.9)),
        "Not worth it: 0.90× (0.89–0.91) is below 1.05×, not scored, 8 calls",
    ),
    "as fast, not scored": (
        unscored(seen(speed=1)),
        "Not worth it: 1.00× (0.99–1.01) is below 1.05×, not scored, 8 calls",
    ),
    "fast, the same pictures, not scored": (
        replace(unscored(seen()), same_pictures=True),
        "Worth it: 2.00× (1.98–2.02), the same pictures, 8 calls",
    ),
    "as fast, the same pictures": (
        replace(seen(speed=1), same_pictures=True),
        "No difference: 1.00× (0.99–1.01), the same pictures, 8 calls",
    ),
    "no spread at all": (
        seen(noise=0, spread=0),
        "Worth it: 2.00× (the same in every call), CLIP 0.00 (the same in every pair), 8 calls",
    ),
    "the baseline against itself": (
        replace(seen(speed=1, noise=0, spread=0), same_pictures=True),
        "No difference: 1.00× (the same in every call), the same pictures, 8 calls",
    ),
    "one prompt": (
        seen(prompts=1),
        "Worth it: 2.00× (1.98–2.02), CLIP 0.00 (−0.02 to +0.02), 8 calls of one prompt",
    ),
    "fast, quality unclear": (
        seen(change=-0.5, spread=1.0, calls=16),
        "Cannot tell from 16 calls: it is too near to a threshold for 1000 more seeds or prompts to settle it. "
        "It is faster, 2.00× (1.99–2.01); it is undecided whether its CLIP loss is below 2 %: "
        "CLIP −0.50 (−1.29 to +0.29).",
    ),
    "fast, not scored": (
        unscored(seen()),
        "Cannot tell from 8 calls: the CLIP loss is not known: no scorer is there. "
        "So far 2.00× (1.98–2.02), not scored.",
    ),
    "one call": (
        seen(calls=1, prompts=1),
        "Cannot tell from 1 call: one call is not enough to judge; run 3 more seeds. So far 2.00×, CLIP 0.00.",
    ),
    "no call": (Evidence([]), "Cannot tell from 0 calls: nothing was timed."),
}


@pytest.mark.parametrize("row", TABLE)
def test_decision(row):
    evidence, sentence = TABLE[row]
    verdict = judge(evidence)
    assert verdict.sentence == sentence
    assert sentence.startswith(verdict.kind)


def test_speed_unclear_is_settled_by_the_seeds_it_names():
    verdict = judge(seen(speed=1.12, noise=0.12, prompts=1))
    k = verdict.more_seeds
    assert k > 1 and verdict.sentence == (
        f"Cannot tell from 8 calls: {k} more seeds would probably settle it. "
        "The quality is kept, CLIP 0.00 (−0.02 to +0.02); it is undecided whether it reaches 1.05×: 1.12× (1.02–1.23)."
    )
    settled = seen(speed=1.12, noise=0.12, prompts=1, calls=8 * math.ceil((8 + k) / 8), interim_looks=2)
    assert judge(settled).kind == "Worth it"


@pytest.mark.parametrize("look", [1, 2, 3])
def test_more_seeds_and_prompts_are_planned_at_the_level_of_the_look_to_come(look):
    evidence = seen(speed=1.12, noise=0.12, prompts=1, interim_looks=look)
    above = [math.log(base / arm / 1.05) for (base,), (arm,) in evidence.calls]
    then, now = (more_values(above, 0, level_at(which)) for which in (look + 1, look))
    assert judge(evidence).more_seeds == then > now
    evidence = seen(change=-0.3, spread=0.4, interim_looks=look)
    kept = [arm - 0.98 * base for _, base, arm in evidence.pairs]
    then, now = (more_clusters(kept, range(8), 0, level_at(which)) for which in (look + 1, look))
    assert judge(evidence).more_prompts == then > now


def test_seeds_are_counted_in_calls_of_a_batch():
    evidence = seen(speed=1.12, noise=0.12, prompts=1)
    one, four = judge(evidence).more_seeds, judge(replace(evidence, batch_size=4)).more_seeds
    assert four == 4 * one
    pilot = judge(replace(seen(calls=1, prompts=1), batch_size=4))
    assert pilot.more_seeds == 12


def test_more_seeds_than_a_thousand_are_no_offer_in_batches_either():
    evidence = seen(speed=1.07, noise=0.2, prompts=1)
    assert 300 < judge(evidence).more_seeds <= 1000
    assert judge(replace(evidence, batch_size=4)).more_seeds is None


def test_more_prompts_where_more_seeds_do_not_help():
    """Prompts differ, their seeds do not."""
    wave = [-1.1, -0.2, 0.2, 1.1]
    pairs = [(p, 25.0, 24.9 + 0.6 * wave[p] + s) for p in range(4) for s in (-0.001, 0, 0.001)]
    verdict = judge(Evidence([([2.0 + i / 1000], [1.0]) for i in range(12)], pairs, prompt_count=4, seed_count=3))
    assert (verdict.kind, verdict.more_seeds) == ("Cannot tell", None) and verdict.more_prompts > 1
    assert f"more seeds alone would hardly settle it, {verdict.more_prompts} more prompts probably" in verdict.sentence


def test_each_look_is_stricter_and_the_note_says_so():
    evidence = seen(speed=1.0618)
    kinds = [judge(replace(evidence, interim_looks=look)).kind for look in (1, 2, 3, 4)]
    assert kinds[0] == "Worth it" and kinds[-1] == "Cannot tell"
    widths = [
        v.speed_up.interval.high - v.speed_up.interval.low
        for v in (judge(evidence), judge(replace(evidence, interim_looks=2)))
    ]
    assert widths[0] < widths[1]
    assert (
        judge(evidence).note == "The intervals are 97.5 % intervals: half of the 5 % of error is kept for continuing."
    )
    assert "98.75 % intervals: this is look 2" in judge(replace(evidence, interim_looks=2)).note
    assert "other prompts may differ" in judge(seen(prompts=1)).note


def test_the_thresholds_are_the_users():
    assert judge(seen(speed=1.5), Thresholds(speed_up=2)).kind == "Not worth it"
    assert judge(seen(speed=1.5), Thresholds(speed_up=1.4)).kind == "Worth it"
    assert judge(seen(change=-1), Thresholds(clip_loss=0.05)).kind == "Worth it"
    assert judge(seen(change=-1), Thresholds(clip_loss=0.05, speed_up=3)).kind == "Not worth it"
    assert judge(seen(speed=1, change=-1), Thresholds(clip_loss=0.05)).kind == "Not worth it"  # 4 % are not nothing
    assert judge(seen(speed=1.04)).kind == "No difference"
    assert judge(seen(speed=1.04), Thresholds(speed_up=1.01)).kind == "Worth it"


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"speed_up": 1}, "above 1, up to 100"),
        ({"speed_up": math.nan}, "above 1, up to 100"),
        ({"speed_up": "2"}, "'2' is not a number"),
        ({"clip_loss": 0}, "above 0 %, below 100 %"),
        ({"clip_loss": 2}, "CLIP loss of 200 %"),
        ({"clip_loss": True}, "'True' is not a number"),
    ],
)
def test_thresholds_out_of_range_are_refused(wrong, told):
    with pytest.raises(ComparerError, match=told):
        Thresholds(**wrong)


def test_a_share_of_next_to_nothing_is_no_loss():
    evidence = replace(seen(), pairs=[(i, 0.5, 0.4 + w / 100) for i, w in enumerate(WAVE)])
    verdict = judge(evidence)
    assert verdict.kind == "Cannot tell" and "baseline's mean CLIP score is below 1" in verdict.sentence


def test_bounds_are_told_from_the_threshold():
    verdict = judge(seen(speed=1.04, noise=0.0083))
    assert verdict.sentence.startswith("No difference: 1.040× (1.033–1.047)")


def comparison(times, scores, pixels=("a", "b"), batch_size=1, **more):
    """Build a comparison: ``times`` maps (arm, batch) to its repeats' seconds, ``scores`` (arm, seed) to a score."""
    calls = [
        Call(arm, batch, batch_size, seconds, {"denoising": seconds}, ())
        for (arm, batch), repeats in times.items()
        for seconds in repeats
    ]
    shots = [Shot(arm, 0, seed, "", 0, score, pixels[arm]) for (arm, seed), score in scores.items()]
    seeds = tuple(sorted({seed for _, seed in scores}))
    arms = (Arm("Baseline"), Arm("DeepCache", (DeepCache(),)))
    return Comparison(
        Request(Settings((PROMPT,), seeds=seeds, batch_size=batch_size), arms), calls=calls, shots=shots, **more
    )


def test_a_comparison_gathers_its_evidence():
    times = {(0, 0): [2.0, 8.0], (1, 0): [1.0, 4.0], (0, 1): [3.0], (1, 1): [1.0], (0, 2): [9.0]}
    scores = {(0, 0): 20.0, (1, 0): 21.0, (0, 1): 20.0, (1, 1): 24.0, (0, 2): 30.0}
    found = Analysis(comparison(times, scores, interim_looks=2)).arms[1].evidence
    assert found.calls == [([2.0, 8.0], [1.0, 4.0]), ([3.0], [1.0])]
    assert found.speed_up().value == pytest.approx(6**0.5)
    assert found.clip_difference().value == pytest.approx(2.5) and found.clip_difference().n == 2
    assert found.clip_loss().value == pytest.approx(-0.125)
    assert (found.prompt_count, found.seed_count, found.batch_size, found.interim_looks) == (1, 3, 1, 2)
    assert not found.same_pictures and Analysis(comparison(times, scores, pixels="aa")).arms[1].evidence.same_pictures
    assert not Analysis(comparison(times, scores, pixels=("", ""))).arms[1].evidence.same_pictures


def test_a_comparison_judges_and_keeps_its_looks():
    times = {(arm, seed): [(1 + seed / 1000) / (1 + arm)] for arm in (0, 1) for seed in range(8)}
    scores = {(arm, seed): 25 + seed / 10 + arm * (seed % 3) / 100 for arm in (0, 1) for seed in range(8)}
    done = comparison(times, scores, interim_looks=3)
    verdict = Analysis(done).arms[1].verdict
    assert verdict.sentence.startswith("Worth it: 2.00×") and verdict.sentence.endswith("8 calls of one prompt")
    assert "look 3" in verdict.note
    assert Analysis(done, Thresholds(speed_up=3)).arms[1].verdict.kind == "Not worth it"
    again = run_json.from_json(run_json.to_json(done))
    assert again.interim_looks == 3 and Analysis(again).arms[1].verdict == verdict
    old = {key: value for key, value in run_json.to_json(done).items() if key != "looks"}
    assert run_json.from_json(old).interim_looks == 1


def test_a_comparison_that_was_not_scored_says_why():
    from comparer.results.records import Scorer

    times = {(arm, seed): [(1 + seed / 1000) / (1 + arm)] for arm in (0, 1) for seed in range(8)}
    done = comparison(times, dict.fromkeys(times), scorer=Scorer(why_not="no scorer is there"))
    assert "the CLIP loss is not known: no scorer is there." in Analysis(done).arms[1].verdict.sentence


def test_drift_is_the_baselines():
    times = {(arm, n): [1.0 + n % 2 / 100 + 0.3 * (arm == 0 and n > 4)] for arm in (0, 1) for n in range(10)}
    found = Analysis(comparison(times, {(0, 0): None})).drift
    assert found.value == pytest.approx(1.3, rel=0.01) and not found.interval.holds(1)
    assert Analysis(Comparison(ask())).drift.interval is None
    done = comparison({(0, n): [1.0 + n % 2 / 100] for n in range(8)}, {(0, 0): None})
    done.calls[7:] = [replace(done.calls[7], pictures=2, seconds=9.0), done.calls[7]]
    found = Analysis(done).drift
    assert found.n == 8 and found.interval.holds(1)  # a batch of another size is other work
