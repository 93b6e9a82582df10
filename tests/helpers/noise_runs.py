"""A run folder of noise images, made without a model."""

from pathlib import Path

import numpy as np
from PIL import Image

from comparer.accelerators.deepcache import DeepCache
from comparer.request.request import Arm, Request, Settings
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Scorer, Shot

BASELINE, FAST = Arm("Baseline"), Arm("DeepCache(interval=3, branch=0)", (DeepCache(),))


def compared(
    folder: Path,
    prompts: tuple[str, ...],
    arms: tuple[Arm, ...] = (BASELINE, FAST),
    made: int | None = None,
    **settings,  # noqa: ANN003
) -> Comparison:
    """Make a run folder of noise: the baseline takes 0.9 s a picture, the others 0.5 s; ``made`` calls of all."""
    request = Request(Settings(prompts, **settings), arms)
    s, noise = request.settings, np.random.default_rng(0)
    comparison = Comparison(
        request,
        "2025-11-21T03:00:00+00:00",
        state="finished" if made is None else "stopped",
        environment={"device_name": "x86_64 CPU"},
        checkpoint={"name": "demo", "title": "Demo: coloured shapes"},
        scorer=Scorer("ViT-L-14"),
    )
    for batch, items in enumerate(request.batches()):
        for arm in range(len(arms)):
            if made is not None and len(comparison.calls) >= made:
                return comparison
            seconds = (0.5 if arm else 0.9) * len(items)
            comparison.calls.append(Call(arm, batch, len(items), seconds, {"denoising": seconds}, (0.1,)))
            for prompt, seed in items:
                file = f"{arm}_{prompt}_{seed}.png"
                Image.fromarray(noise.integers(0, 256, (s.height, s.width, 3), np.uint8)).save(folder / file)
                comparison.shots.append(Shot(arm, prompt, seed, file, len(comparison.calls) - 1, 27.314 - arm))
    return comparison


def said(drawn: list) -> list[str]:
    return [line for _, _, line, _ in drawn]


def places(page: Image.Image, shown: np.ndarray) -> list[tuple[int, int]]:
    """Find where (x, y) exactly these pixels stand in the page."""
    pixels, (height, width) = np.asarray(page), shown.shape[:2]
    return [
        (int(x), int(y))
        for y, x in np.argwhere((pixels == shown[0, 0]).all(axis=2))
        if np.array_equal(pixels[y : y + height, x : x + width], shown)
    ]
