"""Build a Request from values typed on the page, in the API or on the command line."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from comparer.accelerators import stack
from comparer.accelerators.registry import Accelerator, parse_stack
from comparer.checkpoints.find import resolve
from comparer.checkpoints.spec import NAMES, Weights
from comparer.checkpoints.spec import parse as parse_weights
from comparer.config import Config
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.request.extend import append_arm
from comparer.request.parse import parse_prompts, parse_seeds, parse_size
from comparer.request.request import EQUAL_TIME, EXTRA_MEASUREMENTS, Arm, Request, Settings, fewer, usual_repeat_seconds
from comparer.request.validate import validate
from comparer.stats.verdict import DEFAULT, Thresholds
from comparer.text import quote

FIVE = ("DeepCache", "ToMe", "T-GATE", "DeepCache+T-GATE")
"""With the baseline, the five arms that people ask for most."""


def build_request(
    config: Config,
    prompt: str,
    checkpoint: str = "demo",
    accelerators: Sequence[str | tuple[Accelerator, ...]] | None = None,
    negative_prompt: str = "",
    sampler: str | None = None,
    steps: Any = None,
    guidance: Any = None,
    size: str | int | tuple[Any, Any] | None = None,
    seeds: str = "0",
    batch_size: Any = 1,
    warmups: Any = 1,
    noise: str = "cpu",
    guidance_rescale: Any = 0.0,
    repeats: Any = 1,
    also: Sequence[str] = (),
    scorer: str | None = "",
    variants: Sequence[str] = (),
    thresholds: Thresholds = DEFAULT,
    repeat_seconds: Any = None,
) -> Request:
    """Build and validate a request; None selects the checkpoint's own default.

    Args:
        config: folders and limits.
        prompt: one prompt per line.
        checkpoint: a catalogue or local name, optionally with a selection of weights, as parsed by ``spec.parse``.
        accelerators: one arm each, as text ("DeepCache(interval=3)+T-GATE"; omitted parameters take the usual values
            for the checkpoint's family and the steps) or as a built stack; default: DeepCache. With variants, at most
            one, which is applied to every arm; default: none.
        negative_prompt: shared by all prompts.
        sampler: a name of ``models.samplers``.
        steps: denoising steps.
        guidance: guidance scale.
        size: "512", "512x768" or (width, height) in pixels.
        seeds: as parsed by ``parse_seeds``.
        batch_size: images per call.
        warmups: untimed calls per arm.
        noise: "cpu" or "device".
        guidance_rescale: 0 to 1.
        repeats: timed calls per batch.
        also: optional measurements, names of ``request.EXTRA_MEASUREMENTS``.
        scorer: as for ``scorers.choose``; None and "" select the checkpoint's own.
        variants: one arm each, with other weights than the baseline's: another checkpoint, or changes to the
            baseline's, as parsed by ``spec.parse``.
        thresholds: from which speed-up an arm is faster, and below which loss of score quality is kept.
        repeat_seconds: seconds for extra timed turns; None for 20, or the installation's limit if that is lower.

    Raises:
        ComparerError: a value is not allowed; one sentence names the value and what is allowed.
    """
    texts = {"Prompt": prompt, "Checkpoint": checkpoint, "Negative prompt": negative_prompt, "Sampler": sampler}
    texts["Scorer"] = scorer
    for name, text in texts.items():
        # gradio serves any {"path": ...} in a response as a file, so only text may be stored in a record.
        if text is not None and not isinstance(text, str):
            raise ComparerError(f"{name} is not text.")
    variants = [variants] if isinstance(variants, str) and variants else variants or []
    if not isinstance(variants, Sequence) or not all(isinstance(text, str) for text in variants):
        raise ComparerError('The checkpoints to compare are not a list: write them as ["weights=raw"].')
    if accelerators is None:
        accelerators = [] if variants else ["DeepCache"]
    if not isinstance(accelerators, Sequence) or not all(isinstance(a, str | tuple) for a in accelerators):
        raise ComparerError('The accelerators are not a list: write them as ["DeepCache(interval=3)"].')
    accelerators = [accelerators] if isinstance(accelerators, str) else accelerators
    if (number := max(len(accelerators), len(variants))) > config.limits.pictures:
        raise ComparerError(f"{number} arms were requested: at most {config.limits.pictures} are allowed.")
    also = [also] if isinstance(also, str) and also else also or []
    if not isinstance(also, Sequence) or not all(isinstance(name, str) for name in also):
        raise ComparerError(f"The extra measurements are not a list: choose among {', '.join(EXTRA_MEASUREMENTS)}.")
    weights = parse_weights(checkpoint or "")
    others = [parse_weights(text, weights) for text in variants]
    model = resolve(weights, config).model
    if size is None or size == "":
        size = (model.size, model.size)
    width, height = size if isinstance(size, tuple) else parse_size(size)
    steps = model.steps if steps is None else _whole(steps)

    def usual(kind: type[Accelerator]) -> dict[str, Any]:
        return kind.usual(model.family, steps) if isinstance(steps, int) else {}  # otherwise refused below

    built = [a if isinstance(a, tuple) else parse_stack(a, usual) for a in accelerators]
    settings = Settings(
        prompts=parse_prompts(prompt or ""),
        negative_prompt=(negative_prompt or "").strip(),
        sampler=samplers.canonical(sampler) if sampler else model.sampler,
        steps=steps,
        guidance=model.guidance if guidance is None else guidance,
        width=_whole(width),
        height=_whole(height),
        seeds=parse_seeds(seeds, config.limits.pictures),
        batch_size=_whole(batch_size),
        guidance_rescale=guidance_rescale,
        **{name: getattr(weights, name) for name in NAMES},
    )
    if others:
        arms = _variants([weights, *others], built)
    else:
        arms = [Arm("Baseline"), *(Arm(stack.label(accelerators), accelerators) for accelerators in built)]
    wanted = dict.fromkeys(also)
    if EQUAL_TIME in wanted and others:
        raise ComparerError("The equal-time control is for accelerated arms, not for checkpoints: leave it out.")
    if EQUAL_TIME in wanted:
        arms += [each for number, arm in enumerate(arms) if arm.accelerators for each in fewer(number, arm)]
    measured = tuple(name for name in wanted if name != EQUAL_TIME)
    request = Request(
        settings,
        tuple(arms),
        _whole(warmups),
        noise,
        _whole(repeats),
        measured,
        (scorer or "").strip(),
        thresholds,
        usual_repeat_seconds(config.limits) if repeat_seconds is None else repeat_seconds,
        config.limits,
    )
    validate(request, config)
    return request


def with_arm(config: Config, request: Request, text: str) -> Request:
    """Append an arm to a request: accelerators as text, or other weights if the request compares checkpoints.

    Args:
        config: folders and limits.
        request: the request of a run to be resumed.
        text: "ToMe(ratio=0.5)", "DeepCache+T-GATE", or "weights=raw", as for ``build_request``.

    Raises:
        ComparerError: a value is not allowed; one sentence names the value and what is allowed.
    """
    settings = request.settings
    if not text or not text.strip():
        raise ComparerError("The arm is empty: write an accelerator, such as ToMe(ratio=0.5).")
    if request.variants():
        weights = parse_weights(text, settings.weights)
        known = {arm.name for arm in request.arms}
        name = weights.text() if weights.label() in known else weights.label()
        arm = Arm(name, request.arms[0].accelerators, weights=weights)
    else:
        family = resolve(settings.weights, config).model.family
        built = parse_stack(text, lambda kind: kind.usual(family, settings.steps))
        arm = Arm(stack.label(built), built)
    asked = append_arm(replace(request, limits=config.limits), arm)
    validate(asked, config)
    return asked


def _variants(weights: Sequence[Weights], built: Sequence[tuple[Accelerator, ...]]) -> list[Arm]:
    """Build an arm for each of some weights, all with the same accelerators."""
    if len(built) > 1:
        raise ComparerError("Checkpoints are compared with one accelerator or stack on all arms, or with none.")
    applied = built[0] if built else ()
    labels = [each.label() for each in weights]
    named = [each.text() if labels.count(label) > 1 else label for each, label in zip(weights, labels, strict=True)]
    if len(set(named)) < len(named):
        twice = next(name for name in named if named.count(name) > 1)
        raise ComparerError(f"'{quote(twice)}' is given twice: its pictures would be equal.")
    changed = [None, *weights[1:]]
    return [Arm(name, applied, weights=each) for name, each in zip(named, changed, strict=True)]


def _whole(value: Any) -> Any:
    """Turn 25.0, as sliders and JSON send it, into 25; the request refuses what is no number."""
    return int(value) if isinstance(value, float) and value.is_integer() else value
