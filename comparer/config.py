"""What this installation chooses: folders, device, limits, address. Read from the environment and arguments."""

import argparse
import os
from dataclasses import dataclass, field
from pathlib import Path

from comparer.request import Limits


@dataclass(frozen=True)
class Config:
    """The installation's choices.

    Attributes:
        checkpoints: folders whose diffusers checkpoints may be loaded.
        runs: where run folders are written.
        device: "auto" (the GPU where there is one), or a torch device name.
        dtype: "auto" (float16 on a GPU, float32 on a CPU), "float32", "float16" or "bfloat16".
        offload: "none", or where weights wait in main memory until needed: "model" (component by component) or
            "sequential" (layer by layer, slow).
        vae: decode "whole" pictures, one picture at a time ("slicing") or in overlapping tiles ("tiling").
        keep: how many loaded pipelines are kept.
        host, port: where the page is served; another free port is taken when this one is not.
        limits: what one request may ask for.
    """

    checkpoints: tuple[Path, ...] = ()
    runs: Path = Path("runs")
    device: str = "auto"
    dtype: str = "auto"
    offload: str = "none"
    vae: str = "whole"
    keep: int = 1
    host: str = "127.0.0.1"
    port: int = 7860
    limits: Limits = field(default_factory=Limits)


def add_arguments(parser: argparse.ArgumentParser, serving: bool = False) -> None:
    """Add the options that every door shares, and the page's own; each defaults to its environment variable."""
    folders = [part for part in os.environ.get("COMPARER_CHECKPOINTS", "").split(os.pathsep) if part]
    parser.add_argument(
        "--checkpoints",
        action="append",
        metavar="DIR",
        default=None,
        help="a folder of diffusers checkpoints; may be given more than once (COMPARER_CHECKPOINTS)",
    )
    parser.set_defaults(default_checkpoints=folders)
    parser.add_argument(
        "--runs", metavar="DIR", default=os.environ.get("COMPARER_RUNS", "runs"), help="run folders (COMPARER_RUNS)"
    )
    parser.add_argument(
        "--device", default=os.environ.get("COMPARER_DEVICE", "auto"), help="auto, cpu, cuda, mps (COMPARER_DEVICE)"
    )
    if serving:
        host, port = (
            os.environ.get("GRADIO_SERVER_NAME", Config.host),
            os.environ.get("GRADIO_SERVER_PORT", Config.port),
        )
        parser.add_argument("--host", default=host, help="%(default)s (GRADIO_SERVER_NAME)")
        parser.add_argument("--port", type=int, default=int(port), help="%(default)s (GRADIO_SERVER_PORT)")


def from_arguments(options: argparse.Namespace) -> Config:
    """Build the configuration from parsed arguments."""
    folders = options.checkpoints if options.checkpoints is not None else options.default_checkpoints
    return Config(
        checkpoints=tuple(Path(folder).expanduser() for folder in folders),
        runs=Path(options.runs).expanduser(),
        device=options.device,
        host=getattr(options, "host", Config.host),
        port=getattr(options, "port", Config.port),
    )
