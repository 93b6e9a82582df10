"""A comparison with equal-time arms, built from times and scores."""

from comparer.accelerators.registry import parse
from comparer.request.request import ABOVE, BELOW, Arm, Request, Settings
from comparer.results.comparison import Comparison
from comparer.results.records import Call, NotRun, Shot
from comparer.stats.verdict import DEFAULT
from helpers.similar import alike

FIRST = (Arm("Baseline"), Arm("DeepCache", (parse("DeepCache"),)))
ONE = (*FIRST, Arm("Fewer", steps=10, matches_time_of=1))
"""As earlier versions recorded it: the steps nearest in time."""
TWO = (
    *FIRST,
    Arm("9 steps", steps=9, matches_time_of=1, side=BELOW),
    Arm("10 steps", steps=10, matches_time_of=1, side=ABOVE),
)


def seen(clip, ssim=None, seeds=8, rival=1.01, arms=ONE, seconds=None, prompts=1, base=25.0, **more):
    """Build a finished comparison whose last arms are the rivals of the second.

    Args:
        clip: (the arm's score, each rival's) of every pair: those of a prompt's seeds, then the next one's.
        ssim: the same with the full baseline, of the arm and the first rival.
        seeds: of each prompt.
        rival: seconds of the only rival; the baseline takes 2, the arm 1.
        arms: of the request.
        seconds: of every arm, instead of these.
        prompts: number of prompts.
        base: the baseline's score of every pair.
        more: of the comparison.
    """
    calls, shots = [], []
    not_run = more.pop("not_run", [])
    for arm, took in enumerate(seconds or (2.0, 1.0, rival)):
        if arm in {each.arm for each in not_run}:
            continue
        for number in range(seeds * prompts):
            each = took * (1 + number / 1000 + (number * arm % 3) / 500)
            calls.append(Call(arm, number, 1, each, {"denoising": each}, ()))
            similarity = alike(ssim[number][min(arm, 2) - 1] if ssim else 0.9) if arm else None
            score = base if arm == 0 else clip[number][arm - 1]
            prompt, seed = divmod(number, seeds)
            shots.append(Shot(arm, prompt, seed, "", 0, score, f"{arm}", similarity))
    settings = Settings(tuple(f"x{n}" for n in range(prompts)), steps=20, seeds=tuple(range(seeds)))
    more = {"state": "finished", "not_run": not_run} | more
    return Comparison(Request(settings, arms, thresholds=DEFAULT), calls=calls, shots=shots, **more)


def pairs(one, other, seeds=8):
    return [(one + seed % 3 / 100, other + seed % 2 / 100) for seed in range(seeds)]


def unneeded(arm, reason="it is not needed"):
    return NotRun(arm, reason, unneeded=True)
