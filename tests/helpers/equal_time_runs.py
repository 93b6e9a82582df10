"""A comparison with an equal-time arm, built from scores."""

from comparer.accelerators.registry import parse
from comparer.request.request import Arm, Request, Settings
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Shot
from helpers.similar import alike

ARMS = (Arm("Baseline"), Arm("DeepCache", (parse("DeepCache"),)), Arm("Fewer", steps=10, matches_time_of=1))


def seen(clip, ssim, seeds=8, rival=1.1, **more):
    """Build a comparison whose third arm is the rival of the second: lists of (arm's, rival's) scores and SSIMs."""
    calls, shots = [], []
    for arm, seconds in ((0, 2.0), (1, 1.0), (2, rival)):
        for seed in range(seeds):
            took = seconds * (1 + seed / 1000 + (seed * arm % 3) / 500)
            calls.append(Call(arm, seed, 1, took, {"denoising": took}, ()))
            similarity = alike(ssim[seed][arm - 1]) if arm else None
            score = 25.0 if arm == 0 else clip[seed][arm - 1]
            shots.append(Shot(arm, 0, seed, "", 0, score, f"{arm}", similarity))
    request = Request(Settings(("x",), steps=20, seeds=tuple(range(seeds))), ARMS)
    return Comparison(request, calls=calls, shots=shots, **more)


def pairs(one, other, seeds=8):
    return [(one + seed % 3 / 100, other + seed % 2 / 100) for seed in range(seeds)]
