"""How much memory each arm needs, and whether a comparison needs more than that: ``python benchmarks/cost_memory.py``.

Every figure is of a fresh process. On a CPU it is the peak resident set of the whole process, libraries and loading
included; on a GPU the peak of what torch had allocated there during the calls, weights included. First each arm has
processes of its own. Then all arms' calls are made in one process, and so are whole comparisons, of one arm and of
all, with scorer, counting and grid. Prints medians and ranges over the rounds. One machine, no absolute claim.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from common import PROMPT, load_average, machine, table
from speed_full_size import NAMES, native, remark

from comparer.accelerators.base import Accelerator
from comparer.accelerators.registry import parse_stack
from comparer.accelerators.stack import label
from comparer.checkpoints.find import resolve
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Finished
from comparer.engine.generate import generate
from comparer.engine.rss_probe import peak_of_process, peak_resident
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.pipelines import loader
from comparer.pipelines.device import choose_device
from comparer.request.request import Arm, Request, Settings

ACCELERATORS = ("DeepCache", "ToMe", "T-GATE", "DeepCache+T-GATE")
MIB = 2**20


def stack_of(text: str, options: argparse.Namespace) -> tuple[Accelerator, ...]:
    """Read an arm, "" for the baseline; parameters that are not given have the usual values for model and steps."""
    family = CATALOG[options.model].family
    return parse_stack(text, lambda kind: kind.usual(family, options.steps)) if text else ()


def settings_of(options: argparse.Namespace) -> Settings:
    """Return the settings of one batch."""
    model = CATALOG[options.model]
    size, seeds = options.size or model.size, tuple(range(options.batch_size))
    return Settings(
        (PROMPT,), model.name, "", "DDIM", options.steps, model.guidance, size, size, seeds, options.batch_size
    )


def inside(options: argparse.Namespace) -> dict[str, int]:
    """Make the calls of all arms or the whole comparison, in this process; return its peak, and the weights' bytes."""
    settings, config = settings_of(options), Config(device=options.device)
    stacks = [stack_of(text, options) for text in options.accelerator]
    if options.inside == "comparison":
        request = Request(settings, tuple(Arm(label(stack) or "Baseline", stack) for stack in stacks), warmups=0)
        with tempfile.TemporaryDirectory() as folder:
            (*_, last) = compare(request, config, into=Path(folder) / "run")
        assert isinstance(last, Finished) and last.comparison.state == "finished"
        device, weights = last.comparison.environment["device"], 0
        peaks = [call.peak_bytes for call in last.comparison.calls]
    else:
        real = not options.architecture_only
        loaded = (
            loader.load(resolve(options.model, config), config)
            if real
            else native(options.model, options.device, "auto")
        )
        items = Request(settings).batches()[0]
        peaks = [generate(loaded, settings, items, stack).peak_bytes for stack in stacks]
        parts = [part for part in loaded.pipe.components.values() if hasattr(part, "parameters")]
        device, weights = loaded.device, sum(p.nbytes for part in parts for p in part.parameters())
    return {"peak": peak_of_process() if device == "cpu" else max(peaks), "weights": weights}


def process(what: str, texts: Sequence[str], options: argparse.Namespace) -> dict[str, int]:
    """Return what ``inside`` finds in a fresh process."""
    given = vars(options) | {"inside": what, "accelerator": list(texts)}
    command = [sys.executable, __file__, "--inside", json.dumps(given)]
    told = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if told.returncode:
        sys.exit(told.returncode)  # it has said why
    return json.loads(told.stdout.splitlines()[-1])


def alone(text: str, options: argparse.Namespace) -> int:
    """Return one arm's peak in a process of its own, in bytes: on a CPU as Comparer measures it."""
    if options.device == "cpu" and not options.architecture_only:
        return peak_resident(settings_of(options), stack_of(text, options), Config())
    return process("calls", [text], options)["peak"]


def spread(values: Sequence[float], digits: int = 0) -> str:
    """Write the median and the range: ``501 (499 to 502)``."""
    written = f"{median(values):.{digits}f}"
    return f"{written} ({min(values):.{digits}f} to {max(values):.{digits}f})" if len(values) > 1 else written


def main() -> None:
    """Measure every arm alone, then together, and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--model", default="demo", choices=CATALOG, metavar="NAME", help="a model of the catalogue")
    parser.add_argument(
        "--architecture-only", action="store_true", help=f"random weights: nothing is downloaded; {', '.join(NAMES)}"
    )
    parser.add_argument("--accelerator", action="append", help=f"an arm; repeatable ({', '.join(ACCELERATORS)})")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each kind (%(default)s)")
    parser.add_argument("--steps", type=int, default=25, help="denoising steps (%(default)s)")
    parser.add_argument("--size", type=int, default=0, help="pixels a side (the model's own)")
    parser.add_argument("--batch-size", type=int, default=1, help="pictures a call (%(default)s)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda (%(default)s)")
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.inside:
        return print(json.dumps(inside(argparse.Namespace(**json.loads(options.inside)))))
    options.device, _ = choose_device(options.device)
    if options.device == "mps":
        raise ComparerError("torch counts no peak on mps: choose --device cpu.")
    load, texts = load_average(), ["", *(options.accelerator or ACCELERATORS)]
    shared = [(f"the calls of all {len(texts)} arms", "calls", texts)]
    if not options.architecture_only:
        shared.append(("a whole comparison of the baseline alone, scorer included", "comparison", texts[:1]))
        shared.append((f"a whole comparison of all {len(texts)} arms, scorer included", "comparison", texts))
    single: list[list[int]] = []
    together: list[list[dict[str, int]]] = []
    for _ in range(options.rounds):
        single.append([alone(text, options) for text in texts])
        together.append([process(kind, arms, options) for _, kind, arms in shared])
    settings = settings_of(options)
    print(f"{options.rounds} rounds; {machine(options.device)}; {load}\n")
    what = "resident set" if options.device == "cpu" else "allocated"
    weights = together[0][0]["weights"]
    made_up = f", {remark(options.model, options.device)}" if options.architecture_only else ""
    print(
        f"{options.model}{made_up}: {settings.steps} steps, {settings.width}×{settings.height}, batch "
        f"{settings.batch_size}, guidance {settings.guidance:g}; the weights take {weights / MIB:.0f} MiB\n"
    )
    rows = [
        [
            label(stack_of(text, options)) or "Baseline",
            spread([peaks[arm] / MIB for peaks in single]),
            spread([100 * peaks[arm] / peaks[0] for peaks in single], 1),
        ]
        for arm, text in enumerate(texts)
    ]
    print(table(("arm", f"peak {what}, MiB", "% of the baseline"), rows))
    hungriest = [max(peaks) for peaks in single]
    rows = [
        [
            title,
            spread([found[which]["peak"] / MIB for found in together]),
            spread([found[which]["peak"] / most for found, most in zip(together, hungriest, strict=True)], 3),
        ]
        for which, (title, _, _) in enumerate(shared)
    ]
    copies = 1 + (len(texts) - 1) * weights / median(hungriest)
    rows.append(["reckoned: if each arm had weights of its own", "–", f"{copies:.3f}"])
    print("\n" + table(("in one process", f"peak {what}, MiB", "/ the hungriest arm alone"), rows))
    return None


if __name__ == "__main__":
    try:
        main()
    except ComparerError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
