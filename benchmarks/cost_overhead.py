"""What Comparer's measuring costs: ``python benchmarks/cost_overhead.py``.

The same guided calls, alternately through ``generate`` (marks, progress, Stop, seeding) and in a bare script
(the pipeline's ``__call__`` between two readings of the clock), on the demo checkpoint and on a tiny pipeline of
every family with random weights. Prints the ratios of the wall times, pair by pair: the geometric mean and range
of the middle half of the pairs. One run, one machine, no absolute claim. The tiny pipelines are the worst case:
the networks are thousands of times smaller than the real ones, what surrounds them is not.
"""

import argparse
import time

from common import PROMPT, alternate, arguments, center, load_average, machine, middle, pipelines_of, table

from comparer.engine.clock import synchronise
from comparer.engine.generate import generate
from comparer.models import samplers
from comparer.models.families.registry import FAMILIES
from comparer.pipelines import loader
from comparer.request.request import Settings


def row(title: str, loaded: loader.Loaded, pairs: int, steps: int) -> list[str]:
    """Alternate the two; return a row: bare seconds, measured / bare, and all of ``generate`` / bare."""
    model = loaded.checkpoint.model
    settings = Settings(
        (PROMPT,), model.name, "", model.sampler, steps, model.guidance, width=model.size, height=model.size
    )

    def inside() -> tuple[float, float]:
        began = time.perf_counter()
        output = generate(loaded, settings, [(0, 1)])
        # Two figures: what the clock inside says, and what the whole call of ours took.
        return output.seconds, time.perf_counter() - began

    def bare() -> float:
        loaded.pipe.scheduler = samplers.scheduler(settings.sampler, loaded.scheduler_config)
        given = arguments(loaded, settings, seed=1)
        synchronise(loaded.device)
        began = time.perf_counter()
        loaded.pipe(**given)
        synchronise(loaded.device)
        return time.perf_counter() - began

    seen = alternate((inside, bare), pairs)
    seconds = center([plain for _, plain in seen])
    ratios = [[timed[which] / plain for timed, plain in seen] for which in (0, 1)]
    return [title, f"{seconds:.3f} s", *(middle(found, 3) for found in ratios)]


def main() -> None:
    """Print a table with a line for every family."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--pairs", type=int, default=30, help="calls of each (%(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="denoising steps (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (%(default)s)")
    options = parser.parse_args()
    load, rows = load_average(), []
    with pipelines_of(list(FAMILIES), options.device, demo=True) as each:
        for title, loaded in each:
            rows.append(row(title, loaded, options.pairs, options.steps))
    print(f"{options.pairs} pairs of {options.steps}-step calls; {machine(loaded.device)}; {load}\n")
    print(table(("pipeline", "bare call", "measured / bare", "all of generate() / bare"), rows))


if __name__ == "__main__":
    main()
