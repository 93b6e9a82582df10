"""The times in pairs.csv: a picture's share of its call, over repeats, of the process that made both sides."""

import csv
import io
from dataclasses import replace

import pytest

from comparer.reporting.tables import rows
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Shot
from helpers.runs import ask


def call(arm, batch, seconds, pictures, process=0, repeat=0):
    return Call(arm, batch, pictures, seconds, {"denoising": seconds}, (), repeat=repeat, process=process)


def read(comparison):
    found = csv.DictReader(io.StringIO(rows([("", comparison)])))
    return {(row["arm"], int(row["seed"])): row for row in found}


def times(row):
    return [float(row[name]) for name in ("baseline_seconds", "arm_seconds", "speed_up")]


@pytest.fixture
def seen():
    """Two repeats of a batch of two and a short one; an arm that came later, beside a slower baseline."""
    request = replace(ask("DeepCache(interval=2)", "ToMe(ratio=0.5)", seeds=(1, 2, 3), batch_size=2), repeats=2)
    calls, shots = [], []
    for process, arm, share in ((0, 0, 1.0), (0, 1, 0.5), (1, 0, 3.0), (1, 2, 1.0)):
        for batch, seeds in enumerate(((1, 2), (3,))):
            for repeat, seconds in enumerate((1.6, 2.4)):
                calls.append(call(arm, batch, share * seconds * len(seeds), len(seeds), process, repeat))
            if (process, arm) != (1, 0):
                first = len(calls) - 2
                shots += [Shot(arm, 0, seed, f"{arm}_{seed}.png", first, 25.0 + arm, f"{arm % 2}") for seed in seeds]
    return Comparison(request, calls=calls, shots=shots, process=1)


def test_seconds_are_a_pictures_and_of_the_process_that_made_both(seen):
    found = read(seen)
    assert len(found) == 6
    for seed in (1, 2, 3):
        assert times(found["DeepCache(interval=2)", seed]) == pytest.approx([2.0, 1.0, 2.0])
        assert times(found["ToMe(ratio=0.5)", seed]) == pytest.approx([6.0, 2.0, 3.0])


def test_every_row_has_its_own_sides(seen):
    found = read(seen)
    for (name, seed), row in found.items():
        arm = [each.name for each in seen.request.arms].index(name)
        assert (row["baseline_file"], row["arm_file"]) == (f"0_{seed}.png", f"{arm}_{seed}.png")
        assert [float(row[key]) for key in ("baseline_clip", "arm_clip", "clip_difference")] == [25, 25 + arm, arm]
        assert row["identical"] == ("no" if arm == 1 else "yes")


def test_a_side_that_was_not_timed_leaves_its_time_empty(seen):
    stopped = replace(seen, calls=[each for each in seen.calls if (each.arm, each.process) != (0, 1)])
    shots = [replace(shot, call=stopped.calls.index(seen.calls[shot.call])) for shot in seen.shots]
    row = read(replace(stopped, shots=shots))["ToMe(ratio=0.5)", 1]
    assert (row["baseline_seconds"], row["speed_up"]) == ("", "") and float(row["arm_seconds"]) == 2
