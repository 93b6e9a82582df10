"""The API: the page's journey for programs, as named endpoints; with ``--mcp`` for agents, too.

The docstrings of the endpoints and their arguments are what programs and agents are shown.
"""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import fields

import gradio as gr

from comparer.accelerators.registry import REGISTRY
from comparer.checkpoints.find import resolve
from comparer.checkpoints.listing import listing
from comparer.checkpoints.peek import PIPELINE
from comparer.config import Config
from comparer.engine.compare import compare
from comparer.engine.events import Finished, Progress, Waiting
from comparer.engine.fetch import fetch
from comparer.errors import ComparerError
from comparer.models.catalog import CATALOG
from comparer.request.build import build_request
from comparer.results import run_json

BEAT = 0.5  # seconds between two signs of life, at which gradio sees that a client left
SHOWN = ("title", "family", "size", "steps", "guidance", "sampler")  # of a checkpoint


class Api:
    """The endpoints of one installation."""

    def __init__(self, config: Config) -> None:
        """Start no thread yet."""
        self.config = config
        # One that computes, those that wait, and one to be told that the queue is full.
        self.threads = ThreadPoolExecutor(config.limits.queue + 2, "comparer-api")
        self.stops: dict[str, set[threading.Event]] = {}  # of every session's runs

    def add(self, demo: gr.Blocks) -> None:
        """Add the endpoints to the blocks that are being built."""
        gr.api(self.compare, api_name="compare", concurrency_limit=None)
        gr.api(self.fetch, api_name="fetch", concurrency_limit=None)
        gr.api(self.checkpoints, api_name="checkpoints")
        gr.api(self.accelerators, api_name="accelerators")
        demo.unload(self.leave)

    def leave(self, request: gr.Request) -> None:
        """Stop the runs of a client that went away, also of one that never listened for the answer."""
        for stop in tuple(self.stops.get(request.session_hash or "", ())):
            stop.set()

    async def compare(
        self,
        _request: gr.Request,
        prompt: str,
        checkpoint: str = "demo",
        accelerators: list[str] | None = None,
        negative_prompt: str = "",
        sampler: str | None = None,
        steps: int | None = None,
        guidance: float | None = None,
        size: str | None = None,
        seeds: str = "0",
        batch_size: int = 1,
        warmups: int = 1,
        noise: str = "cpu",
        guidance_rescale: float = 0.0,
        repeats: int = 1,
        also: list[str] = [],  # noqa: B006
        scorer: str = "",
        variants: list[str] = [],  # noqa: B006
        repeat_seconds: float | None = None,
    ) -> AsyncIterator[dict]:
        """Make pictures without and with accelerators from the same noise, and measure time and quality.

        Returns the record as run.json has it, with every picture of "shots" and the "grid" as files. While the
        comparison waits or runs, it says so instead: {"state": "waiting" or "running", ...}.

        Args:
            prompt: What the pictures should show, one prompt a line.
            checkpoint: A name that /checkpoints lists, and which weights of it: "step_024000; weights=raw; base=demo".
            accelerators: One arm each, as "DeepCache(interval=3)"; /accelerators lists names and parameters. Left
                out, DeepCache; beside variants one at most, which is on every arm.
            negative_prompt: What the pictures should not show.
            sampler: DDIM, Euler, ...; left out, the checkpoint's own.
            steps: Denoising steps; left out, the checkpoint's own.
            guidance: Guidance scale; left out, the checkpoint's own.
            size: "512" or "512x768" in pixels; left out, the checkpoint's own.
            seeds: "7", "1,2,3", "1-8", or "-1" for a random one.
            batch_size: Pictures a call.
            warmups: Untimed calls an arm.
            noise: "cpu" for the same noise on every device, "device" for one draw a batch.
            guidance_rescale: 0 to 1: how far guidance is kept from over-exposing pictures; not for PixArt.
            repeats: Timed calls of every batch, arms alternating.
            also: What to measure besides: "equal-time" (the baseline with fewer steps, in each arm's time),
                "noise-floor", "divergence" of the latents, "memory" of a CPU.
            scorer: The score that decides: demo, ViT-B-32, ViT-L-14, ViT-B-32-LAION, HPSv2.1, PickScore or DINOv2; left
                out, the CLIP score that suits the checkpoint.
            variants: One arm each with other weights: another checkpoint, or what changes in the first one, as
                "weights=raw", "lora=style.safetensors:0.8", "vae=other", "dtype=float16", "prediction=v".
            repeat_seconds: Seconds for extra timed turns after the pictures, until each speed-up is known to ± 3 %; 0
                for none; left out, 20.
        """
        asked = {name: value for name, value in locals().items() if name not in ("self", "_request")}
        async with aclosing(self._watch(_request, lambda *seen: self._run(asked, *seen))) as states:
            async for state in states:
                yield state

    async def fetch(self, _request: gr.Request, checkpoint: str) -> AsyncIterator[dict]:
        """Fetch a model from the hub to the server's machine, with the weights of its CLIP scorer.

        Says how far it is: {"state": "running", "text": ..., "done": bytes, "total": bytes}; at the end
        {"state": "finished"}. What has come stays after an error or a cancel, and the next fetch goes on from there.

        Args:
            checkpoint: A name that /checkpoints lists as not here.
        """

        def run(stop: threading.Event, told: dict) -> dict:
            for event in fetch(str(checkpoint), self.config, stop):
                told |= {"state": "running", "text": event.text, "done": event.done, "total": event.total}
            return {"state": "finished"}  # nobody is told of a fetch that was stopped

        async with aclosing(self._watch(_request, run)) as states:
            async for state in states:
                yield state

    async def _watch(self, request: gr.Request, work: Callable[[threading.Event, dict], dict]) -> AsyncIterator[dict]:
        """Run ``work`` in a thread and yield what it tells, several times a second; its result at the end.

        ``work`` gets an event that is set when the client is gone, and the dict in which it says how far it is.
        """
        stop, told = threading.Event(), {"state": "waiting", "text": "Starting"}
        session = request.session_hash or ""
        self.stops.setdefault(session, set()).add(stop)
        run = asyncio.get_running_loop().run_in_executor(self.threads, work, stop, told)
        try:
            while not (await asyncio.wait([run], timeout=BEAT))[0]:
                yield dict(told)
            yield run.result()
        except ComparerError as error:
            raise gr.Error(self.config.redact(error), print_exception=False) from error
        finally:
            stop.set()
            self.stops[session].discard(stop)
            if not self.stops[session]:
                del self.stops[session]

    def _run(self, asked: dict, stop: threading.Event, told: dict) -> dict:
        """Run to the end; ``told`` is kept up to date meanwhile."""
        for event in compare(build_request(self.config, **asked), self.config, stop):
            if isinstance(event, Waiting):
                told |= {"state": "waiting", "text": f"{event.ahead} ahead, now: {event.now}"}
            elif isinstance(event, Progress):
                told |= {"state": "running", "text": event.text, "done": event.done, "total": event.total}
            elif isinstance(event, Finished):
                record = run_json.to_json(event.comparison)
                record["shots"] = [
                    shot | {"picture": _file(event.folder / str(shot["file"]))} for shot in record["shots"]
                ]
                return record | {"folder": event.folder.name, "grid": event.grid and _file(event.grid)}
        return {"state": "stopped"}  # before its turn came: nobody listens any more

    def checkpoints(self) -> list[dict]:
        """List what can be compared: yours, installed, and what can be downloaded, with defaults.

        Each has: name, group ("yours", "installed", "can be downloaded"), kind ("pipeline", "single file", "weights",
        which need a base, "LoRA", ...), base (for weights, the pipeline in whose folder they are), weights (["ema",
        "raw"] where there are both), here (whether it is on this machine and can be used) and, where it is not or
        cannot be used, why_not. Pipelines also have: title, family, size (pixels a side), steps, guidance, sampler.
        """
        listed = []
        for entry in listing(self.config).entries:
            model, why_not = CATALOG.get(entry.name), entry.why_not or None
            if entry.kind == PIPELINE:
                try:
                    model = resolve(entry.name, self.config).model
                except ComparerError as error:
                    why_not = self.config.redact(error)
            about = {key: getattr(model, key, None) for key in SHOWN}
            where = {"group": entry.group, "kind": entry.kind, "base": entry.base, "weights": list(entry.halves)}
            listed.append({"name": entry.name, **about, **where, "here": why_not is None, "why_not": why_not})
        return listed

    def accelerators(self) -> list[dict]:
        """List the accelerators, what each does, the model families it serves, and its parameters.

        Each parameter has a name, default, help, and where it is a number low, high and step.
        """
        return [
            {
                "name": name,
                "summary": kind.summary,
                "lossy": kind.lossy,
                "families": sorted(kind.families()),
                "parameters": [{"name": p.name, "default": p.default, **p.metadata} for p in fields(kind)],
            }
            for name, kind in REGISTRY.items()
        ]


def _file(path: object) -> dict:
    """Hand a file over: gradio serves it, and gradio_client downloads it."""
    return gr.FileData(path=str(path)).model_dump()
