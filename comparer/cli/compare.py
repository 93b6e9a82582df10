"""``python -m comparer compare``: run a comparison."""

import argparse
import sys
from dataclasses import replace
from typing import Any

from comparer.accelerators.registry import REGISTRY
from comparer.cli import evaluate, from_file
from comparer.cli.progress import run
from comparer.config import Config
from comparer.evaluation.sweep import prompts_of
from comparer.models.samplers import SAMPLERS
from comparer.options import add_arguments, from_arguments
from comparer.request import prompt_sets
from comparer.request.build import FIVE, build_request
from comparer.request.prompt_syntax import lora_hints
from comparer.request.request import NOISE, NOISE_HELP, REPEAT_HELP, Request
from comparer.text import printable


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "compare",
        help="generate and measure the images of the baseline and the other arms",
        description="Compare accelerators, or checkpoints.",
    )
    parser.set_defaults(command=_compare)
    parser.add_argument("prompt", nargs="*", help="what the images show; each prompt is one row")
    parser.add_argument("--prompts", metavar="SET|FILE", help=prompt_sets.HELP)
    parser.add_argument(
        "--accelerator",
        action="append",
        default=[],
        metavar="A",
        help=f"an arm: {', '.join(REGISTRY)} with parameters, such as 'DeepCache(interval=3)', or several on one "
        "pipeline, as 'DeepCache+T-GATE(gate_step=8)'; may be given more than once",
    )
    parser.add_argument("--all-five", action="store_true", help=f"baseline and {', '.join(FIVE)}")
    parser.add_argument(
        "--checkpoint",
        default="demo",
        metavar="CHECKPOINT",
        help="a name that 'checkpoints' lists, and which weights of it, as 'step_024000; weights=raw; base=demo' "
        "(%(default)s)",
    )
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="CHECKPOINT",
        help="one arm with other weights: another checkpoint, or what changes, as 'weights=raw', "
        "'lora=style.safetensors:0.8', 'vae=other', 'dtype=float16'; may be given more than once",
    )
    parser.add_argument("--negative-prompt", default="", help="what the images must not show")
    parser.add_argument("--sampler", help=f"one of {', '.join(SAMPLERS)} (the checkpoint's)")
    parser.add_argument("--steps", type=_whole, help="denoising steps (the checkpoint's)")
    parser.add_argument("--guidance", type=_number, help="classifier-free guidance (the checkpoint's)")
    parser.add_argument("--guidance-rescale", type=_number, default=0.0, help="0 to 1 (%(default)s)")
    parser.add_argument("--size", help="512 or 512x768, in pixels (the checkpoint's)")
    parser.add_argument(
        "--seeds", default="0", help="7, a list 1,2,3, a range 1-8, or -1 for a random one (%(default)s)"
    )
    parser.add_argument("--batch-size", type=_whole, default=1, help="images per call (%(default)s)")
    parser.add_argument("--warmups", type=_whole, default=1, help="untimed calls per arm (%(default)s)")
    parser.add_argument(
        "--repeats", type=_whole, default=1, help="timed calls per batch; the arms alternate (%(default)s)"
    )
    parser.add_argument("--repeat-seconds", type=_number, metavar="SECONDS", help=f"{REPEAT_HELP} (20)")
    parser.add_argument("--noise", default="cpu", metavar="|".join(NOISE), help=f"{NOISE_HELP} (%(default)s)")
    evaluate.add_measured(parser)
    from_file.add(parser)
    parser.add_argument("--out", metavar="DIR", help="folder for the run folder (as --runs)")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(parser)


def _whole(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text  # the request raises its own error


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _compare(options: argparse.Namespace) -> int:
    if options.out:
        options.runs = options.out
    config = replace(from_arguments(options), trusted=True)
    request = from_file.ask(options, config) if options.source else _asked(options, config)
    request = replace(request, thresholds=evaluate.thresholds(options, request.thresholds))
    for line in lora_hints(request.settings.prompts, request.settings.weights, config):
        print(f"comparer: {printable(line)}", file=sys.stderr)
    return run(request, config, options)


def _asked(options: argparse.Namespace, config: Config) -> Request:
    read = [prompts_of(prompt_sets.find(options.prompts), tell=print)] if options.prompts else []
    return build_request(
        config,
        "\n".join([*options.prompt, *read]),
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
        repeat_seconds=options.repeat_seconds,
    )
