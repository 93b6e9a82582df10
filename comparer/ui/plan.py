"""What a request would take, said before anything runs, as HTML."""

from html import escape
from typing import Any

import gradio as gr

from comparer import turns
from comparer.beside import count
from comparer.compare import check
from comparer.config import Config
from comparer.errors import Stopped
from comparer.request.request import Request
from comparer.timing import pace
from comparer.ui import results


def plan(request: Request, config: Config) -> str:
    """Say what Generate would make and how long it would take."""
    seconds = pace.estimate(request, config)
    took = "the first run tells how long it takes" if seconds is None else f"about {results.duration(seconds)}"
    return f'<p class="plan">{escape(results.announce(request))}; {took}.</p>'


def work(request: Request, config: Config) -> Any:
    """Draw how much work every arm's denoiser is expected to do; nothing new while somebody is being measured."""
    if not request.accelerated():
        return ""
    checkpoints = check(request, config)
    try:
        with turns.aside() as free:
            return results.expected(request, count(checkpoints, request, turns.busy)) if free else gr.skip()
    except Stopped:
        return gr.skip()
