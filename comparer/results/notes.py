"""Notes beside the figures, and figures as text."""

from collections.abc import Callable
from typing import Literal

from comparer.demo.scenes import unknown_words
from comparer.request.prompt_syntax import SYNTAX, syntax_note
from comparer.results import extra_turns
from comparer.results.analysis import Analysis, ArmAnalysis
from comparer.results.comparison import Comparison
from comparer.results.equal_time import rivalry
from comparer.results.loaded_weights import apart, incomplete, unused
from comparer.results.marks import single_colour
from comparer.stats.intervals import Estimate
from comparer.stats.verdict import DEFAULT, about_levels
from comparer.text import counted, decimals, digits, gib, signed

WEIGHTED = SYNTAX  # a name of earlier versions


MOST_NOTES = 3


def notes(analysis: Analysis) -> list[str]:
    """List what must be known to read the figures, at most three sentences, the gravest first."""
    return _warnings(analysis)[:MOST_NOTES]


def measured(analysis: Analysis) -> list[str]:
    """List how the figures were measured: number of calls, levels, score model, memory; and further notes, if any."""
    return _warnings(analysis)[MOST_NOTES:] + _facts(analysis)


def _warnings(analysis: Analysis) -> list[str]:
    comparison = analysis.comparison
    request, scorer = comparison.request, comparison.scorer
    said = [f"{request.arms[failure.arm].name} was not run: {failure.reason}." for failure in comparison.not_run]
    if not any(each.figures.calls for each in analysis.arms):
        return said
    for number, column in enumerate(request.arms):
        if text := incomplete(comparison, number):
            said.append(f"{column.name} is {text}. Its pictures are not the checkpoint's.")
    if analysis.arms[0].not_comparable:
        said.append(f"{request.arms[0].name}: {analysis.arms[0].not_comparable}")
    for number in (0, *request.variants()):
        said += unused(comparison, number)
    said += [f"No effect: {reason}" for each in analysis.arms[1:] for reason in each.no_effect_reasons]
    said += single_colours(comparison)
    drift = analysis.drift
    if drift.value and drift.interval and not drift.interval.holds(1):
        late, low, high = (ratio(x, 1) for x in (drift.value, drift.interval.low, drift.interval.high))
        said.append(
            f"The machine changed during the run: late / early time of the baseline's calls is {late} "
            f"({low} to {high}). Pairs are protected from that, but their seconds are not those of a quiet machine."
        )
    if others := apart(comparison):
        said.append(
            f"The times of {_listed(others)} were not interleaved with the baseline's: their weights did not fit in "
            "memory together."
        )
    for number in scorer.truncated:
        said.append(f"Prompt {number + 1} is longer than the scorer's {scorer.context} tokens: its end was not scored.")
    if not scorer.name:
        said.append(f"Not scored: {scorer.why_not}.")
    if request.settings.checkpoint == "demo" and (strange := unknown_words(" ".join(request.settings.prompts))):
        said.append(f"The demo model has never seen: {', '.join(strange)}.")
    if syntax := syntax_note((*request.settings.prompts, request.settings.negative_prompt)):
        said.append(syntax)
    return said + comparison.remarks


def _facts(analysis: Analysis) -> list[str]:
    comparison = analysis.comparison
    request, scorer = comparison.request, comparison.scorer
    arms = [each.figures for each in analysis.arms if each.figures.calls]
    if not arms:
        return []
    figures = arms[-1]
    each = f" of {request.repeats} repeats" if request.repeats > 1 else ""
    what = "Times" if request.variants() else "Speed-up"
    said = [f"{what} of whole calls, n = {_calls(analysis, each)}, {counted(request.warmups, 'warm-up')}."]
    said += [text for text in extra_turns.sentences(comparison) if text != extra_turns.OFF] + _parts(comparison)
    if len(request.arms) > 1 and comparison.state != "running":
        said.append(about_levels(comparison.interim_looks, analysis.arms[1].evidence.arms))
    if comparison.reserved:
        held = sorted(comparison.reserved.items())
        each = "; ".join(f"{request.arms[arm].name} {gib(taken)}" for arm, taken in held)
        said.append(f"Peak memory is what torch allocated; in each arm's first warm-up it reserved {each}.")
    elif comparison.resident:
        said.append("Peak memory is the resident set of a process that made one call of the arm, libraries included.")
    if figures.peak_bytes is None and not comparison.resident:
        cpu = comparison.environment.get("device") == "cpu"
        how = "was not measured: on a CPU it needs a separate process, on request" if cpu else "is not counted here"
        said.append(f"Peak memory {how}.")
    if scorer.name:
        by = f"{scorer.title} by {scorer.name}{_sees(scorer.about)}"
        said.append(f"{by}, n = {counted(figures.scored, 'pair')}.")
        said += _above_floor(analysis)
    return said + _scale(analysis) + list(comparison.not_available)


def ratio(times: float, limit: float = DEFAULT.speed_up) -> str:
    """Format a speed-up with three significant digits, and more where it is near a limit.

    >>> ratio(2.1), ratio(12.34), ratio(0.914), ratio(1.0496), ratio(1.004, 1)
    ('2.10×', '12.3×', '0.914×', '1.0496×', '1.004×')
    """
    return f"{times:.{decimals([times], limit, min(digits(times), 3))}f}×"


def interval(estimate: Estimate, write: Callable[[float], str]) -> str:
    """Format a figure with its interval, "2.10× (2.00× to 2.21×)", or with the reason why it has none."""
    if estimate.value is None:
        return f"undefined: {estimate.why_not}"
    if estimate.interval is None:
        return f"{write(estimate.value)}, no interval: {estimate.why_not}"
    if estimate.constant:
        return f"{write(estimate.value)}, the same in all {estimate.n}"
    return f"{write(estimate.value)} ({write(estimate.interval.low)} to {write(estimate.interval.high)})"


def loss(share: float, limit: float = DEFAULT.clip_loss) -> str:
    """Format a CLIP loss with the digits that tell it apart from a limit; a gain is a negative loss.

    >>> loss(0.0063), loss(-0.0212), loss(-0.0001), loss(0.0196)
    ('0.6 %', '−2.1 %', '0.0 %', '1.96 %')
    """
    digits = decimals([100 * share], 100 * limit, 1)
    return f"{round(100 * share, digits) + 0.0:.{digits}f} %".replace("-", "−")  # + 0.0: never −0.0


def judged(each: ArmAnalysis) -> list[str]:
    """List the conclusions on an arm: verdict, comparison with fewer steps, similarity of its images, and spread."""
    comparison = each.whole.comparison
    if each.not_comparable:
        return [f"{each.arm.name}: {each.not_comparable}"]
    if not comparison.call_pairs(each.number):
        return []
    more = [fewer_steps(each, "sentence"), likeness(each), spread(each)]
    return [f"{each.arm.name}: {text}" for text in (each.verdict.sentence, *more) if text]


def fewer_steps(each: ArmAnalysis, part: Literal["said", "headline", "sentence"]) -> str:
    """Return a part of the comparison with fewer steps (``Rival``); "" if there is none, and while the run goes on."""
    comparison = each.whole.comparison
    found = rivalry(comparison, each.number) if each.number and comparison.state != "running" else None
    said: str = getattr(found, part) if found else ""
    return said


def spread(each: ArmAnalysis) -> str:
    """Describe the median and the worst of the arm's turns and pairs: "median turn 1.90×, worst 1.71×"."""
    said = []
    figures: list[tuple[str, Estimate, Callable[[float], str]]] = [("pair", each.clip_difference, signed)]
    if each.arm.weights is None:
        figures.insert(0, ("turn", each.speed_up, ratio))
    for noun, found, write in figures:
        if found.n > 1 and found.median is not None and found.worst is not None:
            what = f" in {each.whole.comparison.scorer.title}" if noun == "pair" else ""
            said.append(f"median {noun} {write(found.median)}, worst {write(found.worst)}{what}")
    return "; ".join(said)


def single_colours(comparison: Comparison) -> list[str]:
    """Name the arms with images of one single colour; void ones are black anyway, and are not named."""
    said = ((arm.name, single_colour(comparison, number)) for number, arm in enumerate(comparison.request.arms))
    return [f"{name}: {told}." for name, told in said if told]


def _sees(about: dict) -> str:
    """Say how a scorer sees pictures: " (224 px, bicubic, shortest)"."""
    seen = about.get("preprocessing", {})
    size = seen.get("size")
    pixels = f"{size[0] if isinstance(size, list) else size} px" if size else ""
    told = ", ".join(filter(None, (pixels, seen.get("interpolation"), seen.get("resize_mode"))))
    return f" ({told})" if told else ""


def _above_floor(analysis: Analysis) -> list[str]:
    """Say what share is lost of the part of the score that wrong prompts do not have."""
    floor, arms = analysis.comparison.scorer.floor, [arm for arm in analysis.arms[1:] if not arm.not_comparable]
    lost = [(arm.arm.name, arm.loss_above_floor.value) for arm in arms if not arm.arm.weights]
    told = [(name, loss(abs(share)), share < 0) for name, share in lost if share is not None]
    if floor is None or not told:
        return []
    if len(told) == 1:
        which = [f"{text} is {'gained' if gain else 'lost'}" for _, text, gain in told]
    else:
        which = [f"{name} {'gains' if gain else 'loses'} {text}" for name, text, gain in told]
    return [f"Of the score above that of wrong prompts ({floor:.1f}), {', '.join(which)}."]


def _scale(analysis: Analysis) -> list[str]:
    """Say what the likeness of two pictures is measured against."""
    said = []
    if noise := analysis.noise_floor:
        runs = f"{counted(noise.pairs, 'picture')} repeated"
        said.append(
            f"Noise floor: two runs of the baseline are identical ({runs})."
            if noise.identical == noise.pairs
            else "Noise floor: between two runs of the baseline colour values differ by "
            f"{noise.mean_difference:.2g} of 255 on average and by {noise.max_difference} at most; SSIM "
            f"{noise.ssim:.3f} ({runs})."
        )
    if seeds := analysis.comparison.seed_distance:
        pairs = counted(seeds.pairs, "pair")
        said.append(f"Seed distance: the baseline's seeds of one prompt have SSIM {seeds.ssim:.3f} ({pairs}).")
    return said


def likeness(each: ArmAnalysis) -> str:
    """Describe an arm's image similarity to the baseline: "SSIM 0.914: 12 % of the way ..."; "" if unknown."""
    found, place = each.similarity, each.relative_distance
    if found is None or place is None:
        return ""
    if found.identical == found.pairs:
        return f"{counted(found.pairs, 'pair')} of identical pictures"
    # Without a second seed there is no reference value.
    return f"SSIM {found.ssim:.3f}" + ("" if place.ssim is None else f": {place.text}")


def _calls(analysis: Analysis, each: str) -> str:
    """Count the calls that the speed-ups rest on: those that both the baseline and the arm have made."""
    comparison = analysis.comparison
    arms = [arm.number for arm in analysis.arms[1:] if arm.figures.calls]
    made = {(call.arm, call.batch, call.repeat) for arm in analysis.arms for call in arm.calls}
    void = len(comparison.calls) - sum(len(arm.calls) for arm in analysis.arms)
    without = f"; {counted(void, 'call')} with a void picture left out" if void else ""
    paired = {arm: {(call.batch, call.repeat) for call, _ in comparison.call_pairs(arm)} for arm in arms}
    kept = {(arm, *which) for arm, those in paired.items() for which in those}
    kept |= {(0, *which) for those in paired.values() for which in those}
    alone = len(made - kept) if arms else 0
    numbers = sorted({len({batch for batch, _ in those}) for those in paired.values()})
    if not arms:
        return f"{counted(len({batch for _, batch, _ in made}), 'call')}{each} per arm{without}"
    if len(numbers) == 1 and not alone:
        return f"{counted(numbers[0], 'call')}{each} per arm{without}"
    several = (
        f"{numbers[0]} to {counted(numbers[-1], 'paired call')}"
        if len(numbers) > 1
        else counted(numbers[0], "paired call")
    )
    left = f"; {counted(alone, 'unpaired call')} left out".replace("; 1 ", "; one ") if alone else ""
    return f"{several}{each}{left}{without}"


def _parts(comparison: Comparison) -> list[str]:
    """Say what a run that was continued rests on."""
    request, said = comparison.request, []
    parts = [{base.process for base, _ in comparison.call_pairs(arm)} for arm in range(1, len(request.arms))]
    parts = parts or [{call.process for call in comparison.calls}]
    if (most := max(map(len, parts))) > 1:
        said.append(f"Made in {most} parts, each with its own warm-up; their ratios are pooled.")
    kept = {
        (call.batch, call.process)
        for shot in comparison.shots
        if not shot.arm
        for call in [comparison.calls[shot.call]]
    }
    for arm in range(1, len(request.arms)):
        if any((call.batch, call.process) not in kept for _, call in comparison.call_pairs(arm)):
            said.append(
                f"{request.arms[arm].name} was added later and timed together with the baseline again, whose pictures "
                "were identical to the kept ones."
            )
    return said


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
