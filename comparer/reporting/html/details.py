"""Details of the figures as HTML: their intervals, all times, image similarity, and divergence of latents."""

from statistics import fmean

from comparer.metrics.registry import METRICS
from comparer.metrics.similarity_data import Mean
from comparer.reporting.html.tables import table
from comparer.reporting.html.verdict_cards import name
from comparer.reporting.markup import Markup, join, markup
from comparer.reporting.plots import charts
from comparer.results.analysis import Analysis
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import HALVES, as_baseline, card, components
from comparer.results.notes import interval, loss, ratio
from comparer.text import counted, optional, percent, signed

STAGES = {"text": "Text", "denoising": "Denoising", "decoding": "Decoding"}


def held(comparison: Comparison) -> str:
    """List what each component loaded, one column per arm: the baseline and every arm with other weights."""
    arms = [arm for arm in (0, *comparison.request.variants()) if components(comparison, arm)]
    if not arms:
        return ""
    names = dict.fromkeys(component for arm in arms for component in components(comparison, arm))
    rows = [[each, *(_held(comparison, arm, each) for arm in arms)] for each in names]
    rows.append(["Asked for", *(markup("<code>{}</code>", card(comparison, arm).get("says", "")) for arm in arms)])
    rows.append(["Dtype", *(_dtype(card(comparison, arm)) for arm in arms)])
    return table("Components by arm", ["Component", *(name(comparison.request.arms[arm].name) for arm in arms)], rows)


def _held(comparison: Comparison, arm: int, component: str) -> str:
    """Write what one component of an arm held: fingerprint, half, what is missing, and its file."""
    found = components(comparison, arm).get(component)
    if not found:
        return "–"
    half = HALVES.get(found["half"], "")
    said = markup('<code title="with names {}">{}</code>', found["named"], found["fingerprint"])
    said += markup(' <b title="{}">{}</b>', found["how"], half) if half else ""
    lines: list[str] = [Markup("the same as the baseline's")] if arm and as_baseline(comparison, arm, component) else []
    counts = {key: len(found.get(key, ())) for key in ("missing", "misshaped", "unexpected")}
    wrong = {"missing": "missing, random", "misshaped": "of another shape, random", "unexpected": "not used"}
    lines += [f"{count:,} {wrong[key]}" for key, count in counts.items() if count]
    red = " wrong" if counts["missing"] or counts["misshaped"] else ""
    said += join(markup('<small class="line{}">{}</small>', red, line) for line in lines)
    files = card(comparison, arm).get("files", {})
    for file in found.get("files", ()):
        digest = files.get(file, {}).get("sha256", "")
        said += markup('<small class="line path" title="SHA-256 {}">{}</small>', digest, file)
    return said


def _dtype(found: dict) -> str:
    why = found.get("dtype_reason", "")
    return found.get("dtype", "") + (markup('<small class="line">{}</small>', why) if why else "")


def uncertainty(analysis: Analysis) -> str:
    """Plot the main figure of every arm with its interval, and list all figures with intervals, median and worst.

    The main figure is the speed-up, or the difference in score if the arms have weights other than the baseline's.
    """
    head = ["Arm", "Figure", "95 % interval", "Median", "Worst", "n"]
    rows, drawn, about_scores = [], [], bool(analysis.comparison.request.variants())
    scorer = analysis.comparison.scorer
    for each in analysis.arms[1:]:
        if not analysis.comparison.call_pairs(each.number):
            continue
        drawn.append((each.arm.name, each.clip_difference if about_scores else each.speed_up))
        for title, found, write, noun in (
            ("Speed-up", each.speed_up, ratio, "turn"),
            (scorer.difference, each.clip_difference, signed, "pair"),
            (scorer.loss, each.clip_loss, loss, "pair"),
            (f"{scorer.loss} above wrong prompts", each.loss_above_floor, loss, "pair"),
        ):
            if found.value is None:
                continue
            n = counted(found.n, noun)
            n += f" of {found.clusters} prompts" if noun == "pair" and found.clusters > 1 else ""
            middle, worst = ("" if value is None else write(value) for value in (found.median, found.worst))
            rows.append(
                [
                    name(each.arm.name),
                    title,
                    _wide(interval(found, write)),
                    middle,
                    worst,
                    n,
                ]
            )
    if not rows:
        return ""
    plot = (scorer.difference, signed, None, 0) if about_scores else ("Speed-up", ratio, None, 1)
    return charts.intervals(drawn, *plot) + table("95 % intervals", head, rows)


def times(analysis: Analysis) -> str:
    """Plot every time, and list minimum, median, mean and maximum, with the mean time of each stage."""
    head = ["Arm", "Calls timed", "Least", "Median", "Mean", "Most", "Of baseline", *STAGES.values()]
    rows = []
    for arm in analysis.arms:
        f, part = arm.figures, arm.time_share
        each = [f.fastest, f.median_seconds, f.seconds, f.slowest]
        if not arm.calls:
            continue
        stages = [fmean(call.stages[stage] / call.pictures for call in arm.calls) for stage in STAGES]
        rows.append(
            [
                name(arm.arm.name),
                str(len(arm.calls)),
                *(optional(value, "{:.3f}") for value in each),
                percent(part).replace(" ", "\u00a0"),
                *(f"{value:.3f}" for value in stages),
            ]
        )
    return charts.times(analysis.times) + table("Seconds per image", head, rows)


def likeness(analysis: Analysis) -> str:
    """List all similarity metrics between an arm's images and the baseline's, with their reference values."""
    titles = (metric.title for metric in METRICS.values())
    head = ["Compared with the baseline", *titles, "Pairs", "From identical to another seed"]
    rows = []
    for each in analysis.arms[1:]:
        if found := each.similarity:
            place = each.relative_distance
            rows.append(
                [
                    name(each.arm.name),
                    *_measures(found),
                    _wide(place.text) if place else "",
                ]
            )
    if not rows:
        return ""
    for title, found in (
        ("The baseline made again: the noise floor", analysis.noise_floor),
        (Markup("The baseline's other seeds: the seed distance"), analysis.comparison.seed_distance),
    ):
        if found:
            rows.append([title, *_measures(found), "–"])
    kept = [column for column in range(len(head)) if any(row[column] for row in rows)]
    return table("How alike, on average", [head[c] for c in kept], [[row[c] for c in kept] for row in rows])


def _wide(text: str) -> Markup:
    return markup('<span class="wide">{}</span>', text)


def _measures(found: Mean) -> list[str]:
    shown = [
        "identical" if metric.identical is None and found.identical == found.pairs else metric.show(found.values[name])
        for name, metric in METRICS.items()
    ]
    return [*shown, str(found.pairs)]


def latents(comparison: Comparison) -> str:
    """Plot the per-step distance between an arm's latents and the baseline's in the first call."""
    arms = [
        (comparison.request.arms[number].name, found[0].steps)
        for number, found in sorted(comparison.divergence.items())
        if found
    ]
    if not arms:
        return ""
    first = comparison.divergence[min(comparison.divergence)][0]
    prompt = comparison.request.settings.prompts[first.prompt]
    about = markup(
        '<p>Distance from the baseline\'s latents, relative to their length: <span dir="auto">{}</span>, seed {}.</p>',
        prompt,
        first.seed,
    )
    return about + charts.divergence(arms)
