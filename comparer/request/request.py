"""Request data: plain, validated, frozen dataclasses that round-trip through JSON. No torch.

Everything that can be validated without a model is validated here, with one sentence that names the value and what
is allowed. The page, the API and the command line all use these classes.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from comparer.accelerators.base import Accelerator
from comparer.accelerators.registry import from_json as accelerator_from_json
from comparer.accelerators.registry import to_json as accelerator_to_json
from comparer.checkpoints.spec import NAMES, Weights
from comparer.config import UNLIMITED, Limits
from comparer.errors import ComparerError
from comparer.models import samplers
from comparer.stats.verdict import DEFAULT, Thresholds
from comparer.text import quote

MAX_SEED = 2**32 - 1
NOISE = ("cpu", "device")
REQUEST_NAMES = {"extras": "also"}  # names in run.json, by attribute
ARM_NAMES = {"matches_time_of": "like"}
EXTRA_MEASUREMENTS = {
    "equal-time": "two more arms for each accelerated one: the baseline with fewer steps, below and above its time",
    "noise-floor": "how much the baseline differs from itself: one more untimed run of it, unless it is repeated",
    "divergence": "distance of the latents from the baseline's, step by step: the first call of every arm once more",
    "memory": "peak memory of every arm on a CPU, in a separate process; on a GPU it is always measured",
}
"""What can be measured on request, and what it takes."""
EQUAL_TIME = next(iter(EXTRA_MEASUREMENTS))
REPEAT_SECONDS = 20.0  # unless a request says otherwise
REPEAT_HELP = "seconds for extra timed turns after the images, until each speed-up is known to ±3 %%; 0 for none"
SIDES = BELOW, ABOVE = ("below", "above")
NOISE_HELP = "where the starting noise is drawn: cpu (the same on every device and in every batch) or device"


@dataclass(frozen=True)
class Settings:
    """Settings shared by every arm.

    Attributes:
        checkpoint: a catalogue name, or ``folder/name`` as the page lists local ones.
        prompts: one image per prompt and seed.
        negative_prompt: shared by all prompts; empty for none.
        sampler: a name of ``models.samplers``.
        steps: denoising steps, 1 to the limit.
        guidance: classifier-free guidance scale, 0 to the limit; 1 and less is off.
        guidance_rescale: 0 to 1, against over-exposure at high guidance (Lin et al. 2023, arXiv:2305.08891); 0 is
            off. PixArt does not support it.
        width, height: pixels, multiples of 8.
        seeds: 0 to 2³² − 1, no duplicates.
        batch_size: images per pipeline call.
        half, base, loras, vae, dtype, incomplete, prediction: weights of the checkpoint, as in ``Weights``.
    """

    prompts: tuple[str, ...]
    checkpoint: str = "demo"
    negative_prompt: str = ""
    sampler: str = "DDIM"
    steps: int = 25
    guidance: float = 4.0
    width: int = 128
    height: int = 128
    seeds: tuple[int, ...] = (0,)
    batch_size: int = 1
    guidance_rescale: float = 0.0
    half: str = ""
    base: str = ""
    loras: tuple[tuple[str, float], ...] = ()
    vae: str = ""
    dtype: str = ""
    incomplete: bool = False
    prediction: str = ""

    @property
    def weights(self) -> Weights:
        """Return the weights spec."""
        return Weights(**{name: getattr(self, name) for name in NAMES})


@dataclass(frozen=True)
class Arm:
    """One column of a comparison.

    Attributes:
        name: unique among the arms.
        accelerators: zero or more, in the order in which they are applied.
        steps: the arm's denoising steps if they differ from the settings'.
        matches_time_of: the position of the arm whose runtime this arm matches with fewer steps; the steps are chosen
            when that runtime is known. None for an independent arm.
        weights: the arm's weights if they differ from the settings'.
        side: of an arm that matches another's runtime: "below" for the most steps that take no longer, "above" for one
            step more; "" for the steps nearest in time, as records of earlier versions have them.
    """

    name: str
    accelerators: tuple[Accelerator, ...] = ()
    steps: int | None = None
    matches_time_of: int | None = None
    weights: Weights | None = None
    side: str = ""


def usual_repeat_seconds(limits: Limits) -> float:
    """Return the seconds for extra turns of a request that does not give them: ``REPEAT_SECONDS``, if allowed."""
    return min(REPEAT_SECONDS, limits.repeat_seconds)


def fewer(number: int, arm: Arm) -> list[Arm]:
    """Return the equal-time arms for the arm at this position: the baseline with fewer steps, below and above its time.

    Once their steps are chosen, they are called by them (``Request.with_steps``).
    """
    return [Arm(f"Fewer steps, {side} the time of {arm.name}", matches_time_of=number, side=side) for side in SIDES]


def unchosen(arms: Sequence[Arm]) -> tuple[Arm, ...]:
    """Return the arms without the steps that were chosen to match another arm's time, under their first names."""

    def open_(arm: Arm) -> Arm:
        if arm.matches_time_of is None:
            return arm
        first = (each.name for each in fewer(arm.matches_time_of, arms[arm.matches_time_of]) if each.side == arm.side)
        return replace(arm, steps=None, name=next(first, arm.name))

    return tuple(map(open_, arms))


@dataclass(frozen=True)
class Request:
    """Settings, arms and measurement options.

    Attributes:
        settings: settings shared by every arm.
        arms: the columns; the first is the baseline.
        warmups: untimed calls per arm and batch shape, before the timed ones.
        noise: where the starting noise is drawn: "cpu", one generator per image (the same start on every device and in
            every batch), or "device", one draw per batch on the device, as a server would.
        repeats: timed calls per batch; the images of the first one are kept.
        extras: optional measurements of ``EXTRA_MEASUREMENTS``.
        scorer: the score that decides, as for ``scorers.choose``; "" for the CLIP score that suits the checkpoint.
        thresholds: from which speed-up an arm is faster, and below which loss of score quality is kept.
        repeat_seconds: seconds for extra timed turns of one call after all batches; 0 for none, as in records of
            earlier versions.
        limits: limits of the installation; not saved.
    """

    settings: Settings
    arms: tuple[Arm, ...] = (Arm("Baseline"),)
    warmups: int = 1
    noise: str = "cpu"
    repeats: int = 1
    extras: tuple[str, ...] = ()
    scorer: str = ""
    thresholds: Thresholds = DEFAULT
    repeat_seconds: float = 0.0
    limits: Limits = field(default=Limits(), compare=False, repr=False)

    def __post_init__(self) -> None:
        """Validate everything that needs no model; ``ComparerError`` names the value and what is allowed."""
        s, limits = self.settings, self.limits
        if not s.prompts or any(not prompt.strip() for prompt in s.prompts):
            raise ComparerError("The prompt is empty: write what the picture should show, one prompt per line.")
        if len(s.prompts) > limits.prompts:
            raise ComparerError(f"There are {len(s.prompts)} prompts: at most {limits.prompts} are allowed.")
        for text in (*s.prompts, s.negative_prompt):
            if len(text) > limits.prompt:
                raise ComparerError(f"A prompt has {len(text)} characters: at most {limits.prompt} are allowed.")
            if re.search("[\ud800-\udfff]", text):
                raise ComparerError(f"The prompt '{quote(text)}' is not valid UTF-8: it contains half a character.")
        if len(set(s.prompts)) < len(s.prompts):
            raise ComparerError("A prompt is given twice: give each prompt once, and use several seeds to repeat it.")
        samplers.find(s.sampler)
        _between("Steps", s.steps, 1, limits.steps, whole=True)
        _between("Guidance", s.guidance, 0, limits.guidance)
        _between("Guidance rescale", s.guidance_rescale, 0, 1)
        for name, pixels in (("Width", s.width), ("Height", s.height)):
            _between(name, pixels, 8, limits.size, whole=True)
            if pixels % 8:
                raise ComparerError(f"{name} {pixels} is not a multiple of 8: try {round(pixels / 8) * 8}.")
        if not s.seeds:
            raise ComparerError("There is no seed: write a number, a list such as 1,2,3 or a range such as 1-8.")
        for seed in s.seeds:
            _between("Seed", seed, 0, MAX_SEED, whole=True)
        if len(set(s.seeds)) < len(s.seeds):
            raise ComparerError("A seed is given twice: give each seed once.")
        _between("Batch size", s.batch_size, 1, limits.batch_size, whole=True)
        _between("Warm-ups", self.warmups, 0, limits.warmups, whole=True)
        _between("Repeats", self.repeats, 1, limits.repeats, whole=True)
        _between("Seconds for repeats", self.repeat_seconds, 0, limits.repeat_seconds)
        if self.noise not in NOISE:
            raise ComparerError(f"There is no noise source '{quote(self.noise)}': choose one of {', '.join(NOISE)}.")
        for name in self.extras:
            if name not in EXTRA_MEASUREMENTS:
                raise ComparerError(
                    f"'{quote(name)}' cannot be measured: choose among {', '.join(EXTRA_MEASUREMENTS)}."
                )
        if not isinstance(self.scorer, str):
            raise ComparerError("The scorer is not text.")
        _ = s.weights  # raises if the weights spec is not allowed
        self._check_arms()
        names = Counter(arm.name for arm in self.arms)
        ((name, times),) = names.most_common(1)
        if times > 1:
            raise ComparerError(f"Two arms have the same name: {quote(name)}.")
        pictures = len(s.prompts) * len(s.seeds) * len(self.arms)
        if pictures > limits.pictures:
            raise ComparerError(
                f"{pictures} pictures were requested ({len(s.prompts)} prompts × {len(s.seeds)} seeds × "
                f"{len(self.arms)} arms): at most {limits.pictures} are allowed."
            )

    def _check_arms(self) -> None:
        if not self.arms or self.arms[0] != Arm(self.arms[0].name, self.arms[0].accelerators):
            raise ComparerError("The first arm is the baseline: it changes nothing in the settings.")
        variants, first = self.variants(), self.arms[0].accelerators
        if (variants or first) and any(arm.accelerators != first for arm in self.arms):
            raise ComparerError("Checkpoints are compared with the same accelerators on all arms, or with none.")
        for arm in self.arms:
            if arm.matches_time_of is not None and (arm.accelerators or arm.matches_time_of not in self.accelerated()):
                raise ComparerError(f"{quote(arm.name)} is not matched to an accelerated arm.")
            if arm.side not in ("", *SIDES) or (arm.side and arm.matches_time_of is None):
                raise ComparerError(f"{quote(arm.name)} is on no side of another arm's time: {quote(arm.side)}.")
            if arm.steps is not None:
                _between("Steps", arm.steps, 1, self.settings.steps, whole=True)

    def settings_of(self, arm: int) -> Settings:
        """Return the settings of this arm."""
        steps, weights = self.arms[arm].steps, self.arms[arm].weights
        changed = {} if weights is None else {name: getattr(weights, name) for name in NAMES}
        changed |= {} if steps is None else {"steps": steps}
        return replace(self.settings, **changed) if changed else self.settings

    def accelerated(self) -> list[int]:
        """List the positions of the arms whose accelerators differ from the baseline's, without equal-time arms."""
        first = self.arms[0].accelerators
        return [
            number for number, arm in enumerate(self.arms) if arm.accelerators != first and arm.matches_time_of is None
        ]

    def variants(self) -> list[int]:
        """List the positions of the arms with other weights than the baseline's."""
        return [number for number, arm in enumerate(self.arms) if arm.weights is not None]

    def traced(self) -> list[int]:
        """List the positions of the arms whose latents can be compared with the baseline's."""
        return sorted({*self.accelerated(), *self.variants()})

    def fewer_steps(self, arm: int) -> dict[str, int]:
        """Return the positions of the equal-time arms of this arm, by side: two, one in earlier records, or none."""
        return {other.side: number for number, other in enumerate(self.arms) if other.matches_time_of == arm}

    def with_steps(self, steps: Mapping[int, int]) -> "Request":
        """Give equal-time arms, by position, their chosen steps, and name them by these: "12 steps".

        Where another arm has that name already, it is "12 steps, in the time of ToMe(ratio=0.5)".
        """
        arms = list(self.arms)
        for number, chosen in steps.items():
            arm, known = arms[number], {other.name for place, other in enumerate(arms) if place != number}
            name = f"{chosen} step{'' if chosen == 1 else 's'}"
            if name in known and arm.matches_time_of is not None:
                name = f"{name}, in the time of {arms[arm.matches_time_of].name}"
            arms[number] = replace(arm, steps=chosen, name=name if arm.side else arm.name)
        return replace(self, arms=tuple(arms))

    def wanted(self) -> tuple[str, ...]:
        """List the names of ``EXTRA_MEASUREMENTS`` in this request, as ``build_request`` accepts them."""
        return (EQUAL_TIME, *self.extras) if any(arm.matches_time_of is not None for arm in self.arms) else self.extras

    def items(self) -> list[tuple[int, int]]:
        """List every (prompt number from 0, seed) in order: all seeds of the first prompt, then the next."""
        return [(p, seed) for p in range(len(self.settings.prompts)) for seed in self.settings.seeds]

    def batches(self) -> list[list[tuple[int, int]]]:
        """Split the items into batches, one per call; the last one may be smaller."""
        items, size = self.items(), self.settings.batch_size
        return [items[i : i + size] for i in range(0, len(items), size)]

    def to_json(self) -> dict:
        """Return plain data for ``json.dumps``."""
        arms = [
            {"name": arm.name, "accelerators": [accelerator_to_json(a) for a in arm.accelerators]}
            | {
                name: value
                for name, value in (("steps", arm.steps), ("like", arm.matches_time_of), ("side", arm.side))
                if value not in (None, "")
            }
            | ({"weights": arm.weights.to_json()} if arm.weights else {})
            for arm in self.arms
        ]
        return {
            "settings": asdict(self.settings),
            "arms": arms,
            "warmups": self.warmups,
            "noise": self.noise,
            "repeats": self.repeats,
            REQUEST_NAMES["extras"]: list(self.extras),
            "scorer": self.scorer,
            "thresholds": asdict(self.thresholds),
            "repeat_seconds": self.repeat_seconds,
        }

    @classmethod
    def from_json(cls, data: dict, limits: Limits = UNLIMITED) -> "Request":
        """Build a request from ``to_json``'s data; to run it here, give the installation's limits.

        Raises:
            ComparerError: a field is missing, unknown or out of range.
        """
        try:
            settings = dict(data["settings"])
            settings |= {"prompts": tuple(settings["prompts"]), "seeds": tuple(settings["seeds"])}
            settings |= {"loras": tuple((file, weight) for file, weight in settings.get("loras", ()))}
            arms = tuple(_arm(arm) for arm in data["arms"])
            measured = data["warmups"], data["noise"], data.get("repeats", 1), tuple(data.get("also", ()))
            more = data.get("scorer", ""), Thresholds(**data.get("thresholds", {})), data.get("repeat_seconds", 0.0)
            return cls(Settings(**settings), arms, *measured, *more, limits)
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise ComparerError(f"This is not a request of Comparer: {quote(error)}.") from error

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema

        return core_schema.no_info_plain_validator_function(cls.from_json)

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"title": cls.__name__}


def _arm(data: dict) -> Arm:
    weights, attribute = data.get("weights"), {name: each for each, name in ARM_NAMES.items()}
    return Arm(
        **{attribute.get(name, name): value for name, value in data.items()}
        | {
            "accelerators": tuple(accelerator_from_json(a) for a in data["accelerators"]),
            "weights": None if weights is None else Weights.from_json(weights),
        }
    )


def _between(name: str, value: Any, low: float, high: float, whole: bool = False) -> None:
    kind = "whole number" if whole else "number"
    if value in (None, ""):
        raise ComparerError(f"{name} is empty: write a {kind}.")
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ComparerError(f"{name} '{quote(value)}' is not a {kind}.")
    if not low <= value <= high:
        raise ComparerError(f"{name} {quote(value)} is out of range: {quote(low)} to {quote(high)} is allowed.")
