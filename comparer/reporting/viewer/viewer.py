"""The compare viewer: plain HTML, CSS and JavaScript for the page and for the report. No gradio, no torch."""

import base64
import hashlib
import json
import math
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from comparer.metrics.registry import METRICS
from comparer.reporting.markup import Markup, markup
from comparer.results import void
from comparer.results.comparison import Comparison
from comparer.results.loaded_weights import card, components, incomplete
from comparer.results.marks import marked
from comparer.results.records import Shot
from comparer.results.sorting import LIKENESS, ORDERS, SCORE, ordered
from comparer.text import gib

HERE = Path(__file__).parent / "static"
SCRIPTS = ("difference", "images", "view", "gestures", "link", "pairs", "facts", "parts", "shown", "actions", "viewer")
"""In the order in which they are joined: each uses what stands before it."""
STAGES = {"text": "Text (s)", "denoising": "Denoising (s)", "decoding": "Decoding (s)"}


def data(
    comparison: Comparison, folder_url: str, item: tuple[int, int] | None = None, arm: int = 1, asked: bool = False
) -> dict[str, Any]:
    """Return the viewer's data for a comparison, finished or not, as plain data for JSON.

    Args:
        comparison: with or without images.
        folder_url: base URL of the run folder's images, quoted, without a slash at its end: absolute, or relative to
            the page ("." for a page in the folder itself).
        item: the (prompt number from 0, seed) to show first; the first of the order by default.
        arm: the arm to compare with the baseline first.
        asked: whether the item was requested explicitly: it is shown whatever the page's address contains.

    Returns:
        ``run``, which identifies the run, so that later data is known to belong to it; ``width`` and ``height`` in
        pixels, ``prompts``, ``arms`` (each a ``name``, and a ``mark`` of what is wrong with it or ""), ``arm``,
        ``pair``, the position of ``item`` or None, ``asked``, ``pairs`` in the order of the request (each ``prompt``
        from 0, ``seed`` and ``shots``: by arm, None if missing, else ``url``, ``file``, ``seconds``, ``clip``,
        ``ssim`` and ``facts``, rows of (title, text)), ``score``, the name before a ``clip``, ``orders`` (each ``name``
        and ``arms``: by arm, the positions of pairs) and ``order``, the initial one: the worst pairs first, if anything
        tells which those are.
    """
    request = comparison.request
    shots = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    arms = range(len(request.arms))
    settings = [_settings(comparison, arm) for arm in arms]
    made = [each for each in request.items() if any((number, *each) in shots for number in arms)]
    pairs = [
        {
            "prompt": prompt,
            "seed": seed,
            "shots": [
                _shot(comparison, shots[arm, prompt, seed], settings[arm], folder_url)
                if (arm, prompt, seed) in shots
                else None
                for arm in arms
            ],
        }
        for prompt, seed in made
    ]
    positions = {each: position for position, each in enumerate(made)}
    orders = [
        {"name": order, "arms": [_sorted(comparison, arm, order, positions) for arm in arms]}
        for order in ORDERS
        if _known(comparison, order)
    ]
    worst = [order["name"] for order in orders if order["name"] in (SCORE, LIKENESS)]
    return {
        "run": folder_url,
        "width": request.settings.width,
        "height": request.settings.height,
        "prompts": list(request.settings.prompts),
        "arms": [{"name": each.name, "mark": marked(comparison, number)} for number, each in enumerate(request.arms)],
        "arm": min(arm, len(arms) - 1),
        "pair": positions.get(item) if item else None,
        "asked": asked,
        "pairs": pairs,
        "score": comparison.scorer.short,
        "orders": orders,
        "order": worst[0] if worst and comparison.state != "running" else ORDERS[0],
    }


def blind(pictures: tuple[bytes, bytes], prompt: str, seed: int, width: int, height: int) -> dict[str, Any]:
    """Return the viewer's data for a blind test's pair: two PNGs as A and B, and nothing about their origin.

    Both images are embedded in the data: network traffic reveals no name and no order of loading. Modes, facts and the
    address are left out, and the keys that vote have no other function.
    """
    urls = [f"data:image/png;base64,{base64.b64encode(each).decode()}" for each in pictures]
    return {
        "blind": True,
        "width": width,
        "height": height,
        "prompts": [prompt],
        "arms": [{"name": "A"}, {"name": "B"}],
        "arm": 1,
        "pairs": [{"prompt": 0, "seed": seed, "shots": [{"url": url, "facts": []} for url in urls]}],
        "orders": [{"name": ORDERS[0], "arms": [[0], [0]]}],
        "order": ORDERS[0],
    }


def html(shown: dict[str, Any], title: str = "Comparer") -> str:
    """Render a complete page with inline style and script; it requests nothing but the images."""
    code, look = script(), style()
    parts = {
        "{{title}}": escape(title),
        "{{policy}}": f"default-src 'none'; script-src {digest(code)}; style-src {digest(look)}; "
        "img-src 'self' data: blob: file:; connect-src 'self' data:; base-uri 'none'; form-action 'none'",
        "{{style}}": look,
        "{{viewer}}": fragment(shown, whole=True),
        "{{script}}": code,
    }
    head, *rest = (HERE / "viewer.html").read_text(encoding="utf-8").split("{{")
    # Fill each placeholder once: inserted text may itself look like a placeholder.
    return head + "".join(f"{parts['{{' + key + '}}']}{tail}" for key, tail in (part.split("}}", 1) for part in rest))


def fragment(shown: dict[str, Any], whole: bool = False) -> str:
    """Render the element that ``script`` turns into a viewer.

    Args:
        shown: as returned by ``data``. A ``url`` may also be "#id" of an image on the page. ``no_map``, a sentence that
            gives the reason, disables the difference map.
        whole: whether the viewer fills the whole page.
    """
    # Not a script element, though it could hold JSON: gradio warns of every one.
    text = Markup(escape(json.dumps(shown, allow_nan=False, separators=(",", ":")), quote=False))
    alone = " alone" if whole else ""
    return markup(
        '<div class="viewer{}"><noscript>The viewer needs JavaScript.</noscript><template>{}</template></div>',
        alone,
        text,
    )


def script() -> str:
    """Return the viewer's JavaScript: it turns every element of class "viewer" into one, also those added later."""
    code = "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return f"(() => {{\n'use strict'\n{code}\n}})()"


def style() -> str:
    """Return the viewer's CSS."""
    return (HERE / "viewer.css").read_text(encoding="utf-8")


def digest(text: str) -> str:
    """Return the hash by which a Content-Security-Policy allows this script or style, and no other."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _known(comparison: Comparison, order: str) -> bool:
    """Say whether anything is known by which this order would sort."""
    if order == SCORE:
        return len(comparison.request.arms) > 1 and any(shot.clip_score is not None for shot in comparison.shots)
    return order != LIKENESS or any(shot.similarity for shot in comparison.shots)


def _sorted(comparison: Comparison, arm: int, order: str, positions: dict[tuple[int, int], int]) -> list[int]:
    return [positions[item] for item in ordered(comparison, arm, order) if item in positions]


def _shot(comparison: Comparison, shot: Shot, settings: list[tuple[str, str]], folder_url: str) -> dict[str, Any]:
    call = comparison.calls[shot.call]
    seconds = call.seconds / call.pictures
    seen = [("Seconds per image", f"{seconds:.3f}")]
    seen += [(title, f"{call.stages[key] / call.pictures:.3f}") for key, title in STAGES.items() if key in call.stages]
    if call.peak_bytes is not None:
        seen.append(("Peak memory", gib(call.peak_bytes)))
    seen += [(f"{name} counted", _counts(report)) for name, report in call.reports.items()]
    if told := void.caption(shot):
        seen.append(("Picture", told))
    if shot.clip_score is not None:
        seen.append((comparison.scorer.title, f"{shot.clip_score:.2f}"))
    if alike := shot.similarity:
        for name, metric in METRICS.items():
            same = "identical" if alike.identical and metric.identical is None else ""
            if said := same or metric.show(alike.values.get(name)):
                seen.append((metric.title, said))
    score = shot.clip_score
    return {
        "url": f"{folder_url}/{quote(shot.file)}",
        "file": shot.file,
        "seconds": seconds,
        "clip": score if score is not None and math.isfinite(score) else None,
        "ssim": shot.similarity.ssim if shot.similarity and math.isfinite(shot.similarity.ssim) else None,
        "facts": [*settings, *seen, *([("Pixels", shot.pixels[:12])] if shot.pixels else [])],
    }


def _counts(report: dict[str, Any]) -> str:
    return ", ".join(f"{count} {what}" for what, count in report.get("counts", {}).items())


def _settings(comparison: Comparison, arm: int) -> list[tuple[str, str]]:
    """List what this arm was asked for and what it held, as rows of (title, text)."""
    own, weights = comparison.request.settings_of(arm), card(comparison, arm)
    held = components(comparison, arm).items()
    rows = [
        ("Checkpoint", own.weights.text()),
        ("SHA-256", comparison.model_hash(arm)[:12]),
        *((f"{name}, fingerprint", str(each.get("fingerprint", ""))) for name, each in held),
        ("Dtype", str(weights.get("dtype", ""))),
        ("Weights", incomplete(comparison, arm)),
        ("Accelerators", "; ".join(a.label for a in comparison.request.arms[arm].accelerators) or "none"),
        ("Sampler", own.sampler),
        ("Steps", str(own.steps)),
        ("Guidance", f"{own.guidance:g}"),
        ("Guidance rescale", f"{own.guidance_rescale:g}" if own.guidance_rescale else ""),
        ("Negative prompt", own.negative_prompt),
        ("Size", f"{own.width} × {own.height}"),
        ("Batch size", str(own.batch_size)),
    ]  # fmt: skip
    return [(title, text) for title, text in rows if text]
