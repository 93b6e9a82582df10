"""The report's folded cards as HTML: experiment, environment, weights, reproduction. All texts are escaped."""

import shlex
from typing import Any

from comparer.checkpoints.inspection.describe import HALVES
from comparer.reporting.html.details import held
from comparer.reporting.html.tables import table
from comparer.reporting.html.verdict_cards import badges, name
from comparer.reporting.markup import Markup, join, markup
from comparer.request.request import EXTRA_MEASUREMENTS, Request
from comparer.results import extra_turns
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import card, components
from comparer.results.records import Scorer
from comparer.text import counted, few, quote

NOISE = {
    "cpu": "one CPU generator per picture: the same starting noise on every device, in every batch and in every arm",
    "device": "drawn on the device for a whole batch at once, as a server would; the batches are equal in all arms",
}
MEASURED = (
    "All arms begin with the same noise, and before every call all global generators are seeded.",
    "A time is the wall time of the pipeline's whole call, the device synchronised on both sides. Arms take turns, "
    "each after its own warm-up, in orders that balance the position in a turn and the call before (a Williams design; "
    "A B, B A, … with two arms).",
    "The speed-up is the geometric mean over turns of baseline time / arm time; its interval is Student's on the log "
    "scale.",
    "{} differences are means over pairs of pictures of the same prompt and seed; intervals count prompts, not "
    "pictures, as independent. Nothing is scored inside a timed call.",
)
ENVIRONMENT = {"comparer": "Comparer, commit", "device_name": "hardware", "tf32": "TF32", "vae": "VAE"}
CONFIGS = {"vae_scaling_factor": "VAE scaling factor"}
WRONG = {"not_finite": "NaN or infinite", "zero": "all zero", "constant": "constant"}


def experiment(comparison: Comparison) -> str:
    """List every setting, every arm with all its parameters, the measurement method, seeds and prompts."""
    request, s = comparison.request, comparison.request.settings
    guided = f"{s.guidance:g}" + (" (off)" if s.guidance <= 1 else "")
    made = f"{counted(len(comparison.shots), 'picture')} in {counted(len(comparison.calls), 'timed call')}"
    scorer = comparison.scorer
    blocks = [", ".join(request.arms[arm].name for arm in block) for block in comparison.blocks]
    thresholds = request.thresholds
    kept = f"quality kept below a {scorer.loss} of {100 * thresholds.clip_loss:g} %"
    rows = {
        "Made": f"{comparison.created[:19].replace('T', ' ')} UTC, {comparison.state}",
        "Ended": comparison.message,
        "Checkpoint": s.weights.text(),
        "Sampler": s.sampler,
        "Steps": str(s.steps),
        "Guidance": guided,
        "Guidance rescale": f"{s.guidance_rescale:g}" if s.guidance_rescale else "",
        "Size": f"{s.width} × {s.height} pixels",
        "Batch size": str(s.batch_size),
        "Negative prompt": s.negative_prompt or "none",
        "Starting noise": NOISE.get(request.noise, request.noise),
        "Calls": f"{counted(request.warmups, 'warm-up')} per arm, every batch {counted(request.repeats, 'time')}; "
        f"{made}",
        "Extra turns": " ".join(extra_turns.sentences(comparison)),
        "Looked at": f"{counted(comparison.interim_looks, 'time')}; intervals keep a part of the error for every "
        "further look",
        "Took turns in blocks": "; ".join(blocks),
        "Measured besides": "; ".join(f"{each}: {EXTRA_MEASUREMENTS[each]}" for each in request.wanted()),
        "Scorer": _scorer(scorer),
        "Thresholds": f"faster from {thresholds.speed_up:g}×, {kept}",
        "Time steps": ", ".join(f"{t:g}" for t in comparison.conditions[0].timesteps) if comparison.conditions else "",
        "Seeds": ", ".join(map(str, s.seeds)),
    }  # fmt: skip
    arms = join(
        markup("<li>{}{}</li>", name(arm.name), _asked(request, number)) for number, arm in enumerate(request.arms)
    )
    prompts = join(markup('<li dir="auto">{}</li>', prompt) for prompt in s.prompts)
    return markup(
        "{}<h3>Arms</h3><ol>{}</ol><h3>Prompts</h3>"
        '<div class="long" tabindex="0" role="region" aria-label="Prompts"><ol>{}</ol></div>'
        "<h3>How it was measured</h3><ul>{}</ul>",
        _facts(rows),
        arms,
        prompts,
        join(markup("<li>{}</li>", text.format(scorer.short)) for text in MEASURED),
    )


def _scorer(scorer: Scorer) -> str:
    """Write which score decides: its name, its model, the prompt it reads, and its licence."""
    if not scorer.name:
        return f"none: {scorer.why_not}"
    reads = "reads no prompt" if scorer.context is None else f"context of {scorer.context} tokens"
    return ", ".join(filter(None, (f"{scorer.title} by {scorer.name}", reads, scorer.licence)))


def _asked(request: Request, number: int) -> str:
    """Write what an arm is, with every parameter."""
    arm, said = request.arms[number], []
    said += [str(accelerator) for accelerator in arm.accelerators]
    said += [f"{arm.steps} of {request.settings.steps} steps"] if arm.steps is not None else []
    said += [arm.weights.text()] if arm.weights else []
    return markup("<small>{}</small>", "; ".join(said) or "the settings above, nothing else")


def environment(comparison: Comparison) -> str:
    """List the recorded machine and libraries; "" if they were not recorded."""
    found = dict(comparison.environment)
    versions = found.pop("versions", {})
    rows = {}
    for key, value in found.items():
        if value in (None, "") or key.endswith("_reason"):
            continue
        why = found.get(f"{key}_reason")
        text = {True: "yes", False: "no"}.get(value, str(value)) if isinstance(value, bool) else str(value)
        rows[ENVIRONMENT.get(key, key.replace("_", " "))] = text + (f" ({why})" if why else "")
    return _facts({key[:1].upper() + key[1:]: text for key, text in rows.items()} | versions)


def weights(comparison: Comparison) -> str:
    """Render the weights card of the baseline and of every arm with other weights."""
    arms = [arm for arm in (0, *comparison.request.variants()) if card(comparison, arm)]
    drawn = held(comparison) if len(arms) > 1 else Markup()
    for arm in arms:
        seen, badge = card(comparison, arm), badges(comparison, arm)
        configs = {
            CONFIGS.get(key, key.replace("_", " ").capitalize()): quote(value)
            for key, value in seen.get("configs", {}).items()
        }
        asked = {"Asked for": seen.get("says", ""), "Family": seen.get("family", ""), **configs}
        asked |= {"Dtype": f"{seen.get('dtype', '')} {_why(seen.get('dtype_reason', ''))}".strip()}
        rows = {"Commit": str(seen.get("revision", "")), **asked}
        drawn += markup("<h3>{}: {} {}</h3>", name(comparison.request.arms[arm].name), seen.get("title", ""), badge)
        drawn += _facts(rows) + _components(components(comparison, arm)) + _files(seen.get("files", {}))
    return drawn


def _why(reason: str) -> str:
    return f"({reason})" if reason else ""


def _components(found: dict[str, dict[str, Any]]) -> str:
    """List what every component holds, and whether it is sound."""
    rows: list[list[str]] = []
    for title, each in found.items():
        half = f"{HALVES[each['half']]}: {each['how']}" if each.get("half") else "nothing says which"
        dtypes = ", ".join(each.get("stored", {}))
        random = [key for kind in ("missing", "misshaped") for key in each.get(kind, ())]
        health = _health(each.get("health", {})) + (f"; {len(random)} random: {few(random)}" if random else "")
        sound = each.get("health", {}).get("sound", True) and not random
        rows.append(
            [
                markup("{}<small class='line'>{}</small>", title, each.get("class_name", "")),
                markup('<span class="wide">{}</span>', half),
                markup(
                    "<code>{}</code><small class='line'>with names <code>{}</code></small>",
                    each["fingerprint"],
                    each["named"],
                ),
                markup("{:,}<small class='line'>{}</small>", each.get("parameters", 0), dtypes),
                markup('<span class="wide{}">{}</span>', "" if sound else " wrong", health),
            ]
        )
    return table("Components", ["Component", "EMA or raw", "Fingerprint", "Parameters", "Health"], rows)


def _health(found: dict[str, Any]) -> str:
    wrong = [f"{len(found[key])} {text} ({few(found[key])})" for key, text in WRONG.items() if found.get(key)]
    wrong += [f"{len(each)} beyond {dtype} ({few(each)})" for dtype, each in found.get("beyond", {}).items() if each]
    return f"{'; '.join(wrong) or 'sound'}; largest value {found.get('largest', 0):g}" if found else "not known"


def _files(files: dict[str, Any]) -> str:
    rows = [
        [
            markup('<span class="path">{}</span>', title),
            f"{file['size']:,}\u00a0B",
            markup('<code class="path">{}</code>', file["sha256"]),
            ", ".join(file["fills"]) or "nothing",
        ]
        for title, file in files.items()
        if isinstance(file, dict)  # as records of before had no hashes
    ]
    return table("Files", ["File", "Size", "SHA-256", "Fills"], rows)


def reproduce(comparison: Comparison) -> str:
    """Describe how to reproduce the comparison, with its command line."""
    if len(comparison.request.arms) == 1:
        return Markup("<p>The same request again, with the settings of the experiment card and no accelerator.</p>")
    return markup(
        "<p>This command makes the same comparison again, where the checkpoint and the accelerators' packages are "
        "installed; the environment above says in which versions they were:</p>"
        '<pre tabindex="0" aria-label="Command line"><code>{}</code></pre>'
        "<p>The same CPU, threads and versions in float32 give the same pixels; another device gives others, and "
        "other times. <code>run.json</code> and every PNG of the run folder carry the whole request.</p>",
        command(comparison.request),
    )


def command(request: Request) -> str:
    """Return the command line that runs this comparison, quoted for a POSIX shell."""
    s = request.settings
    given: list[tuple[str, Any]] = [("--checkpoint", s.weights.text())]
    if request.variants():
        stacks = [request.arms[0]] if request.arms[0].accelerators else []
    else:
        stacks = [arm for arm in request.arms[1:] if arm.matches_time_of is None]
    given += [("--accelerator", "+".join(map(str, arm.accelerators))) for arm in stacks]
    given += [("--variant", arm.weights.text()) for arm in request.arms if arm.weights]
    given += [("--negative-prompt", s.negative_prompt)] if s.negative_prompt else []
    given += [("--sampler", s.sampler), ("--steps", s.steps), ("--guidance", f"{s.guidance:g}")]
    given += [("--guidance-rescale", f"{s.guidance_rescale:g}")] if s.guidance_rescale else []
    given += [("--size", f"{s.width}x{s.height}"), ("--seeds", ",".join(map(str, s.seeds)))]
    given += [("--batch-size", s.batch_size), ("--warmups", request.warmups), ("--repeats", request.repeats)]
    given += [("--repeat-seconds", f"{request.repeat_seconds:g}")]
    given += [("--noise", request.noise), *(("--also", each) for each in request.wanted())]
    given += [("--scorer", request.scorer)] if request.scorer else []
    options = [f"{flag} {shlex.quote(str(value))}" for flag, value in given]
    return " \\\n    ".join(["python -m comparer compare", *options, f"-- {shlex.join(s.prompts)}"])


def _facts(rows: dict[str, str]) -> str:
    said = join(markup('<div><dt>{}</dt><dd dir="auto">{}</dd></div>', key, text) for key, text in rows.items() if text)
    return markup('<dl class="facts">{}</dl>', said) if said else ""
