"""The tables of the page."""

from comparer.accelerators.registry import parse
from comparer.config import UNLIMITED
from comparer.reporting.html.tables import pairs_table
from comparer.request.request import Arm, Request, Settings
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Shot
from helpers.similar import alike


def large(prompts):
    settings = Settings(tuple(f"prompt {number}" for number in range(prompts)), seeds=tuple(range(8)))
    arms = (Arm("Baseline"), Arm("DeepCache", (parse("DeepCache"),)))
    request, calls, shots = Request(settings, arms, repeats=2, limits=UNLIMITED), [], []
    for batch, (prompt, seed) in enumerate(request.items()):
        for arm in range(2):
            similarity = alike(0.9) if arm else None
            shots.append(Shot(arm, prompt, seed, "", len(calls), 25.0, similarity=similarity))
            calls += [Call(arm, batch, 1, 1 + batch + r / 2, {"denoising": 1.0}, (), repeat=r) for r in range(2)]
    return Comparison(request, calls=calls, shots=shots)


def test_every_picture_stands_with_the_seconds_of_all_its_repeats():
    drawn = pairs_table(large(2))
    assert drawn.count("<tr>") == 1 + 2 * 8
    assert "<span>1.000 1.500 s</span> · <span>CLIP 25.00</span> · <span>SSIM 0.900</span>" in drawn
    assert "<span>16.000 16.500 s</span>" in drawn  # of the last call, and of no other
