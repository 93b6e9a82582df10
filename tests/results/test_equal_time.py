"""Fewer steps in an accelerated arm's time: how they are chosen, and what is said of the two."""

import json
import math
from dataclasses import replace
from html import unescape

import pytest

from comparer.cli import history
from comparer.engine.equal_time_steps import choose, neighbours
from comparer.errors import ComparerError
from comparer.reporting.grid import labels
from comparer.reporting.html.verdict_cards import headline
from comparer.reporting.tables import body
from comparer.request.request import ABOVE, BELOW, Arm, Request, Settings, fewer, unchosen
from comparer.results import run_json, side_by_side
from comparer.results.analysis import Analysis
from comparer.results.equal_time import (
    AS_WELL,
    BETTER,
    NO_TIME,
    OPEN,
    WORSE,
    conclude,
    interpolate,
    is_equal,
    rivalry,
)
from comparer.results.notes import judged
from comparer.results.records import NotRun
from comparer.runs import card
from comparer.runs.index import Entry
from comparer.ui.history import entry
from helpers.equal_time_runs import FIRST, ONE, TWO, pairs, seen, unneeded

BASE = [(4.1, 4.0), (6.1, 6.0)]


@pytest.mark.parametrize(
    ("sampler", "arm", "least", "steps"),
    [
        ("DDIM", [2.15], 1, (10, 11)),  # 0.1 outside, 0.2 a step
        ("DDIM", [2.11], 1, (10, 11)),  # also where one of them hits it
        ("DDIM", [2.29], 1, (10, 11)),
        ("DDIM", [2.15, 9.0], 1, (10, 11)),  # what others do on the machine only ever makes a call slower
        ("DDIM", [7.0], 1, (19, 20)),  # no faster than the baseline
        ("DDIM", [4.0], 1, (19, 20)),
        ("DDIM", [0.01], 1, (None, 2)),
        ("DDIM", [0.8], 4, (None, 4)),
        ("DDIM", [0.95], 4, (4, 5)),
        ("Heun", [2.15], 1, (10, 11)),  # 39 evaluations for 20 steps, 19 for 10
        ("PNDM", [2.01], 1, (9, 10)),  # 21 for 20, 10 for 9
    ],
)
def test_the_steps_on_both_sides_of_the_time_are_chosen(sampler, arm, least, steps):
    assert neighbours(BASE, arm, Settings(("x",), steps=20, sampler=sampler), least) == steps


def test_one_step_cannot_become_fewer():
    assert neighbours([(1.1, 1.0)], [0.2], Settings(("x",), steps=1)) == (None, 1)


def asked(*arms, steps=20):
    """Build a request with open equal-time arms for each of some accelerated ones."""
    own = (Arm("Baseline"), *arms)
    return Request(Settings(("x",), steps=steps), (*own, *(f for n, arm in enumerate(own) if n for f in fewer(n, arm))))


CACHE, AGAIN = FIRST[1], replace(FIRST[1], name="Again")


def test_both_sides_are_chosen_and_named_by_their_steps():
    request = asked(CACHE, AGAIN)
    assert [arm.name for arm in request.arms[3:5]] == [
        "Fewer steps, below the time of DeepCache", "Fewer steps, above the time of DeepCache",
    ]  # fmt: skip
    for like in (1, 2):
        chosen = choose(request, like, BASE, [2.15])
        assert list(chosen.steps.values()) == [10, 11] and chosen.unneeded == {}
        request = request.with_steps(chosen.steps)
    names = [arm.name for arm in request.arms[3:]]
    assert names == ["10 steps", "11 steps", *(f"{n} steps, in the time of Again" for n in (10, 11))]
    assert [request.settings_of(arm).steps for arm in range(3, 7)] == [10, 11, 10, 11]
    assert unchosen(request.arms) == asked(CACHE, AGAIN).arms
    assert Request.from_json(request.to_json()) == request


def test_the_baseline_is_the_upper_neighbour_of_an_arm_that_is_no_faster():
    chosen = choose(asked(CACHE), 1, BASE, [4.5])
    assert chosen.steps == {2: 19, 3: 20} and list(chosen.unneeded) == [3]
    assert "the baseline itself" in chosen.unneeded[3]


def test_only_the_upper_neighbour_exists_where_fewer_steps_are_not_possible():
    chosen = choose(asked(CACHE), 1, BASE, [0.3], least=4)
    assert chosen.steps == {3: 4} and chosen.unneeded == {2: "4 steps are the fewest possible, and they take longer"}


def test_an_open_control_of_an_earlier_version_takes_the_nearest_steps():
    request = Request(Settings(("x",), steps=20), (*FIRST, Arm("Fewer", matches_time_of=1)))
    assert [choose(request, 1, BASE, [took]).steps for took in (2.15, 2.29, 0.1)] == [{2: 10}, {2: 11}, {2: 2}]
    assert request.with_steps({2: 10}).arms[2].name == "Fewer"


def turns(*times, n=8, spread=0.001):
    return [[took * (1 + spread * ((k + 3 * arm) % 5)) for arm, took in enumerate(times)] for k in range(n)]


def test_times_are_interpolated_but_never_beyond_the_two():
    share, time = interpolate(turns(1.0, 0.9, 1.3, spread=0))
    assert share == pytest.approx(0.25) and time.value == pytest.approx(1) and is_equal(time)
    for others, end in (((0.8, 0.9), 1.0), ((1.2, 1.3), 0.0)):
        share, time = interpolate(turns(1.0, *others, spread=0))
        assert share == end and time.value == pytest.approx(others[round(end)]) and not is_equal(time)
    share, time = interpolate(turns(1.0, 0.98, 0.98, spread=0))
    assert share == 0.5 and is_equal(time)


def test_bursts_of_load_move_neither_the_share_nor_the_interval():
    quiet = turns(1.0, 0.9, 1.1, n=20)
    loud = [[3 * t if (number, arm) in ((3, 0), (7, 1)) else t for arm, t in enumerate(times)]
            for number, times in enumerate(quiet)]  # fmt: skip
    (share, time), (moved, later) = interpolate(quiet), interpolate(loud)
    assert moved == pytest.approx(share, abs=0.02) and is_equal(time) and is_equal(later)


def test_equal_time_is_shown_by_the_whole_interval_and_later_looks_need_more():
    shaky = turns(1.0, 1.0, n=15, spread=0.009)
    assert is_equal(interpolate(shaky)[1]) and not is_equal(interpolate(turns(1.0, 1.0, n=15, spread=0.04))[1])
    first, later = (interpolate(shaky, look)[1].interval for look in (1, 4))
    assert later.high - later.low > first.high - first.low
    assert [is_equal(interpolate(turns(1.0, 1.0, n=n))[1]) for n in (0, 1, 5, 6)] == [False, False, False, True]


def scored(*means, prompts=10, apart=0.2):
    """Return rows of the baseline's, the arm's and two step counts' scores, which vary a little."""
    return [[25, *(mean + apart * math.sin(7 * n + 3 * m) for m, mean in enumerate(means))] for n in range(prompts)]


@pytest.mark.parametrize(
    ("arm", "kind"),
    [(24.0, BETTER), (24.95, AS_WELL), (25.5, WORSE), (27.0, WORSE), (25.2, AS_WELL)],
)
def test_the_conclusion_is_on_the_interpolated_score(arm, kind):
    """At a share of 0.75, steps of 24 and 25.3 points have 24.975; half a point may be lost."""
    found, clip, limit = conclude(scored(arm, 24.0, 25.3), range(10), 0.75, 0.02)
    assert (found, limit) == (kind, 0.5) and clip.value == pytest.approx(arm - 24.975, abs=0.1)
    assert clip.interval.level == pytest.approx(0.99)


def test_what_lies_across_both_is_open_and_prompts_are_clusters():
    assert conclude(scored(25.2, 25, 25, apart=3), range(10), 1, 0.02)[0] == OPEN
    narrow = [[25, 24.9 if n < 5 else 25.3, 25, 25] for n in range(10)]
    assert conclude(narrow, range(10), 1, 0.02)[0] == AS_WELL
    assert conclude(narrow, [0] * 5 + [1] * 5, 1, 0.02)[0] == OPEN  # two prompts show little about others
    assert conclude(narrow[:1], [0], 1, 0.02)[0] == conclude([], [], 1, 0.02)[0] == OPEN
    level = conclude(narrow, range(10), 1, 0.02, look=3)[1].interval.level
    assert level == pytest.approx(1 - 0.02 / 8)


def run(arm, *others, prompts=8, seconds=(2.0, 1.0, 0.95, 1.05), arms=TWO, **more):
    """Build a run of eight prompts with two neighbours whose scores are given."""
    clip = [row[1:] for row in scored(arm, *others, prompts=prompts, apart=0.05)]
    return seen(clip, seeds=1, prompts=prompts, arms=arms, seconds=seconds, **more)


@pytest.mark.parametrize(
    ("arm", "kind", "said"),
    [
        (25.1, AS_WELL, "9 to 10 steps do as well"),
        (24.0, BETTER, "9 to 10 steps do better"),
        (26.0, WORSE, "9 to 10 steps do worse"),
    ],
)
def test_two_neighbours_are_told_in_one_sentence(arm, kind, said):
    found = rivalry(run(arm, 24.8, 25.2), 1)
    assert (found.kind, found.controls, found.steps, found.of) == (kind, (2, 3), (9, 10), 20)
    assert found.said == said and found.headline == (said if kind != WORSE else "")
    assert found.sentence.startswith(f"{said}: the baseline with 9 to 10 steps of its 20 takes 1.00× (")
    assert "This arm's CLIP score − theirs is " in found.sentence and "99 % interval" in found.sentence
    assert found.sentence.endswith("what may be lost is 0.50, which is 2 % of the baseline's.")
    assert "SSIM" not in found.sentence
    assert found.share == pytest.approx(0.5, abs=0.05) and found.clip.value == pytest.approx(arm - 25, abs=0.1)


def test_few_prompts_are_named():
    assert rivalry(run(25.0, 25, 25, prompts=7), 1).said == "9 to 10 steps do as well for these 7 prompts"
    one = seen([(25.0, 25.1), (25.1, 25.0)] * 4)
    assert rivalry(one, 1).said == "10 steps do as well for this prompt"


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        ((2.0, 1.0, 0.8, 0.9), "9 to 10 steps interpolated to this arm's time take 0.90× (0.9"),
        ((2.0, 1.0, 1.1, 1.2), "take 1.10× (1.1"),
        ((2.0, 1.0, 0.96, 0.971), "0.971× (0.96"),  # the digits tell it from 0.97
    ],
)
def test_other_times_are_no_equal_time_and_nothing_is_concluded(seconds, words):
    found = rivalry(run(20, 25, 25, seconds=seconds), 1)
    assert (found.kind, found.said, found.headline) == (NO_TIME, "No equal time", "")
    assert words.removeprefix("0.971× (0.96") in found.sentence and "CLIP" not in found.sentence
    assert found.sentence.startswith("No equal time: ") and found.sentence.endswith("within ± 3 %.")


def test_few_calls_are_no_equal_time():
    said = rivalry(run(25, 25, 25, prompts=5), 1).sentence
    few = "5 timed calls of each are too few to show that 9 to 10 steps take this arm's time; 6 are needed."
    assert said == f"No equal time: {few}"
    assert "; 11 are needed." in rivalry(run(25, 25, 25, interim_looks=4), 1).sentence
    assert "1 timed call of each is too few" in rivalry(run(25, 25, 25, prompts=1), 1).sentence


def test_the_baselines_own_calls_stand_for_as_many_steps():
    arms = (*TWO[:2], replace(TWO[2], steps=19), replace(TWO[3], steps=20))
    faster = run(25.0, 25, 0, seconds=(1.05, 1.0, 0.95, 9), arms=arms, not_run=[unneeded(3)])
    found = rivalry(faster, 1)
    assert found.controls == (2, 0) and found.said == "19 to 20 steps do as well"
    slow = run(25.0, 25, 0, seconds=(0.9, 1.0, 0.85, 9), arms=arms, not_run=[unneeded(3)])
    assert "this arm is no faster than the full baseline, which takes 0.90×" in rivalry(slow, 1).sentence
    assert not slow.incomplete and replace(slow, not_run=[NotRun(3, "out of memory")]).incomplete


def test_one_neighbour_alone_says_that_fewer_steps_are_not_possible():
    arms = (*FIRST, fewer(1, CACHE)[0], replace(TWO[3], steps=2))
    near = run(25.0, 0, 25, seconds=(2.0, 1.0, 9, 1.01), arms=arms, not_run=[unneeded(2)])
    found = rivalry(near, 1)
    assert found.controls == (3,) and "; fewer than 2 are not possible. " in found.sentence
    assert found.said == "2 steps do as well"
    far = run(25.0, 0, 25, seconds=(2.0, 1.0, 9, 1.4), arms=arms, not_run=[unneeded(2)])
    assert rivalry(far, 1).sentence.startswith("No equal time: even 2 steps, the fewest possible, take 1.40×")


def test_one_control_of_an_earlier_version_needs_an_equal_time():
    found = rivalry(seen(pairs(25, 24), rival=1.01), 1)
    assert (found.kind, found.controls, found.steps) == (WORSE, (2,), (10,))
    assert found.sentence.startswith(
        "10 steps do worse for this prompt: the baseline with 10 steps of its 20 takes 1.01×"
    )
    assert rivalry(seen(pairs(25, 24), rival=1.1), 1).sentence.startswith(
        "No equal time: 10 steps take 1.10× (1.10–1.10)"
    )


def test_a_record_of_an_earlier_version_opens_and_is_shown():
    old = seen(pairs(25, 24), rival=1.01)
    data = json.loads(json.dumps(run_json.to_json(old)))
    assert data["request"]["arms"][2] == {"name": "Fewer", "accelerators": [], "steps": 10, "like": 1}
    opened = run_json.from_json(data)
    assert opened == old and "10 steps do worse for this prompt" in headline(Analysis(opened))
    assert run_json.from_json(data | {"not_run": [{"arm": 2, "reason": "out of memory"}]}).incomplete


def test_what_is_not_there_is_not_compared():
    found = run(25, 25, 25)
    assert rivalry(found, 2) is None and rivalry(replace(found, not_run=[]), 0) is None
    without = [shot for shot in found.shots if shot.arm != 3]
    assert rivalry(replace(found, shots=without), 1) is None  # stopped before the second neighbour
    void = [replace(s, not_finite="decoded") if s.arm == 2 and s.prompt == 1 else s for s in found.shots]
    assert rivalry(replace(found, shots=void), 1) is None
    unscored = [replace(shot, clip_score=None) for shot in found.shots]
    said = rivalry(replace(found, shots=unscored), 1).sentence
    assert said.startswith("Undecided whether 9 to 10 steps do as well: ") and "scores are not known" in said


def test_one_sentence_is_on_page_and_report_terminal_and_markdown():
    found = run(25.1, 24.8, 25.2)
    said, analysis = rivalry(found, 1).sentence, Analysis(found)
    assert f"DeepCache: {said}" in judged(analysis.arms[1]) and f"DeepCache: {said}" in "\n".join(body(analysis, ""))
    page = unescape(headline(analysis))
    assert "<b>9 to 10 steps do as well</b>: the baseline with" in page.replace("\u00a0", " ")
    assert said.partition(": ")[2] in page.replace("\u00a0", " ")
    assert headline(Analysis(replace(found, state="running"))).count("fewer") == 0


def test_a_rival_that_does_as_well_is_a_headline_everywhere():
    found, worse = run(25.1, 24.8, 25.2), run(26, 24.8, 25.2)
    for comparison, here in ((found, True), (worse, False)):
        arm = Analysis(comparison).arms[1]
        assert (
            "In equal time 9 to 10 steps do as well" in " ".join(line.text for line in labels.head(arm).small)
        ) is here
        assert ("| In equal time |" in "\n".join(body(arm.whole, ""))) is here
        made = card.made(comparison)
        assert made.arms[1].fewer == ("9 to 10 steps do as well" if here else "")
        assert (". 9 to 10 steps do as well" in "\n".join(history.describe(Entry("name", made)))) is here
        assert ("<small>9 to 10 steps do as well</small>" in entry._arms(made.arms)) is here
    rows = {row.title: (row.one, row.other) for row in side_by_side.parts(found, worse)[1].rows}
    assert rows["In equal time"] == ("9 to 10 steps do as well", "9 to 10 steps do worse")


def test_two_runs_with_other_steps_are_laid_side_by_side():
    one = run(25.1, 24.8, 25.2)
    arms = (*TWO[:2], replace(TWO[2], name="7 steps", steps=7), replace(TWO[3], name="8 steps", steps=8))
    parts = side_by_side.parts(one, run(25.1, 24.8, 25.2, arms=arms))
    (below,) = [part for part in parts if part.title == "Fewer steps, below the time of DeepCache"]
    assert ("9", "7") in [(row.one, row.other) for row in below.rows if row.title == "Steps"]


def test_an_arm_takes_the_time_of_an_accelerated_one_alone():
    settings = Settings(("x",), steps=20)
    for like in (0, 2, 7, "1"):
        with pytest.raises(ComparerError, match="is not matched to an accelerated arm"):
            Request(settings, (*FIRST, replace(ONE[2], matches_time_of=like)))
    with pytest.raises(ComparerError, match="Steps 21 is out of range: 1 to 20"):
        Request(settings, (*FIRST, replace(ONE[2], steps=21)))
    for arm in (replace(ONE[2], side="left"), Arm("x", side=BELOW)):
        with pytest.raises(ComparerError, match="is on no side of another arm's time"):
            Request(settings, (*FIRST, arm))
    request = Request(settings, TWO)
    assert Request.from_json(request.to_json()) == request
    assert [request.settings_of(arm).steps for arm in range(4)] == [20, 20, 9, 10]
    assert request.fewer_steps(1) == {BELOW: 2, ABOVE: 3} and request.fewer_steps(2) == {}
    assert request.wanted() == ("equal-time",) and "side" not in Request(settings, ONE).to_json()["arms"][2]
