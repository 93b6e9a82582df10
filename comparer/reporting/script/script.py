"""Export a pair as a script that reproduces and checks it with diffusers and the accelerator's package. No torch."""

import re
from pathlib import Path
from typing import Any

from comparer.accelerators.recipe import CANNOT, Recipe, RecipeContext
from comparer.accelerators.stack import label
from comparer.atomic import write_text
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.models.families.base import Family
from comparer.models.families.registry import FAMILIES
from comparer.reporting.script.accelerators import recipe_of
from comparer.reporting.script.weights import Loading, loading, plain
from comparer.request.request import Settings
from comparer.results.comparison import Comparison
from comparer.results.figures import figures
from comparer.results.records import Shot
from comparer.text import quote, slug

TEMPLATE = Path(__file__).with_suffix(".txt")
LEAST_PSNR = 30  # dB; docs/exports.md says on what it was set
# The schedulers that take Karras's sigmas, and those that clip latents (a test compares with diffusers).
KARRAS = {"EulerDiscreteScheduler", "DPMSolverMultistepScheduler", "UniPCMultistepScheduler", "HeunDiscreteScheduler"}
CLIPPING = {"DDIMScheduler", "HeunDiscreteScheduler", "LCMScheduler"}


def save_script(comparison: Comparison, folder: Path, arm: int, prompt: int, seed: int) -> Path:
    """Save the script of a pair in a run's folder, beside its images; return its path.

    Arguments and errors as for ``script``.
    """
    text = script(comparison, folder, arm, prompt, seed)
    path = folder / f"reproduce-{arm}-{slug(comparison.request.arms[arm].name)}_p{prompt + 1:03}_s{seed}.py"
    write_text(path, text)
    return path


def script(comparison: Comparison, folder: Path, arm: int, prompt: int, seed: int) -> str:
    """Return a Python script that reproduces the baseline's and an arm's image without Comparer, and checks them.

    Args:
        comparison: the run.
        folder: the run's folder; its name appears in the script.
        arm: the arm's position; 0 for the baseline alone.
        prompt: the prompt's number, from 0.
        seed: the image's seed.

    Raises:
        ComparerError: there is no such image, or diffusers and the packages have no documented way to reproduce it.
    """
    if not 0 <= arm < len(comparison.request.arms):
        raise ComparerError(f"There is no arm {arm}: choose 0 (the baseline) to {len(comparison.request.arms) - 1}.")
    arms = [0, arm] if arm else [0]
    shots = [_shot(comparison, each, prompt, seed) for each in arms]
    ways = [_way(comparison, each) for each in arms]
    other = comparison.request.arms[arm].weights is not None
    if len({FAMILIES[comparison.card(each)["family"]].call for each in arms}) > 1:
        raise ComparerError(f"{CANNOT} the pipelines of the two arms are called in different ways.")
    loads = [loading(comparison, 0), *([loading(comparison, arm, "arm-")] if other else [])]
    values = _values(comparison, shots, ways, loads) | {"run": repr(folder.name)}
    text = TEMPLATE.read_text(encoding="utf-8")
    # Substitute in one pass: inserted text may itself contain marks.
    return re.sub(r"@(\w+)@", lambda mark: values[mark[1]], text)


def _shot(comparison: Comparison, arm: int, prompt: int, seed: int) -> Shot:
    found = comparison.shot(arm, prompt, seed)
    if not found:
        name = quote(comparison.request.arms[arm].name)
        raise ComparerError(f"There is no picture of {name} for prompt {prompt + 1} and seed {seed}.")
    if not found.pixels:
        raise ComparerError(f"{CANNOT} the run is too old to have the hashes of its pictures.")
    return found


def _way(comparison: Comparison, arm: int) -> Recipe:
    environment, conditions = comparison.environment, comparison.conditions.get(arm)
    asked = RecipeContext(
        comparison.request.settings_of(arm), FAMILIES[comparison.card(arm)["family"]],
        environment["offload"], environment["device"], conditions.timesteps if conditions else (),
    )  # fmt: skip
    return recipe_of(comparison.request.arms[arm].accelerators, asked)


def _values(comparison: Comparison, shots: list[Shot], ways: list[Recipe], loads: list[Loading]) -> dict[str, str]:
    """Return what stands at each of the template's marks."""
    request, environment = comparison.request, comparison.environment
    settings, family = request.settings, FAMILIES[comparison.checkpoint["family"]]
    items = comparison.batches[comparison.calls[shots[-1].call].batch]
    paths = {name: where for load in loads for name, where in load.paths.items()}
    needs = dict.fromkeys(name for each in ways for name in each.needs)
    packages = ["torch", "diffusers", "transformers", *needs]
    return {
        "what": "two pictures" if len(shots) > 1 else "a picture",
        "them": "them" if len(shots) > 1 else "it",
        "requirements": _requirements(environment, packages, any(load.loras for load in loads)),
        "usage": ", ".join([*(f"--{name} PATH" for name in paths), "--device DEVICE", "--save FOLDER"]),
        "imports": _imports(settings.sampler, ways, loads),
        "prompts": _listed([settings.prompts[number] for number, _ in items]),
        "negative_prompt": repr(settings.negative_prompt),
        "seeds": repr([seed for _, seed in items]),
        "checked": repr(items.index((shots[-1].prompt, shots[-1].seed))),
        "width": repr(settings.width),
        "height": repr(settings.height),
        "guidance": repr(settings.guidance),
        "warmups": repr(request.warmups),
        "paths": _listed(paths),
        "on_the_hub": repr([name for load in loads for name in load.hub]),
        "arms": _listed([_arm(comparison, shot, each) for shot, each in zip(shots, ways, strict=True)]),
        "speed_up": repr(round(figures(comparison, shots[-1].arm).speed_up or 1, 4)),
        "made_with": _listed(_made_with(environment, packages)),
        "least_psnr": repr(LEAST_PSNR),
        "distances": _distances(comparison),
        "sampler": _sampler(settings.sampler),
        "load": "\n\n\n".join(
            _load(load, name, environment) for load, name in zip(loads, ("load", "load_arm"), strict=False)
        ),
        "accelerated": "\n\n\n".join(_functions(comparison, shots, ways).values()),
        "tf32": _tf32(environment),
        "noise": _noise(request.noise),
        "arguments": _arguments(family, settings),
        "demo": " (the demo is assets/demo of Comparer's repository)" if "assets/demo" in paths.values() else "",
        "runs": _runs(comparison, shots, ways, len(loads) > 1),
    }


def _listed(values: list | dict) -> str:
    """Write a list or a dictionary with a line for every entry; ``repr`` makes any text harmless."""
    if isinstance(values, dict):
        lines, (begin, end) = [f"{key!r}: {value!r}," for key, value in values.items()], "{}"
    else:
        lines = [f"{_listed(value) if isinstance(value, dict) else repr(value)}," for value in values]
        begin, end = "[]"
    return "\n".join([begin, *(f"    {line}" for each in lines for line in each.split("\n")), end])


def _requirements(environment: dict, packages: list[str], lora: bool) -> str:
    versions = environment["versions"]
    for name in (known := [name for name in packages if name in versions]):
        plain(versions[name], r"[\w.+-]+", f"the version of {name}")
    exact = [f"{name}=={versions[name].partition('+')[0]}" for name in known]
    return " ".join([*exact, "accelerate", "numpy", "pillow", *(["peft"] if lora else [])])


def _imports(sampler: str, ways: list[Recipe], loads: list[Loading]) -> str:
    classes = {("diffusers", samplers.find(sampler).class_name), *(each for load in loads for each in load.classes)}
    lines = {line for each in ways for line in each.imports}
    for package in {package for package, _ in classes}:
        lines.add(f"from {package} import {', '.join(sorted(kind for of, kind in classes if of == package))}")
    return "\n".join(sorted(lines, key=lambda line: line.split()[1].lower()))


def _arm(comparison: Comparison, shot: Shot, made: Recipe) -> dict[str, Any]:
    """Return what is recorded of a picture."""
    name = "".join(c if c.isprintable() else "?" for c in quote(comparison.request.arms[shot.arm].name))
    file, seconds = Path(shot.file).name, comparison.calls[shot.call].seconds
    return {"name": name, "file": file, "pixels": shot.pixels, "seconds": round(seconds, 6), "differs": made.differs}


def _made_with(environment: dict, packages: list[str]) -> dict[str, Any]:
    on_gpu = environment["device"] != "cpu"
    processor = environment["device_name"] if on_gpu else environment.get("processor")
    found = {"device": environment["device"], "processor": processor, "threads": environment["threads"]}
    versions = {name: environment["versions"][name] for name in packages if name in environment["versions"]}
    return {name: value for name, value in (found | versions).items() if value is not None}


def _distances(comparison: Comparison) -> str:
    found = comparison.seed_distance
    return f"Other seeds of this run have {found.psnr:.0f}." if found and found.psnr else "Other seeds have 10 to 25."


def _sampler(name: str) -> str:
    """Write a function that builds the sampler as ``models.samplers.scheduler`` does."""
    kind = samplers.find(name)
    given = dict(kind.arguments)
    if kind.class_name in KARRAS:
        given.setdefault("use_karras_sigmas", False)
    said = [f"{key}={value!r}" for key, value in given.items()]
    if kind.class_name in CLIPPING:
        said.append('clip_sample=config.get("clip_sample", False)')
    return (
        "def sampler(config):\n"
        f'    """Build the sampler for the noise schedule that the checkpoint was trained with."""\n'
        f"    return {kind.class_name}.from_config({', '.join(['config', *said])})"
    )


def _load(load: Loading, name: str, environment: dict) -> str:
    lines = [*load.lines, "pipe.scheduler = sampler(pipe.scheduler.config)"]
    lines.append("pipe.set_progress_bar_config(disable=True)")
    vae = plain(environment["vae"], "whole|slicing|tiling", "the way of the autoencoder")
    offload = plain(environment["offload"], "none|model|sequential", "the offloading")
    if vae != "whole":
        lines.append(f"pipe.vae.enable_{vae}()")
    if offload == "none":
        lines.append("return pipe.to(options.device)")
    else:
        kind = offload.replace("model", "model_cpu")
        lines += [f"pipe.enable_{kind}_offload(device=options.device)", "return pipe"]
    return _function(name, "options", "Load the pipeline.", lines)


def _function(name: str, argument: str, says: str, lines: list[str]) -> str:
    body = "\n".join(f"    {line}" if line else "" for line in [f'"""{says}"""', *lines])
    return f"def {name}({argument}):\n{body}"


def _names(ways: list[Recipe]) -> list[str]:
    """Name each arm's way; equal ones are one function."""
    first, last = ways[0], ways[-1]
    name = "accelerated" if first.apply else "plain"
    other = "accelerated_arm" if first.apply else "accelerated"
    return [name, name if last == first else other][: len(ways)]


def _functions(comparison: Comparison, shots: list[Shot], ways: list[Recipe]) -> dict[str, str]:
    found = {}
    for name, shot, each in zip(_names(ways), shots, ways, strict=True):
        applied = label(comparison.request.arms[shot.arm].accelerators)
        says = f"Apply {applied} for one call; yield what is called." if applied else "Change nothing."
        lines = [*each.apply, "try:", f"    yield {each.call}", "finally:", *(f"    {line}" for line in each.undo)]
        lines = lines if each.undo else [*each.apply, f"yield {each.call}"]
        found[name] = "@contextmanager\n" + _function(name, "pipe", says, lines)
    return found


def _tf32(environment: dict) -> str:
    if environment.get("tf32") is None:
        return ""
    return f"    torch.backends.cuda.matmul.allow_tf32 = {environment['tf32']!r}\n"


def _noise(source: str) -> str:
    if source == "device":
        return (
            "    # One generator on the device draws the noise of the whole batch.\n"
            "    return torch.Generator(device).manual_seed(SEEDS[0])"
        )
    return (
        "    # A generator for every picture, on the CPU: its noise depends neither on the device nor on the batch.\n"
        '    return [torch.Generator("cpu").manual_seed(seed) for seed in SEEDS]'
    )


def _arguments(family: Family, settings: Settings) -> str:
    said = ["negative_prompt=[NEGATIVE_PROMPT] * len(PROMPTS),"] if settings.negative_prompt else []
    said += [f"guidance_rescale={settings.guidance_rescale!r},"] if settings.guidance_rescale else []
    said += [f"{argument.name}={argument.value!r},  # {argument.why}" for argument in family.call]
    return "".join(f"            {line}\n" for line in said)


def _runs(comparison: Comparison, shots: list[Shot], ways: list[Recipe], apart: bool) -> str:
    """Write the lines that make the pictures, one arm after the other."""
    lines = ["pipe = load(options)"]
    for position, (shot, name) in enumerate(zip(shots, _names(ways), strict=True)):
        if position and apart:
            lines += ["del pipe", "pipe = load_arm(options)"]
        steps = comparison.request.settings_of(shot.arm).steps
        lines.append(f"made.append(timed(pipe, {name}, {steps}, options.device))")
    return "\n".join(f"    {line}" for line in lines)
