"""The compare viewer: plain HTML, CSS and JavaScript for the page and for a report in one file. No gradio, no torch."""

import base64
import hashlib
import json
import math
from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from comparer.held import card, components, incomplete
from comparer.order import LIKENESS, ORDERS, SCORE, ordered
from comparer.results import Comparison
from comparer.shots import Shot

HERE = Path(__file__).parent
SCRIPTS = ("difference", "images", "view", "gestures", "link", "pairs", "facts", "parts", "shown", "actions", "viewer")
"""In the order in which they are joined: each uses what stands before it."""
STAGES = {"text": "Text (s)", "denoising": "Denoising (s)", "decoding": "Decoding (s)"}


def data(comparison: Comparison, folder_url: str, only: tuple[int, int] | None = None, arm: int = 1) -> dict[str, Any]:
    """Return what the viewer shows of a comparison, finished or not, as plain data for JSON.

    Args:
        comparison: with or without pictures.
        folder_url: where the run folder's pictures are found, without a slash at its end: absolute, or relative to
            the page ("." for a page in the folder itself). It must be quoted as an address.
        arm: which arm stands beside the baseline to begin with.
        only: the one (prompt number from 0, seed) that is shown, for a page that has its own list of pairs.

    Returns:
        ``width`` and ``height`` in pixels, ``prompts``, ``arms`` (each a ``name``), ``arm``, ``pairs`` in the order in
        which they were asked for (each ``prompt`` from 0, ``seed`` and ``shots``: by arm, None where not made, else
        ``url``, ``file``, ``seconds``, ``clip``, ``ssim`` and ``facts``, rows of (title, text)), ``orders`` (each
        ``name`` and ``arms``: by arm, the positions of pairs) and ``order``, the one to begin with: the worst pairs
        first, where anything says which those are.
    """
    request = comparison.request
    shots = {(shot.arm, shot.prompt, shot.seed): shot for shot in comparison.shots}
    arms = range(len(request.arms))
    settings = [_settings(comparison, arm) for arm in arms]
    asked = request.items() if only is None else [only]
    made = [item for item in asked if any((arm, *item) in shots for arm in arms)]
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
    positions = {item: position for position, item in enumerate(made)}
    orders = [
        {"name": order, "arms": [_sorted(comparison, arm, order, positions) for arm in arms]}
        for order in ORDERS
        if _known(comparison, order)
    ]
    worst = [order["name"] for order in orders if order["name"] in (SCORE, LIKENESS)]
    return {
        "width": request.settings.width,
        "height": request.settings.height,
        "prompts": list(request.settings.prompts),
        "arms": [{"name": each.name} for each in request.arms],
        "arm": min(arm, len(arms) - 1),
        "pairs": pairs,
        "orders": orders,
        "order": worst[0] if worst and comparison.state != "running" else ORDERS[0],
    }


def embedded(shown: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return ``data(comparison, ".")`` with every picture in it, so that it needs no other file.

    A browser gives a page that was opened from disk no pixels of other files, and the difference map needs them.
    """

    def within(shot: dict[str, Any] | None) -> dict[str, Any] | None:
        if shot is None:
            return None
        whole = base64.b64encode((folder / shot["file"]).read_bytes()).decode()
        return shot | {"url": f"data:image/png;base64,{whole}"}

    pairs = [pair | {"shots": [within(shot) for shot in pair["shots"]]} for pair in shown["pairs"]]
    return shown | {"pairs": pairs}


def blind(pictures: tuple[bytes, bytes], prompt: str, seed: int, width: int, height: int) -> dict[str, Any]:
    """Return what the viewer shows of a blind test's pair: two PNGs as A and B, and nothing of what made them.

    Both are within the data: whoever watches the wire sees no name and no order of loading. Modes, facts and the
    address are left out, and the keys that vote do nothing else.
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
    """Write a whole page with style and script in it; it asks for nothing but the pictures' addresses."""
    code, look = script(), style()
    parts = {
        "{{title}}": escape(title),
        "{{policy}}": f"default-src 'none'; script-src {_digest(code)}; style-src {_digest(look)}; "
        "img-src 'self' data: blob: file:; connect-src 'self' data:; base-uri 'none'; form-action 'none'",
        "{{style}}": look,
        "{{viewer}}": fragment(shown, whole=True),
        "{{script}}": code,
    }
    head, *rest = (HERE / "viewer.html").read_text(encoding="utf-8").split("{{")
    # Each place is filled once: what is filled in may itself hold what looks like a place.
    return head + "".join(parts["{{" + key + "}}"] + tail for key, tail in (part.split("}}", 1) for part in rest))


def fragment(shown: dict[str, Any], whole: bool = False) -> str:
    """Write the element that ``script`` makes a viewer of; ``whole`` where it has the page for itself."""
    # Not a script element, though it could hold JSON: gradio warns of every one.
    text = escape(json.dumps(shown, allow_nan=False, separators=(",", ":")), quote=False)
    alone = " alone" if whole else ""
    return (
        f'<div class="viewer{alone}"><noscript>The viewer needs JavaScript.</noscript><template>{text}</template></div>'
    )


def script() -> str:
    """Return the viewer's JavaScript: it turns every element of class "viewer" into one, now and later."""
    code = "\n".join((HERE / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return f"(() => {{\n'use strict'\n{code}\n}})()"


def style() -> str:
    """Return the viewer's CSS."""
    return (HERE / "viewer.css").read_text(encoding="utf-8")


def _digest(text: str) -> str:
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
    seen = [("Seconds a picture", f"{seconds:.3f}")]
    seen += [(title, f"{call.stages[key] / call.pictures:.3f}") for key, title in STAGES.items() if key in call.stages]
    if call.peak_bytes is not None:
        seen.append(("Peak memory", f"{call.peak_bytes / 2**30:.2f} GiB"))
    seen += [(f"{name} counted", _counts(report)) for name, report in call.reports.items()]
    if shot.clip_score is not None:
        seen.append(("CLIP score", f"{shot.clip_score:.2f}"))
    if alike := shot.similarity:
        seen.append(("SSIM with the baseline", f"{alike.ssim:.3f}"))
        psnr = "identical" if alike.identical else "" if alike.psnr is None else f"{alike.psnr:.1f} dB"
        seen += [("PSNR", psnr)] if psnr else []
        seen += [("LPIPS", f"{alike.lpips:.3f}")] if alike.lpips is not None else []
        seen.append(("Largest difference", f"{alike.max_difference} of 255"))
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
