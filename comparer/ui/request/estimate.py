"""Estimate a request before anything runs, as HTML."""

from typing import Any

import gradio as gr

from comparer.config import Config
from comparer.engine import eta, queue
from comparer.engine.macs import count
from comparer.errors import Stopped
from comparer.reporting.markup import markup
from comparer.request.request import Request
from comparer.request.validate import validate
from comparer.text import duration
from comparer.ui.results import status


def plan(request: Request, config: Config) -> str:
    """Describe what Generate would make and estimate how long it would take."""
    seconds = eta.estimate(request, config)
    took = "the first run tells how long it takes" if seconds is None else f"about {duration(seconds)}"
    return markup('<p class="plan">{}; {}.</p>', status.announce(request), took)


def work(request: Request, config: Config) -> Any:
    """Render the expected compute of every arm's denoiser; no update while a measured job is running."""
    if not request.accelerated():
        return ""
    checkpoints = validate(request, config)
    try:
        with queue.background_slot() as free:
            return status.expected(request, count(checkpoints, request, queue.busy)) if free else gr.skip()
    except Stopped:
        return gr.skip()
