"""The command line: the page's journey without a browser."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from comparer.accelerators.registry import REGISTRY
from comparer.checkpoints.find import loose_names, names, resolve, weight
from comparer.cli import check, evaluate, export, from_file, history, inspect, resume
from comparer.cli.progress import draw, run
from comparer.config import Config
from comparer.engine.fetch import fetch
from comparer.errors import ComparerError
from comparer.models import hub
from comparer.models.catalog import CATALOG
from comparer.models.samplers import SAMPLERS
from comparer.options import add_arguments, from_arguments
from comparer.request import compatibility
from comparer.request.build import FIVE, ask
from comparer.request.parse import read_prompts
from comparer.request.request import NOISE, NOISE_HELP, Request


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return the exit code: 0, 2 for what a person can mend, 3 for an arm not run, 130 after Ctrl-C."""
    options = _parser().parse_args(arguments)
    try:
        return options.command(options)
    except ComparerError as error:
        print(f"comparer: {error}", file=sys.stderr)
        return 2


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m comparer", description="Compare diffusion accelerators and checkpoints from the command line."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    run = commands.add_parser(
        "compare",
        help="make the baseline's and the other arms' pictures",
        description="Compare accelerators, or checkpoints.",
    )
    run.set_defaults(command=_compare)
    run.add_argument("prompt", nargs="*", help="what the pictures should show; several prompts, several rows")
    run.add_argument("--prompts", metavar="FILE", help="a text file with one prompt a line")
    run.add_argument(
        "--accelerator",
        action="append",
        default=[],
        metavar="A",
        help=f"one arm: {', '.join(REGISTRY)} with parameters, as 'DeepCache(interval=3)', or several on one "
        "pipeline, as 'DeepCache+T-GATE(gate_step=8)'; may be given more than once",
    )
    run.add_argument("--all-five", action="store_true", help=f"baseline and {', '.join(FIVE)}")
    run.add_argument(
        "--checkpoint",
        default="demo",
        metavar="CHECKPOINT",
        help="a name that 'checkpoints' lists, and which weights of it, as 'step_024000; weights=raw; base=demo' "
        "(%(default)s)",
    )
    run.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="one arm with other weights: another checkpoint, or what changes, as 'weights=raw', "
        "'lora=style.safetensors:0.8', 'vae=other', 'dtype=float16'; may be given more than once",
    )
    run.add_argument("--negative-prompt", default="", help="what the pictures should not show")
    run.add_argument("--sampler", help=f"one of {', '.join(SAMPLERS)} (the checkpoint's)")
    run.add_argument("--steps", type=_whole, help="denoising steps (the checkpoint's)")
    run.add_argument("--guidance", type=_number, help="classifier-free guidance (the checkpoint's)")
    run.add_argument("--guidance-rescale", type=_number, default=0.0, help="0 to 1 (%(default)s)")
    run.add_argument("--size", help="512 or 512x768, in pixels (the checkpoint's)")
    run.add_argument("--seeds", default="0", help="7, a list 1,2,3, a range 1-8, or -1 for a random one (%(default)s)")
    run.add_argument("--batch-size", type=_whole, default=1, help="pictures a call (%(default)s)")
    run.add_argument("--warmups", type=_whole, default=1, help="untimed calls an arm (%(default)s)")
    run.add_argument(
        "--repeats", type=_whole, default=1, help="timed calls of every batch, arms alternating (%(default)s)"
    )
    run.add_argument("--noise", default="cpu", metavar="|".join(NOISE), help=f"{NOISE_HELP} (%(default)s)")
    evaluate.add_measured(run)
    from_file.add(run)
    run.add_argument("--out", metavar="DIR", help="where the run folder is made (as --runs)")
    run.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(run)
    listing = commands.add_parser(
        "checkpoints", help="list what can be compared", description="List what can be compared."
    )
    listing.set_defaults(command=_checkpoints)
    add_arguments(listing, matter=("checkpoints", "hub"))
    resume.add(commands)
    evaluate.add(commands)
    export.add(commands)
    inspect.add(commands)
    check.add(commands)
    history.add(commands)
    works = commands.add_parser(
        "accelerators", help="show what runs with what, and why not", description="Show what runs with what."
    )
    works.set_defaults(command=_accelerators)
    get = commands.add_parser(
        "fetch", help="fetch a model from the hub", description="Fetch a model; what has come stays after Ctrl-C."
    )
    get.set_defaults(command=_fetch)
    get.add_argument("name", metavar="NAME", help="a model that 'checkpoints' lists as not here")
    get.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(get, matter=("hub", "device", "dtype"))
    return parser


def _whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text  # the request refuses it in its own words


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _compare(options: argparse.Namespace) -> int:
    if options.out:
        options.runs = options.out
    config = replace(from_arguments(options), own=True)
    request = from_file.ask(options, config) if options.source else _asked(options, config)
    return run(request, config, options)


def _asked(options: argparse.Namespace, config: Config) -> Request:
    return ask(
        config,
        "\n".join([*options.prompt, *([read_prompts(Path(options.prompts))] if options.prompts else [])]),
        options.checkpoint,
        [*(FIVE if options.all_five else ()), *options.accelerator] or None,
        options.negative_prompt,
        options.sampler,
        options.steps,
        options.guidance,
        options.size,
        options.seeds,
        options.batch_size,
        options.warmups,
        options.noise,
        options.guidance_rescale,
        options.repeats,
        options.also,
        options.scorer,
        options.variant,
    )


def _checkpoints(options: argparse.Namespace) -> int:
    config = from_arguments(options)
    for name in names(config):
        model = CATALOG.get(name)
        if model and not hub.here(model):
            print(f"{name:24} {model.title}: not here, {weight(model)}: python -m comparer fetch {name}")
            continue
        try:
            model = resolve(name, config).model
            print(f"{name:24} {model.title} ({model.size} px)")
        except ComparerError as error:
            print(f"{name:24} {error}")
    for name in loose_names(config):
        print(f"{name:24} not whole: weights over a base, as '{name}; base=demo', or a LoRA; inspect says which")
    return 0


def _accelerators(options: argparse.Namespace) -> int:
    print(compatibility.text())
    return 0


def _fetch(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    run = fetch(options.name, from_arguments(options))
    form = "{desc} |{bar}| {percentage:.0f}%{postfix}"
    with tqdm(desc="Looking", disable=options.quiet, bar_format=form) as bar:
        try:
            for event in run:
                bar.total, bar.n = event.total or None, event.done
                draw(bar, event)
        except KeyboardInterrupt:
            run.close()
            bar.close()
            print("Stopped; what has come is kept, and the same command goes on from there.", file=sys.stderr)
            return 130
    print(f"{CATALOG[options.name].title} is here.")
    return 0
