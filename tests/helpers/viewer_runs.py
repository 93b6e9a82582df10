"""Runs of images whose every pixel is known, and the viewer in a browser that shows them."""

import io
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
from PIL import Image

from comparer.accelerators.registry import parse
from comparer.request.request import Arm, Request, Settings
from comparer.results.comparison import Comparison
from comparer.results.records import Call, Scorer, Shot
from helpers.similar import alike

SIZE, SPOT, STEP = 64, (41, 17), 3  # of the arm that differs: which pixel, and by how much in green
NAMES = ("Baseline", "Same", "One pixel", "Brighter", "Mirrored", "Noise")
HOSTILE = '</script><img src=x onerror="window.hurt=1"><!--<script>"\u2028{{script}}'
PROMPTS = ("a large red star on a blue background", HOSTILE)


def scene(prompt, seed):
    """Draw a picture without any two equal rows: a shift by a part of a pixel would be seen."""
    noise = np.random.default_rng([prompt, seed]).integers(0, 90, (SIZE, SIZE, 3))
    ramp = np.stack(np.meshgrid(np.arange(SIZE) * 2, np.arange(SIZE) * 2), -1)
    noise[..., :2] += ramp
    return np.clip(noise, 0, 250).astype(np.uint8)


def of_arm(arm, prompt, seed):
    """Draw an arm's picture: the baseline's, bit for bit, or changed in a known way."""
    base = scene(prompt, seed)
    if arm == 2:
        base[SPOT[1], SPOT[0], 1] += STEP
    elif arm == 3:
        base = base + np.uint8(5)
    elif arm == 4:
        base = base[:, ::-1]
    elif arm == 5:
        base = scene(prompt, seed + 100)
    return base


def comparison_in(folder, arms=6, prompts=PROMPTS, seeds=(3, 17)):
    """Write a run's pictures and return what was seen of it."""
    folder.mkdir(exist_ok=True)
    accelerated = tuple(
        Arm(name, (parse("DeepCache") if i % 2 else parse("ToMe"),)) for i, name in enumerate(NAMES[1:arms])
    )
    request = Request(Settings(prompts, width=SIZE, height=SIZE, seeds=seeds), (Arm("Baseline"), *accelerated))
    seen = Comparison(request, state="finished", scorer=Scorer("CLIP"))
    for item, (prompt, seed) in enumerate(request.items()):
        for arm in range(arms):
            name = f"{arm}-arm_p{prompt + 1:03}_s{seed}.png"
            Image.fromarray(of_arm(arm, prompt, seed)).save(folder / name)
            seen.calls.append(Call(arm, item, 1, 1.5 - arm / 10, {"text": 0.1, "denoising": 1.2, "decoding": 0.1}, ()))
            similarity = alike(1 - arm * item / 100, arm == 1, arm, arm / 2, None if arm == 1 else 40.0)
            score = 25 - (arm and (3, 0, 5, 1)[item])
            seen.shots.append(
                Shot(arm, prompt, seed, name, len(seen.calls) - 1, score, f"{arm}", similarity if arm else None)
            )
    return seen


@contextmanager
def served(folder):
    """Serve a folder and yield its address."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=folder))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def ready(tab):
    """Wait until what is asked for is drawn."""
    tab.wait_for_function("() => document.querySelector('.stage')?.getAttribute('aria-busy') === 'false'")
    tab.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return tab


def screen(tab, selector="canvas"):
    """Return an element as it is on the screen, in device pixels, without what lies over the pictures."""
    # Round corners would be seen as colours that are in no picture.
    tab.evaluate("() => document.querySelector('.stage').style.borderRadius = 0")
    over = "() => document.querySelectorAll('.over, .divider, .ring').forEach(e => e.style.visibility = '{}')"
    tab.evaluate(over.format("hidden"))
    whole = np.asarray(Image.open(io.BytesIO(tab.screenshot())).convert("RGB")).astype(int)
    tab.evaluate(over.format(""))
    left, top, right, bottom = tab.evaluate(
        "selector => { const at = document.querySelector(selector).getBoundingClientRect();"
        " return [at.left, at.top, at.right, at.bottom].map(length => Math.round(length * devicePixelRatio)) }",
        selector,
    )
    assert bottom <= whole.shape[0]
    return whole[top:bottom, left:right]


def ask(tab, script):
    return tab.evaluate(f"() => {{ const v = document.querySelector('.viewer').viewer; return {script} }}")
