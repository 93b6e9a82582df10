"""What each score costs: ``python benchmarks/cost_metrics.py``.

Milliseconds per image or pair, outside every timed call.

Networks whose weights are not on this machine are measured with random ones: the same arithmetic takes the same time.
"""

import argparse
import logging
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import PROMPT, load_average, machine, table

from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.metrics import clip, ms_ssim, scorers
from comparer.metrics.base import Pair
from comparer.metrics.differences import LARGEST, MEAN
from comparer.metrics.embedding import EmbeddingScorer
from comparer.metrics.similarity import opened, similarity
from comparer.models.libraries import prepare


def cost(work: Callable[[], Any], rounds: int) -> str:
    """Write the median milliseconds of a call and the range of all, after one that does not count."""
    work()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - began))
    return f"{statistics.median(taken):.1f} ({min(taken):.1f} to {max(taken):.1f})"


# Those that open_clip builds.
SCORED = [name for name, source in scorers.SCORERS.items() if source.model == "open_clip"]


def scorer_of(source: scorers.ScorerWeights) -> EmbeddingScorer:
    """Load the demo's scorer, or build another one with random weights."""
    import open_clip

    if not source.repository:
        return clip.scorer_for(resolve("demo", Config()))  # type: ignore[return-value]
    logging.disable(logging.WARNING)  # open_clip warns of random weights, which are meant here
    model, _, transform = open_clip.create_model_and_transforms(source.architecture, pretrained_text=False)
    logging.disable(logging.NOTSET)
    return clip.ClipScorer(source, model, transform, open_clip.get_tokenizer(source.architecture))


def works(files: list[Path], named: list[str]) -> Iterator[tuple[str, Callable[[], Any] | None]]:
    """Yield what is measured for a pair of pictures, by name; None is not available."""
    import numpy as np
    import torch
    from torchmetrics.functional import image
    from torchmetrics.functional.image.lpips import _NoTrainLpips

    pair = [opened(file) for file in files]
    tensors = [torch.from_numpy(np.array(p)).permute(2, 0, 1)[None].float() / 255 for p in pair]
    network = _NoTrainLpips(net="alex", pnet_rand=True)

    def largest_and_mean() -> tuple[float, float]:
        measured = Pair(*pair)
        return LARGEST.compute(measured), MEAN.compute(measured)

    yield "opening two PNG files", lambda: [opened(file) for file in files]
    yield "largest and mean difference", largest_and_mean
    yield "PSNR", lambda: image.peak_signal_noise_ratio(*tensors, data_range=1.0)
    yield "SSIM", lambda: image.structural_similarity_index_measure(*tensors, data_range=1.0)
    large = min(pair[0].size) >= ms_ssim.SIDE
    many = image.multiscale_structural_similarity_index_measure
    yield "MS-SSIM", (lambda: many(*tensors, data_range=1.0)) if large else None
    yield "LPIPS", lambda: network(*tensors, normalize=True)
    yield "similarity() of two files, without LPIPS", lambda: similarity(*files)
    for name in named:
        scorer = scorer_of(scorers.SCORERS[name])
        scorer.score(pair, [PROMPT] * 2)

        def anew(scorer: EmbeddingScorer = scorer) -> None:
            scorer._seen.clear()
            scorer.score(pair[:1], [PROMPT])

        yield f"CLIP score by {name}", anew
        if name == named[0]:
            scorer.score(pair, [PROMPT] * 2)
            yield "CLIP cosine of a pair that was scored", lambda scorer=scorer: scorer.cosine(*pair)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", type=int, nargs="+", default=[128, 512])
    parser.add_argument("--scorers", nargs="+", default=["demo", "ViT-B-32", "ViT-L-14"], choices=SCORED)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    load = load_average()
    prepare()
    import numpy as np
    import torch
    from PIL import Image

    found: dict[str, list[str]] = {}
    with TemporaryDirectory() as folder, torch.no_grad():
        for side in options.sizes:
            rng = np.random.default_rng(side)
            files = [Path(folder) / f"{side}-{number}.png" for number in range(2)]
            for file in files:
                rough = Image.fromarray(rng.integers(0, 256, (side // 8, side // 8, 3), dtype=np.uint8))
                rough.resize((side, side), Image.Resampling.BICUBIC).save(file)
            for name, work in works(files, options.scorers):
                told = cost(work, options.rounds) if work else "not available"
                found.setdefault(name, []).append(told)
    print(f"{machine('cpu')}; {load}; median and range of {options.rounds} rounds\n")
    head = ["milliseconds", *(f"{side} px" for side in options.sizes)]
    print(table(head, [[name, *costs] for name, costs in found.items()]))


if __name__ == "__main__":
    main()
