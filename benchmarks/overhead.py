"""What Comparer's measuring costs: ``python benchmarks/overhead.py``.

The same guided calls, alternately through ``generate`` (marks, progress, Stop, seeding) and in a bare script
(the pipeline's ``__call__`` between two readings of the clock), on the demo checkpoint and on a tiny pipeline of
every family with random weights. Prints the ratio of the wall times, pair by pair, with their median and
quartiles: one run, one machine, no absolute claim. The tiny pipelines are the worst case: the networks are
thousands of times smaller than the real ones, what surrounds them is not.
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from bare import PROMPT, machine, synchronize

from comparer.checkpoints.read import resolve
from comparer.config import Config
from comparer.generate import generate
from comparer.models import pipelines, samplers
from comparer.models.architectures import save_tiny
from comparer.models.catalog import FAMILIES
from comparer.request import Settings


def ratios(loaded: pipelines.Loaded, pairs: int, steps: int) -> tuple[list[float], list[float]]:
    """Alternate the two; return measured / bare, and all of ``generate`` / bare, pair by pair."""
    import torch

    model = loaded.checkpoint.model
    settings = Settings(
        (PROMPT,), model.name, "", model.sampler, steps, model.guidance, width=model.size, height=model.size
    )
    # PixArt's would rewrite the caption, with packages that may or may not be there.
    extra = {} if loaded.checkpoint.family.on_step_end else {"clean_caption": False}

    def inside() -> tuple[float, float]:
        began = time.perf_counter()
        output = generate(loaded, settings, [(0, 1)])
        # Two figures: what the clock inside says, and what the whole call of ours took.
        return output.seconds, time.perf_counter() - began

    def bare() -> float:
        loaded.pipe.scheduler = samplers.scheduler(settings.sampler, loaded.scheduler_config)
        generator = torch.Generator("cpu").manual_seed(1)
        synchronize(loaded.device)
        began = time.perf_counter()
        loaded.pipe(
            PROMPT,
            num_inference_steps=steps,
            guidance_scale=settings.guidance,
            width=settings.width,
            height=settings.height,
            generator=generator,
            **extra,
        )
        synchronize(loaded.device)
        return time.perf_counter() - began

    inside(), bare()
    timed, whole = [], []
    for pair in range(pairs):
        if pair % 2:
            plain, (clock, outside) = bare(), inside()
        else:
            (clock, outside), plain = inside(), bare()
        timed.append(clock / plain)
        whole.append(outside / plain)
    return timed, whole


def main() -> None:
    """Print a line of ratios for every family."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=30, help="calls of each (%(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="denoising steps (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        config = Config(checkpoints=(Path(folder),), device=options.device)
        names = {"demo": "demo"} | {family: str(save_tiny(family, Path(folder) / family)) for family in FAMILIES}
        for title, name in names.items():
            loaded = pipelines.load(resolve(name, config), config)
            if title == "demo":
                print(f"{options.pairs} pairs of {options.steps}-step calls; {machine(loaded.device)}")
            parts = []
            for what, found in zip(("measured", "all of generate()"), ratios(loaded, options.pairs, options.steps), strict=True):  # fmt: skip # noqa: E501
                low, middle, high = statistics.quantiles(found, n=4)
                parts.append(f"{what} / bare call: median {middle:.3f}, quartiles {low:.3f} to {high:.3f}")
            print(f"{title if title == 'demo' else f'tiny {title}'}: {'; '.join(parts)}", flush=True)


if __name__ == "__main__":
    main()
