"""What the accelerators give, against what they skip: ``python benchmarks/speed_accelerators.py``.

For every accelerator and allowed stack, calls of three arms take turns: the baseline, the stack by Comparer, and
the same stack by its packages alone, as their READMEs say. Each has an unrecorded call first. A round's calls
make its ratios; a table has their geometric mean and range over the middle half of the rounds. Printed are

* the MAC ratio: how many times fewer multiply-accumulates the denoiser makes (counted, not measured);
* the measured speed-up of the denoiser and of the whole call;
* Comparer's call / the packages' call, and the same with applying and undoing inside the clock;
* peak memory where the device counts it, GB of 2³⁰ bytes, weights included;
* whether the final latents of all rounds are equal bit for bit, and equal to the packages'.

The demo checkpoint is measured, or tiny pipelines (``--families``: their mechanics, no speed), or the real
architectures with random weights (``--architecture-only``). All use DDIM: one evaluation a step.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

from common import PROMPT, alternate, arguments, center, load_average, machine, middle, pipelines_of, table
from speed_full_size import NAMES, native, remark
from speed_packages import applied, exists
from speed_published import PUBLISHED, Key, beside

from comparer.accelerators.base import denoiser_of
from comparer.accelerators.guard import guarded
from comparer.accelerators.registry import Accelerator, parse_stack
from comparer.accelerators.stack import why_not
from comparer.engine import macs
from comparer.engine.clock import synchronise
from comparer.engine.generate import generate
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.models.families.registry import FAMILIES
from comparer.models.libraries import prepare
from comparer.pipelines import loader, memory
from comparer.pipelines.device import choose_device, empty
from comparer.request import compatibility
from comparer.request.request import Request, Settings

Stack = tuple[Accelerator, ...]
SEED = 1
HEAD = (
    "stack", "MAC ratio", "speed-up, denoiser", "speed-up, whole call", "ours / package", "with applying and undoing",
    "peak memory", "rounds, baseline; stack", "latents and the package's",
)  # fmt: skip


@dataclass(frozen=True)
class Timed:
    """One call: seconds of the pipeline's call, of its denoising, and with applying and undoing; its end."""

    call: float
    denoising: float
    whole: float
    peak: int | None
    latents: Any


class Bench:
    """Calls of one pipeline with the settings of the moment; the seconds of all recorded baseline calls."""

    def __init__(self, loaded: loader.Loaded, settings: Settings) -> None:
        self.loaded, self.settings = loaded, settings
        self.latents: Any = None
        self.baselines: list[float] = []
        # The VAE's first layer sees the final latents; pictures of random weights would hide small differences.
        loaded.pipe.vae.post_quant_conv.register_forward_pre_hook(self._keep)

    def _keep(self, _layer: Any, inputs: tuple) -> None:
        self.latents = inputs[0]

    def ours(self, stack: Stack) -> Timed:
        """Make a call by Comparer."""
        began = time.perf_counter()
        output = generate(self.loaded, self.settings, [(0, SEED)], stack)
        whole = time.perf_counter() - began
        return Timed(output.seconds, output.stages["denoising"], whole, output.peak_bytes, self.latents.cpu())

    def package(self, stack: Stack) -> Timed:
        """Make a call by the packages, and put back what they leave behind."""
        loaded, pipe = self.loaded, self.loaded.pipe
        pipe.scheduler = samplers.scheduler(self.settings.sampler, loaded.scheduler_config)
        with guarded(denoiser_of(pipe)):
            memory.reset_peak(loaded.device)
            began = time.perf_counter()
            with applied(pipe, stack) as call:
                given = arguments(loaded, self.settings, SEED)
                synchronise(loaded.device)
                started = time.perf_counter()
                call(**given)
                synchronise(loaded.device)
                seconds = time.perf_counter() - started
            whole = time.perf_counter() - began
        return Timed(seconds, float("nan"), whole, memory.peak(loaded.device), self.latents.cpu())

    def row(self, stack: Stack, rounds: int) -> tuple[list[str], float]:
        """Measure a stack; return its row of the table and the speed-up of the whole call."""
        arms = [lambda: self.ours(()), lambda: self.ours(stack)]
        if exists(stack):
            arms.append(lambda: self.package(stack))
        seen = alternate(arms, rounds)
        base, ours = [r[0] for r in seen], [r[1] for r in seen]
        theirs = [r[2] for r in seen] if exists(stack) else []
        self.baselines += [call.call for call in base]
        config, family = self.loaded.checkpoint.denoiser, self.loaded.checkpoint.family.name
        kind = type(denoiser_of(self.loaded.pipe)).__name__
        pairs, against = list(zip(base, ours, strict=True)), list(zip(ours, theirs, strict=False))
        calls = [b.call / o.call for b, o in pairs]
        row = [
            short(stack),
            f"{macs.ratio(kind, config, self.settings, stack, family):.2f}",
            middle([b.denoising / o.denoising for b, o in pairs]),
            middle(calls),
            middle([o.call / p.call for o, p in against], 3) if theirs else "no package",
            middle([o.whole / p.whole for o, p in against], 3) if theirs else "–",
            f"{gigabytes(base)} → {gigabytes(ours)}" if ours[0].peak is not None else "not counted",
            f"{differ(base)}; {differ(ours)}",
            differ([ours[0], theirs[0]]) if theirs else "–",
        ]
        return row, center(calls)


def gigabytes(calls: Sequence[Timed]) -> str:
    """Write the highest peak of these calls."""
    return f"{max(call.peak or 0 for call in calls) / 2**30:.2f}"


def differ(calls: Sequence[Timed]) -> str:
    """Say whether the calls' final latents are equal, or by how much they differ of the largest value."""
    import torch

    first = calls[0].latents
    if not torch.isfinite(first).all():
        return "not finite"
    most = max(float((call.latents - first).abs().max()) for call in calls)
    return f"differ by {most / float(first.abs().max()):.1e}" if most else "equal"


def short(stack: Stack) -> str:
    """Write a stack with the parameters that are not the defaults."""
    parts = []
    for part in stack:
        changed = [f"{f.name}={getattr(part, f.name)!r}" for f in fields(part) if getattr(part, f.name) != f.default]
        parts.append(part.title + (f"({', '.join(changed)})" if changed else ""))
    return " + ".join(parts) or "Baseline"


def stacks(loaded: loader.Loaded, settings: Settings) -> list[Stack]:
    """List the stacks that can serve these settings, and those of published figures."""
    checkpoint = loaded.checkpoint
    found = compatibility.stacks(checkpoint.family.name, settings.steps)
    asked = [p for p in PUBLISHED if (p.model, p.steps) == (checkpoint.model.name, settings.steps)]
    found += [built for item in asked if (built := item.accelerators()) not in found]
    request = Request(settings)
    return [
        built
        for built in found
        if not why_not(built, request, checkpoint.family.name, checkpoint.denoiser, checkpoint.model.factor)
    ]


def chosen(options: argparse.Namespace, device: str) -> Iterator[tuple[str, loader.Loaded]]:
    """Yield a title and a pipeline, one at a time."""
    for name in options.architecture_only:
        empty()
        yield f"{name}, {remark(name, device)}", native(name, device, options.dtype)
    if not options.architecture_only:
        with pipelines_of(options.families, device, demo=not options.families) as each:
            yield from each


def measure(title: str, loaded: loader.Loaded, options: argparse.Namespace) -> dict[Key, float]:
    """Print the tables of one pipeline; return the speed-ups of the whole call."""
    model, found = loaded.checkpoint.model, {}
    size = options.size or model.size
    settings = Settings((PROMPT,), model.name, "", "DDIM", guidance=model.guidance, width=size, height=size)
    bench = Bench(loaded, settings)
    for steps in options.steps:
        bench.settings, bench.baselines = replace(settings, steps=steps), []
        wanted = [parse_stack(text) for text in options.accelerator] or stacks(loaded, bench.settings)
        rows = []
        for stack in wanted:
            if reason := why_not(
                stack, Request(bench.settings), model.family, loaded.checkpoint.denoiser, loaded.checkpoint.model.factor
            ):
                raise ComparerError(reason)
            row, found[model.name, steps, stack] = bench.row(stack, options.repeats)
            rows.append(row)
        print(
            f"\n{title}: {steps} steps, {size}×{size}, {loaded.dtype}, guidance {model.guidance:g}; "
            f"a baseline call took {center(bench.baselines):.2f} s\n"
        )
        print(table(HEAD, rows), flush=True)
    return found if size == model.size else {}


def main() -> None:
    """Measure what was asked for and print it as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--families", nargs="+", default=[], choices=FAMILIES, help="tiny pipelines of these families")
    parser.add_argument(
        "--architecture-only", nargs="+", default=[], choices=NAMES, metavar="NAME",
        help=f"real architectures with random weights: {', '.join(NAMES)}",
    )  # fmt: skip
    parser.add_argument("--accelerator", action="append", default=[], help="this stack alone; repeatable")
    parser.add_argument("--steps", nargs="+", type=int, default=[25], help="denoising steps (25)")
    parser.add_argument("--repeats", type=int, default=5, help="recorded rounds a stack (%(default)s)")
    parser.add_argument("--size", type=int, default=0, help="pixels a side (the model's own)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (%(default)s)")
    parser.add_argument("--dtype", default="auto", help="of --architecture-only, a torch type (%(default)s)")
    parser.add_argument("--published", action="store_true", help="print the published figures and measure nothing")
    options = parser.parse_args()
    if options.published:
        return print(beside({}))
    prepare()
    device, _ = choose_device(options.device)
    print(f"{options.repeats} rounds; {machine(device)}; {load_average()}", flush=True)
    found: dict[Key, float] = {}
    for title, loaded in chosen(options, device):
        found |= measure(title, loaded, options)
        del loaded  # or it would still be there while the next one is built
    if options.architecture_only:
        print(f"\nBeside the published figures:\n\n{beside(found, set(options.architecture_only))}")
    return None


if __name__ == "__main__":
    try:
        main()
    except ComparerError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
