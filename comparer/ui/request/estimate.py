"""Estimate a request before anything runs, as HTML."""

from dataclasses import replace
from typing import Any

import gradio as gr

from comparer.config import Config
from comparer.engine import eta, queue
from comparer.engine.macs import count
from comparer.errors import ComparerError, Stopped
from comparer.reporting.markup import markup
from comparer.request.prompt_sets import FAIR_TEST, for_checkpoint
from comparer.request.request import Request
from comparer.request.validate import validate
from comparer.text import duration
from comparer.ui.results import status


def plan(request: Request, config: Config) -> str:
    """Describe what Generate would make and estimate how long it would take."""
    seconds = eta.estimate(request, config)
    took = "the first run tells how long it takes" if seconds is None else f"about {duration(seconds)}"
    return markup('<p class="plan">{}; {}.</p>', status.announce(request), took)


def fair_test(request: Request, config: Config) -> str:
    """Label the button of the fair test, with the time that it would take with these settings where it is known."""
    label = f"A fair test: {FAIR_TEST} prompts"
    try:
        prompts = for_checkpoint(request.settings.weights, config).fair_test()
        fair = replace(request, settings=replace(request.settings, prompts=prompts, seeds=(0,)))
        seconds = eta.estimate(fair, config)
    except ComparerError:  # beyond a limit: a press says which
        return label
    return label if seconds is None else f"{label}, about {duration(seconds)}"


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
