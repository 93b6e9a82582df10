"""``python -m comparer evaluate``: run a batch evaluation from a terminal, a script or a job queue."""

import argparse
import sys
from contextlib import closing
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

from comparer.cli.progress import progress_bar
from comparer.config import Config
from comparer.engine.events import Finished
from comparer.errors import ComparerError
from comparer.evaluation import assertions, batch, sweep
from comparer.evaluation.batch import Evaluation, ExperimentCard
from comparer.metrics.scorers import SCORERS
from comparer.models.samplers import SAMPLERS
from comparer.options import add_arguments, from_arguments
from comparer.request import prompt_sets
from comparer.request.parse import parse_prompts
from comparer.request.prompt_files import first_two
from comparer.request.prompt_syntax import lora_hints
from comparer.request.request import EXTRA_MEASUREMENTS, NOISE, NOISE_HELP, REPEAT_HELP
from comparer.stats.verdict import DEFAULT, Thresholds
from comparer.text import counted, printable, quote

SAMPLES = 48  # prompts of the checkpoint's set, where neither --prompts nor --num-samples is given
SEVERAL = {"checkpoint": str, "sampler": str, "steps": int, "guidance": float, "size": str, "guidance_rescale": float}
GUIDANCE = "guidance as in diffusers, where 1 means none; papers with v = (1 + w)·cond − w·uncond have w = guidance − 1"
TOLD = {"guidance": GUIDANCE, "sampler": f"one or more of {', '.join(SAMPLERS)}; several are run in all combinations"}


def add_measured(parser: argparse.ArgumentParser) -> None:
    """Add the optional measurements and verdict thresholds shared by ``compare`` and ``evaluate``."""
    told = "; ".join(f"{name}: {what}" for name, what in EXTRA_MEASUREMENTS.items())
    parser.add_argument(
        "--also", action="append", default=[], metavar="X", help=f"an additional measurement; may be repeated. {told}"
    )
    parser.add_argument(
        "--scorer",
        default="",
        metavar="NAME",
        help=f"the score that decides about quality: {', '.join(SCORERS)}, or ARCHITECTURE=FILE for weights on this "
        "machine; docs/metrics.md says what each measures (a CLIP score)",
    )
    add_thresholds(parser, f"{DEFAULT.speed_up:g}", f"{DEFAULT.clip_loss:g}")


def add_thresholds(parser: argparse.ArgumentParser, speed_up: str, clip_loss: str) -> None:
    """Add the verdict thresholds; the texts say what they are if left out."""
    parser.add_argument(
        "--worthwhile", type=float, metavar="X", help=f"an arm is faster from this speed-up on ({speed_up})"
    )
    parser.add_argument(
        "--bearable", type=float, metavar="SHARE",
        help=f"lost share of the score that is too high; 0.02 is 2 %% ({clip_loss})",
    )  # fmt: skip


def thresholds(options: argparse.Namespace, usual: Thresholds = DEFAULT) -> Thresholds:
    """Return the thresholds of the command line; those that it leaves out are the usual ones."""
    given = options.worthwhile, options.bearable
    return Thresholds(*(one if one is not None else other for one, other in zip(given, astuple(usual), strict=True)))


def add(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "evaluate",
        help="compare over many prompts and seeds, with a summary and assertions",
        description="Evaluate accelerators over many prompts and seeds. Flags override the file. Settings "
        "with several values are run in all combinations. Exit code 0: finished; 1: an assertion was missed; 2: a bad "
        "request; 3: an arm was not run, or pictures contain NaN or infinity; 130: interrupted, --resume continues it.",
    )
    parser.set_defaults(command=run)
    parser.add_argument("request", nargs="?", metavar="FILE", help="a request as .toml or .json, or a run.json")
    parser.add_argument("--prompts", metavar="SET|FILE", help=prompt_sets.HELP)
    parser.add_argument(
        "--num-samples",
        type=int,
        metavar="N",
        help=f"take the first N prompts (all of a file, {prompt_sets.FAIR_TEST} of a set; without --prompts, {SAMPLES} "
        "of the checkpoint's set)",
    )
    parser.add_argument("--arm", "--accelerator", action="append", metavar="A", help="as for compare; may be repeated")
    parser.add_argument("--seeds", help="as for compare (0)")
    parser.add_argument("--batch-size", type=int, help="images per call (1)")
    parser.add_argument("--repeats", type=int, help="timed calls per batch; the arms alternate (3)")
    parser.add_argument("--repeat-seconds", type=float, metavar="SECONDS", help=f"{REPEAT_HELP}, per run (0)")
    parser.add_argument("--warmups", type=int, help="untimed calls per arm (1)")
    parser.add_argument("--negative-prompt")
    parser.add_argument("--noise", metavar="|".join(NOISE), help=f"{NOISE_HELP} (cpu)")
    for name, kind in SEVERAL.items():
        told = TOLD.get(name, f"{name.replace('_', ' ')}; several values are run in all combinations")
        parser.add_argument(f"--{name.replace('_', '-')}", type=kind, nargs="+", metavar="X", help=told)
    add_measured(parser)
    parser.add_argument(
        "--assert",
        dest="assertions",
        action="append",
        default=[],
        metavar="A",
        help=f"such as speedup>=1.5 or clip_loss<=0.02: the whole interval must meet the bound; "
        f"{', '.join(assertions.known())}; or one of {', '.join(assertions.words())}",
    )
    for name in ("title", "purpose", "notes", "conclusion"):
        parser.add_argument(f"--{name}", default="", help=f"{name} on the experiment card")
    parser.add_argument("--tag", action="append", default=[], help="a tag on the card; may be repeated")
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--out", metavar="DIR", help="a new folder for the evaluation (default: in the runs folder, named by time)"
    )
    where.add_argument("--resume", metavar="DIR", help="resume the evaluation in this folder")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_arguments(parser)


def run(options: argparse.Namespace) -> int:
    """Run the evaluation, write the summary, and check the assertions; return the exit code."""
    from comparer.evaluation import summary

    config = replace(from_arguments(options), trusted=True)
    asked = [assertions.parse(text) for text in options.assertions]
    evaluation = _resumed(options, config) if options.resume else _begun(options, config)
    ended = _watch(evaluation, config, options.quiet)
    paths = summary.write(evaluation)
    made = [comparison for comparison in evaluation.comparisons() if comparison]
    print((paths[0]).read_text(encoding="utf-8"))
    print(f"Summary: {paths[0]}\nPairs:   {paths[1]}")
    if not ended:
        print(f"Stopped; resume with: python -m comparer evaluate --resume {evaluation.folder}", file=sys.stderr)
        return 130
    if any(comparison.incomplete for comparison in made):
        return 3
    missed = []
    for cell, comparison in zip(evaluation.cells, made, strict=True):
        for arm in range(1, len(comparison.request.arms)):
            if comparison.request.arms[arm].matches_time_of is not None:
                continue  # an equal-time baseline, not an accelerated arm
            name = ", ".join(filter(None, (cell.name, comparison.request.arms[arm].name)))
            for assertion in asked:
                why = assertion.miss(comparison, arm, evaluation.thresholds)
                missed += [f"{name}: {why}"] if why else []
    for line in missed:
        print(f"comparer: {line}", file=sys.stderr)
    return 1 if missed else 0


def _begun(options: argparse.Namespace, config: Config) -> Evaluation:
    # Prompts and repeats replicate the times already, and every run of a product would take its own extra turns.
    given: dict[str, Any] = {"accelerators": ["DeepCache"], "repeats": 3, "repeat_seconds": 0.0}
    given |= sweep.read_file(Path(options.request)) if options.request else {}
    for name in ("seeds", "batch_size", "repeats", "repeat_seconds", "warmups", "negative_prompt", "noise", *SEVERAL):
        if (value := getattr(options, name)) is not None:
            given[name] = value[0] if isinstance(value, list) and len(value) == 1 else value
    if options.arm:
        given["accelerators"] = options.arm
    if options.also:
        given["also"] = options.also
    if options.scorer:
        given["scorer"] = options.scorer
    if options.prompts or "prompt" not in given:
        source = prompt_sets.find(options.prompts) if options.prompts else _usual_set(given, config)
        number = SAMPLES if options.num_samples is None and not options.prompts else options.num_samples
        given["prompt"] = sweep.prompts_of(source, number, print)
    elif isinstance(given["prompt"], str):
        if options.num_samples is not None:
            given["prompt"] = sweep.first(given["prompt"], options.num_samples)
        prompts = parse_prompts(given["prompt"])
        file = Path(options.request)
        print(f"{printable(quote(file.name))}: {counted(len(prompts), 'prompt')} read. First: {first_two(prompts)}")
    cells = sweep.cells(config, given)
    settings = cells[0].request.settings
    for line in lora_hints(settings.prompts, settings.weights, config):
        print(f"comparer: {printable(line)}", file=sys.stderr)
    card = ExperimentCard(options.title, options.purpose, tuple(options.tag), options.notes, options.conclusion)
    folder = Path(options.out) if options.out else batch.new_folder(config.runs)
    return batch.begin(Evaluation(folder, cells, card, thresholds(options)))


def _usual_set(given: dict[str, Any], config: Config) -> prompt_sets.PromptSet:
    """Return the checkpoint's prompt set; the general one for several checkpoints that do not share one."""
    asked = given.get("checkpoint", "demo")
    every = [one for one in (asked if isinstance(asked, list) else [asked]) if isinstance(one, str)]
    found = {prompt_sets.for_checkpoint(one, config) for one in every}
    return found.pop() if len(found) == 1 else prompt_sets.GENERAL


def _resumed(options: argparse.Namespace, config: Config) -> Evaluation:
    names = ("request", "prompts", "num_samples", "arm", "seeds", "batch_size", "repeats", "warmups", "negative_prompt")
    names += ("repeat_seconds", "noise", "also", "scorer", *SEVERAL, "title", "purpose", "notes", "conclusion", "tag")
    given = [name for name in (*names, "worthwhile", "bearable") if getattr(options, name) not in (None, "", [])]
    if given:
        raise ComparerError(f"--resume uses the settings of the evaluation: leave {given[0].replace('_', '-')} out.")
    return batch.load(Path(options.resume), config)


def _watch(evaluation: Evaluation, config: Config, quiet: bool) -> bool:
    """Run with a progress bar; return whether it came to its end."""
    cells = len(evaluation.cells)
    try:
        with closing(evaluation.run(config)) as events, progress_bar(quiet) as show:
            for number, event in events:
                show(event, f"{number + 1} of {cells}: " if cells > 1 else "")
                if isinstance(event, Finished) and event.comparison.state == "stopped":
                    return False
    except KeyboardInterrupt:
        return False
    return True
