"""What Comparer's measuring costs: ``python benchmarks/overhead.py``.

The same guided calls of the demo checkpoint, alternately through ``generate`` (marks, progress, Stop, seeding)
and in a bare script (the pipeline's ``__call__`` between two readings of the clock). Prints the ratio of the
wall times, pair by pair, with their median and quartiles: one run, one machine, no absolute claim.
"""

import argparse
import platform
import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from comparer.checkpoints.read import resolve
from comparer.config import Config
from comparer.demo.scenes import EXAMPLES
from comparer.generate import generate
from comparer.models import pipelines, samplers
from comparer.request import Settings


def main() -> None:
    """Alternate the two and print the ratio."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=30, help="calls of each (%(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="denoising steps (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (%(default)s)")
    options = parser.parse_args()
    loaded = pipelines.load(resolve("demo", Config()), options.device)
    import torch

    settings = Settings((EXAMPLES[0],), steps=options.steps)

    def inside() -> tuple[float, float]:
        began = time.perf_counter()
        output = generate(loaded.pipe, settings, [(0, 1)], scheduler_config=loaded.scheduler_config)
        # Two figures: what the clock inside says, and what the whole call of ours took.
        return output.seconds, time.perf_counter() - began

    def bare() -> float:
        loaded.pipe.scheduler = samplers.scheduler("DDIM", loaded.scheduler_config)
        generator = torch.Generator("cpu").manual_seed(1)
        if loaded.device.startswith("cuda"):
            torch.cuda.synchronize()
        began = time.perf_counter()
        loaded.pipe(
            EXAMPLES[0],
            num_inference_steps=options.steps,
            guidance_scale=settings.guidance,
            width=settings.width,
            height=settings.height,
            generator=generator,
        )
        if loaded.device.startswith("cuda"):
            torch.cuda.synchronize()
        return time.perf_counter() - began

    inside(), bare()
    timed, whole = [], []
    for pair in range(options.pairs):
        if pair % 2:
            plain, (clock, outside) = bare(), inside()
        else:
            (clock, outside), plain = inside(), bare()
        timed.append(clock / plain)
        whole.append(outside / plain)
    machine = f"{platform.machine()}, {loaded.device}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    print(f"{options.pairs} pairs of {options.steps}-step calls; {machine}")
    for name, ratios in (("measured call / bare call", timed), ("all of generate() / bare call", whole)):
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(f"{name}: median {middle:.3f}, quartiles {low:.3f} to {high:.3f}")


if __name__ == "__main__":
    main()
